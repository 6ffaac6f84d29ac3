/** Stake that comes, goes and moves (x/staking/keeper/delegation.go of v0.50). Amounts and shares are positive. */
import { assert, defined } from '#core/assert.ts';
import { equal } from '#core/bytes.ts';
import { type Dec, decTruncate, formatDec } from '#core/dec.ts';
import { minBig } from '#core/int.ts';
import { ok, type Result } from '#core/result.ts';
import { addNanos, compareTime, type Timestamp } from '#core/types/timestamp.ts';
import { failSdk } from '../../errors.ts';
import { queueTime } from '../../state/codecs.ts';
import { delegateCoins, ledgerOf, undelegateCoins } from '../bank/ledger.ts';
import { afterDelegationModified, beforeDelegationCreated, beforeDelegationModified } from '../distribution/hooks.ts';
import { failStaking } from './errors.ts';
import { bondDenom, moveBetweenPools, poolOf, requireCountable } from './pools.ts';
import { BondStatus, type RedelegationEntry, type Unbonding, type Validator } from './records.ts';
import { hasNoRate, sharesFor, sharesForTruncated, tokensOf } from './shares.ts';
import {
  getParams,
  getShares,
  getValidator,
  NOT_BONDED_POOL,
  redelegationQueue,
  redelegations,
  redelegationsByDestination,
  redelegationsBySource,
  removeShares,
  type Scope,
  STAKING_STORE,
  setShares,
  unbondingIds,
  unbondingNanos,
  unbondingQueue,
  unbondings,
  unbondingsByValidator,
  underTwo,
} from './state.ts';
import { addValidatorTokens, jailValidator, removeValidator, removeValidatorShares } from './validators.ts';

/** Where delegated tokens come from: an account, or a pool that holds them already. */
export type Source = { readonly kind: 'account' } | { readonly kind: 'pool'; readonly pool: string };

export function delegate(
  scope: Scope,
  delegator: Uint8Array,
  operator: Uint8Array,
  amount: bigint,
  source: Source,
): Result<Dec> {
  const store = scope.state.store(STAKING_STORE);
  const validator = getValidator(store, operator);
  if (validator === undefined) return failStaking('noValidatorFound');
  // In such validators new tokens would be worth nothing, and their shares would be without number.
  if (hasNoRate(validator)) return failStaking('delegatorShareExRateInvalid');
  const before = getShares(store, delegator, operator);
  if (before === undefined) beforeDelegationCreated(scope, validator);
  else {
    const withdrawn = beforeDelegationModified(scope, delegator, validator);
    if (!withdrawn.ok) return withdrawn;
  }
  const pool = poolOf(validator);
  if (source.kind === 'account') {
    const countable = requireCountable(scope, amount);
    if (!countable.ok) return countable;
    const paid = delegateCoins(ledgerOf(scope), delegator, pool, [{ denom: bondDenom(scope), amount }]);
    if (!paid.ok) return paid;
  } else moveBetweenPools(scope, source.pool, pool, amount);
  const added = addValidatorTokens(scope, validator, amount);
  setShares(store, delegator, operator, (before ?? 0n) + added.issued);
  afterDelegationModified(scope, delegator, added.validator);
  return ok(added.issued);
}

/** Takes shares away; answers the tokens that they were. Who holds the tokens then is the caller's concern. */
export function unbond(scope: Scope, delegator: Uint8Array, operator: Uint8Array, shares: Dec): Result<bigint> {
  const store = scope.state.store(STAKING_STORE);
  const before = getShares(store, delegator, operator);
  if (before === undefined) return failStaking('noDelegatorForAddress');
  const found = defined(getValidator(store, operator), 'the validator of a delegation');
  const withdrawn = beforeDelegationModified(scope, delegator, found);
  if (!withdrawn.ok) return withdrawn;
  if (before < shares) return failStaking('notEnoughDelegationShares', formatDec(before));
  const left = before - shares;
  const validator = jailIfTooLow(scope, delegator, found, left);
  if (left === 0n) removeShares(store, delegator, operator);
  else {
    setShares(store, delegator, operator, left);
    afterDelegationModified(scope, delegator, validator);
  }
  const removed = removeValidatorShares(scope, validator, shares);
  if (removed.validator.shares === 0n && removed.validator.status === BondStatus.UNBONDED)
    removeValidator(scope, removed.validator);
  return ok(removed.tokens);
}

