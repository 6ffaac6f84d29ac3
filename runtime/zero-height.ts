/**
 * A state whose chain begins again at height 1 (simapp/export.go prepForZeroHeightGenesis of the Cosmos SDK v0.50): whatever
 * says a height of the old chain is paid out, ended or set to 0. No coin comes or goes.
 */
import { assert } from '#core/assert.ts';
import { EMPTY, equal } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import { RefundReason } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import type { BlockContext, ChainParams } from './context.ts';
import { noEvents } from './events.ts';
import {
  afterDelegationModified,
  afterValidatorCreated,
  beforeDelegationCreated,
  beforeDelegationModified,
} from './modules/distribution/hooks.ts';
import { addToCommunityPool, withdrawCommission } from './modules/distribution/rewards.ts';
import {
  DISTRIBUTION_STORE,
  historicalRewards,
  outstandingRewards,
  slashEvents,
} from './modules/distribution/state.ts';
import { refundJob } from './modules/inference/jobs.ts';
import { INFERENCE_STORE, jobs, liveJobs } from './modules/inference/state.ts';
import { MODELS_STORE, models } from './modules/models/state.ts';
import { POI_STORE, verdicts } from './modules/poi/state.ts';
import { SLASHING_STORE, signingInfos } from './modules/slashing/state.ts';
import { formatOperator } from './modules/staking/addresses.ts';
import { setRedelegations, setUnbondings } from './modules/staking/delegate.ts';
import { updateValidatorSet } from './modules/staking/end-block.ts';
import {
  activeValidators,
  allValidators,
  delegations,
  getValidator,
  isActive,
  redelegations,
  type Scope,
  STAKING_STORE,
  setValidator,
  unbondings,
} from './modules/staking/state.ts';
import { jailValidator } from './modules/staking/validators.ts';
import type { KvReader, StateWriter } from './state/kv-view.ts';

export interface ZeroHeightOptions {
  readonly chain: ChainParams;
  /** Of the last block of the old chain. */
  readonly height: bigint;
  readonly time: Timestamp;
  /** Operators that may validate; all others are jailed. Undefined: nobody is jailed. */
  readonly jailAllowed: readonly Uint8Array[] | undefined;
}

/** Changes the state so. Failure: an operator that is none, or nobody who would validate. */
export function resetHeights(state: StateWriter, options: ZeroHeightOptions): Result<void, string> {
  const { chain, height, time, jailAllowed } = options;
  const staking = state.store(STAKING_STORE);
  const unknown = jailAllowed?.find((operator) => getValidator(staking, operator) === undefined);
  if (unknown !== undefined) return err(`${formatOperator(chain, unknown)} operates no validator of this chain`);
  if (jailAllowed !== undefined && !isActive(staking))
    return err('the validators of this chain are not staked: nobody can be jailed');
  const scope = { state, chain, events: noEvents, block: { height, time, proposerAddress: EMPTY } };
  endJobs(scope);
  forgetOldHeights(scope);
  if (!isActive(staking)) return ok(undefined);
  payRewards(scope);
  const anew = { ...scope, block: { ...scope.block, height: 0n } };
  beginDistribution(anew);
  resetStake(anew, jailAllowed);
  updateValidatorSet(anew);
  const slashing = state.store(SLASHING_STORE);
  for (const [address, info] of [...signingInfos.entries(slashing)])
    signingInfos.set(slashing, address, { ...info, startHeight: 0n });
  const left = activeValidators(staking).filter(({ operator }) => getValidator(staking, operator)?.jailed === false);
  return left.length > 0 ? ok(undefined) : err('nobody would validate: all validators are jailed or without power');
}

/** Deadlines and windows are heights, and who has committed opens by what the old chain was called. */
function endJobs(scope: Scope & Pick<BlockContext, 'block'>): void {
  for (const job of [...liveJobs(scope.state.store(INFERENCE_STORE))])
    refundJob(scope, job, RefundReason.CHAIN_RESTARTED);
}

function forgetOldHeights({ state }: Scope): void {
  const inference = state.store(INFERENCE_STORE);
  for (const [id, job] of [...jobs.entries(inference)])
    jobs.set(inference, id, {
      ...job,
      deadline: 0n,
      requestedHeight: 0n,
      sealedHeight: 0n,
      revealingHeight: 0n,
      finalHeight: 0n,
      ...(job.result === undefined ? {} : { result: { ...job.result, height: 0n } }),
    });
  const offered = state.store(MODELS_STORE);
  for (const [id, model] of [...models.entries(offered)]) models.set(offered, id, { ...model, height: 0n });
  const poi = state.store(POI_STORE);
  for (const [key, verdict] of [...verdicts.entries(poi)])
    verdicts.set(poi, key, {
      ...verdict,
      committedHeight: 0n,
      ...(verdict.opening === undefined ? {} : { opening: { ...verdict.opening, height: 0n } }),
    });
}

function validatorOf(store: KvReader, operator: Uint8Array) {
  const validator = getValidator(store, operator);
  assert(validator !== undefined, 'a delegation has its validator');
  return validator;
}

/** All commission and all rewards, to where their owners want them. */
function payRewards(scope: Scope): void {
  const store = scope.state.store(STAKING_STORE);
  for (const { operator } of [...allValidators(store)]) withdrawCommission(scope, operator);
  for (const [[delegator, operator]] of [...delegations.entries(store)]) {
    const paid = beforeDelegationModified(scope, delegator, validatorOf(store, operator));
    assert(paid.ok, 'a delegation has a place from which it earns');
  }
}

/** Periods begin at the first again; what nobody could be paid is the community's. */
function beginDistribution(scope: Scope): void {
  const store = scope.state.store(DISTRIBUTION_STORE);
  const staking = scope.state.store(STAKING_STORE);
  for (const [key] of [...slashEvents.entries(store)]) slashEvents.delete(store, key);
  for (const [key] of [...historicalRewards.entries(store)]) historicalRewards.delete(store, key);
  for (const validator of [...allValidators(staking)]) {
    addToCommunityPool(scope, outstandingRewards.get(store, validator.operator) ?? []);
    afterValidatorCreated(scope, validator);
  }
  for (const [[delegator, operator]] of [...delegations.entries(staking)]) {
    const validator = validatorOf(staking, operator);
    beforeDelegationCreated(scope, validator);
    afterDelegationModified(scope, delegator, validator);
  }
}

function resetStake(scope: Scope, jailAllowed: readonly Uint8Array[] | undefined): void {
  const store = scope.state.store(STAKING_STORE);
  for (const [[delegator, [source, destination]], entries] of [...redelegations.entries(store)])
    setRedelegations(
      scope,
      { delegator, source, destination },
      entries.map((entry) => ({ ...entry, creationHeight: 0n })),
    );
  for (const [[delegator, operator], entries] of [...unbondings.entries(store)])
    setUnbondings(
      scope,
      delegator,
      operator,
      entries.map((entry) => ({ ...entry, creationHeight: 0n })),
    );
  for (const validator of [...allValidators(store)]) {
    const reset = { ...validator, unbondingHeight: 0n };
    setValidator(store, reset);
    const mayValidate = jailAllowed === undefined || jailAllowed.some((one) => equal(one, validator.operator));
    if (!mayValidate && !validator.jailed) jailValidator(scope, reset);
  }
}
