/**
 * A persistent (immutable) sorted map from strings, as an AVL tree without deletion. A root is a snapshot: later inserts
 * leave it alone, and cost O(log n) each.
 */
export interface SortedMap<V> {
  readonly key: string;
  readonly value: V;
  readonly height: number;
  readonly left: SortedMap<V> | undefined;
  readonly right: SortedMap<V> | undefined;
}

type Tree<V> = SortedMap<V> | undefined;

function node<V>(key: string, value: V, left: Tree<V>, right: Tree<V>): SortedMap<V> {
  return { key, value, height: Math.max(left?.height ?? 0, right?.height ?? 0) + 1, left, right };
}

function tilt<V>(tree: SortedMap<V>): number {
  return (tree.left?.height ?? 0) - (tree.right?.height ?? 0);
}

function rotateRight<V>(tree: SortedMap<V>): SortedMap<V> {
  const left = tree.left as SortedMap<V>;
  return node(left.key, left.value, left.left, node(tree.key, tree.value, left.right, tree.right));
}

function rotateLeft<V>(tree: SortedMap<V>): SortedMap<V> {
  const right = tree.right as SortedMap<V>;
  return node(right.key, right.value, node(tree.key, tree.value, tree.left, right.left), right.right);
}

function balanced<V>(tree: SortedMap<V>): SortedMap<V> {
  const lean = tilt(tree);
  if (lean > 1) {
    const left = tree.left as SortedMap<V>;
    return rotateRight(tilt(left) >= 0 ? tree : node(tree.key, tree.value, rotateLeft(left), tree.right));
  }
  if (lean < -1) {
    const right = tree.right as SortedMap<V>;
    return rotateLeft(tilt(right) <= 0 ? tree : node(tree.key, tree.value, tree.left, rotateRight(right)));
  }
  return tree;
}

/** The map with `key` set to `value`. */
export function insert<V>(tree: Tree<V>, key: string, value: V): SortedMap<V> {
  if (tree === undefined) return node(key, value, undefined, undefined);
  if (key === tree.key) return { ...tree, value };
  return key < tree.key
    ? balanced(node(tree.key, tree.value, insert(tree.left, key, value), tree.right))
    : balanced(node(tree.key, tree.value, tree.left, insert(tree.right, key, value)));
}

/** Values of keys in [gte, lt), in key order, descending when `reverse`. */
export function* scan<V>(
  tree: Tree<V>,
  gte: string | undefined,
  lt: string | undefined,
  reverse: boolean,
): Generator<V, void, undefined> {
  const stack: SortedMap<V>[] = [];
  let at = tree;
  for (;;) {
    while (at !== undefined) {
      const below = gte !== undefined && at.key < gte;
      const above = lt !== undefined && at.key >= lt;
      if (reverse) {
        if (!above) stack.push(at);
        at = above ? at.left : at.right;
      } else {
        if (!below) stack.push(at);
        at = below ? at.right : at.left;
      }
    }
    const top = stack.pop();
    if (top === undefined) return;
    if (reverse ? gte !== undefined && top.key < gte : lt !== undefined && top.key >= lt) return;
    yield top.value;
    at = reverse ? top.left : top.right;
  }
}
