import { expect, test } from 'vitest';
import { type Entry, formatTable, measure, median, percentile, spread } from './harness.ts';

test('percentiles are values by nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([0, 1, 50, 99, 100].map((p) => percentile(values, p))).toEqual([1, 1, 50, 99, 100]);
  expect(percentile([7], 99)).toBe(7);
  expect(() => percentile([], 50)).toThrow('no values');
  expect(() => percentile([1], 101)).toThrow('expected 0 to 100');
});

test('median and spread', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(spread([10, 2, 33])).toEqual({ min: 2, median: 10, max: 33 });
});

const series = (values: readonly number[]): (() => Promise<{ speed: number }>) => {
  let next = 0;
  return async () => ({ speed: values[next++] as number });
};

const entry = (subject: readonly number[], reference?: readonly number[]): Entry => ({
  name: 'x',
  description: 'test entry',
  metrics: [{ name: 'speed', unit: '1/s', better: 'higher' }],
  runs: subject.length,
  run: series(subject),
  ...(reference ? { reference: { name: 'known', run: series(reference) } } : {}),
});

test('the ratio is taken run by run', async () => {
  const { metrics } = await measure(entry([10, 40, 90], [10, 20, 30]));
  expect(metrics[0]).toMatchObject({
    subject: { min: 10, median: 40, max: 90 },
    reference: { min: 10, median: 20, max: 30 },
    ratio: 2,
  });
});

test('a figure that is missing or no number is an error', async () => {
  await expect(measure(entry([Number.NaN]))).rejects.toThrow('x measured NaN for "speed"');
  await expect(measure({ ...entry([1]), run: async () => ({}) })).rejects.toThrow('x measured undefined');
  await expect(measure({ ...entry([1]), runs: 0 })).rejects.toThrow('runs is 0');
});

test('the table', async () => {
  const lines = formatTable([await measure(entry([1234.5], [0.25])), await measure(entry([12.34]))]).split('\n');
  expect(lines[1]?.split(/\s+/)).toEqual(['x', 'speed', '1/s', '1235', '1235', '1235', '0.250', '4938.00×']);
  expect(lines[2]?.split(/\s+/)).toEqual(['x', 'speed', '1/s', '12.3', '12.3', '12.3', '–', '–']);
});
