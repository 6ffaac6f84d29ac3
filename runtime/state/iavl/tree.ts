/**
 * The IAVL+ tree of cosmos/iavl v1: same rotations, same reuse of old nodes, so the same root hashes for the same
 * operations. Nodes are immutable; a root is a version, and every root stays readable.
 */
import { assert } from '#core/assert.ts';
import { compare, EMPTY, equal } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import type { KvOp, KvRange } from '#core/ports/kv.ts';
import { STATE_LIMITS } from '../../limits.ts';
import type { KvReader } from '../kv-view.ts';
import {
  Arena,
  encodeInner,
  encodeLeaf,
  heightOf,
  type InnerNode,
  inner,
  innerHash,
  type LeafNode,
  type Link,
  leafHash,
  type NodeRef,
  sizeOf,
} from './node.ts';
import type { NodeStore } from './node-store.ts';

/** Root hash of a tree without entries. */
export const EMPTY_ROOT = sha256(EMPTY);

/** Reads one version (or a tree being edited) of a store. */
export class TreeReader implements KvReader {
  readonly #nodes: NodeStore;
  readonly #root: Link | undefined;

  constructor(nodes: NodeStore, root: Link | undefined) {
    this.#nodes = nodes;
    this.#root = root;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#root === undefined) return undefined;
    let node = this.#nodes.load(this.#root);
    while (node.kind === 'inner') node = this.#nodes.load(compare(key, node.key) < 0 ? node.left : node.right);
    return equal(node.key, key) ? node.value : undefined;
  }

  has(key: Uint8Array): boolean {
    return this.get(key) !== undefined;
  }

  *entries(range: KvRange): Generator<readonly [Uint8Array, Uint8Array], void, undefined> {
    const { gte, lt, reverse = false } = range;
    let left = range.limit ?? Number.MAX_SAFE_INTEGER;
    const stack: Link[] = this.#root === undefined ? [] : [this.#root];
    while (left > 0) {
      const link = stack.pop();
      if (link === undefined) return;
      const node = this.#nodes.load(link);
      if (node.kind === 'leaf') {
        if (gte !== undefined && compare(node.key, gte) < 0) continue;
        if (lt !== undefined && compare(node.key, lt) >= 0) continue;
        yield [node.key, node.value];
        left--;
        continue;
      }
      const goLeft = gte === undefined || compare(gte, node.key) < 0;
      const goRight = lt === undefined || compare(node.key, lt) < 0;
      if (reverse && goLeft) stack.push(node.left);
      if (goRight) stack.push(node.right);
      if (!reverse && goLeft) stack.push(node.left);
    }
  }
}

/** What a version adds to the database. */
export interface SealedTree {
  /** Undefined for an empty tree. An old node when nothing changed, or when deletions left an old subtree. */
  readonly root: NodeRef | undefined;
  /** 32 bytes. */
  readonly hash: Uint8Array;
  readonly puts: readonly KvOp[];
  /** Saved nodes that this version replaced. */
  readonly orphans: readonly NodeRef[];
}

interface Removal {
  /** What stands in the subtree's place; undefined when it was the removed leaf. */
  readonly link: Link | undefined;
  /** New least key of the subtree, where an ancestor has it as its key. */
  readonly least: Uint8Array | undefined;
}

/** Edits on top of a saved root. The saved nodes stay as they are. */
export class TreeEditor {
  readonly #nodes: NodeStore;
  #root: Link | undefined;
  readonly #orphans: NodeRef[] = [];

  constructor(nodes: NodeStore, root: NodeRef | undefined) {
    this.#nodes = nodes;
    this.#root = root;
  }

