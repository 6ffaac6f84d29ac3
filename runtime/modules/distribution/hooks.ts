/** What staking tells distribution, as plain calls (x/distribution/keeper/hooks.go of v0.50). */
import type { Dec } from '#core/dec.ts';
import type { Result } from '#core/result.ts';
import type { Coin } from '../../coins.ts';
import type { Validator } from '../staking/records.ts';
import type { Scope } from '../staking/state.ts';
import { decCoinsOf, subtractDecCoins, truncateDecCoins } from './dec-coins.ts';
import { addToCommunityPool, endPeriod, payOut, recordSlash, startDelegation, withdrawRewards } from './rewards.ts';
import {
  accumulatedCommission,
  currentRewards,
  DISTRIBUTION_STORE,
  historicalRewards,
  outstandingRewards,
  slashEvents,
  underValidator,
  withdrawAddressOf,
} from './state.ts';

export function afterValidatorCreated(scope: Scope, { operator }: Validator): void {
  const store = scope.state.store(DISTRIBUTION_STORE);
  historicalRewards.set(store, [operator, 0n], { ratio: [], references: 1 });
  currentRewards.set(store, operator, { rewards: [], period: 1n });
  accumulatedCommission.set(store, operator, []);
  outstandingRewards.set(store, operator, []);
}

/** The commission goes to the operator, everything else to the community. */
export function afterValidatorRemoved(scope: Scope, { operator }: Validator): void {
  const store = scope.state.store(DISTRIBUTION_STORE);
  const outstanding = outstandingRewards.get(store, operator) ?? [];
  const commission = truncateDecCoins(accumulatedCommission.get(store, operator) ?? []);
  payOut(scope, withdrawAddressOf(store, operator), commission.whole);
  addToCommunityPool(scope, subtractDecCoins(outstanding, decCoinsOf(commission.whole)));
  outstandingRewards.delete(store, operator);
  accumulatedCommission.delete(store, operator);
  currentRewards.delete(store, operator);
  const under = underValidator(operator);
  for (const [key] of [...slashEvents.entries(store, { under })]) slashEvents.delete(store, key);
  for (const [key] of [...historicalRewards.entries(store, { under })]) historicalRewards.delete(store, key);
}

export function beforeDelegationCreated(scope: Scope, validator: Validator): void {
  endPeriod(scope, validator);
}

export function beforeDelegationModified(
  scope: Scope,
  delegator: Uint8Array,
  validator: Validator,
): Result<readonly Coin[]> {
  return withdrawRewards(scope, validator, delegator);
}

export function afterDelegationModified(scope: Scope, delegator: Uint8Array, validator: Validator): void {
  startDelegation(scope, validator, delegator);
}

/** @param fraction of the validator's tokens. */
export function beforeValidatorSlashed(scope: Scope, validator: Validator, fraction: Dec): void {
  recordSlash(scope, validator, fraction);
}
