import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { Kit } from '#consensus/test-kit.ts';
import { cloneEngine } from './clone.ts';
import { encodeControl, encodeTimers, encodeVotes } from './encoding.ts';
import { Universe } from './messages.ts';
import { FORK_BOUNDS, NO_BYZANTINE, Search } from './search.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));

test('no order of messages within the bounds makes a fork, breaks a lock or votes twice', () => {
  const report = new Search(FORK_BOUNDS).run();
  expect(report.findings).toEqual([]);
  expect(report.states).toBeGreaterThan(50_000);
  expect(report.decided).toBeGreaterThan(10_000);
});

test('three validators, none Byzantine: no order of all their messages, losses and stops among them, makes a fork', () => {
  const report = new Search(NO_BYZANTINE).run();
  expect(report).toMatchObject({ findings: [], exhausted: true });
  expect(report.decided).toBeGreaterThan(0);
});

test('without the lock rule the same search finds the fork', async () => {
  const args = [main, '--exhaustive', '--mutation', 'a locked validator prevotes another new block'];
  const failed = await promisify(execFile)(process.execPath, args).catch(
    (error: { code: number; stdout: string }) => error,
  );
  expect(failed).toMatchObject({ code: 1 });
  expect(failed.stdout).toContain('locking does not hold after');
  expect(failed.stdout).toContain('agreement does not hold after 10 moves');
});

test('a copy of an engine has its state, and shares nothing that changes', () => {
  const kit = new Kit({ validators: 4, self: 2 });
  const { votes, messages, blocks } = new Universe(new Kit({ validators: 4, self: -1 }), 4);
  const encode = (state: Kit['state']) => [encodeControl(state), encodeTimers(state), encodeVotes(state, votes)];
  kit.fire('new-height');
  for (const { inputs } of messages.filter(({ name }) => name === 'proposal 0 by 0'))
    for (const input of inputs) kit.send(input);
  kit.prevotes(0, blocks[0], 1).prevotes(0, undefined, 1, 3);
  const before = encode(kit.state);
  const copy = cloneEngine(kit.state, votes);
  expect(encode(copy)).toEqual(before);
  kit.prevotes(0, blocks[0], 0);
  expect(encode(kit.state)).not.toEqual(before);
  expect(encode(copy)).toEqual(before);
});
