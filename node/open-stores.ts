/** The databases of a node. */
import { defined } from '#core/assert.ts';
import type { Kv } from '#core/ports/kv.ts';
import type { Closers } from './closers.ts';
import type { NodeConfig } from './config/config.ts';
import type { HomePaths } from './config/home.ts';
import type { HeldWrites } from './driver/write-group.ts';
import { NODE_LIMITS } from './limits.ts';
import { openLevelKv } from './storage/level-kv.ts';
import { createRangeReader } from './storage/range-reader.ts';
import { settleFolder } from './storage/replaced-folder.ts';
import { type StagingKv, stagingKv } from './storage/staging-kv.ts';

export interface Stores {
  /** Blocks, states and evidence. */
  readonly chain: Kv;
  readonly application: Kv;
  /** The application's, as what can be told to wait. */
  readonly held: HeldWrites;
  readonly index: Kv | undefined;
}

/** @param wrap what stands before each database, for tests. */
export async function openStores(
  paths: HomePaths,
  config: NodeConfig,
  wrap: ((own: Kv) => Kv) | undefined,
  closers: Closers,
): Promise<Stores> {
  await settleFolder(paths.application);
  const rangeReader = createRangeReader();
  closers.push(() => rangeReader.close());
  const { cacheBytes, indexBufferBytes } = config.storage;
  const open = async (path: string, arrange = (own: Kv) => own, writeBufferBytes?: number): Promise<Kv> => {
    const buffer = writeBufferBytes === undefined ? {} : { writeBufferBytes };
    const kv = arrange(await openLevelKv({ path, cacheBytes, ...buffer }, { rangeReader }));
    closers.push(() => kv.close());
    return wrap?.(kv) ?? kv;
  };
  // Block and state wait for the results' batch, which is the one that is waited for.
  const chain = await open(paths.blockStore, (kv) => stagingKv(kv, { maxStagedBytes: NODE_LIMITS.maxStagedBytes }));
  let held: StagingKv | undefined;
  // Nothing waits here but what block sync holds.
  const application = await open(paths.application, (kv) => {
    held = stagingKv(kv, { maxStagedBytes: 0 });
    return held;
  });
  const index = config.txIndex ? await open(paths.index, undefined, indexBufferBytes) : undefined;
  return { chain, application, held: defined(held, 'the database of the application'), index };
}
