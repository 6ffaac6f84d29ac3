/** Changes of one validator, with what orders it. Each answers the validator as it then is. */
import { assert } from '#core/assert.ts';
import type { Dec } from '#core/dec.ts';
import { addNanos } from '#core/types/timestamp.ts';
import { queueTime } from '../../state/codecs.ts';
import { afterValidatorRemoved } from '../distribution/hooks.ts';
import { afterValidatorBonded } from '../slashing/hooks.ts';
import { BondStatus, consensusAddressOf, type Validator } from './records.ts';
import { addTokens, removeShares } from './shares.ts';
import {
  addToPowerOrder,
  byConsensus,
  dropFromPowerOrder,
  getParams,
  type Scope,
  STAKING_STORE,
  setValidator,
  unbondingIds,
  unbondingNanos,
  validatorQueue,
  validators,
} from './state.ts';

/** Replaces `before` by `after`, and moves it in the order of power. */
function replaceValidator(scope: Scope, before: Validator, after: Validator): Validator {
  const store = scope.state.store(STAKING_STORE);
  dropFromPowerOrder(store, before);
  setValidator(store, after);
  addToPowerOrder(store, after);
  return after;
}

export function addValidatorTokens(
  scope: Scope,
  before: Validator,
  amount: bigint,
): { readonly validator: Validator; readonly issued: Dec } {
  const { validator, issued } = addTokens(before, amount);
  return { validator: replaceValidator(scope, before, validator), issued };
}

export function removeValidatorShares(
  scope: Scope,
  before: Validator,
  shares: Dec,
): { readonly validator: Validator; readonly tokens: bigint } {
  const { validator, tokens } = removeShares(before, shares);
  return { validator: replaceValidator(scope, before, validator), tokens };
}

/** What was slashed: the shares stay. */
export function removeValidatorTokens(scope: Scope, before: Validator, tokens: bigint): Validator {
  return replaceValidator(scope, before, { ...before, tokens: before.tokens - tokens });
}

export function jailValidator(scope: Scope, validator: Validator): Validator {
  assert(!validator.jailed, 'a validator is jailed once');
  return replaceValidator(scope, validator, { ...validator, jailed: true });
}

export function unjailValidator(scope: Scope, validator: Validator): Validator {
  assert(validator.jailed, 'who is not jailed is not released');
  return replaceValidator(scope, validator, { ...validator, jailed: false });
}

function dequeue(scope: Scope, validator: Validator): void {
  validatorQueue.delete(scope.state.store(STAKING_STORE), [queueTime(validator.unbondingTime), validator.operator]);
}

export function bondValidator(scope: Scope, validator: Validator): Validator {
  if (validator.status === BondStatus.UNBONDING) dequeue(scope, validator);
  const bonded = replaceValidator(scope, validator, { ...validator, status: BondStatus.BONDED });
  afterValidatorBonded(scope, consensusAddressOf(bonded));
  return bonded;
}

export function beginUnbonding(scope: Scope, validator: Validator): Validator {
  const store = scope.state.store(STAKING_STORE);
  const unbondingTime = addNanos(scope.block.time, unbondingNanos(getParams(store, scope.chain)));
  validatorQueue.add(store, [queueTime(unbondingTime), validator.operator]);
  return replaceValidator(scope, validator, {
    ...validator,
    status: BondStatus.UNBONDING,
    unbondingTime,
    unbondingHeight: scope.block.height,
    unbondingIds: [...validator.unbondingIds, unbondingIds.next(store)],
  });
}

/** The end of a validator's unbonding. Without shares it is gone. */
export function completeValidatorUnbonding(scope: Scope, validator: Validator): void {
  const unbonded = { ...validator, status: BondStatus.UNBONDED, unbondingIds: [] };
  setValidator(scope.state.store(STAKING_STORE), unbonded);
  if (unbonded.shares === 0n) removeValidator(scope, unbonded);
}

/** Forgets an unbonded validator that nobody has shares of. */
export function removeValidator(scope: Scope, validator: Validator): void {
  assert(validator.status === BondStatus.UNBONDED && validator.tokens === 0n, 'only the empty are removed');
  const store = scope.state.store(STAKING_STORE);
  validators.delete(store, validator.operator);
  byConsensus.delete(store, consensusAddressOf(validator));
  dropFromPowerOrder(store, validator);
  afterValidatorRemoved(scope, validator);
}
