/** The two accounts that hold all staked tokens: those of bonded validators, and all others. */
import { assert } from '#core/assert.ts';
import { LIMITS } from '#core/limits.ts';
import { ok, type Result } from '#core/result.ts';
import { moduleAddress } from '../../address.ts';
import type { Coin } from '../../coins.ts';
import { failSdk } from '../../errors.ts';
import { burnCoins, ledgerOf, sendCoins } from '../bank/ledger.ts';
import { BANK_STORE, balanceOf } from '../bank/state.ts';
import { BondStatus, type Validator } from './records.ts';
import { BONDED_POOL, getParams, NOT_BONDED_POOL, potentialPower, type Scope, STAKING_STORE } from './state.ts';

export function bondDenom(scope: Pick<Scope, 'state' | 'chain'>): string {
  return getParams(scope.state.store(STAKING_STORE), scope.chain).bondDenom;
}

export function poolOf(validator: Pick<Validator, 'status'>): string {
  return validator.status === BondStatus.BONDED ? BONDED_POOL : NOT_BONDED_POOL;
}

function coins(scope: Scope, amount: bigint): readonly Coin[] {
  return [{ denom: bondDenom(scope), amount }];
}

/** Between the pools. @throws AssertionError when the pool holds less than validators do: a broken invariant. */
export function moveBetweenPools(scope: Scope, from: string, to: string, amount: bigint): void {
  if (amount === 0n || from === to) return;
  const moved = sendCoins(ledgerOf(scope), moduleAddress(from), moduleAddress(to), coins(scope, amount));
  assert(moved.ok, `${from} holds less than its validators`);
}

export function burnFromPool(scope: Scope, pool: string, amount: bigint): void {
  if (amount === 0n) return;
  const burned = burnCoins(ledgerOf(scope), pool, coins(scope, amount));
  assert(burned.ok, `${pool} holds less than its validators`);
}

/** Consensus cannot count more power than its limit, so no more than that may be staked. */
export function requireCountable(scope: Scope, more: bigint): Result<void> {
  const bank = scope.state.store(BANK_STORE);
  const denom = bondDenom(scope);
  const staked =
    balanceOf(bank, moduleAddress(BONDED_POOL), denom) + balanceOf(bank, moduleAddress(NOT_BONDED_POOL), denom);
  const power = potentialPower(scope.state.store(STAKING_STORE), staked + more);
  return power <= LIMITS.maxTotalVotingPower
    ? ok(undefined)
    : failSdk('invalidRequest', `the power of all stake would be ${power}, the limit is ${LIMITS.maxTotalVotingPower}`);
}
