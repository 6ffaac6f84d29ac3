import { assert } from '#core/assert.ts';
import type { Kv } from '#core/ports/kv.ts';
import { STATE_LIMITS } from '../../limits.ts';
import { nodeKey, nodePrefix } from '../db-keys.ts';
import { decodeNode, type Link, type NodeRef, type TreeNode } from './node.ts';

/** What a cached leaf costs besides its key and value: object and array headers, its place in the map. */
const LEAF_OVERHEAD_BYTES = 300;
/** Likewise for an inner node, with its two references and their hashes. */
const INNER_OVERHEAD_BYTES = 500;

function bytesOf(node: TreeNode): number {
  return node.kind === 'leaf'
    ? LEAF_OVERHEAD_BYTES + node.key.length + node.value.length
    : INNER_OVERHEAD_BYTES + node.key.length;
}

interface Shelf {
  young: Map<number, TreeNode>;
  old: Map<number, TreeNode>;
}

/**
 * Decoded nodes of all stores, in two generations: when the young one is full it becomes the old one, and what was not
 * used since is dropped. At most `limitBytes`, overheads included.
 */
export class NodeCache {
  readonly #halfBytes: number;
  readonly #shelves: Shelf[] = [];
  #youngBytes = 0;

  constructor(limitBytes: number) {
    this.#halfBytes = limitBytes >>> 1;
  }

  shelf(): Shelf {
    const shelf = { young: new Map<number, TreeNode>(), old: new Map<number, TreeNode>() };
    this.#shelves.push(shelf);
    return shelf;
  }

  get(shelf: Shelf, id: number): TreeNode | undefined {
    const young = shelf.young.get(id);
    if (young !== undefined) return young;
    const old = shelf.old.get(id);
    if (old !== undefined) this.put(shelf, id, old);
    return old;
  }

  put(shelf: Shelf, id: number, node: TreeNode): void {
    shelf.young.set(id, node);
    this.#youngBytes += bytesOf(node);
    if (this.#youngBytes <= this.#halfBytes) return;
    for (const each of this.#shelves) {
      each.old = each.young;
      each.young = new Map();
    }
    this.#youngBytes = 0;
  }

  /** Nodes held now. */
  get size(): number {
    let count = 0;
    for (const { young, old } of this.#shelves) {
      count += young.size;
      for (const id of old.keys()) if (!young.has(id)) count++;
    }
    return count;
  }
}

/** The saved nodes of one store: loaded when needed, kept while the cache has room. */
export class NodeStore {
  readonly #kv: Kv;
  readonly #name: string;
  readonly #prefix: Uint8Array;
  readonly #cache: NodeCache;
  readonly #shelf: Shelf;

  constructor(kv: Kv, name: string, cache: NodeCache) {
    this.#kv = kv;
    this.#name = name;
    this.#prefix = nodePrefix(name);
    this.#cache = cache;
    this.#shelf = cache.shelf();
  }

  /** The node behind a link. @throws AssertionError when the database lacks it: damaged, or the version was pruned. */
  load(link: Link): TreeNode {
    if (link.kind !== 'ref') return link;
    const id = link.version * (STATE_LIMITS.nodesPerVersion + 1) + link.nonce;
    const cached = this.#cache.get(this.#shelf, id);
    if (cached !== undefined) return cached;
    const title = `node ${link.version}/${link.nonce} of store ${this.#name}`;
    const record = this.#kv.get(this.key(link));
    assert(record !== undefined, `${title} is not in the database`);
    const node = decodeNode(record, title);
    this.#cache.put(this.#shelf, id, node);
    return node;
  }

  /** A node that was just made and is about to be written. */
  remember(ref: NodeRef, node: TreeNode): void {
    this.#cache.put(this.#shelf, ref.version * (STATE_LIMITS.nodesPerVersion + 1) + ref.nonce, node);
  }

  key(ref: NodeRef): Uint8Array {
    return nodeKey(this.#prefix, ref.version, ref.nonce);
  }
}
