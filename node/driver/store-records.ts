/**
 * What the stores of blocks and of chain state share: the keys of their records, and how one is written and read. The node
 * keeps both in LevelDB, the simulator on its simulated disk. They must lie in one Kv: a height waits for the disk once
 * here, when its results are written, and that write makes what was written before it durable, the block and the state of
 * the height below.
 */

import { concat } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import type { KvOp } from '#core/ports/kv.ts';
import type { Result } from '#core/result.ts';

/** First byte of every key. */
export const STORE_PREFIX = {
  blockRange: 0x01,
  blockMeta: 0x02,
  blockPart: 0x03,
  commit: 0x04,
  seenCommit: 0x05,
  blockHash: 0x06,
  /** The lowest height that is kept, once something was pruned: of blocks, and of what the state says of heights. */
  blockBase: 0x07,
  headerBase: 0x08,
  chainState: 0x10,
  validators: 0x11,
  params: 0x12,
  finalizeResponse: 0x13,
  stateBase: 0x14,
  /** The lowest height of which the validators are known, below `stateBase`, and of which the header is, below `blockBase`. */
  validatorsBase: 0x15,
  /** SHA-256 of the genesis document's file that the blocks here began with. */
  genesisHash: 0x16,
  pendingEvidence: 0x20,
  committedEvidence: 0x21,
  /** There while state sync is under way: nothing else in the node's stores is complete. */
  stateSync: 0x30,
} as const;

export function storeKey(prefix: keyof typeof STORE_PREFIX, ...rest: readonly Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(STORE_PREFIX[prefix]), ...rest);
}

export function put(key: Uint8Array, value: Uint8Array): KvOp {
  return { type: 'put', key, value };
}

/** @throws Error when it is not what was written. */
export function sound<T>(what: string, result: Result<T, string>): T {
  if (!result.ok) throw new Error(`the stored ${what} is damaged: ${result.error}`);
  return result.value;
}

/** What was stored, undefined when nothing was. @throws Error when it is not what was written. */
export function stored<T>(
  what: string,
  bytes: Uint8Array | undefined,
  reader: (bytes: Uint8Array) => T,
): T | undefined {
  if (bytes === undefined) return undefined;
  return sound(
    what,
    decode(() => reader(bytes)),
  );
}
