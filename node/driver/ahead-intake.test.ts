import { expect, test } from 'vitest';
import { encodePeerMessage, type PeerMessage } from '#consensus/messages.ts';
import { Kit } from '#consensus/test-kit.ts';
import { utf8 } from '#core/bytes.ts';
import type { SignatureCheck } from '#core/ports/crypto.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import type { ExtendedCommit } from '#core/types/commit.ts';
import { NODE_LIMITS } from '../limits.ts';
import { createAheadIntake } from './ahead-intake.ts';
import { ACCEPT } from './intake.ts';

const AT_ONCE = NODE_LIMITS.minChecksAhead;

/** An intake whose turns and verdicts come when the test says so. */
function setting(kit: Kit, expected: readonly bigint[] = [], onTake: (bytes: Uint8Array) => void = () => undefined) {
  const taken: Uint8Array[] = [];
  const asked: (readonly SignatureCheck[])[] = [];
  const turns: (() => void)[] = [];
  const verdicts: PromiseWithResolvers<void>[] = [];
  const intake = createAheadIntake({
    executor: {
      state: kit.state,
      receive(_, bytes) {
        taken.push(bytes);
        return ACCEPT;
      },
      receiveDecoded(_, bytes, message) {
        expect(encodePeerMessage(message)).toEqual(bytes);
        onTake(bytes);
        taken.push(bytes);
        return ACCEPT;
      },
      expectsBlock: (_, height) => expected.includes(height),
    },
    verifyAhead(checks) {
      if (checks.length === 0) return undefined;
      asked.push(checks);
      const answer = Promise.withResolvers<void>();
      verdicts.push(answer);
      return answer.promise;
    },
    afterTurn: (run) => turns.push(run),
  });
  const endTurn = () => {
    for (const run of turns.splice(0)) run();
  };
  return { intake, taken, asked, verdicts, endTurn };
}

const voteBytes = (kit: Kit, index: number) => {
  const { blockId } = kit.block('a');
  return encodePeerMessage({ kind: 'vote', vote: kit.vote(2, index, 0, blockId) });
};

test('a few votes of a turn go to the executor at once', () => {
  const kit = new Kit();
  const { intake, taken, asked, endTurn } = setting(kit);
  const votes = Array.from({ length: AT_ONCE }, (_, i) => voteBytes(kit, i % 4));
  for (const vote of votes) expect(intake.receive('peer', vote)).toEqual(ACCEPT);
  endTurn();
  expect(taken).toEqual(votes);
  expect(asked).toEqual([]);
  expect(intake.receive('peer', voteBytes(kit, 0)), 'a new turn').toEqual(ACCEPT);
});

test('the rest of many votes waits for its verdicts, and is then taken in its order', async () => {
  const kit = new Kit();
  const { intake, taken, asked, verdicts, endTurn } = setting(kit);
  for (let i = 0; i < AT_ONCE; i++) intake.receive('peer', voteBytes(kit, i % 4));
  const rest = [0, 1, 2, 3].map((i) => voteBytes(kit, i));
  const answers = rest.map((vote) => intake.receive('peer', vote));
  endTurn();
  expect(taken).toHaveLength(AT_ONCE);
  expect(asked[0]?.map(({ publicKey }) => publicKey)).toEqual(
    kit.state.chain.validators.validators.map(({ publicKey }) => publicKey.bytes),
  );
  verdicts[0]?.resolve();
  expect(await Promise.all(answers)).toEqual(rest.map(() => ACCEPT));
  expect(taken.slice(AT_ONCE)).toEqual(rest);
});

test('verdicts that fail to come leave the work to the executor', async () => {
  const kit = new Kit();
  const { intake, taken, verdicts, endTurn } = setting(kit);
  for (let i = 0; i <= AT_ONCE; i++) void intake.receive('peer', voteBytes(kit, i % 4));
  const last = intake.receive('peer', voteBytes(kit, 3));
  endTurn();
  verdicts[0]?.reject(new Error('gone'));
  expect(await last).toEqual(ACCEPT);
  expect(taken).toHaveLength(AT_ONCE + 2);
});

test('the commit of a block that was asked for is verified ahead; one that nobody asked for costs nothing', async () => {
  const kit = new Kit();
  const { height, chain } = kit.state;
  const { blockId } = kit.block('a');
  const signatures = chain.validators.validators.map((_, i) => ({ ...kit.vote(2, i, 0, blockId), flag: 2 as const }));
  const commit: ExtendedCommit = { height, round: toRound(0), blockId, signatures };
  const response = (at: bigint): PeerMessage => ({
    kind: 'block-response',
    height: toHeight(at),
    block: utf8('block'),
    commit,
  });
  const asked = encodePeerMessage(response(height));
  const { intake, taken, asked: checks, verdicts, endTurn } = setting(kit, [height]);
  const answer = intake.receive('peer', asked);
  endTurn();
  expect(taken).toEqual([]);
  expect(checks.map((each) => each.length)).toEqual([4]);
  verdicts[0]?.resolve();
  expect(await answer).toEqual(ACCEPT);
  expect(taken).toEqual([asked]);

  const unasked = intake.receive('peer', encodePeerMessage(response(height + 7n)));
  endTurn();
  expect(await unasked).toEqual(ACCEPT);
  expect(checks).toHaveLength(1);
});

test('nonsense and too large messages go to the executor, which says what is wrong', async () => {
  const kit = new Kit();
  const { intake, taken, endTurn } = setting(kit);
  const tag = voteBytes(kit, 0)[0] ?? 0;
  for (let i = 0; i < AT_ONCE; i++) intake.receive('peer', voteBytes(kit, 0));
  const nonsense = intake.receive('peer', Uint8Array.of(tag, 200));
  const large = intake.receive('peer', new Uint8Array(10_000_000).fill(tag, 0, 1));
  expect(large).toEqual(ACCEPT);
  endTurn();
  expect(await nonsense).toEqual(ACCEPT);
  expect(taken).toHaveLength(AT_ONCE + 2);
});

test('what one message makes the executor throw reaches its sender’s handler, and keeps back no other message', async () => {
  const kit = new Kit();
  const votes = Array.from({ length: AT_ONCE + 3 }, (_, i) => voteBytes(kit, i % 4));
  const [bad] = votes.slice(AT_ONCE + 1);
  const { intake, taken, verdicts, endTurn } = setting(kit, [], (bytes) => {
    if (bytes === bad) throw new Error('a damaged store');
  });
  const answers = votes.map((vote) => intake.receive('peer', vote));
  endTurn();
  for (const { resolve } of verdicts) resolve();
  await expect(answers[AT_ONCE + 1]).rejects.toThrow('a damaged store');
  expect(await Promise.all([answers[AT_ONCE], answers[AT_ONCE + 2]])).toEqual([ACCEPT, ACCEPT]);
  expect(taken).toHaveLength(votes.length - 1);
});
