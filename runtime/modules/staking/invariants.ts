/** x/staking/keeper/invariants.go of v0.50, and that indexes and queues are in step: a sentence for each breach. */
import { toHex } from '#core/bytes.ts';
import { LIMITS } from '#core/limits.ts';
import { moduleAddress } from '../../address.ts';
import type { QueryContext } from '../../context.ts';
import { queueTime } from '../../state/codecs.ts';
import { BANK_STORE, balanceOf } from '../bank/state.ts';
import { BondStatus, consensusAddressOf } from './records.ts';
import {
  allValidators,
  BONDED_POOL,
  byConsensus,
  delegations,
  delegationsByValidator,
  delegatorsOf,
  getParams,
  getValidator,
  isActive,
  lastPowers,
  lastTotalPower,
  NOT_BONDED_POOL,
  operatorsByPower,
  potentialPower,
  redelegationQueue,
  redelegations,
  redelegationsByDestination,
  redelegationsBySource,
  STAKING_STORE,
  unbondingIds,
  unbondingQueue,
  unbondings,
  unbondingsByValidator,
  validatorQueue,
} from './state.ts';

function countOf(items: Iterable<unknown>): number {
  let count = 0;
  for (const _ of items) count++;
  return count;
}

function poolBreaches(context: QueryContext): string[] {
  const store = context.state.store(STAKING_STORE);
  let bonded = 0n;
  let notBonded = 0n;
  for (const { status, tokens } of allValidators(store)) {
    if (status === BondStatus.BONDED) bonded += tokens;
    else notBonded += tokens;
  }
  for (const [, entries] of unbondings.entries(store)) for (const { balance } of entries) notBonded += balance;
  const { bondDenom } = getParams(store, context.chain);
  return [[BONDED_POOL, bonded] as const, [NOT_BONDED_POOL, notBonded] as const].flatMap(([pool, expected]) => {
    const held = balanceOf(context.state.store(BANK_STORE), moduleAddress(pool), bondDenom);
    return held === expected ? [] : [`staking: ${pool} holds ${held}, its owners ${expected}`];
  });
}

function shareBreaches(context: QueryContext): string[] {
  const store = context.state.store(STAKING_STORE);
  const breaches: string[] = [];
  const sums = new Map<string, bigint>();
  let count = 0;
  for (const [[delegator, operator], shares] of delegations.entries(store)) {
    count++;
    if (shares <= 0n) breaches.push(`staking: a delegation has ${shares} shares`);
    const id = toHex(operator);
    sums.set(id, (sums.get(id) ?? 0n) + shares);
    if (!delegatorsOf(store, operator).some((one) => toHex(one) === toHex(delegator)))
      breaches.push('staking: a delegation is not listed by its validator');
  }
  if (countOf(delegationsByValidator.keys(store)) !== count)
    breaches.push('staking: a validator lists who has no delegation');
  for (const { operator, tokens, shares } of allValidators(store)) {
    const id = toHex(operator);
    const sum = sums.get(id) ?? 0n;
    if (sum !== shares) breaches.push(`staking: validator ${id} has ${shares} shares, its delegators ${sum}`);
    if (tokens < 0n || (shares === 0n && tokens > 0n))
      breaches.push(`staking: validator ${id} has ${tokens} tokens, of which nobody has shares`);
    sums.delete(id);
  }
  for (const [id] of sums) breaches.push(`staking: shares of ${id}, which is no validator`);
  return breaches;
}

function orderBreaches(context: QueryContext): string[] {
  const store = context.state.store(STAKING_STORE);
  const breaches: string[] = [];
  const order = new Map([...operatorsByPower(store)].map(({ operator, power }) => [toHex(operator), power]));
  let listed = 0;
  let bonded = 0;
  let all = 0;
  for (const validator of allValidators(store)) {
    const id = toHex(validator.operator);
    all++;
    if (!validator.jailed) listed++;
    const expected = validator.jailed ? undefined : potentialPower(store, validator.tokens);
    if (order.get(id) !== expected) breaches.push(`staking: validator ${id} stands at ${order.get(id)} in the order`);
    const owner = byConsensus.get(store, consensusAddressOf(validator));
    if (owner === undefined || toHex(owner) !== id) breaches.push(`staking: the key of ${id} is not known`);
    if (validator.status === BondStatus.BONDED) bonded++;
    if ((validator.status === BondStatus.BONDED) !== lastPowers.has(store, validator.operator))
      breaches.push(`staking: validator ${id} is ${validator.status} but not as consensus knows it`);
    const queued = validatorQueue.has(store, [queueTime(validator.unbondingTime), validator.operator]);
    if ((validator.status === BondStatus.UNBONDING) !== queued)
      breaches.push(`staking: the queue is wrong about ${id}`);
  }
  if (countOf(byConsensus.keys(store)) !== all) breaches.push('staking: a key is known that is no validator’s');
  if (order.size !== listed) breaches.push(`staking: ${order.size} stand in the order, ${listed} should`);
  if (bonded > getParams(store, context.chain).maxValidators) breaches.push(`staking: ${bonded} validators are bonded`);
  return breaches;
}

