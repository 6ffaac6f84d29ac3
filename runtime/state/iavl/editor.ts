/** Changes to a tree: the rotations of cosmos/iavl v1 and its reuse of old nodes, so the same roots for the same operations. */
import { assert } from '#core/assert.ts';
import { STATE_LIMITS } from '../../limits.ts';
import { idOf, type StoreKey, toId } from '../key-id.ts';
import { ROOT } from './arena.ts';
import { type NewLeaf, putU32 } from './record.ts';
import { type SealedTree, seal } from './seal.ts';
import type { Tree } from './tree.ts';

/** version u32 ‖ nonce u32 ‖ bottoms u8. */
export const ORPHAN_BYTES = 9;

/** Bottoms of pages that are no longer used, in one growing record: see NodeLink.bottoms. */
class Orphans {
  #bytes = new Uint8Array(0);
  #length = 0;

  add(version: number, nonce: number, bottoms: number): void {
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#length, 64 * ORPHAN_BYTES));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    putU32(this.#bytes, this.#length, version);
    putU32(this.#bytes, this.#length + 4, nonce);
    this.#bytes[this.#length + 8] = bottoms;
    this.#length += ORPHAN_BYTES;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/**
 * Edits a tree in place, on top of a saved root. Until {@link TreeEditor.seal}, and until what that returns is written,
 * the tree shows unsaved nodes and must not be read by others; `tree.reset` undoes everything.
 */
export class TreeEditor {
  readonly #tree: Tree;
  readonly #orphans = new Orphans();
  /** New leaves; a link's slot is the leaf's place here. */
  readonly #leaves: NewLeaf[] = [];
  /** Of the set or removal under way. */
  #key = '';
  #least: string | undefined;
  #grew = false;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /** The value as edited so far. */
  get(key: StoreKey): Uint8Array | undefined {
    const tree = this.#tree;
    const id = toId(key);
    if (tree.isEmpty) return undefined;
    const leaf = this.#leafAt(tree.find(id));
    return leaf.id === id ? leaf.value : undefined;
  }

  set(key: StoreKey, value: Uint8Array): void {
    assert(
      key.length > 0 && key.length <= STATE_LIMITS.keyBytes,
      `a store key must be 1 … ${STATE_LIMITS.keyBytes} bytes, got ${key.length}`,
    );
    const id = toId(key);
    this.#leaves.push({ id, value });
    this.#key = id;
    this.#least = undefined;
    this.#grew = false;
    this.#tree.arena.search(id);
    if (this.#tree.isEmpty) this.#placeLeaf(ROOT);
    else this.#set(ROOT);
  }

  /** Whether the key was there. */
  remove(key: StoreKey): boolean {
    const tree = this.#tree;
    const id = toId(key);
    if (tree.isEmpty) return false;
    const link = tree.find(id);
    const found = tree.foundKey ?? this.#leafAt(link).id;
    if (found !== id) return false;
    this.#key = id;
    this.#least = undefined;
    if (tree.arena.height(ROOT) === 0) {
      this.#retire(ROOT);
      tree.arena.set(ROOT, 0, 0, 0, 0, 0, 0);
    } else this.#remove(ROOT);
    return true;
  }

  /** Addresses, hashes and encodes the new nodes as `version`. The editor must not be used afterwards. */
  seal(version: number): SealedTree {
    return seal(this.#tree, this.#leaves, this.#orphans.finish(), version);
  }

  #leafAt(link: number): NewLeaf {
    const { arena } = this.#tree;
    if (arena.version(link) === 0) return this.#leaves[arena.slot(link)] as NewLeaf;
    const { key, value } = this.#tree.leaf(link);
    return { id: idOf(key), value };
  }

  #placeLeaf(link: number): void {
    this.#tree.arena.set(link, this.#leaves.length - 1, 0, 0, 1, 0, 0);
  }

  #set(link: number): void {
    const { arena } = this.#tree;
    if (arena.height(link) === 0) {
      this.#setAtLeaf(link);
      return;
    }
    const node = this.#tree.inner(link);
    this.#retire(link);
    if (arena.goesLeft(node)) this.#set(2 * node);
    else {
      this.#least = arena.keyOf(node);
      this.#set(2 * node + 1);
    }
    if (!this.#grew) return;
    arena.remeasure(link);
    this.#balance(link);
  }

  #setAtLeaf(link: number): void {
    const { arena } = this.#tree;
    const there = this.#least ?? this.#leafAt(link).id;
    if (there === this.#key) {
      this.#retire(link);
      this.#placeLeaf(link);
      return;
    }
    const goesLeft = this.#key < there;
    const node = arena.allocate(goesLeft ? there : this.#key);
    arena.copy(link, 2 * node + (goesLeft ? 1 : 0));
    this.#placeLeaf(2 * node + (goesLeft ? 0 : 1));
    arena.set(link, node, 0, 0, 2, 1, 0);
    this.#grew = true;
  }

  /** Removes the key, which is there, from below an inner node. */
  #remove(link: number): void {
    const tree = this.#tree;
    const { arena } = tree;
    const node = tree.inner(link);
    this.#retire(link);
    const own = arena.keyOf(node);
    const goesLeft = this.#key < own;
    const child = 2 * node + (goesLeft ? 0 : 1);
    if (arena.height(child) === 0) {
      this.#retire(child);
      arena.copy(2 * node + (goesLeft ? 1 : 0), link);
      arena.release(node);
      this.#least = goesLeft ? own : undefined;
      return;
    }
    this.#remove(child);
    if (!goesLeft && this.#least !== undefined) {
      arena.setKey(node, this.#least);
      this.#least = undefined;
    }
    arena.remeasure(link);
    this.#balance(link);
  }

  #balance(link: number): void {
    const left = 2 * this.#tree.arena.slot(link);
    const lean = this.#lean(link);
    if (lean > 1) {
      this.#tree.inner(left);
      if (this.#lean(left) < 0) this.#rotateLeft(left);
      this.#rotateRight(link);
    } else if (lean < -1) {
      this.#tree.inner(left + 1);
      if (this.#lean(left + 1) > 0) this.#rotateRight(left + 1);
      this.#rotateLeft(link);
    }
  }

  /** Height of the left subtree over the right one, of a resident node. */
  #lean(link: number): number {
    const { arena } = this.#tree;
    const left = 2 * arena.slot(link);
    return arena.height(left) - arena.height(left + 1);
  }

  #rotateRight(link: number): void {
    const { arena } = this.#tree;
    this.#retire(link);
    const node = arena.slot(link);
    const risen = this.#tree.inner(2 * node);
    this.#retire(2 * node);
    arena.copy(2 * risen + 1, 2 * node);
    arena.set(2 * risen + 1, node, 0, 0, 0, 0, 0);
    arena.remeasure(2 * risen + 1);
    arena.setSlot(link, risen);
    arena.remeasure(link);
  }

  #rotateLeft(link: number): void {
    const { arena } = this.#tree;
    this.#retire(link);
    const node = arena.slot(link);
    const risen = this.#tree.inner(2 * node + 1);
    this.#retire(2 * node + 1);
    arena.copy(2 * risen, 2 * node + 1);
    arena.set(2 * risen, node, 0, 0, 0, 0, 0);
    arena.remeasure(2 * risen);
    arena.setSlot(link, risen);
    arena.remeasure(link);
  }

  /** The node behind the link is no longer the saved one. */
  #retire(link: number): void {
    const { arena } = this.#tree;
    const version = arena.version(link);
    if (version === 0) return;
    const bottoms = arena.bottoms(link);
    if (bottoms > 0) this.#orphans.add(version, arena.nonce(link), bottoms);
    arena.setVersion(link, 0);
  }
}