/** An operator that keeps less than it promised goes to jail. */
function jailIfTooLow(scope: Scope, delegator: Uint8Array, validator: Validator, left: Dec): Validator {
  if (validator.jailed || !equal(delegator, validator.operator)) return validator;
  return decTruncate(tokensOf(validator, left)) < validator.minSelfDelegation
    ? jailValidator(scope, validator)
    : validator;
}

/** Shares that an amount of tokens is, at most all that the delegator has. */
export function sharesToUnbond(scope: Scope, delegator: Uint8Array, operator: Uint8Array, amount: bigint): Result<Dec> {
  const store = scope.state.store(STAKING_STORE);
  const validator = getValidator(store, operator);
  if (validator === undefined) return failStaking('noValidatorFound');
  const have = getShares(store, delegator, operator);
  if (have === undefined) return failStaking('noDelegation');
  if (validator.tokens === 0n) return failStaking('insufficientShares');
  if (sharesForTruncated(validator, amount) > have) return failSdk('invalidRequest', 'invalid shares amount');
  const shares = minBig(sharesFor(validator, amount), have);
  return shares === 0n ? failStaking('insufficientShares') : ok(shares);
}

export interface Undelegated {
  readonly completionTime: Timestamp;
  readonly amount: bigint;
}

export function undelegate(
  scope: Scope,
  delegator: Uint8Array,
  operator: Uint8Array,
  shares: Dec,
): Result<Undelegated> {
  const store = scope.state.store(STAKING_STORE);
  const validator = getValidator(store, operator);
  if (validator === undefined) return failStaking('noDelegatorForAddress');
  const params = getParams(store, scope.chain);
  const entries = unbondings.get(store, [delegator, operator]) ?? [];
  if (entries.length >= params.maxEntries) return failStaking('maxUnbondingDelegationEntries');
  const amount = unbond(scope, delegator, operator, shares);
  if (!amount.ok) return amount;
  moveBetweenPools(scope, poolOf(validator), NOT_BONDED_POOL, amount.value);
  const completionTime = addNanos(scope.block.time, unbondingNanos(params));
  addUnbonding(scope, delegator, operator, completionTime, amount.value);
  return ok({ completionTime, amount: amount.value });
}

function addUnbonding(
  scope: Scope,
  delegator: Uint8Array,
  operator: Uint8Array,
  completionTime: Timestamp,
  amount: bigint,
): void {
  const store = scope.state.store(STAKING_STORE);
  const entries = unbondings.get(store, [delegator, operator]) ?? [];
  const creationHeight = scope.block.height;
  const same = entries.findIndex(
    (entry) => entry.creationHeight === creationHeight && compareTime(entry.completionTime, completionTime) === 0,
  );
  const grow = (entry: Unbonding, i: number): Unbonding =>
    i === same ? { ...entry, balance: entry.balance + amount, initialBalance: entry.initialBalance + amount } : entry;
  const fresh = { creationHeight, completionTime, initialBalance: amount, balance: amount };
  setUnbondings(scope, delegator, operator, [
    ...entries.map(grow),
    ...(same === -1 ? [{ ...fresh, id: unbondingIds.next(store) }] : []),
  ]);
  unbondingQueue.add(store, [queueTime(completionTime), [delegator, operator]]);
}

/** No entries: no record. */
export function setUnbondings(
  scope: Scope,
  delegator: Uint8Array,
  operator: Uint8Array,
  entries: readonly Unbonding[],
): void {
  const store = scope.state.store(STAKING_STORE);
  if (entries.length === 0) {
    unbondings.delete(store, [delegator, operator]);
    unbondingsByValidator.delete(store, [operator, delegator]);
  } else {
    unbondings.set(store, [delegator, operator], entries);
    unbondingsByValidator.add(store, [operator, delegator]);
  }
}

