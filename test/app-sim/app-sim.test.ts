/** A short random life of the application, and that the simulation sees what is broken. The long ones: `npm run app-sim`. */
import { expect, test } from 'vitest';
import { readArguments, replayCommand } from './arguments.ts';
import {
  COINS_FROM_NOTHING,
  countingExecutions,
  otherStoreFrom,
  SLASH_FORGETS_UNBONDING,
  SLASH_WITHOUT_ENTRIES,
  THROWING_END,
} from './canaries.ts';
import { type Report, type SimulationOptions, simulate } from './run.ts';
import { shrink } from './shrink.ts';
import { MUST_BE_TRIED, MUST_SUCCEED } from './transactions.ts';

const about = ({ seed, blocks, failure }: Report): string =>
  `${failure ?? ''}\nreplay it with: ${replayCommand(seed, blocks + 1)} --in-memory`;

test('a short life on all applications, with nearly all operations', async () => {
  const report = await simulate({ seed: 1, blocks: 60 });
  expect(report.failure, about(report)).toBeUndefined();
  const { tally } = report;
  const count = (name: string) => tally.counts.get(name) ?? 0;
  console.log(`application simulation: ${[...tally.counts].map(([what, times]) => `${what} ${times}`).join(', ')}`);
  for (const what of [
    'evidence',
    'event slash',
    'event complete_unbonding',
    'validator updates',
    'unbondings slashed, as computed apart',
    'exports, imports',
    'proposals made and judged',
    'queries compared',
  ])
    expect(count(what), what).toBeGreaterThan(0);
  const seen = MUST_SUCCEED.filter((name) => tally.succeeded(name) > 0);
  expect(seen.length).toBeGreaterThan(MUST_SUCCEED.length * 0.7);
  expect(MUST_BE_TRIED.filter((name) => tally.tried(name) > 0).length).toBeGreaterThan(MUST_BE_TRIED.length * 0.7);
});

test('the same seed is the same life', async () => {
  const twice = [1, 2].map(() => simulate({ seed: 7, blocks: 8, replicas: [] }));
  const [first, second] = (await Promise.all(twice)).map(({ tally }) => tally.lines().join('\n'));
  expect(first).toBe(second);
});

/** The first of some seeds in which it comes to that. */
async function caught(options: Omit<SimulationOptions, 'seed' | 'blocks'>): Promise<string> {
  for (let seed = 1; seed <= 6; seed++) {
    const { failure } = await simulate({ replicas: [], ...options, seed, blocks: 80 });
    if (failure !== undefined) return failure;
  }
  return 'nothing was seen';
}

test('canary: a slashing that burns the coins of unbonding stake and leaves its entries is seen', async () => {
  expect(await caught({ options: SLASH_WITHOUT_ENTRIES })).toMatch(/not_bonded_tokens_pool holds .* its owners/);
});

test('canary: a slashing that forgets unbonding stake, with all sums right, is seen', async () => {
  expect(await caught({ options: SLASH_FORGETS_UNBONDING })).toMatch(/evidence left .* of what unbonds, expected/);
});

test('canary: one application with another entry in its store is seen in the block of the change', async () => {
  const { blocks, failure } = await simulate({
    seed: 2,
    blocks: 30,
    replicas: ['busy'],
    optionsOf: { busy: otherStoreFrom(12n) },
  });
  expect(failure).toMatch(/busy differs from the reference: .*appHash/);
  expect(blocks).toBe(11);
});

test('canary: an outcome that depends on what this process executed before is seen', async () => {
  const optionsOf = { reference: countingExecutions(), restarted: countingExecutions() };
  expect(await caught({ replicas: ['restarted'], optionsOf })).toMatch(
    /restarted differs from the reference: .*executions/,
  );
});

test('canary: an end of block that throws is seen', async () => {
  expect(await caught({ options: THROWING_END })).toMatch(/EndBlock of feegrant: TypeError/);
});

test('canary: coins from nothing are seen, and it takes the transactions of few blocks to see them', async () => {
  const options = { seed: 3, blocks: 30, replicas: [], options: COINS_FROM_NOTHING } as const;
  const { failure } = await simulate(options);
  expect(failure).toMatch(/bank: the supply of uauton is/);
  const shrunk = await shrink(options, Number.POSITIVE_INFINITY);
  expect(shrunk?.failure).toMatch(/bank: the supply of uauton is/);
  expect(shrunk?.only.length).toBeLessThan(4);
  expect((await simulate({ ...options, only: new Set(shrunk?.only) })).failure).toBe(shrunk?.failure);
});

test('the command line says what is wrong with it', () => {
  expect(readArguments(['--seeds', '3', '--from', '5', '--blocks', '70'])).toMatchObject({
    ok: true,
    value: { seeds: 3, from: 5, blocks: 70, inMemory: false, shrink: true },
  });
  expect(readArguments(['--only', '3,9'])).toMatchObject({ ok: true, value: { only: new Set([3, 9]) } });
  expect(readArguments(['--blocks', '0'])).toEqual({
    ok: false,
    error: '--blocks: expected a whole number 1 … 1000000, got 0',
  });
  expect(readArguments(['--block', '1'])).toMatchObject({ ok: false });
});
