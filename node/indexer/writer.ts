import { setImmediate } from 'node:timers/promises';
import { u64be } from '#core/bytes.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { blockEntries, type IndexedBlock } from './entries.ts';
import { indexedHeightKey } from './keys.ts';
import { INDEX_LIMITS } from './limits.ts';

/** Who brings the entries of blocks into the index. One call at a time. */
export interface IndexWriter {
  /**
   * Resolves when the entries of the blocks, which follow one another, are in the database, and `height` in it as the one
   * that is indexed. It comes last: what a crash leaves of a block before it is written again, and is the same then.
   */
  write(blocks: readonly IndexedBlock[], height: bigint): Promise<void>;
  /** Ends after the call at hand. */
  close(): Promise<void>;
}

/** On this thread, with turns for others. */
export function directWriter(kv: Pick<Kv, 'get' | 'write'>): IndexWriter {
  return { write: (blocks, height) => writeBlocks(kv, blocks, height, () => setImmediate()), close: async () => {} };
}

/** @param pause gives others their turn, now and then. */
export async function writeBlocks(
  kv: Pick<Kv, 'get' | 'write'>,
  blocks: readonly IndexedBlock[],
  height: bigint,
  pause?: () => Promise<void>,
): Promise<void> {
  const succeeded = new Set<string>();
  let batch: KvOp[] = [];
  let pieces = 0;
  for (const block of blocks)
    for (const entries of blockEntries(kv, block, succeeded)) {
      if (batch.length > 0 && batch.length + entries.length > INDEX_LIMITS.maxEntriesPerBatch) {
        await kv.write(batch);
        batch = [];
      }
      for (const entry of entries) batch.push(entry);
      if (++pieces % INDEX_LIMITS.txsPerTurn === 0) await pause?.();
    }
  batch.push({ type: 'put', key: indexedHeightKey, value: u64be(height) });
  await kv.write(batch);
}