/** Pays out what is mature; undefined when there is nothing left to complete. */
export function completeUnbonding(scope: Scope, delegator: Uint8Array, operator: Uint8Array): bigint | undefined {
  const store = scope.state.store(STAKING_STORE);
  const entries = unbondings.get(store, [delegator, operator]);
  if (entries === undefined) return undefined;
  const isMature = (entry: Unbonding) => compareTime(entry.completionTime, scope.block.time) <= 0;
  const amount = entries.filter(isMature).reduce((sum, { balance }) => sum + balance, 0n);
  if (amount > 0n) {
    const coins = [{ denom: bondDenom(scope), amount }];
    const paid = undelegateCoins(ledgerOf(scope), NOT_BONDED_POOL, delegator, coins);
    assert(paid.ok, 'the pool holds less than what unbonds');
  }
  setUnbondings(
    scope,
    delegator,
    operator,
    entries.filter((entry) => !isMature(entry)),
  );
  return amount;
}

export interface Route {
  readonly delegator: Uint8Array;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/** When tokens that leave the source are out of reach of its past; undefined: they are already. */
function releaseOf(scope: Scope, source: Validator | undefined): { height: bigint; time: Timestamp } | undefined {
  if (source?.status === BondStatus.UNBONDED) return undefined;
  if (source?.status === BondStatus.UNBONDING) return { height: source.unbondingHeight, time: source.unbondingTime };
  const params = getParams(scope.state.store(STAKING_STORE), scope.chain);
  return { height: scope.block.height, time: addNanos(scope.block.time, unbondingNanos(params)) };
}

/** Answers when it is complete. */
export function redelegate(scope: Scope, route: Route, shares: Dec): Result<Timestamp> {
  const { delegator, source, destination } = route;
  const store = scope.state.store(STAKING_STORE);
  if (equal(source, destination)) return failStaking('selfRedelegation');
  const from = getValidator(store, source);
  if (from === undefined || getValidator(store, destination) === undefined) return failStaking('badRedelegationDst');
  // What arrived by redelegation can be slashed for where it came from; it must not move on and be forgotten.
  const arriving = redelegationsByDestination.keys(store, { under: underTwo(source, delegator), limit: 1 });
  for (const _ of arriving) return failStaking('transitiveRedelegation');
  const entries = redelegations.get(store, [delegator, [source, destination]]) ?? [];
  if (entries.length >= getParams(store, scope.chain).maxEntries) return failStaking('maxRedelegationEntries');
  const amount = unbond(scope, delegator, source, shares);
  if (!amount.ok) return amount;
  if (amount.value === 0n) return failStaking('tinyRedelegationAmount');
  const created = delegate(scope, delegator, destination, amount.value, { kind: 'pool', pool: poolOf(from) });
  if (!created.ok) return created;
  const release = releaseOf(scope, getValidator(store, source));
  if (release === undefined) return ok(scope.block.time);
  const entry = { initialBalance: amount.value, shares: created.value, id: unbondingIds.next(store) };
  setRedelegations(scope, route, [
    ...entries,
    { ...entry, creationHeight: release.height, completionTime: release.time },
  ]);
  redelegationQueue.add(store, [queueTime(release.time), [delegator, [source, destination]]]);
  return ok(release.time);
}

/** No entries: no record. */
export function setRedelegations(scope: Scope, route: Route, entries: readonly RedelegationEntry[]): void {
  const { delegator, source, destination } = route;
  const store = scope.state.store(STAKING_STORE);
  if (entries.length === 0) {
    redelegations.delete(store, [delegator, [source, destination]]);
    redelegationsBySource.delete(store, [source, [delegator, destination]]);
    redelegationsByDestination.delete(store, [destination, [delegator, source]]);
  } else {
    redelegations.set(store, [delegator, [source, destination]], entries);
    redelegationsBySource.add(store, [source, [delegator, destination]]);
    redelegationsByDestination.add(store, [destination, [delegator, source]]);
  }
}

/** Forgets what is mature; undefined when there is nothing. */
export function completeRedelegation(scope: Scope, route: Route): bigint | undefined {
  const { delegator, source, destination } = route;
  const entries = redelegations.get(scope.state.store(STAKING_STORE), [delegator, [source, destination]]);
  if (entries === undefined) return undefined;
  const isMature = (entry: RedelegationEntry) => compareTime(entry.completionTime, scope.block.time) <= 0;
  setRedelegations(
    scope,
    route,
    entries.filter((entry) => !isMature(entry)),
  );
  return entries.filter(isMature).reduce((sum, { initialBalance }) => sum + initialBalance, 0n);
}
