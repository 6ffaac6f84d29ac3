import { expect, test } from 'vitest';
import { DEFAULT_SIM } from './options.ts';
import { simulate } from './run.ts';

test('a validator that was down for many heights catches up by block sync and takes part again', async () => {
  const report = await simulate({
    ...DEFAULT_SIM,
    seed: 31,
    chaosMs: 0,
    healHeights: 5,
    crashAfter: 3,
    downMs: 20_000,
  });
  expect(report.violation?.message).toBeUndefined();
  expect(report.faults.crashes).toBe(1);
  expect(report.height).toBeGreaterThan(60n);
  expect(report.blocksServed).toBeGreaterThan(30);
});

test('the same with one Byzantine validator of four', async () => {
  const options = { ...DEFAULT_SIM, byzantine: 1, kinds: ['bad-proposals' as const], chaosMs: 0, healHeights: 5 };
  const report = await simulate({ ...options, seed: 33, crashAfter: 3, downMs: 500 });
  expect(report.violation?.message).toBeUndefined();
});