/** What consensus knows is what the stake says, unless nobody is left that could validate. */
function powerBreaches(context: QueryContext): string[] {
  const store = context.state.store(STAKING_STORE);
  const breaches: string[] = [];
  const [first] = operatorsByPower(store);
  const isFrozen = first === undefined || first.power === 0n;
  let total = 0n;
  for (const [operator, power] of lastPowers.entries(store)) {
    total += power;
    const validator = getValidator(store, operator);
    const expected = validator === undefined ? undefined : potentialPower(store, validator.tokens);
    if (!isFrozen && (validator?.jailed !== false || power !== expected || power === 0n))
      breaches.push(`staking: consensus knows ${toHex(operator)} with ${power}, its stake gives ${expected}`);
  }
  if (total !== (lastTotalPower.get(store) ?? 0n)) breaches.push(`staking: the powers add up to ${total}`);
  if (total <= 0n || total > LIMITS.maxTotalVotingPower) breaches.push(`staking: consensus cannot count ${total}`);
  return breaches;
}

/** Each entry has its own id. */
function idBreaches(context: QueryContext): string[] {
  const store = context.state.store(STAKING_STORE);
  const next = unbondingIds.peek(store);
  const ids = new Set<bigint>();
  const breaches: string[] = [];
  for (const entries of [unbondings.entries(store), redelegations.entries(store)])
    for (const [, moving] of entries)
      for (const { id } of moving) {
        if (ids.has(id) || id >= next) breaches.push(`staking: the id ${id} of what moves is another’s`);
        ids.add(id);
      }
  return breaches;
}

function movementBreaches(context: QueryContext): string[] {
  const store = context.state.store(STAKING_STORE);
  const breaches: string[] = [];
  const counts = { unbonding: 0, redelegating: 0 };
  for (const [[delegator, operator], entries] of unbondings.entries(store)) {
    counts.unbonding++;
    if (entries.length === 0) breaches.push('staking: an unbonding without entries');
    if (!unbondingsByValidator.has(store, [operator, delegator])) breaches.push('staking: an unbonding is not listed');
    for (const { balance, initialBalance, completionTime } of entries) {
      if (balance < 0n || balance > initialBalance) breaches.push(`staking: ${balance} of ${initialBalance} unbond`);
      if (!unbondingQueue.has(store, [queueTime(completionTime), [delegator, operator]]))
        breaches.push('staking: an unbonding is not queued');
    }
  }
  for (const [[delegator, [source, destination]], entries] of redelegations.entries(store)) {
    counts.redelegating++;
    const isListed =
      redelegationsBySource.has(store, [source, [delegator, destination]]) &&
      redelegationsByDestination.has(store, [destination, [delegator, source]]);
    if (!isListed) breaches.push('staking: a redelegation is not listed');
    for (const { completionTime } of entries)
      if (!redelegationQueue.has(store, [queueTime(completionTime), [delegator, [source, destination]]]))
        breaches.push('staking: a redelegation is not queued');
  }
  if (countOf(unbondingsByValidator.keys(store)) !== counts.unbonding)
    breaches.push('staking: an unbonding is listed that there is not');
  for (const index of [redelegationsBySource, redelegationsByDestination])
    if (countOf(index.keys(store)) !== counts.redelegating)
      breaches.push('staking: a redelegation is listed that there is not');
  return breaches;
}

export function stakingInvariants(context: QueryContext): readonly string[] {
  if (!isActive(context.state.store(STAKING_STORE))) return [];
  return [poolBreaches, shareBreaches, orderBreaches, powerBreaches, movementBreaches, idBreaches].flatMap((breaches) =>
    breaches(context),
  );
}
