import { assert } from '#core/assert.ts';
import type { Kv } from '#core/ports/kv.ts';
import { STATE_LIMITS } from '../../limits.ts';
import { nodeKey, nodePrefix, PAGE_KEY_BYTES, putNodeKey } from '../db-keys.ts';
import { decodeLeaf, type LeafRecord, pageOf } from './record.ts';

/** What a cached record costs besides its bytes: array and buffer headers, its place in the map. */
const RECORD_OVERHEAD_BYTES = 250;

interface Shelf {
  young: Map<number, Uint8Array>;
  old: Map<number, Uint8Array>;
}

/**
 * Records of all stores, in two generations: when the young one is full it becomes the old one, and what was not used
 * since is dropped. At most `limitBytes`, overheads included.
 */
export class RecordCache {
  readonly #halfBytes: number;
  readonly #shelves: Shelf[] = [];
  #youngBytes = 0;

  constructor(limitBytes: number) {
    this.#halfBytes = limitBytes >>> 1;
  }

  shelf(): Shelf {
    const shelf = { young: new Map<number, Uint8Array>(), old: new Map<number, Uint8Array>() };
    this.#shelves.push(shelf);
    return shelf;
  }

  get(shelf: Shelf, id: number): Uint8Array | undefined {
    const young = shelf.young.get(id);
    if (young !== undefined) return young;
    const old = shelf.old.get(id);
    if (old === undefined) return undefined;
    // Of a chunk that others shared: they go now, and it with them.
    const kept = ownsBuffer(old) ? old : old.slice();
    this.put(shelf, id, kept);
    return kept;
  }

  /** The database no longer has it. */
  drop(shelf: Shelf, id: number): void {
    const young = shelf.young.get(id);
    // What is cut from a chunk frees nothing alone: it counts until its generation goes.
    if (young !== undefined && ownsBuffer(young)) this.#youngBytes -= RECORD_OVERHEAD_BYTES + young.length;
    shelf.young.delete(id);
    shelf.old.delete(id);
  }

  put(shelf: Shelf, id: number, record: Uint8Array): void {
    this.drop(shelf, id);
    shelf.young.set(id, record);
    this.#youngBytes += RECORD_OVERHEAD_BYTES + record.length;
    if (this.#youngBytes <= this.#halfBytes) return;
    for (const each of this.#shelves) {
      each.old = each.young;
      each.young = new Map();
    }
    this.#youngBytes = 0;
  }
}

function ownsBuffer(record: Uint8Array): boolean {
  return record.byteLength === record.buffer.byteLength;
}

function recordId(version: number, page: number): number {
  return version * (STATE_LIMITS.pagesPerVersion + 1) + page;
}

/** The saved records of one store: read when needed, kept while the cache has room. */
export class NodeStore {
  readonly name: string;
  readonly #kv: Kv;
  readonly #prefix: Uint8Array;
  readonly #cache: RecordCache;
  readonly #shelf: Shelf;

  constructor(kv: Kv, name: string, cache: RecordCache) {
    this.#kv = kv;
    this.name = name;
    this.#prefix = nodePrefix(name);
    this.#cache = cache;
    this.#shelf = cache.shelf();
  }

  /** The page that holds a node. @throws AssertionError when the database lacks it: damaged. */
  page(version: number, nonce: number): Uint8Array {
    const page = pageOf(nonce);
    const id = recordId(version, page);
    const cached = this.#cache.get(this.#shelf, id);
    if (cached !== undefined) return cached;
    const record = this.#kv.get(nodeKey(this.#prefix, version, page));
    assert(record !== undefined, `node ${version}/${nonce} of store ${this.name} is not in the database`);
    this.#cache.put(this.#shelf, id, record);
    return record;
  }

  leaf(version: number, nonce: number): LeafRecord {
    return decodeLeaf(this.page(version, nonce));
  }

  /** A record that was just made and is about to be written. */
  remember(version: number, nonce: number, record: Uint8Array): void {
    this.#cache.put(this.#shelf, recordId(version, pageOf(nonce)), record);
  }

  /** A record that is about to be deleted: nobody may read it any more. */
  forget(version: number, nonce: number): void {
    this.#cache.drop(this.#shelf, recordId(version, pageOf(nonce)));
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
