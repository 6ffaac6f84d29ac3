import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CRITERIA, growthOf, judge, type Measured, type SoakRun, theilSenSlope } from './soak-verdict.ts';

/** Twenty minutes, a sample every five seconds. */
const MINUTES = Array.from({ length: 240 }, (_, i) => i / 12);

/** A process as it should be: fills its caches for four minutes, then breathes with its collections. */
function healthy(minute: number): Measured & { readonly memory: number } {
  const filling = 40 * Math.min(minute, 4);
  const breathing = 12 * ((minute * 7) % 1);
  return { minute, memory: 120 + filling + breathing, prunedDisk: 30 + 9 * ((minute * 3) % 1), openFiles: 60 };
}

function runOf(sample: (minute: number) => Measured, change: Partial<SoakRun['load']> = {}): SoakRun {
  const load = { accepted: 60_000, lost: 0, wrong: 0, queries: 9_000, failedQueries: 0, ...change };
  const other = { samples: MINUTES.map(healthy), height: 900n, blockHash: 'AB' };
  return {
    validators: [
      { ...other, name: 'validator0' },
      { ...other, name: 'validator1', samples: MINUTES.map(sample), height: 899n },
    ],
    load,
  };
}

const failures = (run: SoakRun) =>
  judge(run)
    .filter(({ ok }) => !ok)
    .map(({ sentence }) => sentence);

test('a run that fills its caches and then breathes is good', () => {
  expect(failures(runOf(healthy))).toEqual([]);
});

test('the canary: a leak of 1.2 MiB a minute beneath the breathing is found, and one of 0.8 is within the bound', () => {
  const leaking = (rate: number) => (minute: number) => ({
    ...healthy(minute),
    memory: healthy(minute).memory + rate * minute,
  });
  expect(failures(runOf(leaking(1.2)))).toEqual([
    'validator1: +1.20 MiB of memory a minute after minute 5 (at most +1.00)',
  ]);
  expect(failures(runOf(leaking(0.8)))).toEqual([]);
});

test('disk that is not pruned and files that are not closed are found', () => {
  const unpruned = (minute: number) => ({ ...healthy(minute), prunedDisk: 30 + 8 * minute });
  expect(failures(runOf(unpruned))).toEqual([
    'validator1: +8.00 MiB of pruned disk a minute after minute 5 (at most +1.00)',
  ]);
  const unclosed = (minute: number) => ({ ...healthy(minute), openFiles: 60 + Math.floor(3 * minute) });
  expect(failures(runOf(unclosed)).join()).toMatch(/^validator1: \+\d\.\d\d open files a minute/);
});

test('what grows before the warm-up is over, and spikes after it, do not count', () => {
  const samples = MINUTES.map((minute, i) => ({
    ...healthy(minute),
    memory: minute < 5 ? 50 * minute : 250 + (i % 5 === 0 ? 400 * (i / 240) : 0),
  }));
  expect(growthOf(samples, 'memory', CRITERIA)).toBe(0);
});

test('memory that is taken every twenty seconds alone is judged as well', () => {
  const every = (sample: Measured, i: number): Measured => ({
    ...sample,
    memory: i % 4 === 0 ? sample.memory : undefined,
  });
  const leak = MINUTES.map((minute) => ({ ...healthy(minute), memory: 200 + 1.5 * minute })).map(every);
  expect(growthOf(leak, 'memory', CRITERIA)).toBeCloseTo(1.5);
});

test('a short run is judged by all but its growth, and says so', () => {
  const run = runOf(healthy);
  const short = { ...run, validators: run.validators.map((one) => ({ ...one, samples: one.samples.slice(0, 126) })) };
  expect(failures(short)).toEqual([]);
  expect(judge(short).filter(({ sentence }) => sentence.includes('not judged'))).toHaveLength(6);
});

test('a lost transaction, one that failed, an unanswered query, a fork and a straggler are found', () => {
  expect(failures(runOf(healthy, { lost: 1 }))).toEqual([expect.stringContaining('1 lost')]);
  expect(failures(runOf(healthy, { wrong: 1 }))).toEqual([expect.stringContaining('1 failed or in two blocks')]);
  expect(failures(runOf(healthy, { accepted: 0 }))).toHaveLength(1);
  expect(failures(runOf(healthy, { failedQueries: 2 }))).toEqual(['9000 queries, 2 failed']);
  const [first, second] = runOf(healthy).validators;
  if (first === undefined || second === undefined) throw new Error('two validators');
  const { load } = runOf(healthy);
  expect(failures({ validators: [first, { ...second, blockHash: 'CD' }], load })).toEqual([
    '2 different hashes of block 899',
  ]);
  expect(failures({ validators: [first, { ...second, height: 897n }], load })).toEqual([
    'heights 897, 900: 3 apart (at most 2)',
  ]);
});

test('property: the slope of a line is found, whatever a quarter of its points say', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -50, max: 50 }),
      fc.array(fc.integer({ min: -10_000, max: 10_000 }), { minLength: 40, maxLength: 40 }),
      (slope, noise) => {
        const points = noise.map((wild, x) => ({ x, y: x % 8 === 3 ? wild : slope * x + 7 }));
        expect(theilSenSlope(points)).toBe(slope);
      },
    ),
  );
  expect(() => theilSenSlope([{ x: 1, y: 1 }])).toThrow(RangeError);
});
