import fc from 'fast-check';
import { expect, test } from 'vitest';
import { minBig } from '#core/int.ts';
import { amountOf } from '../../coins.ts';
import { decodeVesting, encodeVesting } from './record.ts';
import {
  lockedCoins,
  newVesting,
  type Schedule,
  trackDelegation,
  trackUndelegation,
  type Vesting,
  vestingCoins,
} from './schedule.ts';

const coin = (amount: bigint) => [{ denom: 'stake', amount }];
const locked = (vesting: Vesting, now: bigint) => amountOf(lockedCoins(vesting, now), 'stake');

test('continuous: nothing before the start, everything at the end, to the nearest between', () => {
  const vesting = newVesting({ kind: 'continuous', startTime: 100n, endTime: 400n }, coin(1_000n));
  // 1/3 is 0.333333333333333333 with 18 decimals, 2/3 is 0.666666666666666667.
  expect([0n, 100n, 200n, 300n, 399n, 400n, 999n].map((now) => locked(vesting, now))).toEqual([
    1_000n,
    1_000n,
    667n,
    333n,
    3n,
    0n,
    0n,
  ]);
});

test('continuous: ties go to the even number', () => {
  const half = (amount: bigint) => newVesting({ kind: 'continuous', startTime: 1n, endTime: 3n }, coin(amount));
  // Vested: 0.5 → 0, 1.5 → 2, 2.5 → 2.
  expect([1n, 3n, 5n].map((amount) => amount - locked(half(amount), 2n))).toEqual([0n, 2n, 2n]);
});

test('delayed, periodic and permanent', () => {
  const delayed = newVesting({ kind: 'delayed', endTime: 50n }, coin(7n));
  expect([49n, 50n].map((now) => locked(delayed, now))).toEqual([7n, 0n]);
  const periods = [10n, 20n, 30n].map((length) => ({ length, amount: coin(length) }));
  const periodic = newVesting({ kind: 'periodic', startTime: 100n, endTime: 160n, periods }, coin(60n));
  expect([1n, 109n, 110n, 129n, 130n, 159n, 160n].map((now) => locked(periodic, now))).toEqual([
    60n,
    60n,
    50n,
    50n,
    30n,
    30n,
    0n,
  ]);
  expect(locked(newVesting({ kind: 'permanent' }, coin(9n)), 1n << 62n)).toBe(9n);
});

const amount = fc.bigInt({ min: 1n, max: 1n << 80n });
const time = fc.bigInt({ min: 1n, max: 1n << 40n });

const schedule: fc.Arbitrary<Schedule> = fc.oneof(
  fc.tuple(time, time).map(([startTime, length]) => ({
    kind: 'continuous' as const,
    startTime,
    endTime: startTime + length,
  })),
  time.map((endTime) => ({ kind: 'delayed' as const, endTime })),
  fc.constant({ kind: 'permanent' as const }),
);

const vesting = fc.oneof(
  fc.tuple(schedule, amount).map(([one, all]) => newVesting(one, coin(all))),
  fc.tuple(time, fc.array(fc.tuple(time, amount), { minLength: 1, maxLength: 6 })).map(([startTime, list]) => {
    const periods = list.map(([length, part]) => ({ length, amount: coin(part) }));
    const endTime = startTime + list.reduce((sum, [length]) => sum + length, 0n);
    const all = list.reduce((sum, [, part]) => sum + part, 0n);
    return newVesting({ kind: 'periodic' as const, startTime, endTime, periods }, coin(all));
  }),
);

test('what is locked never grows, and stays between nothing and everything', () => {
  fc.assert(
    fc.property(vesting, fc.array(time, { minLength: 2, maxLength: 10 }), (one, times) => {
      let last = amountOf(one.original, 'stake');
      for (const now of times.toSorted((a, b) => (a < b ? -1 : 1))) {
        const left = amountOf(vestingCoins(one, now), 'stake');
        expect(left >= 0n && left <= last).toBe(true);
        last = left;
      }
    }),
  );
});

test('delegating and coming back: every coin is tracked, vesting coins go first and come back last', () => {
  const step = fc.record({ delegate: fc.boolean(), amount: fc.bigInt({ min: 1n, max: 1n << 70n }), now: time });
  fc.assert(
    fc.property(vesting, fc.array(step, { maxLength: 20 }), (start, steps) => {
      let one = start;
      let balance = amountOf(one.original, 'stake') + (1n << 60n);
      let delegated = 0n;
      for (const { delegate, amount: wanted, now } of steps) {
        const most = delegate ? balance : delegated;
        const moved = minBig(wanted, most);
        if (moved === 0n) continue;
        one = delegate ? trackDelegation(one, now, coin(moved)) : trackUndelegation(one, coin(moved));
        balance += delegate ? -moved : moved;
        delegated += delegate ? moved : -moved;
        const [free, fromVesting] = [amountOf(one.delegatedFree, 'stake'), amountOf(one.delegatedVesting, 'stake')];
        expect(free + fromVesting).toBe(delegated);
        expect(fromVesting <= amountOf(one.original, 'stake')).toBe(true);
      }
    }),
  );
});

test('its record reads back as it was written', () => {
  fc.assert(
    fc.property(vesting, amount, time, (one, part, now) => {
      for (const state of [one, trackDelegation(one, now, coin(part))])
        expect(decodeVesting(encodeVesting(state))).toEqual(state);
    }),
  );
});
