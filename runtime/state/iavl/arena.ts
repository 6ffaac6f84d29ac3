/**
 * Inner nodes in memory as columns of typed arrays: 112 bytes and a key for each, none of them an object that the garbage
 * collector has to visit. A node has two links; link 2n is node n's left one, 2n + 1 its right one. Node 0 is not a node:
 * link 0 is the root. Beside a node's links stand the first bytes of its key: they nearly always say which way to go, and
 * what a step of a search waits for is memory, of which it then touches one place and not three.
 */
import { HASH_BYTES, type NodeLink } from './record.ts';

/** slot, version, nonce, size, meta. */
const LINK_WORDS = 5;
/** Two links, and eight bytes of the key. */
const NODE_WORDS = 2 * LINK_WORDS + 2;
const HEAD = 2 * LINK_WORDS;
const SLOT = 0;
const VERSION = 1;
const NONCE = 2;
const SIZE = 3;
const META = 4;

export const ROOT = 0;

/** Bytes that a resident inner node costs with a usual key: columns, key string, reference to it. */
export const RESIDENT_NODE_BYTES = 4 * NODE_WORDS + 2 * HASH_BYTES + 80;

/** Where the words of a link begin. */
function wordsOf(link: number): number {
  return (link >>> 1) * NODE_WORDS + (link & 1) * LINK_WORDS;
}

/** Four bytes of a key as a number, zeros where it has ended: of two keys the less never has the greater number. */
function headOf(key: string, at: number): number {
  let head = 0;
  for (let i = at; i < at + 4; i++) head = (head << 8) | (i < key.length ? key.charCodeAt(i) : 0);
  return head >>> 0;
}

export class Arena {
  #words: Uint32Array;
  hashes: Uint8Array;
  readonly #keys: string[] = [''];
  #free: number[] = [];
  #next = 1;
  #capacity: number;
  /** What is searched for, and its first bytes. */
  #wanted = '';
  #head = 0;
  #nextHead = 0;

  constructor(capacity = 32) {
    this.#capacity = capacity;
    this.#words = new Uint32Array(NODE_WORDS * capacity);
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
    this.#words.fill(0, 0, NODE_WORDS);
  }

  /** A node whose links have to be set. Views of the columns taken before are stale. */
  allocate(key: string): number {
    const recycled = this.#free.pop();
    if (recycled !== undefined) {
      this.setKey(recycled, key);
      return recycled;
    }
    if (this.#next === this.#capacity) this.#grow();
    this.setKey(this.#next, key);
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
    const at = node * NODE_WORDS + HEAD;
    this.#words[at] = headOf(key, 0);
    this.#words[at + 1] = headOf(key, 4);
  }

  /** Says what {@link goesLeft} is asked about. */
  search(key: string): void {
    this.#wanted = key;
    this.#head = headOf(key, 0);
    this.#nextHead = headOf(key, 4);
  }

  /** Whether what is searched for is less than the node's key. */
  goesLeft(node: number): boolean {
    const at = node * NODE_WORDS + HEAD;
    const head = this.#words[at] as number;
    if (this.#head !== head) return this.#head < head;
    const nextHead = this.#words[at + 1] as number;
    return this.#nextHead === nextHead ? this.#wanted < this.keyOf(node) : this.#nextHead < nextHead;
  }

  /** The resident node behind a link, or a new leaf's number; zero for what is only in the database. */
  slot(link: number): number {
    return this.#words[wordsOf(link) + SLOT] as number;
  }

  setSlot(link: number, slot: number): void {
    this.#words[wordsOf(link) + SLOT] = slot;
  }

  /** Zero for what is not in the database yet. */
  version(link: number): number {
    return this.#words[wordsOf(link) + VERSION] as number;
  }

  setVersion(link: number, version: number): void {
    this.#words[wordsOf(link) + VERSION] = version;
  }

  nonce(link: number): number {
    return this.#words[wordsOf(link) + NONCE] as number;
  }

  setNonce(link: number, nonce: number): void {
    this.#words[wordsOf(link) + NONCE] = nonce;
  }

  size(link: number): number {
    return this.#words[wordsOf(link) + SIZE] as number;
  }

  height(link: number): number {
    return (this.#words[wordsOf(link) + META] as number) & 255;
  }

  /** See {@link NodeLink.bottoms}. */
  bottoms(link: number): number {
    return (this.#words[wordsOf(link) + META] as number) >>> 8;
  }

  setBottoms(link: number, bottoms: number): void {
    const at = wordsOf(link) + META;
    this.#words[at] = ((this.#words[at] as number) & 255) | (bottoms << 8);
  }

  set(link: number, slot: number, version: number, nonce: number, size: number, height: number, bottoms: number): void {
    const at = wordsOf(link);
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
    const at = wordsOf(from);
    this.#words.copyWithin(wordsOf(to), at, at + LINK_WORDS);
    this.hashes.copyWithin(to * HASH_BYTES, from * HASH_BYTES, (from + 1) * HASH_BYTES);
  }

  /** Measures an inner node anew by its children's links. */
  remeasure(link: number): void {
    const left = 2 * this.slot(link);
    const at = wordsOf(link);
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
    const words = new Uint32Array(NODE_WORDS * this.#capacity);
    words.set(this.#words);
    this.#words = words;
    const hashes = new Uint8Array(2 * HASH_BYTES * this.#capacity);
    hashes.set(this.hashes);
    this.hashes = hashes;
  }
}
