/** The table of database key prefixes of the multistore. Versions come first, so that commits append. */
import { concat, u32be, u64be, utf8 } from '#core/bytes.ts';
import { putU32 } from './iavl/record.ts';

export const DB_PREFIX = {
  /** 'c' ‖ version u64 → the roots of all stores. */
  commit: 0x63,
  /** 'n' ‖ version u32 ‖ store ‖ page u32 → a leaf, or a page of inner nodes. */
  node: 0x6e,
  /** 'o' ‖ version u64 ‖ store → what this version no longer uses: what pruning frees when it passes it. */
  orphans: 0x6f,
  /** 'd' ‖ version u32 ‖ store ‖ page u32 → how many bottoms of a page are still used, once some are not. */
  waning: 0x64,
  /** 'p' → how far pruning is. */
  pruning: 0x70,
  /** 'i' → a snapshot is being imported; nothing here is valid until it is gone. */
  importing: 0x69,
} as const;

export const PRUNING_KEY: Uint8Array = Uint8Array.of(DB_PREFIX.pruning);
export const IMPORTING_KEY: Uint8Array = Uint8Array.of(DB_PREFIX.importing);

function nameOf(store: string): Uint8Array {
  const name = utf8(store);
  return concat(Uint8Array.of(name.length), name);
}

/** What {@link nodeKey} puts between version and page, with the places of both. */
export function nodePrefix(store: string): Uint8Array {
  return concat(Uint8Array.of(DB_PREFIX.node), u32be(0), nameOf(store));
}

export function commitKey(version: number): Uint8Array {
  return concat(Uint8Array.of(DB_PREFIX.commit), u64be(BigInt(version)));
}

export function orphansKey(version: number, store: string): Uint8Array {
  return concat(Uint8Array.of(DB_PREFIX.orphans), u64be(BigInt(version)), nameOf(store));
}

/** @param prefix of {@link nodePrefix} */
export function nodeKey(prefix: Uint8Array, version: number, page: number): Uint8Array {
  const key = new Uint8Array(prefix.length + 4);
  key.set(prefix);
  putU32(key, 1, version);
  putU32(key, prefix.length, page);
  return key;
}

/** @param node key of the page's record */
export function waningKey(node: Uint8Array): Uint8Array {
  const key = node.slice();
  key[0] = DB_PREFIX.waning;
  return key;
}
