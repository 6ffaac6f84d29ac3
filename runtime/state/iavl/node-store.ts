import { assert } from '#core/assert.ts';
import type { Kv } from '#core/ports/kv.ts';
import { STATE_LIMITS } from '../../limits.ts';
import { nodeKey, nodePrefix, PAGE_KEY_BYTES, putNodeKey } from '../db-keys.ts';
import type { GenerationCache, Shelf } from '../generation-cache.ts';
import { decodeLeaf, type LeafRecord, pageOf } from './record.ts';

function pageId(version: number, page: number): number {
  return version * (STATE_LIMITS.pagesPerVersion + 1) + page;
}

/** The saved records of one store. Pages of inner nodes are kept while the cache has room; leaves are values, kept elsewhere. */
export class NodeStore {
  readonly name: string;
  readonly #kv: Kv;
  readonly #prefix: Uint8Array;
  readonly #pages: GenerationCache<number>;
  readonly #shelf: Shelf<number>;

  constructor(kv: Kv, name: string, pages: GenerationCache<number>) {
    this.#kv = kv;
    this.name = name;
    this.#prefix = nodePrefix(name);
    this.#pages = pages;
    this.#shelf = pages.shelf();
  }

  /** The page that holds a node. @throws AssertionError when the database lacks it: damaged. */
  page(version: number, nonce: number): Uint8Array {
    const id = pageId(version, pageOf(nonce));
    const cached = this.#pages.get(this.#shelf, id);
    if (cached !== undefined) return cached;
    const page = this.#read(version, nonce);
    this.#pages.put(this.#shelf, id, page);
    return page;
  }

  /** @throws AssertionError when the database lacks it: damaged. */
  leaf(version: number, nonce: number): LeafRecord {
    return decodeLeaf(this.#read(version, nonce));
  }

  /** A record that is about to be deleted: nobody may read it any more. */
  forget(version: number, nonce: number): void {
    this.#pages.drop(this.#shelf, pageId(version, pageOf(nonce)));
  }

  #read(version: number, nonce: number): Uint8Array {
    const record = this.#kv.get(nodeKey(this.#prefix, version, pageOf(nonce)));
    assert(record !== undefined, `node ${version}/${nonce} of store ${this.name} is not in the database`);
    return record;
  }

  /** Length of a record's key. */
  get keyBytes(): number {
    return this.#prefix.length + PAGE_KEY_BYTES;
  }

  /** Writes the key of the record that holds a node to `out`, which has {@link keyBytes}; answers `out`. */
  keyInto(out: Uint8Array, version: number, nonce: number): Uint8Array {
    return putNodeKey(out, this.#prefix, version, pageOf(nonce));
  }

  /** Of the record that holds a node. */
  key(version: number, nonce: number): Uint8Array {
    return nodeKey(this.#prefix, version, pageOf(nonce));
  }
}
