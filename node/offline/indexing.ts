import { silentLogger } from '#core/ports/logger.ts';
import { homePaths } from '../config/home.ts';
import { createIndexer, indexedHeightOf, reindex } from '../indexer/indexer.ts';
import { folderBytes } from '../storage/compact.ts';
import { dropFolder, finishDrop } from '../storage/dropped-folder.ts';
import { injectionTest, lockStoppedHome, OfflineError, withStoppedHome } from './home.ts';

export interface IndexStatus {
  readonly enabled: boolean;
  /** 0: nothing is indexed. */
  readonly indexedHeight: bigint;
  readonly firstBlock: bigint;
  readonly lastBlock: bigint;
  /** On disk. */
  readonly bytes: number;
}

/** @throws OfflineError, HomeLockedError */
export async function indexStatus(home: string): Promise<IndexStatus> {
  const status = await withStoppedHome(home, async ({ stores, blocks }) => ({
    enabled: stores.index !== undefined,
    indexedHeight: stores.index === undefined ? 0n : indexedHeightOf(stores.index),
    firstBlock: blocks.base as bigint,
    lastBlock: blocks.height as bigint,
  }));
  return { ...status, bytes: await folderBytes(homePaths(home).index) };
}

export interface IndexRange {
  /** Undefined: the first block that is kept. */
  readonly from?: bigint;
  /** Undefined: the last one. */
  readonly to?: bigint;
}

export interface Rebuilt {
  readonly from: bigint;
  readonly to: bigint;
  /** Heights whose entries were written. */
  readonly written: number;
  /** Heights whose block or results are not kept. */
  readonly missing: number;
  readonly indexedHeight: bigint;
}

/**
 * Writes the entries of a range of heights anew from blocks and results, as `reindex-event` of CometBFT does. Interrupted, it
 * leaves some of them as they were. @throws OfflineError, HomeLockedError
 */
export function rebuildIndex(
  home: string,
  { from, to }: IndexRange,
  told: (done: bigint, of: bigint) => void,
): Promise<Rebuilt> {
  return withStoppedHome(home, async ({ stores, blocks, source, paths }) => {
    const kv = stores.index;
    if (kv === undefined) throw new OfflineError(`${paths.config}: tx_index.enabled is false, there is no index`);
    const [first, last] = [blocks.base as bigint, blocks.height as bigint];
    const range = { from: from ?? first, to: to ?? last };
    if (range.from < first || range.to > last || range.from > range.to)
      throw new OfflineError(
        `heights ${range.from} to ${range.to}: expected some of ${first} to ${last}, which are kept`,
      );
    const count = range.to - range.from + 1n;
    const index = { kv, source, isInjection: injectionTest() };
    // What is missing between the index and the range goes first: nothing may be passed over for good.
    const indexer = createIndexer({ ...index, logger: silentLogger });
    await indexer.catchUp();
    await indexer.close();
    const written = await reindex(index, range, (height) => told(height - range.from + 1n, count));
    return { ...range, written, missing: Number(count) - written, indexedHeight: indexedHeightOf(kv) };
  });
}

/**
 * Removes the whole index; the node makes it anew from the blocks that are kept when it starts. Answers the bytes that are
 * free. It is gone at once or not at all. @throws OfflineError, HomeLockedError
 */
export async function dropIndex(home: string): Promise<number> {
  const { index } = homePaths(home);
  const lock = await lockStoppedHome(home);
  try {
    await finishDrop(index);
    const bytes = await folderBytes(index);
    if (bytes > 0) await dropFolder(index);
    return bytes;
  } finally {
    await lock.release();
  }
}
