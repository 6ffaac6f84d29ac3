/** The table of database key prefixes of the multistore. */
import { concat, u64be, utf8 } from '#core/bytes.ts';
import { divFloorSafe } from '#core/int.ts';
import { putU32 } from './iavl/node.ts';

export const DB_PREFIX = {
  /** 'c' ‖ version → the roots of all stores. */
  commit: 0x63,
  /** 'n' ‖ store ‖ version ‖ nonce → a tree node. */
  node: 0x6e,
  /** 'o' ‖ version ‖ store → the nodes that this version no longer uses: what pruning may free after it. */
  orphans: 0x6f,
} as const;

function nameOf(store: string): Uint8Array {
  const name = utf8(store);
  return concat(Uint8Array.of(name.length), name);
}

/** What all node keys of a store begin with. */
export function nodePrefix(store: string): Uint8Array {
  return concat(Uint8Array.of(DB_PREFIX.node), nameOf(store));
}

export function commitKey(version: number): Uint8Array {
  return concat(Uint8Array.of(DB_PREFIX.commit), u64be(BigInt(version)));
}

export function orphansKey(version: number, store: string): Uint8Array {
  return concat(Uint8Array.of(DB_PREFIX.orphans), u64be(BigInt(version)), nameOf(store));
}

/** @param prefix of {@link nodePrefix} */
export function nodeKey(prefix: Uint8Array, version: number, nonce: number): Uint8Array {
  const key = new Uint8Array(prefix.length + 12);
  key.set(prefix);
  putU32(key, prefix.length, divFloorSafe(version, 0x1_0000_0000));
  putU32(key, prefix.length + 4, version % 0x1_0000_0000);
  putU32(key, prefix.length + 8, nonce);
  return key;
}
