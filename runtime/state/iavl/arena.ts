/**
 * Inner nodes in memory as columns of typed arrays: 104 bytes and a key for each, none of them an object that the garbage
 * collector has to visit. A node has two links; link 2n is node n's left one, 2n + 1 its right one. Node 0 is not a node:
 * link 0 is the root.
 */
import { HASH_BYTES, type NodeLink } from './record.ts';

/** slot, version, nonce, size, meta. */
const LINK_WORDS = 5;
const SLOT = 0;
const VERSION = 1;
const NONCE = 2;
const SIZE = 3;
const META = 4;

export const ROOT = 0;

/** Bytes that a resident inner node costs with a usual key: columns, key string, reference to it. */
export const RESIDENT_NODE_BYTES = 2 * (4 * LINK_WORDS + HASH_BYTES) + 80;

export class Arena {
  #words: Uint32Array;
  hashes: Uint8Array;
  readonly #keys: string[] = [''];
  #free: number[] = [];
  #next = 1;
  #capacity: number;

  constructor(capacity = 32) {
    this.#capacity = capacity;
    this.#words = new Uint32Array(2 * LINK_WORDS * capacity);
    this.hashes = new Uint8Array(2 * HASH_BYTES * capacity);
  }

  /** Nodes in use. */
  get count(): number {
    return this.#next - 1 - this.#free.length;
  }

  clear(): void {
    this.#keys.length = 1;
    this.#free = [];
    this.#next = 1;
    this.#words.fill(0, 0, 2 * LINK_WORDS);
  }

  /** A node whose links have to be set. Views of the columns taken before are stale. */
  allocate(key: string): number {
    const recycled = this.#free.pop();
    if (recycled !== undefined) {
      this.#keys[recycled] = key;
      return recycled;
    }
    if (this.#next === this.#capacity) this.#grow();
    this.#keys.push(key);
    return this.#next++;
  }

  release(node: number): void {
    this.#keys[node] = '';
    this.#free.push(node);
  }

  keyOf(node: number): string {
    return this.#keys[node] as string;
  }

  setKey(node: number, key: string): void {
    this.#keys[node] = key;
  }

  /** The resident node behind a link, or a new leaf's number; zero for what is only in the database. */
  slot(link: number): number {
    return this.#words[link * LINK_WORDS + SLOT] as number;
  }

  setSlot(link: number, slot: number): void {
    this.#words[link * LINK_WORDS + SLOT] = slot;
  }

  /** Zero for what is not in the database yet. */
  version(link: number): number {
    return this.#words[link * LINK_WORDS + VERSION] as number;
  }

  setVersion(link: number, version: number): void {
    this.#words[link * LINK_WORDS + VERSION] = version;
  }

  nonce(link: number): number {
    return this.#words[link * LINK_WORDS + NONCE] as number;
  }

  setNonce(link: number, nonce: number): void {
    this.#words[link * LINK_WORDS + NONCE] = nonce;
  }

  size(link: number): number {
    return this.#words[link * LINK_WORDS + SIZE] as number;
  }

  height(link: number): number {
    return (this.#words[link * LINK_WORDS + META] as number) & 255;
  }

  /** See {@link NodeLink.bottoms}. */
  bottoms(link: number): number {
    return (this.#words[link * LINK_WORDS + META] as number) >>> 8;
  }

  setBottoms(link: number, bottoms: number): void {
    const at = link * LINK_WORDS + META;
    this.#words[at] = ((this.#words[at] as number) & 255) | (bottoms << 8);
  }

  set(link: number, slot: number, version: number, nonce: number, size: number, height: number, bottoms: number): void {
    const at = link * LINK_WORDS;
    const words = this.#words;
    words[at + SLOT] = slot;
    words[at + VERSION] = version;
    words[at + NONCE] = nonce;
    words[at + SIZE] = size;
    words[at + META] = height | (bottoms << 8);
  }

  setHash(link: number, hash: Uint8Array): void {
    this.hashes.set(hash, link * HASH_BYTES);
  }

  copy(from: number, to: number): void {
    this.#words.copyWithin(to * LINK_WORDS, from * LINK_WORDS, (from + 1) * LINK_WORDS);
    this.hashes.copyWithin(to * HASH_BYTES, from * HASH_BYTES, (from + 1) * HASH_BYTES);
  }

  /** Measures an inner node anew by its children's links. */
  remeasure(link: number): void {
    const left = 2 * this.slot(link);
    const at = link * LINK_WORDS;
    this.#words[at + SIZE] = this.size(left) + this.size(left + 1);
    this.#words[at + META] = Math.max(this.height(left), this.height(left + 1)) + 1;
  }

  read(link: number): NodeLink {
    return {
      version: this.version(link),
      nonce: this.nonce(link),
      size: this.size(link),
      height: this.height(link),
      bottoms: this.bottoms(link),
      hash: this.hashes.slice(link * HASH_BYTES, (link + 1) * HASH_BYTES),
    };
  }

  #grow(): void {
    this.#capacity *= 2;
    const words = new Uint32Array(2 * LINK_WORDS * this.#capacity);
    words.set(this.#words);
    this.#words = words;
    const hashes = new Uint8Array(2 * HASH_BYTES * this.#capacity);
    hashes.set(this.hashes);
    this.hashes = hashes;
  }
}
