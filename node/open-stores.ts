/** The databases of a node. */
import type { Kv } from '#core/ports/kv.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { Closers } from './closers.ts';
import type { NodeConfig } from './config/config.ts';
import type { HomePaths } from './config/home.ts';
import type { HeldWrites } from './driver/write-group.ts';
import { openIndex } from './indexer/open-index.ts';
import { NODE_LIMITS } from './limits.ts';
import { openLevelKv } from './storage/level-kv.ts';
import { createRangeReader } from './storage/range-reader.ts';
import { settleFolder } from './storage/replaced-folder.ts';
import { stagingKv } from './storage/staging-kv.ts';

export interface Stores {
  /** Blocks, states and evidence. */
  readonly chain: Kv;
  readonly application: Kv;
  /** The application's, as what can be told to wait. */
  readonly held: HeldWrites;
  readonly index: Kv | undefined;
}

export async function openStores(
  paths: HomePaths,
  config: NodeConfig,
  parts: {
    readonly logger: Logger;
    /** What stands before each database, for tests. */
    readonly wrap?: ((own: Kv) => Kv) | undefined;
  },
  closers: Closers,
): Promise<Stores> {
  await settleFolder(paths.application);
  const rangeReader = createRangeReader();
  closers.push(() => rangeReader.close());
  const { cacheBytes, indexBufferBytes } = config.storage;
  const open = (path: string): Promise<Kv> => openLevelKv({ path, cacheBytes }, { rangeReader });
  const openIndexDatabase = (): Promise<Kv> =>
    openLevelKv({ path: paths.index, cacheBytes, writeBufferBytes: indexBufferBytes }, { rangeReader });
  const own = (kv: Kv): Kv => {
    closers.push(() => kv.close());
    return parts.wrap?.(kv) ?? kv;
  };
  // Block and state wait for the results' batch, which is the one that is waited for.
  const chain = own(stagingKv(await open(paths.blockStore), { maxStagedBytes: NODE_LIMITS.maxStagedBytes }));
  // Nothing waits here but what block sync holds.
  const held = stagingKv(await open(paths.application), { maxStagedBytes: 0 });
  const application = own(held);
  const index = config.txIndex ? own(await openIndex(paths.index, openIndexDatabase, parts.logger)) : undefined;
  return { chain, application, held, index };
}
