import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readPeriodsFile, vestingOf } from './vesting-flags.ts';

const amount = [{ denom: 'uauton', amount: 5n }];

test('the flags of the Cosmos SDK’s tools: with start and end continuous, with an end alone delayed', async () => {
  expect(await vestingOf({})).toBeUndefined();
  expect(await vestingOf({ vestingAmount: '5uauton', vestingEndTime: 9n })).toEqual({
    kind: 'delayed',
    amount,
    endTime: 9n,
  });
  expect(await vestingOf({ vestingAmount: '5uauton', vestingStartTime: 3n, vestingEndTime: 9n })).toEqual({
    kind: 'continuous',
    amount,
    startTime: 3n,
    endTime: 9n,
  });
  await expect(vestingOf({ vestingAmount: '5uauton' })).rejects.toThrow('needs --vesting-end-time');
  await expect(vestingOf({ vestingEndTime: 5n })).rejects.toThrow('need --vesting-amount');
  await expect(vestingOf({ vestingAmount: '5', vestingEndTime: 5n })).rejects.toThrow('--vesting-amount: expected');
  await expect(vestingOf({ vestingPeriods: 'x', vestingEndTime: 5n })).rejects.toThrow(
    'leave the other vesting flags out',
  );
  await expect(vestingOf({ vestingPeriods: '/no/such/file' })).rejects.toThrow('/no/such/file cannot be read');
});

test('a file of periods, and what is wrong with one', () => {
  const sound = {
    start_time: 7,
    periods: [
      { coins: '5uauton', length_seconds: 60 },
      { coins: '1uatom,5uauton', length_seconds: '3' },
    ],
  };
  expect(readPeriodsFile(JSON.stringify(sound))).toEqual({
    ok: true,
    value: {
      kind: 'periodic',
      startTime: 7n,
      periods: [
        { amount, length: 60n },
        { amount: [{ denom: 'uatom', amount: 1n }, ...amount], length: 3n },
      ],
    },
  });
  const wrong: [unknown, string][] = [
    [{ ...sound, start_time: 0 }, 'vesting.start_time'],
    [{ ...sound, periods: {} }, 'vesting.periods'],
    [{ ...sound, more: 1 }, 'vesting.more'],
    [{ start_time: 1, periods: [{ coins: '5', length_seconds: 1 }] }, 'vesting.periods[0].coins'],
    [{ start_time: 1, periods: [{ coins: '5uauton', length_seconds: -1 }] }, 'vesting.periods[0].length_seconds'],
  ];
  for (const [json, field] of wrong)
    expect(readPeriodsFile(JSON.stringify(json))).toMatchObject({ ok: false, error: expect.stringContaining(field) });
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(readPeriodsFile(text)).toMatchObject({ ok: false, error: expect.stringMatching(/./) });
    }),
  );
});