  reader(): TreeReader {
    return new TreeReader(this.#nodes, this.#root);
  }

  set(key: Uint8Array, value: Uint8Array): void {
    assert(
      key.length > 0 && key.length <= STATE_LIMITS.keyBytes,
      `a store key must be 1 … ${STATE_LIMITS.keyBytes} bytes, got ${key.length}`,
    );
    const leaf: LeafNode = { kind: 'leaf', key, value };
    this.#root = this.#root === undefined ? leaf : this.#set(this.#root, leaf);
  }

  /** Whether the key was there. */
  remove(key: Uint8Array): boolean {
    if (this.#root === undefined) return false;
    const removal = this.#remove(this.#root, key);
    if (removal === undefined) return false;
    this.#root = removal.link;
    return true;
  }

  /** Numbers and hashes the new nodes, parents before children, as `version`. The editor must not be used afterwards. */
  seal(version: number): SealedTree {
    assert(version > 0 && version <= STATE_LIMITS.maxVersion, `version ${version} is out of range`);
    const puts: KvOp[] = [];
    const arena = new Arena();
    let nonce = 0;
    const sealLink = (link: Link): NodeRef => {
      if (link.kind === 'ref') return link;
      nonce++;
      assert(nonce <= STATE_LIMITS.nodesPerVersion, `version ${version} makes too many nodes`);
      const own = nonce;
      if (link.kind === 'leaf') {
        const hash = leafHash(link, version);
        const ref: NodeRef = { kind: 'ref', version, nonce: own, height: 0, size: 1, hash };
        puts.push({ type: 'put', key: this.#nodes.key(ref), value: encodeLeaf(link, arena) });
        this.#nodes.remember(ref, link);
        return ref;
      }
      const left = sealLink(link.left);
      const right = sealLink(link.right);
      const hash = innerHash(link, version, left.hash, right.hash);
      const ref: NodeRef = { kind: 'ref', version, nonce: own, height: link.height, size: link.size, hash };
      puts.push({ type: 'put', key: this.#nodes.key(ref), value: encodeInner(link.key, left, right, arena) });
      link.left = left;
      link.right = right;
      this.#nodes.remember(ref, link);
      return ref;
    };
    const root = this.#root === undefined ? undefined : sealLink(this.#root);
    return { root, hash: root?.hash ?? EMPTY_ROOT, puts, orphans: this.#orphans };
  }

  #set(link: Link, leaf: LeafNode): Link {
    const node = this.#nodes.load(link);
    if (node.kind === 'inner') {
      const own = this.#own(link, node);
      if (compare(leaf.key, own.key) < 0) own.left = this.#set(own.left, leaf);
      else own.right = this.#set(own.right, leaf);
      remeasure(own);
      return this.#balanced(own);
    }
    const order = compare(leaf.key, node.key);
    if (order < 0) return inner(node.key, leaf, link);
    if (order > 0) return inner(leaf.key, link, leaf);
    this.#retire(link);
    return leaf;
  }

  /** Undefined when the key is not below `link`. */
  #remove(link: Link, key: Uint8Array): Removal | undefined {
    const node = this.#nodes.load(link);
    if (node.kind === 'leaf') {
      if (!equal(node.key, key)) return undefined;
      this.#retire(link);
      return { link: undefined, least: undefined };
    }
    const goLeft = compare(key, node.key) < 0;
    const below = this.#remove(goLeft ? node.left : node.right, key);
    if (below === undefined) return undefined;
    this.#retire(link);
    if (goLeft) {
      if (below.link === undefined) return { link: node.right, least: node.key };
      return { link: this.#balanced(inner(node.key, below.link, node.right)), least: below.least };
    }
    if (below.link === undefined) return { link: node.left, least: undefined };
    return { link: this.#balanced(inner(below.least ?? node.key, node.left, below.link)), least: undefined };
  }

  #balanced(node: InnerNode): InnerNode {
    const lean = leanOf(node);
    if (lean > 1) {
      if (leanOf(this.#inner(node.left)) >= 0) return this.#rotateRight(node);
      return this.#rotateRight(inner(node.key, this.#rotateLeft(this.#take(node.left)), node.right));
    }
    if (lean < -1) {
      if (leanOf(this.#inner(node.right)) <= 0) return this.#rotateLeft(node);
      return this.#rotateLeft(inner(node.key, node.left, this.#rotateRight(this.#take(node.right))));
    }
    return node;
  }

  #rotateRight(node: InnerNode): InnerNode {
    const left = this.#take(node.left);
    return inner(left.key, left.left, inner(node.key, left.right, node.right));
  }

  #rotateLeft(node: InnerNode): InnerNode {
    const right = this.#take(node.right);
    return inner(right.key, inner(node.key, node.left, right.left), right.right);
  }

  /** `node`, the content of `link`, as a new node of this version that may be changed. */
  #own(link: Link, node: InnerNode): InnerNode {
    if (link.kind !== 'ref') return node;
    this.#retire(link);
    return { ...node };
  }

  #inner(link: Link): InnerNode {
    const node = this.#nodes.load(link);
    assert(node.kind === 'inner', 'a tree leans towards a leaf by more than one');
    return node;
  }

  /** A node whose content moves into a new node. */
  #take(link: Link): InnerNode {
    this.#retire(link);
    return this.#inner(link);
  }

  #retire(link: Link): void {
    if (link.kind === 'ref') this.#orphans.push(link);
  }
}

function remeasure(node: InnerNode): void {
  node.height = Math.max(heightOf(node.left), heightOf(node.right)) + 1;
  node.size = sizeOf(node.left) + sizeOf(node.right);
}

/** Height of the left subtree over the right one. */
function leanOf(node: InnerNode): number {
  return heightOf(node.left) - heightOf(node.right);
}
