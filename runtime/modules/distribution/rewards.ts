/**
 * F1 fee distribution (x/distribution/keeper of v0.50; "F1 Fee Distribution", Ojha and Goes): the rewards of a delegation
 * are its stake times the difference of two sums that the validator keeps, whatever the number of delegators.
 */
import { assert, defined } from '#core/assert.ts';
import { DEC_ONE, type Dec, decMulTruncate, decOf } from '#core/dec.ts';
import { maxBig, minBig } from '#core/int.ts';
import { ok, type Result } from '#core/result.ts';
import { ValidatorSlashEventSchema } from '#proto/gen/cosmos/distribution/v1beta1/distribution_pb.ts';
import { create } from '#proto/message.ts';
import { formatAddress, moduleAddress } from '../../address.ts';
import { type Coin, formatCoins } from '../../coins.ts';
import type { KvReader, StateView } from '../../state/kv-view.ts';
import { ledgerOf, sendCoins } from '../bank/ledger.ts';
import { formatOperator } from '../staking/addresses.ts';
import type { Validator } from '../staking/records.ts';
import { tokensOf, tokensOfTruncated } from '../staking/shares.ts';
import { getShares, getParams as getStakingParams, type Scope, STAKING_STORE } from '../staking/state.ts';
import {
  addDecCoins,
  type DecCoins,
  decCoinsOf,
  intersectDecCoins,
  mulDecCoinsTruncate,
  quoDecCoinsTruncate,
  subtractDecCoins,
  truncateDecCoins,
} from './dec-coins.ts';
import { failDistribution } from './errors.ts';
import {
  accumulatedCommission,
  communityPool,
  currentRewards,
  DISTRIBUTION_ACCOUNT,
  DISTRIBUTION_STORE,
  historicalRewards,
  outstandingRewards,
  slashEvents,
  startingInfos,
  underValidator,
  withdrawAddressOf,
} from './state.ts';

export function addToCommunityPool(scope: Pick<Scope, 'state'>, coins: DecCoins): void {
  const store = scope.state.store(DISTRIBUTION_STORE);
  communityPool.set(store, addDecCoins(communityPool.get(store) ?? [], coins));
}

function takeFromOutstanding(scope: Pick<Scope, 'state'>, operator: Uint8Array, coins: DecCoins): void {
  const store = scope.state.store(DISTRIBUTION_STORE);
  outstandingRewards.set(store, operator, subtractDecCoins(outstandingRewards.get(store, operator) ?? [], coins));
}

/** Out of the account of all rewards. @throws AssertionError when it holds less: a broken invariant. */
export function payOut(scope: Scope, to: Uint8Array, coins: readonly Coin[]): void {
  if (coins.length === 0) return;
  const paid = sendCoins(ledgerOf(scope), moduleAddress(DISTRIBUTION_ACCOUNT), to, coins);
  assert(paid.ok, 'the rewards are not covered');
}

function changeReferences(scope: Pick<Scope, 'state'>, operator: Uint8Array, period: bigint, change: 1 | -1): void {
  const store = scope.state.store(DISTRIBUTION_STORE);
  const historical = defined(historicalRewards.get(store, [operator, period]), 'the rewards of a period');
  const references = historical.references + change;
  assert(references >= 0, 'a period is released more often than it is held');
  if (references === 0) historicalRewards.delete(store, [operator, period]);
  else historicalRewards.set(store, [operator, period], { ...historical, references });
}

/** The sum of ratios up to the end of the current period, were it to end now. */
function endingRatio(store: KvReader, validator: Validator): { readonly period: bigint; readonly ratio: DecCoins } {
  const current = defined(currentRewards.get(store, validator.operator), 'the current rewards of a validator');
  const before = defined(
    historicalRewards.get(store, [validator.operator, current.period - 1n]),
    'the rewards of the period before',
  );
  const own = validator.tokens === 0n ? [] : quoDecCoinsTruncate(current.rewards, decOf(validator.tokens));
  return { period: current.period, ratio: addDecCoins(before.ratio, own) };
}

