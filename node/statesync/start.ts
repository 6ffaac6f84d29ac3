/** State sync within the start of a node: whether it is due, the wait for it, and what is written when it is done. */
import type { Kv } from '#core/ports/kv.ts';
import type { VerifyAhead } from '../crypto/ahead.ts';
import type { BlockStore } from '../driver/block-store.ts';
import type { StateStore } from '../driver/state-store.ts';
import { storeKey } from '../driver/store-records.ts';
import { NODE_LIMITS } from '../limits.ts';
import { backfill } from './backfill.ts';
import { openSyncSource, type SyncSourceOptions } from './source.ts';
import { StateSync, type StateSyncDeps } from './state-sync.ts';

/** A node that cannot begin at a snapshot; the message names the condition that is missing. */
export class StateSyncError extends Error {
  override readonly name = 'StateSyncError';
}

const UNFINISHED = storeKey('stateSync');

/**
 * Before anything else looks at the stores: a state sync that was interrupted has left a state without its blocks, or the
 * other way round. All of it goes.
 */
export async function discardUnfinishedSync(chain: Kv, others: readonly Kv[]): Promise<boolean> {
  if (chain.get(UNFINISHED) === undefined) return false;
  for (const kv of others) await wipe(kv);
  // The mark goes with the last batch: an interruption meanwhile leaves it.
  await wipe(chain, UNFINISHED);
  await chain.write([{ type: 'del', key: UNFINISHED }], { sync: true });
  return true;
}

async function wipe(kv: Kv, except?: Uint8Array): Promise<void> {
  for (;;) {
    const keys: Uint8Array[] = [];
    for (const [key] of kv.entries({ limit: NODE_LIMITS.rangeChunkEntries }))
      if (except === undefined || String(key) !== String(except)) keys.push(key);
    if (keys.length === 0) return;
    await kv.write(keys.map((key) => ({ type: 'del', key }) as const));
  }
}

export interface StateSyncStart {
  readonly source: SyncSourceOptions;
  readonly discoveryMs: number;
}

/**
 * Begins state sync and answers who takes the messages of peers meanwhile. `done` resolves when the stores begin at a
 * snapshot. @throws StateSyncError
 */
export async function beginStateSync(
  start: StateSyncStart,
  dependencies: Omit<StateSyncDeps, 'source'> & {
    readonly chain: Kv;
    readonly blocks: BlockStore;
    readonly states: StateStore;
    readonly verifyAhead: VerifyAhead;
  },
): Promise<{ readonly sync: StateSync; readonly run: () => Promise<void> }> {
  const { chain, blocks, states, logger } = dependencies;
  const source = await openSyncSource(start.source, dependencies);
  if (!source.ok) throw new StateSyncError(`state sync cannot begin: ${source.error}`);
  const sync = new StateSync({ ...dependencies, source: source.value });
  const run = async () => {
    await chain.write([{ type: 'put', key: UNFINISHED, value: Uint8Array.of(1) }], { sync: true });
    const { discoveryMs } = start;
    const result = await sync.run({ discoveryMs, rounds: NODE_LIMITS.syncDiscoveryRounds });
    if (!result.ok) throw new StateSyncError(`state sync has come to nothing: ${result.error}`);
    const { state, lastParams, block, parts, seenCommit } = result.value;
    await blocks.save(block, state.lastBlockId, parts, seenCommit);
    await states.bootstrap(state, lastParams);
    await backfill(state, block.header, { ...dependencies, providers: source.value.providers });
    await chain.write([{ type: 'del', key: UNFINISHED }], { sync: true });
    logger.info('state sync is done', { height: state.lastBlockHeight, appHash: state.appHash });
  };
  return { sync, run };
}
