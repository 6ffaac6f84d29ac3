/**
 * One height of the chain taken back while no node runs (CometBFT state/rollback.go): the state before the last block, and
 * the block itself where that is asked for. What was signed stays signed: the last-sign state is not touched, and the log
 * keeps what was said in the height that is taken back.
 */
import type { ChainState } from '#consensus/chain-state.ts';
import { decodeWal } from '#consensus/wal-codec.ts';
import { minBig } from '#core/int.ts';
import type { Kv } from '#core/ports/kv.ts';
import { err, ok, type Result } from '#core/result.ts';
import { isNilBlockId } from '#core/types/block-id.ts';
import { type Height, nextHeight, toHeight } from '#core/types/brand.ts';
import { PRECOMMIT } from '#core/types/vote.ts';
import type { BlockStore } from './block-store.ts';
import { returnedEvidence } from './evidence-pool.ts';
import type { Wal } from './ports.ts';
import type { StateStore } from './state-store.ts';

export interface RollbackPlan {
  /** As it was after the block before. */
  readonly state: ChainState;
  /** The block that is to be executed again, or goes. */
  readonly block: Height;
  /** The last block was stored and not executed: the state stays as it is. */
  readonly pending: boolean;
}

/** Fails with a sentence when what is needed for the height below is not kept. */
export function planRollback(blocks: BlockStore, states: StateStore): Result<RollbackPlan, string> {
  const last = states.load();
  if (last === undefined || blocks.height === 0n) return err('there is no block yet');
  const top = blocks.height;
  // A crash came between the block and its state.
  if (top === last.lastBlockHeight + 1n || (last.lastBlockHeight === 0n && top === last.initialHeight))
    return ok({ state: last, block: top, pending: true });
  if (top !== last.lastBlockHeight)
    return err(
      `the blocks end at height ${top}, the state is of ${last.lastBlockHeight}: expected the same or one more`,
    );
  if (top === last.initialHeight)
    return err(`block ${top} is the first of the chain: autond comet unsafe-reset-all forgets it`);
  const height = toHeight(top - 1n);
  const meta = blocks.meta(height);
  const undone = blocks.meta(top);
  const lastValidators = states.validators(height);
  const params = states.params(top);
  if (meta === undefined || undone === undefined || lastValidators === undefined || params === undefined)
    return err(
      `block ${height}, its validators or its parameters are not kept: the first block that is kept is ${blocks.base}`,
    );
  const state: ChainState = {
    ...last,
    lastBlockHeight: height,
    lastBlockId: meta.blockId,
    lastBlockTime: meta.header.time,
    lastValidators,
    validators: last.lastValidators,
    nextValidators: last.validators,
    // What the block itself has changed counts from one height later on; until then nothing older is known to differ.
    lastHeightValidatorsChanged: atMost(last.lastHeightValidatorsChanged, nextHeight(top)),
    params,
    lastHeightParamsChanged: atMost(last.lastHeightParamsChanged, top),
    // Agreed upon in the header of the block that is taken back.
    lastResultsHash: undone.header.lastResultsHash,
    appHash: undone.header.appHash,
    lastHeaderAppHash: meta.header.appHash,
  };
  return ok({ state, block: top, pending: false });
}

const atMost = (height: Height, most: Height): Height => toHeight(minBig(height, most));

/**
 * Writes the plan in one atomic batch that is on disk when it resolves. `chain`: gathers unsynced writes for the next
 * synced one. Evidence of a block that goes waits for a block again.
 */
export async function rollbackChain(
  plan: RollbackPlan,
  stores: { readonly chain: Kv; readonly blocks: BlockStore; readonly states: StateStore },
  options: { readonly hard: boolean },
): Promise<void> {
  const { chain, blocks, states } = stores;
  if (options.hard) {
    const evidence = blocks.block(plan.block)?.evidence ?? [];
    await chain.write(returnedEvidence(evidence));
    await blocks.dropNewest();
  }
  await states.save(plan.state, { sync: true });
}

const RECORD_HEADER_BYTES = 8;

/**
 * Where the log must be cut for the end of `height` to be unmarked: what was said in it stays and is replayed. `undefined`:
 * nothing to cut. Fails with a sentence when the node has bound itself in a later height, which would be forgotten with it.
 */
export function planWalCut(bytes: Uint8Array, height: Height): Result<number | undefined, string> {
  const content = decodeWal(bytes);
  if (!content.ok) return content;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let cut: number | undefined;
  let at = 0;
  for (const record of content.value.records) {
    if (record.kind === 'end-height') {
      if (record.height >= height) cut ??= at;
    } else if (cut !== undefined && record.input.kind === 'vote-signed') {
      const { vote } = record.input;
      if (vote.type === PRECOMMIT && !isNilBlockId(vote.blockId))
        return err(
          `this validator has precommitted a block of height ${vote.height}, and must not forget it: start the node, and stop it once that height is over`,
        );
    }
    at += RECORD_HEADER_BYTES + view.getUint32(at);
  }
  return ok(cut);
}

/** Cuts the log as planned. */
export async function cutWal(wal: Wal, length: number | undefined): Promise<void> {
  if (length !== undefined) await wal.truncate(length);
}
