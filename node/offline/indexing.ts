import { silentLogger } from '#core/ports/logger.ts';
import { homePaths } from '../config/home.ts';
import { type ClosedIndex, createIndexer, indexedHeightOf, reindex } from '../indexer/indexer.ts';
import { databaseMessage, openSinkDatabase } from '../indexer/psql/database.ts';
import { type KeptBlocks, readSinkBlock } from '../indexer/psql/rows.ts';
import type { SinkOptions } from '../indexer/psql/sink.ts';
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
  /** Heights whose entries were written; undefined without an index. */
  readonly written: number | undefined;
  /** Heights that PostgreSQL did not have; undefined without one. */
  readonly added: number | undefined;
  /** Heights whose block or results are not kept. */
  readonly missing: number;
  readonly indexedHeight: bigint;
}

type Told = (done: bigint, of: bigint) => void;

/**
 * Writes the entries of a range of heights anew from blocks and results, as `reindex-event` of CometBFT does, and adds to
 * PostgreSQL those that it does not have. Interrupted, it leaves some of them as they were. @throws OfflineError,
 * HomeLockedError
 */
export function rebuildIndex(home: string, { from, to }: IndexRange, told: Told): Promise<Rebuilt> {
  return withStoppedHome(home, async ({ config, genesis, stores, blocks, source, paths }) => {
    const { psqlUrl } = config;
    if (stores.index === undefined && psqlUrl === undefined)
      throw new OfflineError(`${paths.config}: tx_index.enabled is false, there is no index`);
    const [first, last] = [blocks.base as bigint, blocks.height as bigint];
    const range = { from: from ?? first, to: to ?? last };
    if (range.from < first || range.to > last || range.from > range.to)
      throw new OfflineError(
        `heights ${range.from} to ${range.to}: expected some of ${first} to ${last}, which are kept`,
      );
    const kept = { source, isInjection: injectionTest() };
    const written = stores.index && (await rewriteIndex({ kv: stores.index, ...kept }, range, told));
    const filled = psqlUrl && (await fillPsql({ url: psqlUrl, chainId: genesis.chainId }, kept, range, told));
    const read = written ?? (filled ? filled.read : 0);
    return {
      ...range,
      written,
      added: filled ? filled.added : undefined,
      missing: Number(range.to - range.from + 1n) - read,
      indexedHeight: stores.index === undefined ? 0n : indexedHeightOf(stores.index),
    };
  });
}

interface FullRange {
  readonly from: bigint;
  readonly to: bigint;
}

async function rewriteIndex(index: ClosedIndex, range: FullRange, told: Told): Promise<number> {
  // What is missing between the index and the range goes first: nothing may be passed over for good.
  const indexer = createIndexer({ ...index, logger: silentLogger });
  await indexer.catchUp();
  await indexer.close();
  return reindex(index, range, (height) => told(height - range.from + 1n, range.to - range.from + 1n));
}

async function fillPsql(
  { url, chainId }: SinkOptions,
  kept: KeptBlocks,
  { from, to }: FullRange,
  told: Told,
): Promise<{ readonly read: number; readonly added: number }> {
  const refused = (what: string) => (cause: unknown) => {
    throw new OfflineError(`${what}: ${databaseMessage(cause)}`, { cause });
  };
  const database = await openSinkDatabase(url, chainId).catch(refused('tx_index.psql_conn'));
  let [read, added] = [0, 0];
  try {
    for (let height = from; height <= to; height++) {
      const block = readSinkBlock(kept, height);
      if (block !== undefined) {
        read++;
        if (await database.write(block).catch(refused(`height ${height} cannot be written to PostgreSQL`))) added++;
      }
      told(height - from + 1n, to - from + 1n);
    }
  } finally {
    await database.close();
  }
  return { read, added };
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
