/** Who validates next, and what has become mature (x/staking/keeper/val_state_change.go of v0.50). */
import { compare } from '#core/bytes.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';
import { formatAddress } from '../../address.ts';
import type { BlockContext } from '../../context.ts';
import { formatOperator } from './addresses.ts';
import { completeRedelegation, completeUnbonding } from './delegate.ts';
import { bondDenom, moveBetweenPools } from './pools.ts';
import { BondStatus, consensusAddressOf, type Validator } from './records.ts';
import {
  activeValidators,
  after,
  BONDED_POOL,
  getParams,
  getValidator,
  historicalInfos,
  isActive,
  keepHistoricalInfo,
  lastChange,
  lastPowers,
  lastTotalPower,
  NOT_BONDED_POOL,
  operatorsByPower,
  redelegationQueue,
  type Scope,
  STAKING_STORE,
  unbondingQueue,
  validatorQueue,
} from './state.ts';
import { beginUnbonding, bondValidator, completeValidatorUnbonding } from './validators.ts';

const NOBODY = new Uint8Array(0);

/** The candidates with the most power, at most `limit`; who has none is no candidate. */
function chosen(scope: Scope, limit: number): readonly { readonly validator: Validator; readonly power: bigint }[] {
  const store = scope.state.store(STAKING_STORE);
  const out: { validator: Validator; power: bigint }[] = [];
  for (const { power, operator } of operatorsByPower(store)) {
    if (power === 0n || out.length >= limit) break;
    const validator = getValidator(store, operator);
    if (validator !== undefined) out.push({ validator, power });
  }
  return out;
}

/**
 * Bonds whom the stake has chosen and begins to unbond whom it has not. The updates say what consensus has to change.
 * When nobody is left that could validate, the validators stay who they are: an empty set would stop the chain for ever.
 */
export function updateValidatorSet(scope: Scope): readonly ValidatorUpdate[] {
  const store = scope.state.store(STAKING_STORE);
  const next = chosen(scope, getParams(store, scope.chain).maxValidators);
  if (next.length === 0) return [];
  const last = [...lastPowers.entries(store)];
  const updates: ValidatorUpdate[] = [];
  let bonded = 0n;
  let total = 0n;
  for (const { validator, power } of next) {
    if (validator.status !== BondStatus.BONDED) {
      bondValidator(scope, validator);
      bonded += validator.tokens;
    }
    if (lastPowers.get(store, validator.operator) !== power) {
      lastPowers.set(store, validator.operator, power);
      updates.push({ publicKey: validator.key, power });
    }
    total += power;
  }
  const staying = new Set(next.map(({ validator }) => formatOperator(scope.chain, validator.operator)));
  for (const [operator] of last) {
    if (staying.has(formatOperator(scope.chain, operator))) continue;
    lastPowers.delete(store, operator);
    const validator = getValidator(store, operator);
    if (validator === undefined) continue;
    beginUnbonding(scope, validator);
    bonded -= validator.tokens;
    updates.push({ publicKey: validator.key, power: 0n });
  }
  if (bonded > 0n) moveBetweenPools(scope, NOT_BONDED_POOL, BONDED_POOL, bonded);
  else moveBetweenPools(scope, BONDED_POOL, NOT_BONDED_POOL, -bonded);
  if (updates.length > 0) {
    lastTotalPower.set(store, total);
    lastChange.set(store, scope.block.height);
  }
  return updates;
}

function completeValidators(scope: Scope): void {
  const store = scope.state.store(STAKING_STORE);
  for (const key of [...validatorQueue.keys(store, { lt: [after(scope.block.time), NOBODY] })]) {
    validatorQueue.delete(store, key);
    const validator = getValidator(store, key[1]);
    if (validator?.status === BondStatus.UNBONDING) completeValidatorUnbonding(scope, validator);
  }
}

function completeUnbondings(scope: Scope): void {
  const store = scope.state.store(STAKING_STORE);
  const denom = bondDenom(scope);
  for (const key of [...unbondingQueue.keys(store, { lt: [after(scope.block.time), [NOBODY, NOBODY]] })]) {
    unbondingQueue.delete(store, key);
    const [, [delegator, operator]] = key;
    const amount = completeUnbonding(scope, delegator, operator);
    if (amount === undefined) continue;
    scope.events.emit('complete_unbonding', [
      ['amount', amount === 0n ? '' : `${amount}${denom}`],
      ['validator', formatOperator(scope.chain, operator)],
      ['delegator', formatAddress(scope.chain, delegator)],
    ]);
  }
}

function completeRedelegations(scope: Scope): void {
  const store = scope.state.store(STAKING_STORE);
  const denom = bondDenom(scope);
  const range = { lt: [after(scope.block.time), [NOBODY, [NOBODY, NOBODY]]] } as const;
  for (const key of [...redelegationQueue.keys(store, range)]) {
    redelegationQueue.delete(store, key);
    const [, [delegator, [source, destination]]] = key;
    const amount = completeRedelegation(scope, { delegator, source, destination });
    if (amount === undefined) continue;
    scope.events.emit('complete_redelegation', [
      ['amount', amount === 0n ? '' : `${amount}${denom}`],
      ['delegator', formatAddress(scope.chain, delegator)],
      ['source_validator', formatOperator(scope.chain, source)],
      ['destination_validator', formatOperator(scope.chain, destination)],
    ]);
  }
}

export function endStaking(scope: Scope): readonly ValidatorUpdate[] {
  if (!isActive(scope.state.store(STAKING_STORE))) return [];
  const updates = updateValidatorSet(scope);
  completeValidators(scope);
  completeUnbondings(scope);
  completeRedelegations(scope);
  return updates;
}

/** Keeps who validated the last blocks (x/staking/keeper/historical_info.go TrackHistoricalInfo). */
export function beginStaking(context: BlockContext): void {
  const store = context.state.store(STAKING_STORE);
  if (!isActive(store)) return;
  const kept = BigInt(getParams(store, context.chain).historicalEntries);
  const { height, time, proposerAddress } = context.block;
  const oldest = height - kept;
  if (oldest >= 0n)
    for (const old of [...historicalInfos.keys(store, { lt: oldest + 1n })]) historicalInfos.delete(store, old);
  if (kept === 0n) return;
  const active = [...activeValidators(store)].sort((a, b) =>
    a.power !== b.power ? (a.power > b.power ? -1 : 1) : compare(consensusAddressOf(a), consensusAddressOf(b)),
  );
  keepHistoricalInfo(store, {
    header: { chainId: context.chain.chainId, height, time, proposerAddress },
    operators: active.map(({ operator }) => ({ operator, text: formatOperator(context.chain, operator) })),
  });
}
