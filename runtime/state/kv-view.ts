import type { KvRange } from '#core/ports/kv.ts';
import type { StoreKey } from './key-id.ts';

/**
 * What a module sees of its store. A key is never empty; a value may be empty, but then ICS-23 cannot prove it
 * (a leaf operation refuses an empty value), so nothing that a light client should see is stored as empty bytes.
 * Byte strings handed in or out are immutable: nobody writes into them afterwards.
 */
export interface KvReader {
  get(key: StoreKey): Uint8Array | undefined;
  has(key: StoreKey): boolean;
  /**
   * Ascending by bytes unless `reverse`, between `gte` (inclusive) and `lt` (exclusive), at most `limit` entries.
   * A snapshot of the moment of the call: writes made while iterating are not seen.
   */
  entries(range: KvRange): Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
}

export interface KvWriter extends KvReader {
  set(key: StoreKey, value: Uint8Array): void;
  /** Deleting an absent key does nothing. */
  delete(key: StoreKey): void;
}

/** All named stores at one moment, read only. */
export interface StateView {
  /** @throws AssertionError for a name that the multistore does not have. */
  store(name: string): KvReader;
}

/** All named stores, writable. */
export interface StateWriter extends StateView {
  store(name: string): KvWriter;
}
