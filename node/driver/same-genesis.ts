/** Blocks and state belong to the genesis document that they began with, and to no other of the same chain id. */
import { equal } from '#core/bytes.ts';
import type { Kv } from '#core/ports/kv.ts';
import { put, storeKey } from './store-records.ts';

/**
 * Answers whether the document is the one with which the chain in this store began. Before a chain has begun any is, and
 * is remembered; so it is where an earlier build has remembered none.
 * @param hash SHA-256 of the file's bytes, by which peers know each other too (CometBFT's node keeps the same, genesisDocHashKey).
 */
export async function isSameGenesis(chain: Kv, hash: Uint8Array, hasBegun: boolean): Promise<boolean> {
  const key = storeKey('genesisHash');
  const known = chain.get(key);
  if (known !== undefined && equal(known, hash)) return true;
  if (known !== undefined && hasBegun) return false;
  await chain.write([put(key, hash)], { sync: true });
  return true;
}
