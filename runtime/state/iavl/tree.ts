/**
 * The IAVL+ tree of cosmos/iavl v1: values live in leaves, an inner node's key is the least key of its right subtree.
 * This is a window on one saved tree: inner nodes become resident when they are first passed, leaves are never resident.
 * A {@link TreeEditor} changes such a window in place; every version stays in the database as it was saved.
 */
import { assert } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { idOf } from '../key-id.ts';
import { Arena, ROOT } from './arena.ts';
import type { NodeStore } from './node-store.ts';
import {
  type LeafRecord,
  LINK_BYTES,
  NODE_HEADER_BYTES,
  type NodeLink,
  placeInPage,
  readU16,
  readU32,
} from './record.ts';

/** Root hash of a tree without entries. */
export const EMPTY_ROOT: Uint8Array = sha256(EMPTY);

/** What an eviction takes at once at most: a subtree of this height. */
const EVICTED_HEIGHT = 6;

/** Where a saved leaf is. */
export interface LeafAddress {
  /** Its key as its id; undefined for the least leaf of the tree, whose key only its record has. */
  readonly id: string | undefined;
  readonly version: number;
  readonly nonce: number;
}

/** Keys in [gte, lt) as ids. */
export interface IdRange {
  readonly gte: string | undefined;
  readonly lt: string | undefined;
  readonly reverse: boolean;
}

export class Tree {
  readonly nodes: NodeStore;
  readonly arena: Arena;
  /** Of the last {@link find}: the key of the leaf, or undefined for the least one of the tree. */
  foundKey: string | undefined;
  #random = 1;

  constructor(nodes: NodeStore, root: NodeLink | undefined, capacity?: number) {
    this.nodes = nodes;
    this.arena = new Arena(capacity);
    this.reset(root);
  }

  /** Forgets everything resident and stands at a saved root, or at nothing. */
  reset(root: NodeLink | undefined): void {
    this.arena.clear();
    if (root === undefined) return;
    this.arena.set(ROOT, 0, root.version, root.nonce, root.size, root.height, root.bottoms);
    this.arena.setHash(ROOT, root.hash);
  }

  get isEmpty(): boolean {
    return this.arena.size(ROOT) === 0;
  }

  /** The node behind a link to an inner node; loads it when it is not resident. */
  inner(link: number): number {
    const slot = this.arena.slot(link);
    return slot === 0 ? this.#load(link) : slot;
  }

  /** The link of the leaf that has `key`, or whose place it would take; {@link foundKey} says which. Not for an empty tree. */
  find(key: string): number {
    const { arena } = this;
    arena.search(key);
    let link = ROOT;
    let least = 0;
    while (arena.height(link) > 0) {
      const node = this.inner(link);
      if (arena.goesLeft(node)) link = 2 * node;
      else {
        link = 2 * node + 1;
        least = node;
      }
    }
    this.foundKey = least === 0 ? undefined : arena.keyOf(least);
    return link;
  }

  /** The saved leaf with this key. */
  findLeaf(key: string): LeafRecord | undefined {
    if (this.isEmpty) return undefined;
    const link = this.find(key);
    const { foundKey } = this;
    if (foundKey !== undefined && foundKey !== key) return undefined;
    const leaf = this.leaf(link);
    return foundKey === undefined && idOf(leaf.key) !== key ? undefined : leaf;
  }

  has(key: string): boolean {
    if (this.isEmpty) return false;
    const link = this.find(key);
    return this.foundKey === undefined ? idOf(this.leaf(link).key) === key : this.foundKey === key;
  }

  leaf(link: number): LeafRecord {
    return this.nodes.leaf(this.arena.version(link), this.arena.nonce(link));
  }

  /**
   * The first `count` leaves of a range, in its order, without loading them: the first and the last may lie just outside.
   */
  collect(range: IdRange, count: number): LeafAddress[] {
    const { arena } = this;
    const { gte, lt, reverse } = range;
    const found: LeafAddress[] = [];
    const stack: { readonly link: number; readonly least: string | undefined }[] = [];
    if (!this.isEmpty) stack.push({ link: ROOT, least: undefined });
    while (found.length < count) {
      const top = stack.pop();
      if (top === undefined) break;
      const { link, least } = top;
      if (arena.height(link) === 0) {
        found.push({ id: least, version: arena.version(link), nonce: arena.nonce(link) });
        continue;
      }
      const node = this.inner(link);
      const key = arena.keyOf(node);
      const goLeft = gte === undefined || gte < key;
      const goRight = lt === undefined || key < lt;
      if (reverse && goLeft) stack.push({ link: 2 * node, least });
      if (goRight) stack.push({ link: 2 * node + 1, least: key });
      if (!reverse && goLeft) stack.push({ link: 2 * node, least });
    }
    return found;
  }

  /**
   * Lets subtrees at random go until at most `limit` nodes are resident. What is used often comes back at once; no list
   * of uses has to be kept for it. Nothing unsaved may be resident.
   */
  trim(limit: number): void {
    const { arena } = this;
    while (arena.count > limit) {
      assert(this.#isResident(ROOT), 'nodes are resident that no root reaches');
      let link = ROOT;
      while (arena.height(link) > EVICTED_HEIGHT || link === ROOT) {
        const left = 2 * arena.slot(link);
        const [hasLeft, hasRight] = [this.#isResident(left), this.#isResident(left + 1)];
        if (!hasLeft && !hasRight) break;
        link = hasLeft && hasRight ? left + this.#coin() : hasLeft ? left : left + 1;
      }
      this.#evict(link);
    }
  }

  #isResident(link: number): boolean {
    return this.arena.height(link) > 0 && this.arena.slot(link) !== 0;
  }

  #evict(link: number): void {
    const { arena } = this;
    const node = arena.slot(link);
    if (this.#isResident(2 * node)) this.#evict(2 * node);
    if (this.#isResident(2 * node + 1)) this.#evict(2 * node + 1);
    arena.setSlot(link, 0);
    arena.release(node);
  }

  #coin(): number {
    this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) >>> 0;
    return (this.#random >>> 16) & 1;
  }

  #load(link: number): number {
    const { arena } = this;
    const nonce = arena.nonce(link);
    const page = this.nodes.page(arena.version(link), nonce);
    const at = placeInPage(page, nonce);
    const keyAt = at + NODE_HEADER_BYTES;
    const node = arena.allocate(idOf(page.subarray(keyAt, keyAt + readU16(page, at))));
    for (let side = 0; side < 2; side++) {
      const from = at + 2 + side * LINK_BYTES;
      const [version, childNonce, size] = [readU32(page, from), readU32(page, from + 4), readU32(page, from + 8)];
      const child = 2 * node + side;
      arena.set(child, 0, version, childNonce, size, page[from + 12] as number, page[from + 13] as number);
      arena.setHash(child, page.subarray(from + 14, from + LINK_BYTES));
    }
    arena.setSlot(link, node);
    return node;
  }
}
