/**
 * Punishment for what a validator did at some height: those who stood behind it then pay, wherever their stake has gone
 * since (x/staking/keeper/slash.go of v0.50).
 */
import { assert } from '#core/assert.ts';
import { DEC_ONE, type Dec, decMul, decOf, decQuoRoundUp, decTruncate } from '#core/dec.ts';
import { maxBig, minBig } from '#core/int.ts';
import { compareTime } from '#core/types/timestamp.ts';
import { beforeValidatorSlashed } from '../distribution/hooks.ts';
import { setUnbondings, unbond } from './delegate.ts';
import { burnFromPool, poolOf } from './pools.ts';
import { BondStatus, type RedelegationEntry, type Unbonding } from './records.ts';
import { sharesFor } from './shares.ts';
import {
  DEFAULT_POWER_REDUCTION,
  getShares,
  getValidator,
  getValidatorByConsensus,
  NOT_BONDED_POOL,
  powerReduction,
  redelegations,
  redelegationsBySource,
  type Scope,
  STAKING_STORE,
  slashedTokens,
  unbondings,
  unbondingsByValidator,
  under,
} from './state.ts';
import { removeValidatorTokens } from './validators.ts';

/** Burned, and counted. */
function burnSlashed(scope: Scope, pool: string, amount: bigint): void {
  const store = scope.state.store(STAKING_STORE);
  slashedTokens.set(store, (slashedTokens.get(store) ?? 0n) + amount);
  burnFromPool(scope, pool, amount);
}

export interface Infraction {
  /** Of the stake that signed: two blocks before the power took effect. May be below zero. */
  readonly height: bigint;
  /** Of the validator, when it signed. */
  readonly power: bigint;
  readonly fraction: Dec;
}

/** Burns the fraction of the power. Answers the tokens of the validator itself that were burned. */
export function slash(scope: Scope, consensusAddress: Uint8Array, infraction: Infraction): bigint {
  const store = scope.state.store(STAKING_STORE);
  const validator = getValidatorByConsensus(store, consensusAddress);
  // Gone, so everybody who stood behind it is out of reach.
  if (validator === undefined || validator.status === BondStatus.UNBONDED) return 0n;
  assert(infraction.height <= scope.block.height, 'an infraction of the future');
  const reduction = powerReduction.get(store) ?? DEFAULT_POWER_REDUCTION;
  let owed = decTruncate(decMul(decOf(infraction.power * reduction), infraction.fraction));
  if (infraction.height < scope.block.height) {
    owed -= slashUnbondings(scope, validator.operator, infraction);
    owed -= slashRedelegations(scope, validator.operator, infraction);
  }
  const burned = maxBig(minBig(owed, validator.tokens), 0n);
  if (burned === 0n) return 0n;
  const effective = minBig(decQuoRoundUp(decOf(burned), decOf(validator.tokens)), DEC_ONE);
  beforeValidatorSlashed(scope, validator, effective);
  removeValidatorTokens(scope, validator, burned);
  burnSlashed(scope, poolOf(validator), burned);
  return burned;
}

interface Entry {
  readonly creationHeight: bigint;
  readonly completionTime: Unbonding['completionTime'];
}

/** Whether it was part of the stake at that height, and can still be reached. */
function isLiable(scope: Scope, entry: Entry, infraction: Infraction): boolean {
  return entry.creationHeight >= infraction.height && compareTime(entry.completionTime, scope.block.time) > 0;
}

/** Answers what the entries owed, also where less was left. */
function slashUnbondings(scope: Scope, operator: Uint8Array, infraction: Infraction): bigint {
  const store = scope.state.store(STAKING_STORE);
  let owed = 0n;
  let burned = 0n;
  for (const [, delegator] of [...unbondingsByValidator.keys(store, { under: under(operator) })]) {
    const entries = unbondings.get(store, [delegator, operator]) ?? [];
    const next = entries.map((entry) => {
      if (!isLiable(scope, entry, infraction)) return entry;
      const due = decTruncate(infraction.fraction * entry.initialBalance);
      const taken = minBig(due, entry.balance);
      owed += due;
      burned += taken;
      return { ...entry, balance: entry.balance - taken };
    });
    setUnbondings(scope, delegator, operator, next);
  }
  burnSlashed(scope, NOT_BONDED_POOL, burned);
  return owed;
}

function slashRedelegations(scope: Scope, source: Uint8Array, infraction: Infraction): bigint {
  const store = scope.state.store(STAKING_STORE);
  let owed = 0n;
  for (const [, [delegator, destination]] of [...redelegationsBySource.keys(store, { under: under(source) })]) {
    for (const entry of redelegations.get(store, [delegator, [source, destination]]) ?? []) {
      if (!isLiable(scope, entry, infraction)) continue;
      const due = decTruncate(infraction.fraction * entry.initialBalance);
      owed += due;
      collectMoved(scope, { delegator, destination, entry, due }, infraction);
    }
  }
  return owed;
}

interface Moved {
  readonly delegator: Uint8Array;
  readonly destination: Uint8Array;
  readonly entry: RedelegationEntry;
  readonly due: bigint;
}

/** Takes what a redelegation owes from the destination: first from what unbonds there since, then from the delegation. */
function collectMoved(scope: Scope, { delegator, destination, entry, due }: Moved, infraction: Infraction): void {
  const store = scope.state.store(STAKING_STORE);
  let left = due;
  const unbonding = unbondings.get(store, [delegator, destination]) ?? [];
  const next = unbonding.map((one) => {
    if (!isLiable(scope, one, infraction)) return one;
    const taken = minBig(left, one.balance);
    left -= taken;
    return { ...one, balance: one.balance - taken };
  });
  if (left < due) {
    setUnbondings(scope, delegator, destination, next);
    burnSlashed(scope, NOT_BONDED_POOL, due - left);
  }
  const validator = getValidator(store, destination);
  const have = getShares(store, delegator, destination) ?? 0n;
  if (left === 0n || validator === undefined) return;
  let shares = decMul(infraction.fraction, entry.shares);
  // What unbonded has paid a part already: the delegation pays the rest, not the whole once more.
  if (left < due && validator.tokens > 0n) shares = minBig(shares, sharesFor(validator, left));
  shares = minBig(shares, have);
  if (shares === 0n) return;
  const tokens = unbond(scope, delegator, destination, shares);
  assert(tokens.ok, 'shares that are there can be taken');
  burnSlashed(scope, poolOf(validator), tokens.value);
}
