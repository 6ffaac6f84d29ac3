import { setImmediate } from 'node:timers/promises';
import { u64be } from '#core/bytes.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { blockEntries, type IndexedBlock, Succeeded } from './entries.ts';
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
  return {
    write: (blocks, height) => writeBlocks(kv, blocks, height, { pause: () => setImmediate() }),
    close: async () => {},
  };
}

export async function writeBlocks(
  kv: Pick<Kv, 'get' | 'write'>,
  blocks: readonly IndexedBlock[],
  height: bigint,
  {
    pause,
    later = false,
  }: {
    /** Gives others their turn, now and then. */
    readonly pause?: () => Promise<void>;
    /** Whether later blocks may be in the index: what they say of the same transactions stays. */
    readonly later?: boolean;
  } = {},
): Promise<void> {
  const already = { kv, succeeded: new Succeeded(), later };
  let batch: KvOp[] = [];
  let pieces = 0;
  for (const block of blocks)
    for (const entries of blockEntries(already, block)) {
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
