import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runMutations, type TestRunner, verdictOf } from './mutants.ts';
import type { Mutation } from './mutation.ts';
import type { VitestReport } from './stages.ts';

let tree = '';

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'autonomy-fixture-'));
  mkdirSync(join(tree, 'lock'));
  writeFileSync(join(tree, 'lock', 'rule.txt'), 'check lock\nvote\nvote\n');
  mkdirSync(join(tree, '.cache'));
});

afterAll(() => rmSync(tree, { recursive: true, force: true }));

const seen: string[] = [];

/** Stands for Vitest: passes while the rule checks the lock. */
const runner: TestRunner = async (root, { name }) => {
  seen.push(root);
  if (name === 'missing') return { kind: 'broken', reason: 'no such test' };
  if (name === 'weak') return { kind: 'passed' };
  return { kind: readFileSync(join(root, 'lock', 'rule.txt'), 'utf8').includes('check lock') ? 'passed' : 'failed' };
};

const mutation: Mutation = {
  name: 'lock check',
  file: 'lock/rule.txt',
  search: 'check lock',
  replace: 'ignore lock',
  test: { project: 'unit', file: 'lock/rule.test.ts', name: 'strong' },
};

const reasonOf = async (change: Partial<Mutation>): Promise<string> =>
  (await runMutations(tree, [{ ...mutation, ...change }], runner))[0]?.reason ?? 'no result';

test('a mutation that the named test notices is killed, every time anew', async () => {
  const results = await runMutations(tree, [mutation, mutation], runner);
  expect(results.map(({ killed }) => killed)).toEqual([true, true]);
});

test('the tree itself is not touched, and the copy is gone', async () => {
  await runMutations(tree, [mutation], runner);
  expect(readFileSync(join(tree, 'lock', 'rule.txt'), 'utf8')).toContain('check lock');
  for (const root of seen) expect(root).not.toBe(tree);
  expect(seen.filter((root) => existsSync(root))).toEqual([]);
});

test('a mutation that the named test does not notice survives', async () => {
  expect(await reasonOf({ test: { ...mutation.test, name: 'weak' } })).toBe(
    'with the mutation the test does not fail: passed',
  );
});

test('the test must pass without the mutation', async () => {
  expect(await reasonOf({ test: { ...mutation.test, name: 'missing' } })).toContain('no such test');
});

test('the search text occurs exactly once', async () => {
  expect(await reasonOf({ search: 'vote' })).toContain('occurs 2 times');
  expect(await reasonOf({ search: 'gone' })).toContain('occurs 0 times');
  expect(await reasonOf({ file: 'lock/none.txt' })).toContain('does not exist');
  expect(await reasonOf({ replace: 'check lock' })).toContain('changes nothing');
});

const report = (passed: number, failed: number, skipped: number, files: VitestReport['testResults'] = []) => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: skipped,
  numTodoTests: 0,
  testResults: files,
});

test('verdicts of a report: only a failed test is a failure', () => {
  expect(verdictOf(report(1, 0, 4), true).kind).toBe('passed');
  expect(verdictOf(report(0, 1, 4), false).kind).toBe('failed');
  expect(verdictOf(report(0, 0, 5), true).kind).toBe('broken');
  expect(verdictOf(report(0, 0, 0, [{ status: 'failed', assertionResults: [] }]), false).kind).toBe('broken');
  expect(verdictOf(report(1, 0, 0), false).kind).toBe('broken');
});
