/** Rebuilds trees from a snapshot's stream, and trusts nothing in it. */
import { compare, concat, EMPTY, fromUtf8 } from '#core/bytes.ts';
import type { KvOp } from '#core/ports/kv.ts';
import { err, ok, type Result } from '#core/result.ts';
import { STATE_LIMITS } from '../../limits.ts';
import { nodeKey, nodePrefix } from '../db-keys.ts';
import { innerHashInto, leafHashInto } from '../iavl/hash.ts';
import {
  encodeLeaf,
  HASH_BYTES,
  LINK_BYTES,
  NODE_HEADER_BYTES,
  type NodeLink,
  PAGE_PLACE_BITS,
  pageOf,
  readU16,
  readU32,
  writeLink,
} from '../iavl/record.ts';
import { INNER_ITEM_BYTES, ITEM, LEAF_ITEM_HEADER_BYTES } from './format.ts';

/** A subtree that waits for its parent. */
interface Pending {
  readonly link: NodeLink;
  /** Its least key: an inner node's key is that of its right child. */
  readonly least: Uint8Array;
}

export class Rebuild {
  readonly #height: number;
  readonly #storeNames: readonly string[];
  readonly roots = new Map<string, NodeLink | undefined>();
  /** What the last chunk ended with: an item that is not complete yet. */
  #rest = EMPTY;
  #store: string | undefined;
  #prefix = EMPTY;
  #stack: Pending[] = [];
  #lastKey: Uint8Array | undefined;
  /** Records made so far in each version of the store. */
  #pages = new Map<number, number>();

  constructor(height: bigint, storeNames: readonly string[]) {
    this.#height = Number(height);
    this.#storeNames = storeNames;
  }

  /** The records that a chunk adds. After an error nothing more may be fed. */
  feed(chunk: Uint8Array): Result<KvOp[], string> {
    const bytes = this.#rest.length === 0 ? chunk : concat(this.#rest, chunk);
    const ops: KvOp[] = [];
    let at = 0;
    for (;;) {
      const length = this.#itemLength(bytes, at);
      if (!length.ok) return length;
      if (length.value === undefined || at + length.value > bytes.length) break;
      const taken = this.#take(bytes.subarray(at, at + length.value), ops);
      if (!taken.ok) return taken;
      at += length.value;
    }
    this.#rest = bytes.slice(at);
    return ok(ops);
  }

  /** Nothing may be left open. */
  finish(): Result<true, string> {
    if (this.#rest.length > 0) return err(`the stream ends within an item, ${this.#rest.length} bytes into it`);
    return this.#closeStore();
  }

  /** Undefined when its header is not complete. */
  #itemLength(bytes: Uint8Array, at: number): Result<number | undefined, string> {
    const left = bytes.length - at;
    if (left === 0) return ok(undefined);
    const kind = bytes[at];
    if (kind === ITEM.store) return ok(left < 2 ? undefined : 2 + (bytes[at + 1] as number));
    if (kind === ITEM.inner) return ok(INNER_ITEM_BYTES);
    if (kind !== ITEM.leaf) return err(`an item of kind ${kind}: expected 0, 1 or 2`);
    if (left < LEAF_ITEM_HEADER_BYTES) return ok(undefined);
    const length = LEAF_ITEM_HEADER_BYTES + readU16(bytes, at + 5) + readU32(bytes, at + 7);
    if (length > STATE_LIMITS.snapshotItemBytes)
      return err(`a leaf of ${length} bytes: expected at most ${STATE_LIMITS.snapshotItemBytes}`);
    return ok(length);
  }

