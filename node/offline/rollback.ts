import { equal, toHex } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { appHashIn, lastVersionIn, rollbackState } from '#runtime/state/rollback.ts';
import { cutWal, planRollback, planWalCut, rollbackChain } from '../driver/rollback.ts';
import { rollbackIndex } from '../indexer/indexer.ts';
import { NODE_LIMITS } from '../limits.ts';
import { openSnapshotFiles } from '../statesync/archive.ts';
import { openWalFiles } from '../storage/wal-files.ts';
import { injectionTest, OfflineError, withStoppedHome } from './home.ts';

export interface RolledBack {
  /** Of the last block whose consequences the state has. */
  readonly height: bigint;
  readonly appHash: Uint8Array;
  /** The block that was removed. */
  readonly removed: bigint | undefined;
  /** The block that is stored and will be executed at the next start. */
  readonly pending: bigint | undefined;
}

/**
 * Takes the last height back. Everything is checked before anything is written; then index, snapshots, application and log
 * go, each so that a start makes up for it from the blocks, and the chain's own stores last, in one batch: killed at any
 * point, the node is at the height before or the one after.
 * @throws OfflineError, HomeLockedError
 */
export function rollbackHome(home: string, options: { readonly hard: boolean }): Promise<RolledBack> {
  return withStoppedHome(home, async ({ paths, stores, blocks, states, source }) => {
    const plan = planRollback(blocks, states);
    if (!plan.ok) throw new OfflineError(`cannot roll back: ${plan.error}`);
    const { state, block } = plan.value;
    const { application, index, chain } = stores;
    const height = state.lastBlockHeight;
    if (options.hard && block <= blocks.base)
      throw new OfflineError(`cannot roll back: block ${block} is the only one that is kept`);
    // One that has lost its state begins at the first block again, and is none of our business.
    const appHeight = lastVersionIn(application);
    if (appHeight > height) {
      const appHash = appHashIn(application, height);
      if (!appHash.ok) throw new OfflineError(`cannot roll back: ${appHash.error}`);
      if (!equal(appHash.value, state.appHash))
        throw new OfflineError(
          `cannot roll back: after block ${height} the application had ${toHex(appHash.value)}, the chain agreed on ${toHex(state.appHash)}; sync the node anew`,
        );
    }
    const wal = await openWalFiles({ folder: paths.wal, rotateBytes: NODE_LIMITS.walRotateBytes });
    try {
      const cut = options.hard ? planWalCut(await wal.read(), block) : undefined;
      if (cut?.ok === false) throw new OfflineError(`cannot roll back: ${cut.error}`);
      if (index !== undefined) await rollbackIndex({ kv: index, source, isInjection: injectionTest() }, height);
      const snapshots = await openSnapshotFiles(paths.snapshots, { logger: silentLogger });
      await snapshots.remove((snapshot) => snapshot.height > height);
      if (appHeight > height) {
        const done = await rollbackState(application, height);
        if (!done.ok) throw new OfflineError(`cannot roll back: ${done.error}`);
      }
      if (cut?.ok === true) await cutWal(wal, cut.value);
      await rollbackChain(plan.value, { chain, blocks, states }, options);
    } finally {
      await wal.close();
    }
    return {
      height,
      appHash: state.appHash,
      removed: options.hard ? block : undefined,
      pending: options.hard ? undefined : block,
    };
  });
}
