/**
 * What a node must know of the chain to make or check the next block: CometBFT's sm.State (state/state.go,
 * state/execution.go updateState). A value; each block makes a new one.
 */
import type { FinalizeBlockResponse } from '#core/abci.ts';
import { lastResultsHash } from '#core/abci.ts';
import { EMPTY } from '#core/bytes.ts';
import { merkleRoot } from '#core/merkle.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type BlockId, NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { type Height, nextHeight, toHeight } from '#core/types/brand.ts';
import {
  applyParamsUpdate,
  type ConsensusParams,
  type ConsensusParamsUpdate,
  extensionsEnabled,
  validateConsensusParams,
} from '#core/types/consensus-params.ts';
import type { Header } from '#core/types/header.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import {
  createValidatorSet,
  EMPTY_SET,
  incrementPriority,
  updateValidators,
  type ValidatorSet,
  type ValidatorUpdate,
} from '#core/types/validator-set.ts';

export interface ChainState {
  readonly chainId: string;
  readonly initialHeight: Height;
  /** 0 before the first block. */
  readonly lastBlockHeight: Height;
  readonly lastBlockId: BlockId;
  /** Genesis time before the first block. */
  readonly lastBlockTime: Timestamp;
  /** Validators of the next block's height (lastBlockHeight + 1), of the one after, and of the last block. */
  readonly validators: ValidatorSet;
  readonly nextValidators: ValidatorSet;
  readonly lastValidators: ValidatorSet;
  /** Height from which `nextValidators` stand without a change but rotation. */
  readonly lastHeightValidatorsChanged: Height;
  /** Parameters of the next block's height. */
  readonly params: ConsensusParams;
  readonly lastHeightParamsChanged: Height;
  readonly lastResultsHash: Uint8Array;
  /** After the last block; stands in the next header. */
  readonly appHash: Uint8Array;
  /** What the last block's own header says: where it equals `appHash`, that block changed nothing. */
  readonly lastHeaderAppHash: Uint8Array;
}

/** What of the genesis document consensus needs. */
export interface GenesisInfo {
  readonly chainId: string;
  /** ≥ 1. */
  readonly initialHeight: Height;
  readonly time: Timestamp;
  readonly params: ConsensusParams;
  readonly validators: readonly ValidatorUpdate[];
  readonly appHash: Uint8Array;
}

/** The state before InitChain (state/state.go MakeGenesisState). */
export function makeGenesisState(genesis: GenesisInfo): Result<ChainState, string> {
  const params = validateConsensusParams(genesis.params);
  if (!params.ok) return params;
  const validators = createValidatorSet(genesis.validators);
  if (!validators.ok) return validators;
  return ok({
    chainId: genesis.chainId,
    initialHeight: genesis.initialHeight,
    lastBlockHeight: toHeight(0n),
    lastBlockId: NIL_BLOCK_ID,
    lastBlockTime: genesis.time,
    validators: validators.value,
    nextValidators: rotate(validators.value),
    lastValidators: EMPTY_SET,
    lastHeightValidatorsChanged: genesis.initialHeight,
    params: params.value,
    lastHeightParamsChanged: genesis.initialHeight,
    lastResultsHash: merkleRoot([]),
    appHash: genesis.appHash,
    lastHeaderAppHash: EMPTY,
  });
}

/** The state after InitChain: the application may replace validators and change parameters (consensus/replay.go). */
export function applyInitChain(
  state: ChainState,
  response: {
    readonly consensusParams: ConsensusParamsUpdate | undefined;
    readonly validators: readonly ValidatorUpdate[];
    readonly appHash: Uint8Array;
  },
): Result<ChainState, string> {
  const params = validateConsensusParams(applyParamsUpdate(state.params, response.consensusParams ?? {}));
  if (!params.ok) return params;
  const validators = response.validators.length > 0 ? createValidatorSet(response.validators) : ok(state.validators);
  if (!validators.ok) return validators;
  if (validators.value.validators.length === 0) return err('neither genesis nor the application names any validator');
  const appHash = response.appHash.length > 0 ? response.appHash : state.appHash;
  return ok({
    ...state,
    params: params.value,
    validators: validators.value,
    nextValidators: rotate(validators.value),
    appHash,
  });
}

function rotate(set: ValidatorSet): ValidatorSet {
  return set.validators.length === 0 ? EMPTY_SET : incrementPriority(set, 1);
}

/** The height of the next block. */
export function heightAfter(state: ChainState): Height {
  return state.lastBlockHeight === 0n ? state.initialHeight : nextHeight(state.lastBlockHeight);
}

/**
 * The state after a block: validator updates of height h act at h + 2, parameters at h + 1. An error is the
 * application's fault (updates it may not make): the node cannot go on.
 */
export function applyFinalizeResponse(
  state: ChainState,
  blockId: BlockId,
  header: Header,
  response: FinalizeBlockResponse,
): Result<ChainState, string> {
  const permitted = checkUpdates(state.params, response.validatorUpdates);
  if (!permitted.ok) return permitted;
  const updated = updateValidators(state.nextValidators, response.validatorUpdates);
  if (!updated.ok) return err(`validator updates of height ${header.height}: ${updated.error}`);
  const params = nextParams(state.params, header.height, response.consensusParamUpdates);
  if (!params.ok) return err(`parameter update of height ${header.height}: ${params.error}`);
  return ok({
    ...state,
    lastBlockHeight: header.height,
    lastBlockId: blockId,
    lastBlockTime: header.time,
    validators: state.nextValidators,
    nextValidators: incrementPriority(updated.value, 1),
    lastValidators: state.validators,
    lastHeightValidatorsChanged:
      response.validatorUpdates.length > 0 ? toHeight(header.height + 2n) : state.lastHeightValidatorsChanged,
    params: params.value,
    lastHeightParamsChanged:
      response.consensusParamUpdates === undefined ? state.lastHeightParamsChanged : nextHeight(header.height),
    lastResultsHash: lastResultsHash(response.txResults),
    appHash: response.appHash,
    lastHeaderAppHash: header.appHash,
  });
}

/** state/execution.go validateValidatorUpdates. */
function checkUpdates(params: ConsensusParams, updates: readonly ValidatorUpdate[]): Result<true, string> {
  for (const { publicKey, power } of updates) {
    if (power < 0n) return err(`validator update: power ${power} is negative`);
    if (power > 0n && !params.validator.pubKeyTypes.includes(publicKey.type))
      return err(
        `validator update: key type ${publicKey.type} is not among ${params.validator.pubKeyTypes.join(', ')}`,
      );
  }
  return ok(true);
}

function nextParams(
  params: ConsensusParams,
  height: bigint,
  update: ConsensusParamsUpdate | undefined,
): Result<ConsensusParams, string> {
  if (update === undefined) return ok(params);
  const next = validateConsensusParams(applyParamsUpdate(params, update));
  if (!next.ok) return next;
  const from = params.abci.voteExtensionsEnableHeight;
  const to = next.value.abci.voteExtensionsEnableHeight;
  // types/params.go ValidateUpdate: extensions are enabled once, at a height to come, and never again disabled.
  if (from === to) return next;
  if (extensionsEnabled(params, height + 1n))
    return err(`vote_extensions_enable_height: already enabled from ${from}, cannot become ${to}`);
  if (to !== 0n && to <= height)
    return err(`vote_extensions_enable_height: expected above the height ${height}, got ${to}`);
  return next;
}
