/**
 * Coins that an account owns and may not spend yet (x/auth/vesting of v0.50). All functions are pure; times are whole
 * seconds since 1970-01-01.
 */
import { assert, assertNever } from '#core/assert.ts';
import { divFloor, maxBig, minBig } from '#core/int.ts';
import { addCoins, amountOf, type Coin } from '../../coins.ts';

export interface Period {
  /** Seconds, positive. */
  readonly length: bigint;
  readonly amount: readonly Coin[];
}

export type Schedule =
  /** Little by little from start to end. */
  | { readonly kind: 'continuous'; readonly startTime: bigint; readonly endTime: bigint }
  /** All at the end. */
  | { readonly kind: 'delayed'; readonly endTime: bigint }
  /** Each period's amount at its end; the periods follow each other from the start. */
  | {
      readonly kind: 'periodic';
      readonly startTime: bigint;
      readonly endTime: bigint;
      readonly periods: readonly Period[];
    }
  /** Never. Such coins can be delegated. */
  | { readonly kind: 'permanent' };

export interface Vesting {
  readonly schedule: Schedule;
  readonly original: readonly Coin[];
  /** Of what is delegated now: coins that were free, and coins that were vesting, when they were delegated. */
  readonly delegatedFree: readonly Coin[];
  readonly delegatedVesting: readonly Coin[];
}

export function newVesting(schedule: Schedule, original: readonly Coin[]): Vesting {
  return { schedule, original, delegatedFree: [], delegatedVesting: [] };
}

/** Of the original amount, what has not vested at `now`. */
export function vestingCoins({ schedule, original }: Vesting, now: bigint): readonly Coin[] {
  switch (schedule.kind) {
    case 'continuous': {
      const { startTime, endTime } = schedule;
      if (now <= startTime) return original;
      return now >= endTime ? [] : subtract(original, vestedLinearly(original, now - startTime, endTime - startTime));
    }
    case 'delayed':
      return now >= schedule.endTime ? [] : original;
    case 'periodic':
      if (now <= schedule.startTime) return original;
      return now >= schedule.endTime ? [] : subtract(original, vestedPeriods(schedule, now));
    case 'permanent':
      return original;
    default:
      return assertNever(schedule, 'vesting schedule');
  }
}

const ONE = 1_000_000_000_000_000_000n;

/** The share of time as the Cosmos SDK's 18-decimal number, then the product as a whole number: both to the nearest, ties to even. */
function vestedLinearly(original: readonly Coin[], passed: bigint, whole: bigint): readonly Coin[] {
  const share = roundHalfEven(divFloor(passed * ONE * ONE, whole));
  return original
    .map(({ denom, amount }) => ({ denom, amount: roundHalfEven(amount * share) }))
    .filter(({ amount }) => amount > 0n);
}

/** ÷ 10^18, to the nearest, ties to even. */
function roundHalfEven(value: bigint): bigint {
  const floor = divFloor(value, ONE);
  const twice = 2n * (value - floor * ONE);
  return twice > ONE || (twice === ONE && (floor & 1n) === 1n) ? floor + 1n : floor;
}

function vestedPeriods({ startTime, periods }: Extract<Schedule, { kind: 'periodic' }>, now: bigint): readonly Coin[] {
  let end = startTime;
  let vested: readonly Coin[] = [];
  for (const { length, amount } of periods) {
    end += length;
    if (now < end) break;
    vested = addCoins(vested, amount);
  }
  return vested;
}

/** What of the balance may not be spent at `now`: delegated coins are gone from the balance already. */
export function lockedCoins(vesting: Vesting, now: bigint): readonly Coin[] {
  return subtract(vestingCoins(vesting, now), vesting.delegatedVesting);
}

/** `amount`, which the account holds, is delegated: vesting coins go first. */
export function trackDelegation(vesting: Vesting, now: bigint, amount: readonly Coin[]): Vesting {
  const unvested = vestingCoins(vesting, now);
  let { delegatedFree, delegatedVesting } = vesting;
  for (const { denom, amount: wanted } of amount) {
    assert(wanted > 0n, 'a delegation must be positive');
    const left = maxBig(amountOf(unvested, denom) - amountOf(delegatedVesting, denom), 0n);
    const fromVesting = minBig(left, wanted);
    delegatedVesting = addCoins(delegatedVesting, [{ denom, amount: fromVesting }]);
    delegatedFree = addCoins(delegatedFree, [{ denom, amount: wanted - fromVesting }]);
  }
  return { ...vesting, delegatedFree, delegatedVesting };
}

/** `amount` has come back from a delegation, perhaps less than went (slashing): free coins come back first. */
export function trackUndelegation(vesting: Vesting, amount: readonly Coin[]): Vesting {
  let { delegatedFree, delegatedVesting } = vesting;
  for (const { denom, amount: returned } of amount) {
    assert(returned > 0n, 'an undelegation must be positive');
    const toFree = minBig(amountOf(delegatedFree, denom), returned);
    const toVesting = minBig(amountOf(delegatedVesting, denom), returned - toFree);
    delegatedFree = subtract(delegatedFree, [{ denom, amount: toFree }]);
    delegatedVesting = subtract(delegatedVesting, [{ denom, amount: toVesting }]);
  }
  return { ...vesting, delegatedFree, delegatedVesting };
}

/** a − b, nowhere below zero. */
function subtract(a: readonly Coin[], b: readonly Coin[]): readonly Coin[] {
  return a
    .map(({ denom, amount }) => ({ denom, amount: maxBig(amount - amountOf(b, denom), 0n) }))
    .filter(({ amount }) => amount > 0n);
}
