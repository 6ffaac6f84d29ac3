/** What the application behind an ABCI socket keeps and frees by itself: snapshots for others, and old states. */
import { setImmediate } from 'node:timers/promises';
import type { Logger } from '#core/ports/logger.ts';
import type { RuntimeApplication } from '#runtime/app.ts';
import type { PruningPolicy } from '#runtime/state/pruning.ts';
import type { SnapshotFiles } from '../statesync/archive.ts';
import { createSnapshotService } from '../statesync/service.ts';

export interface KeepingOptions {
  /** Which states are kept. */
  readonly pruning: PruningPolicy;
  /** Blocks that CometBFT is asked to keep, the newest included; 0: all. */
  readonly minRetainBlocks: bigint;
  /** Blocks between snapshots; 0: none are taken. */
  readonly snapshotInterval: bigint;
  readonly snapshotKeepRecent: number;
}

/** Everything is kept, and no snapshot taken. */
export const KEEP_ALL: KeepingOptions = {
  pruning: { kind: 'nothing' },
  minRetainBlocks: 0n,
  snapshotInterval: 0n,
  snapshotKeepRecent: 0,
};

export interface Keeping {
  /** After each commit: takes a snapshot when one is due, and frees states. Does not wait for either. */
  committed(height: bigint): void;
  /** Resolves when nothing is being taken or freed. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export function createKeeping(
  options: KeepingOptions,
  deps: { readonly app: RuntimeApplication; readonly files: SnapshotFiles; readonly logger: Logger },
): Keeping {
  const { app, files, logger } = deps;
  const pause = () => setImmediate();
  const snapshots = createSnapshotService(
    { interval: options.snapshotInterval, keepRecent: options.snapshotKeepRecent },
    // CometBFT serves them to peers: it asks over the socket.
    { app, files, pause, logger, send: () => {} },
  );
  let freeing: Promise<void> | undefined;
  let closed = false;

  async function free(): Promise<void> {
    try {
      while (!closed && !(await app.pruneStep()).done) await pause();
    } catch (error) {
      logger.error('old states could not be freed; it is tried again after the next block', { error });
    } finally {
      freeing = undefined;
    }
  }

  return {
    committed(height) {
      snapshots.committed(height);
      if (!closed) freeing ??= free();
    },
    async settled() {
      await Promise.all([snapshots.settled(), freeing]);
    },
    async close() {
      closed = true;
      await Promise.all([snapshots.close(), freeing]);
    },
  };
}
