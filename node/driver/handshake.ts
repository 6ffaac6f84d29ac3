/**
 * Start-up: brings application, state and block store to the same height, from wherever a crash left them (CometBFT
 * consensus/replay.go ReplayBlocks). The order of a commit is: block stored, FinalizeBlock's answer saved (both on disk
 * now), application committed, state saved, log marked. So the store is at most one block ahead of the state, and the
 * application is at the state's height or the store's; or below, by blocks that were synced together (write-group.ts), or
 * anywhere when its own disk was lost.
 */

import { finalizeRequest, validateBlock } from '#consensus/block-rules.ts';
import { applyInitChain, type ChainState, type GenesisInfo, makeGenesisState } from '#consensus/chain-state.ts';
import { defined } from '#core/assert.ts';
import { equal, toHex } from '#core/bytes.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { toHeight } from '#core/types/brand.ts';
import { EMPTY_SET } from '#core/types/validator-set.ts';
import { applyBlock, type BlockExecutorDeps, nextState } from './block-executor.ts';

export interface Genesis extends GenesisInfo {
  readonly appStateBytes: Uint8Array;
}

/** @throws Error with the heights in its text when what is stored cannot be reconciled. */
export async function handshake(deps: BlockExecutorDeps, genesis: Genesis, verifier: Verifier): Promise<ChainState> {
  const appHeight = deps.app.info().lastBlockHeight;
  let state = await loadState(deps, genesis, appHeight);
  const storeHeight = deps.blocks.height;
  const stateHeight = state.lastBlockHeight;
  deps.logger.info('handshake', { appHeight, stateHeight, storeHeight });
  if (storeHeight < stateHeight || storeHeight > stateHeight + 1n)
    if (!(stateHeight === 0n && storeHeight === state.initialHeight))
      throw new Error(`block store at height ${storeHeight}, state at ${stateHeight}: expected the same or one more`);
  if (appHeight > storeHeight)
    throw new Error(`the application is at height ${appHeight}, the block store only at ${storeHeight}`);

  const first = appHeight === 0n ? state.initialHeight : appHeight + 1n;
  if (first <= stateHeight && deps.blocks.base > first)
    throw new Error(`the application needs block ${first}, the store begins at ${deps.blocks.base}`);
  for (let height: bigint = first; height <= stateHeight; height++) await replayToApp(deps, state, height);

  // The crash may have come after the state was saved and before anybody was told of the block.
  if (storeHeight === stateHeight && stateHeight > 0n) await tellAgain(deps, state);
  if (storeHeight > stateHeight) {
    const block = defined(deps.blocks.block(storeHeight), `block ${storeHeight}`);
    const { blockId } = defined(deps.blocks.meta(storeHeight), `block ${storeHeight}`);
    const checked = validateBlock(state, block, verifier);
    if (!checked.ok) throw new Error(`the stored block ${storeHeight} does not follow the state: ${checked.error}`);
    if (appHeight === storeHeight) {
      // The application has committed this block; only its consequences for the state were lost.
      const response = defined(deps.states.finalizeResponse(storeHeight), `results of block ${storeHeight}`);
      state = nextState(state, block, blockId, response);
      await deps.evidence.committed(state, block.evidence);
      await deps.states.save(state);
      await deps.onCommitted({ block, blockId, response, state, retainHeight: 0n });
    } else state = await applyBlock(deps, state, block, blockId);
  }
  const appHash = deps.app.info().lastBlockAppHash;
  if (state.lastBlockHeight > 0n && !equal(appHash, state.appHash))
    throw new Error(
      `app hash at height ${state.lastBlockHeight}: the application has ${toHex(appHash)}, the state ${toHex(state.appHash)}`,
    );
  return state;
}

async function tellAgain(deps: BlockExecutorDeps, state: ChainState): Promise<void> {
  const { lastBlockHeight, lastBlockId: blockId } = state;
  const block = deps.blocks.block(lastBlockHeight);
  const response = deps.states.finalizeResponse(lastBlockHeight);
  if (block !== undefined && response !== undefined)
    await deps.onCommitted({ block, blockId, response, state, retainHeight: 0n });
}

async function loadState(deps: BlockExecutorDeps, genesis: Genesis, appHeight: bigint): Promise<ChainState> {
  const stored = deps.states.load();
  if (stored !== undefined && stored.chainId !== genesis.chainId)
    throw new Error(`the stored chain is ${stored.chainId}, the genesis is of ${genesis.chainId}`);
  if (appHeight > 0n) {
    if (stored !== undefined) return stored;
    throw new Error(
      `the application is at height ${appHeight}, but the consensus state is lost: expected both or neither`,
    );
  }
  // The application says which version its headers bear (consensus/replay.go Handshake), whatever genesis says.
  const { appVersion } = deps.app.info();
  const initial = makeGenesisState({ ...genesis, params: { ...genesis.params, version: { app: appVersion } } });
  if (!initial.ok) throw new Error(`genesis: ${initial.error}`);
  const response = deps.app.initChain({
    time: genesis.time,
    chainId: genesis.chainId,
    consensusParams: genesis.params,
    validators: genesis.validators,
    appStateBytes: genesis.appStateBytes,
    initialHeight: genesis.initialHeight,
  });
  if (stored !== undefined && stored.lastBlockHeight > 0n) return stored;
  const state = applyInitChain(initial.value, response);
  if (!state.ok) throw new Error(`InitChain: ${state.error}`);
  await deps.states.save(state.value);
  return state.value;
}

/** Executes a block whose consequences the state has already, for an application that lost them. */
async function replayToApp(deps: BlockExecutorDeps, state: ChainState, height: bigint): Promise<void> {
  const block = defined(deps.blocks.block(height), `block ${height}`);
  const { blockId } = defined(deps.blocks.meta(height), `block ${height}`);
  const lastValidators =
    height === state.initialHeight
      ? EMPTY_SET
      : defined(deps.states.validators(height - 1n), `validators of height ${height - 1n}`);
  const response = deps.app.finalizeBlock(finalizeRequest(block, blockId.hash, lastValidators));
  await deps.app.commit();
  const next = height === state.lastBlockHeight ? undefined : deps.blocks.meta(toHeight(height + 1n));
  const expected = next?.header.appHash ?? state.appHash;
  if (!equal(response.appHash, expected))
    throw new Error(`replay of block ${height}: app hash ${toHex(response.appHash)}, the chain has ${toHex(expected)}`);
}
