/**
 * Frees what is not kept any more, in small steps between blocks: the application's old states, and blocks with all that
 * is known of their heights. Every step is one atomic batch of each store, so a crash between any two only means that
 * the next step begins where the stores say.
 */
import type { ChainState } from '#consensus/chain-state.ts';
import { isExpired } from '#consensus/evidence.ts';
import { maxBig, minBig } from '#core/int.ts';
import type { Logger } from '#core/ports/logger.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { BlockStore } from './block-store.ts';
import type { StateStore } from './state-store.ts';

export interface PrunerDeps {
  readonly blocks: BlockStore;
  readonly states: StateStore;
  readonly app: { pruneStep(): Promise<{ readonly done: boolean }> };
  /** Forgets heights of blocks that are there still. */
  readonly index: { indexedHeight(): bigint; prune(from: bigint, to: bigint): Promise<void> } | undefined;
  /** Blocks from here on are kept for others: from the oldest snapshot that is served. */
  readonly neededFrom?: () => bigint | undefined;
  /** Lets everything else have its turn. */
  readonly pause: () => Promise<void>;
  readonly logger: Logger;
}

export interface Pruner {
  /** After each commit. `retainHeight`: blocks below are not needed by the application; 0: all are. */
  committed(state: ChainState, retainHeight: bigint): void;
  /** Resolves when nothing is being freed. */
  settled(): Promise<void>;
  /** Ends after the step at hand. */
  close(): Promise<void>;
}

export function createPruner(deps: PrunerDeps): Pruner {
  let state: ChainState | undefined;
  let retain = 0n;
  let closed = false;
  let again = false;
  let work: Promise<void> | undefined;

  async function freeState(): Promise<void> {
    while (!closed && !(await deps.app.pruneStep()).done) await deps.pause();
  }

  async function freeBlocks(): Promise<void> {
    while (!closed && state !== undefined) {
      const { blocks, states, index } = deps;
      const from = minBig(blocks.headerBase, states.base);
      const to = blockTarget(deps, state, retain, from);
      if (from === 0n || to <= from) return;
      if (to > blocks.base) await index?.prune(maxBig(from, blocks.base), to);
      await blocks.prune(to, NODE_LIMITS.prunedBlocksPerStep);
      await states.prune(to, NODE_LIMITS.prunedBlocksPerStep);
      await deps.pause();
    }
  }

  async function run(): Promise<void> {
    try {
      do {
        again = false;
        await freeState();
        await freeBlocks();
      } while (again && !closed);
    } catch (error) {
      // Nothing depends on it but the disk: the node goes on, and whoever watches it is told.
      deps.logger.error('pruning has failed; it is not tried again before a restart', { error });
      closed = true;
    } finally {
      work = undefined;
    }
  }

  return {
    committed(next, retainHeight) {
      state = next;
      if (retainHeight > retain) retain = retainHeight;
      again = true;
      if (!closed) work ??= run();
    },
    async settled() {
      await work;
    },
    async close() {
      closed = true;
      await work;
    },
  };
}

/** Where the next step from `from` on ends: bounded in blocks, by what is needed still, and by evidence that may come. */
function blockTarget(deps: PrunerDeps, state: ChainState, retain: bigint, from: bigint): bigint {
  const { blocks, index, neededFrom } = deps;
  let to: bigint = from + BigInt(NODE_LIMITS.prunedBlocksPerStep);
  for (const bound of [retain, state.lastBlockHeight, index?.indexedHeight(), neededFrom?.()])
    if (bound !== undefined) to = minBig(to, bound);
  // To judge evidence a node needs the validators and the time of its height for as long as it is punishable.
  for (let height = from; height < to; height++) {
    const time = blocks.meta(height)?.header.time;
    if (time === undefined) continue;
    if (!isExpired(state.params, state.lastBlockHeight, state.lastBlockTime, { height, time })) return height;
  }
  return to;
}
