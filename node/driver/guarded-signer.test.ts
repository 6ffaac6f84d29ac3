import { expect, test } from 'vitest';
import { Kit } from '#consensus/test-kit.ts';
import { utf8 } from '#core/bytes.ts';
import { PRECOMMIT, PREVOTE } from '#core/types/vote.ts';
import { type KeyHolder, openGuardedSigner } from './guarded-signer.ts';
import { validatorKey } from './test-kit.ts';

const key: KeyHolder = { publicKey: validatorKey(0), sign: (message) => message.slice(0, 64) };

/** A store whose saves end when the test says so. */
function slowStore() {
  const saves: { readonly end: (error?: Error) => void }[] = [];
  const save = () =>
    new Promise<void>((resolve, reject) => {
      saves.push({ end: (error) => (error === undefined ? resolve() : reject(error)) });
    });
  return { saves, store: { load: async () => undefined, save } };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('two calls at once for one place: the second is refused, whatever the disk takes', async () => {
  const { saves, store } = slowStore();
  const signer = await openGuardedSigner(key, store);
  const kit = new Kit();
  const calls = ['a', 'b'].map((salt) => signer.signVote('kit', kit.vote(PREVOTE, 0, 0, kit.block(salt)), false));
  await settled();
  expect(saves).toHaveLength(1);
  saves[0]?.end();
  expect((await Promise.all(calls)).map(({ ok }) => ok)).toEqual([true, false]);
  expect(saves).toHaveLength(1);
});

test('calls at once are answered in order, and one whose state cannot be saved does not hold up the next', async () => {
  const { saves, store } = slowStore();
  const signer = await openGuardedSigner(key, store);
  const kit = new Kit();
  const first = signer.signVote('kit', kit.vote(PREVOTE, 0, 0, undefined), false);
  const second = signer.signVote('kit', kit.vote(PRECOMMIT, 0, 0, undefined), false);
  const third = signer.signProposal('kit', kit.proposal(kit.block('late'), 0));
  const failed = expect(first).rejects.toThrow('disk full');
  await settled();
  expect(saves).toHaveLength(1);
  saves[0]?.end(new Error('disk full'));
  await failed;
  await settled();
  expect(saves).toHaveLength(2);
  saves[1]?.end();
  expect((await second).ok).toBe(true);
  const late = await third;
  expect(late.ok ? '' : late.error).toMatch(/is before/);
});

test('the same vote asked for twice at once has one signature', async () => {
  const { saves, store } = slowStore();
  const signer = await openGuardedSigner({ ...key, sign: () => utf8(String(saves.length)) }, store);
  const vote = new Kit().vote(PREVOTE, 0, 0, undefined);
  const calls = [signer.signVote('kit', vote, false), signer.signVote('kit', vote, false)];
  await settled();
  saves[0]?.end();
  const [first, second] = await Promise.all(calls);
  expect(first).toEqual(second);
  expect(saves).toHaveLength(1);
});
