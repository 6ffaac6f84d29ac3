/**
 * The table of database keys of the multistore. All that a commit writes stands under its version, so that commits append:
 * LevelDB then moves its tables down as they are, instead of merging each with all others.
 */
import { concat, u32be, utf8 } from '#core/bytes.ts';
import { putU32, readU32 } from './iavl/record.ts';

export const DB_PREFIX = {
  /** 'v' ‖ version u32 ‖ {@link KEY_KIND} ‖ … */
  version: 0x76,
  /** 'd' ‖ the rest of a page's key → how many bottoms of the page are still used, once some are not. */
  waning: 0x64,
  /** 'p' → the least version that is kept, and how far pruning is. */
  pruning: 0x70,
  /** 'i' → a snapshot is being imported; nothing here is valid until it is gone. */
  importing: 0x69,
} as const;

export const KEY_KIND = {
  /** → the roots of all stores. */
  commit: 0,
  /** ‖ store → what this version no longer uses: what pruning frees when it passes it. */
  orphans: 1,
  /** ‖ store ‖ page u32 → a leaf, or a page of inner nodes. */
  node: 2,
} as const;

export const PRUNING_KEY: Uint8Array = Uint8Array.of(DB_PREFIX.pruning);
export const IMPORTING_KEY: Uint8Array = Uint8Array.of(DB_PREFIX.importing);

/** All keys that stand under versions. */
export const VERSION_RANGE = {
  gte: Uint8Array.of(DB_PREFIX.version),
  lt: Uint8Array.of(DB_PREFIX.version + 1),
} as const;

/** Of a key that stands under a version. */
export function versionOfKey(key: Uint8Array): number {
  return readU32(key, 1);
}

function keyUnder(version: number, kind: number, rest: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(DB_PREFIX.version), u32be(version), Uint8Array.of(kind), rest);
}

function nameOf(store: string): Uint8Array {
  const name = utf8(store);
  return concat(Uint8Array.of(name.length), name);
}

export function commitKey(version: number): Uint8Array {
  return keyUnder(version, KEY_KIND.commit, new Uint8Array(0));
}

export function orphansKey(version: number, store: string): Uint8Array {
  return keyUnder(version, KEY_KIND.orphans, nameOf(store));
}

/** A node key without its page, and with version 0. */
export function nodePrefix(store: string): Uint8Array {
  return keyUnder(0, KEY_KIND.node, nameOf(store));
}

/** What a node key has behind its prefix: the page. */
export const PAGE_KEY_BYTES = 4;

/** @param prefix of {@link nodePrefix} */
export function nodeKey(prefix: Uint8Array, version: number, page: number): Uint8Array {
  return putNodeKey(new Uint8Array(prefix.length + PAGE_KEY_BYTES), prefix, version, page);
}

/** Writes a node key to `out`, which has its length; answers `out`. */
export function putNodeKey(out: Uint8Array, prefix: Uint8Array, version: number, page: number): Uint8Array {
  for (let i = 0; i < prefix.length; i++) out[i] = prefix[i] as number;
  putU32(out, 1, version);
  putU32(out, prefix.length, page);
  return out;
}

/** @param node key of the page's record */
export function waningKey(node: Uint8Array): Uint8Array {
  const key = node.slice();
  key[0] = DB_PREFIX.waning;
  return key;
}