/** Ends the current period and answers its number. Rewards of a validator without tokens go to the community. */
export function endPeriod(scope: Scope, validator: Validator): bigint {
  const { operator } = validator;
  const store = scope.state.store(DISTRIBUTION_STORE);
  const { period, ratio } = endingRatio(store, validator);
  if (validator.tokens === 0n) {
    const { rewards } = defined(currentRewards.get(store, operator), 'the current rewards of a validator');
    addToCommunityPool(scope, rewards);
    takeFromOutstanding(scope, operator, rewards);
  }
  changeReferences(scope, operator, period - 1n, -1);
  historicalRewards.set(store, [operator, period], { ratio, references: 1 });
  currentRewards.set(store, operator, { rewards: [], period: period + 1n });
  return period;
}

/** From now on the delegation earns with what it is worth now. */
export function startDelegation(scope: Scope, validator: Validator, delegator: Uint8Array): void {
  const { operator } = validator;
  const store = scope.state.store(DISTRIBUTION_STORE);
  const { period } = defined(currentRewards.get(store, operator), 'the current rewards of a validator');
  changeReferences(scope, operator, period - 1n, 1);
  const shares = defined(
    getShares(scope.state.store(STAKING_STORE), delegator, operator),
    'the shares of a delegation',
  );
  const stake = tokensOfTruncated(validator, shares);
  startingInfos.set(store, [operator, delegator], {
    previousPeriod: period - 1n,
    stake,
    height: scope.block.height,
  });
}

interface Earned {
  readonly rewards: DecCoins;
  /** That it earns with since the last slashing. */
  readonly stake: Dec;
  /** Sum of ratios up to then. */
  readonly ratio: DecCoins;
}

/** Period by period from where the delegation stands; undefined for one that begins with this very block. */
function earnedUntilSlashed(
  store: KvReader,
  height: bigint,
  operator: Uint8Array,
  delegator: Uint8Array,
): Earned | undefined {
  const start = startingInfos.get(store, [operator, delegator]);
  if (start === undefined || start.height === height) return undefined;
  const ratioAt = (period: bigint) =>
    defined(historicalRewards.get(store, [operator, period]), 'the rewards of a period').ratio;
  let ratio = ratioAt(start.previousPeriod);
  let from = start.previousPeriod;
  let stake: Dec = start.stake;
  let rewards: DecCoins = [];
  const range = { under: underValidator(operator), gte: [operator, [start.height, 0n]] } as const;
  for (const [[, [at]], event] of slashEvents.entries(store, range)) {
    if (at > height) break;
    if (event.validatorPeriod <= from) continue;
    const next = ratioAt(event.validatorPeriod);
    rewards = addDecCoins(rewards, mulDecCoinsTruncate(subtractDecCoins(next, ratio), stake));
    // Truncated so that delegators together never receive more than there is.
    stake = decMulTruncate(stake, DEC_ONE - BigInt(event.fraction));
    from = event.validatorPeriod;
    ratio = next;
  }
  return { rewards, stake, ratio };
}

function worthOf(state: StateView, validator: Validator, delegator: Uint8Array): Dec {
  const shares = getShares(state.store(STAKING_STORE), delegator, validator.operator) ?? 0n;
  return validator.shares === 0n ? 0n : tokensOf(validator, shares);
}

/** By how much a delegation would earn with more than its shares are worth, were it not cut: the last places of rounding. */
export function excessStake(state: StateView, height: bigint, validator: Validator, delegator: Uint8Array): Dec {
  const earned = earnedUntilSlashed(state.store(DISTRIBUTION_STORE), height, validator.operator, delegator);
  return earned === undefined ? 0n : maxBig(earned.stake - worthOf(state, validator, delegator), 0n);
}