  #take(item: Uint8Array, ops: KvOp[]): Result<true, string> {
    if (item[0] === ITEM.store) return this.#openStore(item.subarray(2));
    if (this.#store === undefined) return err('a node before the first store');
    const version = readU32(item, 1);
    if (version < 1 || version > this.#height)
      return err(`a node of version ${version}: expected 1 … ${this.#height}, the snapshot's height`);
    return item[0] === ITEM.leaf ? this.#leaf(version, item, ops) : this.#inner(version, ops);
  }

  #openStore(bytes: Uint8Array): Result<true, string> {
    const closed = this.#closeStore();
    if (!closed.ok) return closed;
    const name = this.#storeNames.find((each) => sameText(each, bytes));
    if (name === undefined) return err(`a store of ${bytes.length} bytes of name that this application does not have`);
    if (this.roots.has(name)) return err(`store ${name} occurs twice`);
    this.#store = name;
    this.#prefix = nodePrefix(name);
    this.#lastKey = undefined;
    this.#pages = new Map();
    return ok(true);
  }

  #closeStore(): Result<true, string> {
    if (this.#store === undefined) return ok(true);
    if (this.#stack.length > 1) return err(`store ${this.#store} ends with ${this.#stack.length} trees instead of one`);
    this.roots.set(this.#store, this.#stack.pop()?.link);
    return ok(true);
  }

  #leaf(version: number, item: Uint8Array, ops: KvOp[]): Result<true, string> {
    const keyEnd = LEAF_ITEM_HEADER_BYTES + readU16(item, 5);
    // Copied: the records outlive the chunk.
    const key = item.slice(LEAF_ITEM_HEADER_BYTES, keyEnd);
    if (key.length === 0) return err('a leaf with an empty key');
    if (this.#lastKey !== undefined && compare(this.#lastKey, key) >= 0) return err('the leaves are not in key order');
    this.#lastKey = key;
    // Every subtree on the stack is higher than the next but one: more would be no balanced tree.
    if (this.#stack.length >= STATE_LIMITS.treeHeight) return err('the leaves do not form a balanced tree');
    const leaf = { key, value: item.subarray(keyEnd) };
    const hash = new Uint8Array(HASH_BYTES);
    leafHashInto(leaf, version, hash, 0);
    return this.#put({ version, size: 1, height: 0, hash }, key, encodeLeaf(key, leaf.value), ops);
  }

  #inner(version: number, ops: KvOp[]): Result<true, string> {
    const right = this.#stack.pop();
    const left = this.#stack.pop();
    if (left === undefined || right === undefined) return err('an inner node without two children');
    if (version < left.link.version || version < right.link.version) return err('an inner node older than its child');
    const lean = left.link.height - right.link.height;
    if (lean < -1 || lean > 1) return err(`an inner node that leans by ${lean}: expected at most 1`);
    const height = Math.max(left.link.height, right.link.height) + 1;
    const size = left.link.size + right.link.size;
    const hash = new Uint8Array(HASH_BYTES);
    innerHashInto({ height, size, version }, concat(left.link.hash, right.link.hash), 0, hash, 0);
    const key = right.least;
    const page = new Uint8Array(1 + NODE_HEADER_BYTES + key.length);
    page[0] = 1;
    page[1] = key.length >>> 8;
    page[2] = key.length;
    writeLink(page, 3, left.link);
    writeLink(page, 3 + LINK_BYTES, right.link);
    page.set(key, 1 + NODE_HEADER_BYTES);
    return this.#put({ version, size, height, hash }, left.least, page, ops);
  }

  /** Each node gets a record of its own. */
  #put(
    node: Pick<NodeLink, 'version' | 'size' | 'height' | 'hash'>,
    least: Uint8Array,
    record: Uint8Array,
    ops: KvOp[],
  ): Result<true, string> {
    const page = (this.#pages.get(node.version) ?? 0) + 1;
    if (page > STATE_LIMITS.pagesPerVersion)
      return err(`more than ${STATE_LIMITS.pagesPerVersion} nodes of version ${node.version} in one store`);
    this.#pages.set(node.version, page);
    const nonce = page << PAGE_PLACE_BITS;
    ops.push({ type: 'put', key: nodeKey(this.#prefix, node.version, pageOf(nonce)), value: record });
    this.#stack.push({ link: { ...node, nonce, bottoms: 1 }, least });
    return ok(true);
  }
}

function sameText(text: string, bytes: Uint8Array): boolean {
  try {
    return fromUtf8(bytes) === text;
  } catch {
    return false;
  }
}
