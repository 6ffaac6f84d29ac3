/**
 * The process dies at each port call of several heights in turn — each log record, sync, signature, store write and
 * publication, before it and after it — loses what was not synced, and comes back. Nothing may differ afterwards.
 */
import { expect, test } from 'vitest';
import { DEFAULT_SIM } from './options.ts';
import { simulate } from './run.ts';

const EVERY_POINT = [
  'before WAL append',
  'after WAL append',
  'before WAL sync',
  'after WAL sync',
  'before last-sign save',
  'after last-sign save',
  'before publish',
  'after publish',
  'before block store write',
  'after block store write',
  'before state store write',
  'after state store write',
  'before application write',
  'after application write',
];

async function crashAt(nodes: number, calls: number, seed: number): Promise<string> {
  const report = await simulate({ ...DEFAULT_SIM, seed, nodes, chaosMs: 0, healHeights: 3, crashAfter: calls });
  const where = `${nodes} validators, ${calls} port calls, seed ${seed}, at ${report.crashedAt[0]}`;
  expect(report.violation?.message, where).toBeUndefined();
  expect(report.faults.crashes, where).toBe(1);
  return report.crashedAt[0] ?? '';
}

test('a validator alone, killed at every point of three heights', async () => {
  const points = new Set<string>();
  // One seed: each run is the same up to its crash, so that counting on misses no point.
  for (let calls = 0; calls < 150; calls++) points.add(await crashAt(1, calls, 900));
  expect([...points].sort((a, b) => (a < b ? -1 : 1))).toEqual([...EVERY_POINT].sort((a, b) => (a < b ? -1 : 1)));
});

test('one of four, killed at points all over a height', async () => {
  for (let calls = 0; calls < 70; calls += 5) await crashAt(4, calls, 1_100 + calls);
});

test('one that catches up, killed at points all over blocks that wait for the disk together', async () => {
  const points = new Set<string>();
  let held = 0;
  for (let calls = 0; calls < 120; calls += 5) {
    const report = await simulate({
      ...DEFAULT_SIM,
      seed: 1_302,
      chaosMs: 0,
      healHeights: 3,
      crashAfter: 3,
      downMs: 8_000,
      crashAgainAfter: calls,
    });
    const where = `${calls} port calls, at ${report.crashedAt[1]}`;
    expect(report.violation?.message, where).toBeUndefined();
    expect(report.faults.crashes, where).toBe(2);
    points.add(report.crashedAt[1] ?? '');
    held += report.held;
  }
  expect(held).toBeGreaterThan(40);
  for (const point of ['block store', 'state store', 'application'])
    for (const when of ['before', 'after']) expect(points).toContain(`${when} ${point} write`);
});
