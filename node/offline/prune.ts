import { setImmediate } from 'node:timers/promises';
import { silentLogger } from '#core/ports/logger.ts';
import { checkPolicy, firstKeptIn, type PruningPolicy } from '#runtime/state/pruning.ts';
import { homePaths } from '../config/home.ts';
import { createPruner } from '../driver/pruner.ts';
import { createIndexer } from '../indexer/indexer.ts';
import { openSnapshotFiles } from '../statesync/archive.ts';
import { compactLevel, folderBytes } from '../storage/compact.ts';
import { lockHome } from '../storage/home-lock.ts';
import { injectionTest, OfflineError, type OfflineHome, withStoppedHome } from './home.ts';

export interface PrunePlan {
  readonly home: string;
  /** Undefined: as config.toml says. */
  readonly policy?: PruningPolicy;
  /** Undefined: as config.toml says. 0: all. */
  readonly minRetainBlocks?: bigint;
}

/** First and last height of what is kept. */
export interface KeptRange {
  readonly from: bigint;
  readonly to: bigint;
}

export interface PruneResult {
  readonly states: { readonly before: KeptRange; readonly after: KeptRange };
  readonly blocks: { readonly before: KeptRange; readonly after: KeptRange };
  /** Why blocks stay that need not be retained. */
  readonly keptFor: 'snapshot' | 'evidence' | undefined;
  /** Bytes on disk of each database, by the name of its folder. */
  readonly disk: readonly { readonly name: string; readonly before: number; readonly after: number }[];
}

export type PruneStage = 'states and blocks' | 'compacting';

/**
 * Frees by the policy what a running node would free step by step, and gives the room back to the disk. Each step is an
 * atomic batch; interrupted, the next call or the node goes on.
 * @throws OfflineError, HomeLockedError
 */
export async function pruneHome(plan: PrunePlan, told: (stage: PruneStage) => void): Promise<PruneResult> {
  const paths = homePaths(plan.home);
  const databases = {
    'application.db': paths.application,
    'blockstore.db': paths.blockStore,
    'tx_index.db': paths.index,
  };
  const sizes = () => Promise.all(Object.values(databases).map(folderBytes));
  const before = await sizes();
  told('states and blocks');
  const { states, blocks, keptFor, index } = await withStoppedHome(plan.home, (home) => free(home, plan));
  told('compacting');
  const lock = await lockHome(plan.home);
  try {
    for (const path of [paths.application, paths.blockStore, ...(index ? [paths.index] : [])]) await compactLevel(path);
  } finally {
    await lock.release();
  }
  const after = await sizes();
  const disk = Object.keys(databases).map((name, i) => ({ name, before: before[i] ?? 0, after: after[i] ?? 0 }));
  return { states, blocks, keptFor, disk };
}

async function free(
  home: OfflineHome,
  plan: PrunePlan,
): Promise<Pick<PruneResult, 'states' | 'blocks' | 'keptFor'> & { index: boolean }> {
  const { config, stores, blocks, states, source, paths } = home;
  const policy = checkPolicy(plan.policy ?? config.storage.pruning);
  if (!policy.ok) throw new OfflineError(policy.error);
  const app = await home.openApplication({ pruning: policy.value });
  const state = states.load();
  const last = app.info().lastBlockHeight;
  if (state === undefined || last === 0n) throw new OfflineError('there is no block yet');
  if (last !== state.lastBlockHeight || blocks.height !== last)
    throw new OfflineError('the node was killed in the middle of a block: start it once, so that it finishes it');
  const range = () => ({
    states: { from: firstKeptIn(stores.application) ?? last, to: last },
    blocks: { from: blocks.base, to: blocks.height },
  });
  const before = range();
  const index =
    stores.index && createIndexer({ kv: stores.index, source, logger: silentLogger, isInjection: injectionTest() });
  await index?.catchUp();
  const snapshots = await openSnapshotFiles(paths.snapshots, { logger: silentLogger });
  const failures: unknown[] = [];
  const pruner = createPruner({
    blocks,
    states,
    app,
    index,
    neededFrom: () => snapshots.oldest(),
    pause: () => setImmediate(),
    logger: { ...silentLogger, error: (_, fields) => void failures.push(fields?.error) },
  });
  const keep = plan.minRetainBlocks ?? config.storage.minRetainBlocks;
  const retain = keep === 0n || last <= keep ? 0n : last - keep + 1n;
  pruner.committed(state, retain);
  await pruner.settled();
  await pruner.close();
  await index?.close();
  if (failures.length > 0) throw failures[0];
  const after = range();
  return {
    states: { before: before.states, after: after.states },
    blocks: { before: before.blocks, after: after.blocks },
    keptFor: blocks.base >= retain ? undefined : snapshots.oldest() === blocks.base ? 'snapshot' : 'evidence',
    index: index !== undefined,
  };
}
