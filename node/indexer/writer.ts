import { setImmediate } from 'node:timers/promises';
import { u64be } from '#core/bytes.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { BlockEntries, type IndexedBlock, type IndexReader } from './entries.ts';
import type { EntrySink } from './entry-memory.ts';
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
    write: (blocks, height) => writeBlocks(kvTarget(kv), blocks, height, { pause: () => setImmediate() }),
    close: async () => {},
  };
}

/** The database, and how entries come into it: a batch at a time. */
export interface IndexTarget extends IndexReader {
  batch(): EntryBatch;
}

export interface EntryBatch extends EntrySink {
  write(): Promise<void>;
}

export function kvTarget(kv: Pick<Kv, 'get' | 'write'>): IndexTarget {
  return {
    get: (key) => kv.get(key),
    batch() {
      const ops: KvOp[] = [];
      return {
        put: (key, value) => void ops.push({ type: 'put', key: key.slice(), value: value.slice() }),
        write: () => kv.write(ops),
      };
    },
  };
}

export async function writeBlocks(
  target: IndexTarget,
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
  let batch = target.batch();
  let size = 0;
  const sink: EntrySink = {
    put(key, value) {
      batch.put(key, value);
      size++;
    },
  };
  const entries = new BlockEntries(target, { later }, sink);
  let pieces = 0;
  for (const block of blocks)
    for (const _ of entries.of(block)) {
      if (size + INDEX_LIMITS.entriesPerPiece > INDEX_LIMITS.maxEntriesPerBatch) {
        await batch.write();
        batch = target.batch();
        size = 0;
      }
      if (++pieces % INDEX_LIMITS.txsPerTurn === 0) await pause?.();
    }
  batch.put(indexedHeightKey, u64be(height));
  await batch.write();
}
