import { toHex } from '#core/bytes.ts';
import { decTruncate } from '#core/dec.ts';
import { moduleAddress } from '../../address.ts';
import type { QueryContext } from '../../context.ts';
import type { RuntimeModule } from '../../module.ts';
import { BANK_STORE, balanceOf } from '../bank/state.ts';
import { allValidators, delegations, isActive, STAKING_STORE } from '../staking/state.ts';
import { beginDistribution } from './allocate.ts';
import { addDecCoins, type DecCoins } from './dec-coins.ts';
import { exportDistribution, initDistribution } from './genesis.ts';
import { distributionMessages } from './handlers.ts';
import { distributionQueries } from './queries.ts';
import { pendingRewards } from './rewards.ts';
import {
  accumulatedCommission,
  communityPool,
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

/** x/distribution/keeper/invariants.go of v0.50. */
function distributionInvariants(context: QueryContext): readonly string[] {
  const store = context.state.store(DISTRIBUTION_STORE);
  const staking = context.state.store(STAKING_STORE);
  if (!isActive(staking)) return [];
  const breaches: string[] = [];
  let owed: DecCoins = communityPool.get(store) ?? [];
  for (const [, rewards] of outstandingRewards.entries(store)) {
    if (rewards.some(({ amount }) => amount < 0n)) breaches.push('distribution: rewards are negative');
    owed = addDecCoins(owed, rewards);
  }
  const holder = moduleAddress(DISTRIBUTION_ACCOUNT);
  for (const { denom, amount } of owed) {
    const held = balanceOf(context.state.store(BANK_STORE), holder, denom);
    if (held !== decTruncate(amount)) breaches.push(`distribution: ${held}${denom} are held, ${amount} × 10^-18 owed`);
  }
  // Whoever withdraws last finds what it is owed, but for the last places of rounding.
  const all = [...allValidators(staking)];
  const due = new Map<string, DecCoins>();
  for (const { operator } of all) due.set(toHex(operator), accumulatedCommission.get(store, operator) ?? []);
  const byId = new Map(all.map((validator) => [toHex(validator.operator), validator]));
  let count = 0;
  for (const [[delegator, operator]] of delegations.entries(staking)) {
    count++;
    const id = toHex(operator);
    const validator = byId.get(id);
    if (!startingInfos.has(store, [operator, delegator])) breaches.push('distribution: a delegation has not begun');
    else if (validator !== undefined)
      due.set(id, addDecCoins(due.get(id) ?? [], pendingRewards(context.state, context.height, validator, delegator)));
  }
  for (const [id, coins] of due) {
    const validator = byId.get(id);
    const outstanding = validator === undefined ? [] : (outstandingRewards.get(store, validator.operator) ?? []);
    if (exceeds(coins, outstanding)) breaches.push(`distribution: validator ${id} owes more than it has earned`);
  }
  let references = 0;
  for (const [, historical] of historicalRewards.entries(store)) references += historical.references;
  const expected = all.length + count + [...slashEvents.entries(store)].length;
  if (references !== expected) breaches.push(`distribution: ${references} references to periods, expected ${expected}`);
  return breaches;
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
