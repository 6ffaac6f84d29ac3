import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addCoins, feeFor, formatCoins, parseCoins, parseDecCoins, toProtoCoin } from './coins.ts';

const coin = (denom: string, amount: string) => ({ denom, amount });

test('denominations are ordered by code unit, whatever the locale', () => {
  const sorted = [coin('Zed', '1'), coin('abc', '2'), coin('abc/1', '3'), coin('abcd', '4')];
  expect(parseCoins(sorted, 'amount').ok).toBe(true);
  expect(parseCoins([coin('abc', '2'), coin('Zed', '1')], 'amount')).toEqual({
    ok: false,
    error: 'amount: denominations must be sorted and unique, Zed follows abc',
  });
  const unsorted = [coin('abcd', '4'), coin('Zed', '1'), coin('abc', '2')];
  const added = addCoins(
    unsorted.map(({ denom, amount }) => ({ denom, amount: BigInt(amount) })),
    [],
  );
  expect(formatCoins(added)).toBe('1Zed,2abc,4abcd');
});

test('amounts: whole, positive, below 2^256 (ASA-2024-010)', () => {
  const error = (amount: string) => {
    const parsed = parseCoins([coin('uauton', amount)], 'amount');
    return parsed.ok ? 'accepted' : parsed.error;
  };
  expect(error(String((1n << 256n) - 1n))).toBe('accepted');
  expect(error(String(1n << 256n))).toMatch(/exceeds 2\^256/);
  for (const wrong of ['', '-1', '+1', '01', '1.0', '1e3', '0x10', ' 1', '９', '1'.repeat(79)])
    expect(error(wrong), wrong).toMatch(/expected a whole number/);
  expect(error('0')).toMatch(/must be positive/);
});

test('what is parsed formats back', () => {
  const list = fc.uniqueArray(
    fc.record({
      denom: fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9/:._-]{2,20}$/),
      amount: fc.bigInt({ min: 1n, max: 10n ** 30n }),
    }),
    { selector: ({ denom }) => denom, maxLength: 8 },
  );
  fc.assert(
    fc.property(list, (coins) => {
      const sorted = addCoins(coins, []);
      expect(parseCoins(sorted.map(toProtoCoin), 'amount')).toEqual({ ok: true, value: sorted });
    }),
  );
});

test('gas prices: decimals exact, fees rounded up', () => {
  const parsed = parseDecCoins('0.025uauton, 1ucosm');
  if (!parsed.ok) throw new Error(parsed.error);
  expect(parsed.value.map(({ atomics }) => atomics)).toEqual([25_000_000_000_000_000n, 1_000_000_000_000_000_000n]);
  const [price] = parsed.value;
  if (price === undefined) throw new Error('a price');
  expect(feeFor(200_000n, price)).toEqual({ denom: 'uauton', amount: 5_000n });
  expect(feeFor(1n, price).amount).toBe(1n);
  expect(parseDecCoins('')).toEqual({ ok: true, value: [] });
  for (const wrong of ['uauton', '1', '1,5uauton', '-1uauton', '0.0000000000000000001uauton'])
    expect(parseDecCoins(wrong).ok, wrong).toBe(false);
});
