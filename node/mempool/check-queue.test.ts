import { setImmediate } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { fromUtf8, utf8 } from '#core/bytes.ts';
import { NODE_LIMITS } from '../limits.ts';
import { CheckQueue } from './check-queue.ts';

const DIRECT = NODE_LIMITS.minChecksAhead;
const names = (count: number) => Array.from({ length: count }, (_, i) => `tx${i}`);

/** A queue whose verifying threads answer when the test says so. */
function setup() {
  const log: string[] = [];
  const groups: { readonly names: string[]; readonly resolve: () => void; readonly reject: (error: Error) => void }[] =
    [];
  const queue = new CheckQueue({
    verifyAhead: (txs) =>
      new Promise((resolve, reject) => groups.push({ names: txs.map((tx) => fromUtf8(tx)), resolve, reject })),
    nextTurn: () => setImmediate(),
  });
  const check = (name: string) =>
    queue.check(utf8(name), async () => {
      log.push(name);
      return name;
    });
  return { queue, log, groups, check };
}

test('a few are checked at once; where more come together, the others wait for their verdicts, in order', async () => {
  const { log, groups, check } = setup();
  const all = names(2 * DIRECT + 1);
  const done = all.map(check);
  await Promise.all(done.slice(0, DIRECT));
  expect(log).toEqual(all.slice(0, DIRECT));
  await vi.waitFor(() => expect(groups).toHaveLength(1));
  expect(groups[0]?.names).toEqual(all.slice(DIRECT));
  // One that comes later, however few they are, does not pass those that wait.
  const late = check('late');
  await setImmediate();
  await setImmediate();
  expect(log).toHaveLength(DIRECT);
  groups[0]?.resolve();
  expect(await late).toBe('late');
  expect(log).toEqual([...all, 'late']);
  expect(groups).toHaveLength(1);
});

test('a group whose verdicts come first waits for the one before it', async () => {
  const { log, groups, check } = setup();
  const all = names(DIRECT + 2 * NODE_LIMITS.verifierChunkChecks);
  const done = Promise.all(all.map(check));
  await vi.waitFor(() => expect(groups).toHaveLength(2));
  groups[1]?.resolve();
  await setImmediate();
  expect(log).toHaveLength(DIRECT);
  groups[0]?.resolve();
  await done;
  expect(log).toEqual(all);
});

test('threads that fail leave the work to the checks', async () => {
  const { log, groups, check } = setup();
  const all = names(3 * DIRECT);
  const done = Promise.all(all.map(check));
  await vi.waitFor(() => expect(groups).toHaveLength(1));
  groups[0]?.reject(new Error('no threads'));
  await done;
  expect(log).toEqual(all);
});

test('what is urgent goes before all checks that wait, also those that wait for verdicts', async () => {
  const { queue, log, groups, check } = setup();
  const all = names(3 * DIRECT);
  const done = Promise.all(all.map(check));
  await vi.waitFor(() => expect(groups).toHaveLength(1));
  await queue.first(async () => {
    log.push('urgent');
  });
  groups[0]?.resolve();
  await done;
  expect(log).toEqual([...all.slice(0, DIRECT), 'urgent', ...all.slice(DIRECT)]);
});

test('many checks let other work have its turn; one that throws tells whoever asked', async () => {
  const queue = new CheckQueue({ verifyAhead: undefined, nextTurn: () => setImmediate() });
  let turn = false;
  void setImmediate().then(() => {
    turn = true;
  });
  const seen = names(NODE_LIMITS.checksPerTurn + 1).map((name) =>
    queue.check(utf8(name), async () => {
      if (name === 'tx3') throw new Error('a bug');
      return turn;
    }),
  );
  await expect(seen[3]).rejects.toThrow('a bug');
  expect(await seen[0]).toBe(false);
  expect(await seen.at(-1)).toBe(true);
});
