import { toHex } from '#core/bytes.ts';
import { decTruncate } from '#core/dec.ts';
import { moduleAddress } from '../../address.ts';
import type { QueryContext } from '../../context.ts';
import type { RuntimeModule } from '../../module.ts';
import { allBalances, BANK_STORE, balanceOf } from '../bank/state.ts';
import type { Validator } from '../staking/records.ts';
import { allValidators, delegations, getShares, getValidator, isActive, STAKING_STORE } from '../staking/state.ts';
import { beginDistribution } from './allocate.ts';
import { addDecCoins, type DecCoins } from './dec-coins.ts';
import { exportDistribution, initDistribution } from './genesis.ts';
import { distributionMessages } from './handlers.ts';
import { distributionQueries } from './queries.ts';
import { excessStake, pendingRewards } from './rewards.ts';
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
} from './state.ts';

function exceeds(a: DecCoins, b: DecCoins): boolean {
  return a.some(({ denom, amount }) => amount > (b.find((coin) => coin.denom === denom)?.amount ?? 0n));
}

/** What is owed to all together is what the module's account holds, but for fractions. */
function holdingBreaches(context: QueryContext): string[] {
  const store = context.state.store(DISTRIBUTION_STORE);
  const breaches: string[] = [];
  let owed: DecCoins = communityPool.get(store) ?? [];
  if (owed.some(({ amount }) => amount < 0n)) breaches.push('distribution: the community pool is negative');
  for (const [, rewards] of outstandingRewards.entries(store)) {
    if (rewards.some(({ amount }) => amount < 0n)) breaches.push('distribution: rewards are negative');
    owed = addDecCoins(owed, rewards);
  }
  const holder = moduleAddress(DISTRIBUTION_ACCOUNT);
  const bank = context.state.store(BANK_STORE);
  for (const { denom, amount } of owed) {
    const held = balanceOf(bank, holder, denom);
    if (held !== decTruncate(amount)) breaches.push(`distribution: ${held}${denom} are held, ${amount} × 10^-18 owed`);
  }
  for (const { denom, amount } of allBalances(bank, holder))
    if (!owed.some((coin) => coin.denom === denom)) breaches.push(`distribution: ${amount}${denom} are nobody's`);
  return breaches;
}

/** Atoms that rounding may leave a delegation above what its shares are worth (x/distribution/keeper/delegation.go marginOfErr). */
const ROUNDING = 3n;

/** Whoever withdraws last finds what it is owed, but for the last places of rounding. */
function withdrawalBreaches(context: QueryContext, all: readonly Validator[]): string[] {
  const store = context.state.store(DISTRIBUTION_STORE);
  const breaches: string[] = [];
  const due = new Map<string, DecCoins>();
  for (const { operator } of all) due.set(toHex(operator), accumulatedCommission.get(store, operator) ?? []);
  const byId = new Map(all.map((validator) => [toHex(validator.operator), validator]));
  for (const [[delegator, operator]] of delegations.entries(context.state.store(STAKING_STORE))) {
    const id = toHex(operator);
    const validator = byId.get(id);
    if (!startingInfos.has(store, [operator, delegator])) breaches.push('distribution: a delegation has not begun');
    else if (validator !== undefined) {
      due.set(id, addDecCoins(due.get(id) ?? [], pendingRewards(context.state, context.height, validator, delegator)));
      const excess = excessStake(context.state, context.height, validator, delegator);
      if (excess > ROUNDING) breaches.push(`distribution: a delegation earns with ${excess} × 10^-18 more than it has`);
    }
  }
  for (const [id, coins] of due) {
    const validator = byId.get(id);
    const outstanding = validator === undefined ? [] : (outstandingRewards.get(store, validator.operator) ?? []);
    if (exceeds(coins, outstanding)) breaches.push(`distribution: validator ${id} owes more than it has earned`);
  }
  return breaches;
}

/** Each period is held by exactly those that stand at its end: the one after it, delegations, slashings. */
function referenceBreaches(context: QueryContext, all: readonly Validator[]): string[] {
  const store = context.state.store(DISTRIBUTION_STORE);
  const staking = context.state.store(STAKING_STORE);
  const breaches: string[] = [];
  const expected = new Map<string, number>();
  const hold = (operator: Uint8Array, period: bigint) => {
    const id = `${toHex(operator)} ${period}`;
    expected.set(id, (expected.get(id) ?? 0) + 1);
  };
  for (const { operator } of all) {
    const current = currentRewards.get(store, operator);
    if (
      current === undefined ||
      !outstandingRewards.has(store, operator) ||
      !accumulatedCommission.has(store, operator)
    )
      breaches.push(`distribution: validator ${toHex(operator)} has no rewards`);
    else hold(operator, current.period - 1n);
  }
  for (const [[operator, delegator], { previousPeriod }] of startingInfos.entries(store)) {
    hold(operator, previousPeriod);
    if (getShares(staking, delegator, operator) === undefined)
      breaches.push('distribution: who has no delegation earns');
  }
  for (const [[operator], { validatorPeriod }] of slashEvents.entries(store)) hold(operator, validatorPeriod);
  for (const [[operator, period], { references }] of historicalRewards.entries(store)) {
    const id = `${toHex(operator)} ${period}`;
    if (references !== (expected.get(id) ?? 0))
      breaches.push(`distribution: period ${id} is held ${references} times, by ${expected.get(id) ?? 0}`);
    expected.delete(id);
  }
  for (const id of expected.keys()) breaches.push(`distribution: period ${id} is held and is not there`);
  for (const records of [currentRewards, outstandingRewards, accumulatedCommission])
    for (const operator of records.keys(store))
      if (getValidator(staking, operator) === undefined)
        breaches.push(`distribution: ${toHex(operator)}, who is no validator, has rewards`);
  return breaches;
}

/** x/distribution/keeper/invariants.go of v0.50, and that records are neither missing nor left behind. */
function distributionInvariants(context: QueryContext): readonly string[] {
  const staking = context.state.store(STAKING_STORE);
  if (!isActive(staking)) return [];
  const all = [...allValidators(staking)];
  return [...holdingBreaches(context), ...withdrawalBreaches(context, all), ...referenceBreaches(context, all)];
}

export const distributionModule: RuntimeModule = {
  name: 'distribution',
  stores: [DISTRIBUTION_STORE],
  moduleAccounts: { [DISTRIBUTION_ACCOUNT]: [] },
  initGenesis: initDistribution,
  exportGenesis: exportDistribution,
  beginBlock: beginDistribution,
  messages: distributionMessages,
  queries: distributionQueries,
  invariants: distributionInvariants,
};