/** Rewards of a delegation up to the end of a period whose sum of ratios is `ending`. */
function rewardsUntil(
  state: StateView,
  height: bigint,
  validator: Validator,
  delegator: Uint8Array,
  ending: DecCoins,
): DecCoins {
  const earned = earnedUntilSlashed(state.store(DISTRIBUTION_STORE), height, validator.operator, delegator);
  if (earned === undefined) return [];
  // Two roundings may differ in the last places: nobody earns with more than the shares are worth.
  const stake = minBig(earned.stake, worthOf(state, validator, delegator));
  return addDecCoins(earned.rewards, mulDecCoinsTruncate(subtractDecCoins(ending, earned.ratio), stake));
}

/** What a delegation could withdraw at the end of the block of `height`, with fractions. */
export function pendingRewards(
  state: StateView,
  height: bigint,
  validator: Validator,
  delegator: Uint8Array,
): DecCoins {
  const { ratio } = endingRatio(state.store(DISTRIBUTION_STORE), validator);
  return rewardsUntil(state, height, validator, delegator, ratio);
}

/** Pays the whole coins; what is left of them goes to the community. The delegation has to be started again afterwards. */
export function withdrawRewards(scope: Scope, validator: Validator, delegator: Uint8Array): Result<readonly Coin[]> {
  const { operator } = validator;
  const store = scope.state.store(DISTRIBUTION_STORE);
  const start = startingInfos.get(store, [operator, delegator]);
  if (start === undefined) return failDistribution('noDelegationDistInfo');
  const period = endPeriod(scope, validator);
  const ending = defined(historicalRewards.get(store, [operator, period]), 'the period that has just ended').ratio;
  const raw = rewardsUntil(scope.state, scope.block.height, validator, delegator, ending);
  // Rounding in the favour of an early delegator would else be paid by a late one.
  const rewards = intersectDecCoins(raw, outstandingRewards.get(store, operator) ?? []);
  const { whole, rest } = truncateDecCoins(rewards);
  payOut(scope, withdrawAddressOf(store, delegator), whole);
  takeFromOutstanding(scope, operator, rewards);
  addToCommunityPool(scope, rest);
  changeReferences(scope, operator, start.previousPeriod, -1);
  startingInfos.delete(store, [operator, delegator]);
  const { bondDenom } = getStakingParams(scope.state.store(STAKING_STORE), scope.chain);
  // Nothing is told as a coin of 0, in the event and in the answer.
  const told = whole.length === 0 ? [{ denom: bondDenom, amount: 0n }] : whole;
  scope.events.emit('withdraw_rewards', [
    ['amount', formatCoins(told)],
    ['validator', formatOperator(scope.chain, operator)],
    ['delegator', formatAddress(scope.chain, delegator)],
  ]);
  return ok(told);
}

/** Pays the whole coins of a validator's commission to where its operator wants them. */
export function withdrawCommission(scope: Scope, operator: Uint8Array): Result<readonly Coin[]> {
  const store = scope.state.store(DISTRIBUTION_STORE);
  const commission = accumulatedCommission.get(store, operator) ?? [];
  if (commission.length === 0) return failDistribution('noValidatorCommission');
  const { whole, rest } = truncateDecCoins(commission);
  accumulatedCommission.set(store, operator, rest);
  takeFromOutstanding(scope, operator, decCoinsOf(whole));
  payOut(scope, withdrawAddressOf(store, operator), whole);
  scope.events.emit('withdraw_commission', [['amount', formatCoins(whole)]]);
  return ok(whole);
}

/** Writes down that the validator's tokens shrink by `fraction`, for the delegations that began before. */
export function recordSlash(scope: Scope, validator: Validator, fraction: Dec): void {
  const { operator } = validator;
  assert(fraction >= 0n && fraction <= DEC_ONE, 'a fraction is between 0 and 1');
  const period = endPeriod(scope, validator);
  changeReferences(scope, operator, period, 1);
  slashEvents.set(
    scope.state.store(DISTRIBUTION_STORE),
    [operator, [scope.block.height, period]],
    create(ValidatorSlashEventSchema, { validatorPeriod: period, fraction: String(fraction) }),
  );
}
