import { finalizeRequest } from '#consensus/block-rules.ts';
import { applyFinalizeResponse, type ChainState } from '#consensus/chain-state.ts';
import type { Application, FinalizeBlockResponse } from '#core/abci.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { Block } from '#core/types/block.ts';
import type { BlockId } from '#core/types/block-id.ts';
import type { BlockStore } from './block-store.ts';
import type { EvidencePool } from './evidence-pool.ts';
import type { TxSource } from './ports.ts';
import type { StateStore } from './state-store.ts';

/**
 * What the index, metrics and subscriptions are told after block and state are saved: every height in order. After a
 * restart the last height is told again, because the crash may have come before it was heard; those before it are not,
 * though of blocks that were synced together they may not have been heard either.
 */
export interface CommittedBlock {
  readonly block: Block;
  readonly blockId: BlockId;
  readonly response: FinalizeBlockResponse;
  readonly state: ChainState;
  /** What the application answered to Commit: blocks below are no longer needed; 0: keep all. */
  readonly retainHeight: bigint;
  /** The block after it is told of right away. */
  readonly followed?: true;
}

export interface BlockExecutorDeps {
  readonly app: Application;
  readonly blocks: BlockStore;
  readonly states: StateStore;
  readonly evidence: EvidencePool;
  readonly txs: TxSource;
  /** Has signatures verified before the block is executed; it changes nothing else. Default: execution verifies them. */
  readonly verifyAhead?: (txs: readonly Uint8Array[]) => Promise<void> | undefined;
  readonly logger: Logger;
  /** Awaited before the next height begins; must not throw. */
  readonly onCommitted: (committed: CommittedBlock) => Promise<void> | void;
}

/**
 * Executes a stored block: FinalizeBlock, its answer saved, the application committed, the new state saved
 * (CometBFT state/execution.go ApplyBlock). A crash between any two of them is mended by the handshake. `waits`: for the
 * disk, where block and results must be before the application commits; without, the application's database must hold its
 * writes until they are.
 */
export async function applyBlock(
  deps: BlockExecutorDeps,
  state: ChainState,
  block: Block,
  blockId: BlockId,
  waits = true,
): Promise<ChainState> {
  const { height } = block.header;
  await deps.verifyAhead?.(block.txs);
  const response = deps.app.finalizeBlock(finalizeRequest(block, blockId.hash, state.lastValidators));
  if (response.txResults.length !== block.txs.length)
    throw new Error(`height ${height}: ${block.txs.length} transactions, but ${response.txResults.length} results`);
  await deps.states.saveFinalizeResponse(height, response, { sync: waits });
  const next = nextState(state, block, blockId, response);
  const { retainHeight } = await deps.app.commit();
  await deps.txs.update(
    height,
    block.txs,
    response.txResults.map((result) => result.code),
  );
  await deps.evidence.committed(next, block.evidence);
  await deps.states.save(next);
  await deps.onCommitted({ block, blockId, response, state: next, retainHeight });
  return next;
}

/** @throws Error when the application's updates are not permitted: the node cannot go on. */
export function nextState(
  state: ChainState,
  block: Block,
  blockId: BlockId,
  response: FinalizeBlockResponse,
): ChainState {
  const next = applyFinalizeResponse(state, blockId, block.header, response);
  if (!next.ok) throw new Error(`the application's answer to FinalizeBlock is refused: ${next.error}`);
  return next.value;
}
