/** What one hostile validator can make this node write, judge and report within a height. */
import { expect, test } from 'vitest';
import { toRound } from '#core/types/brand.ts';
import { PRECOMMIT, PREVOTE, type VoteType } from '#core/types/vote.ts';
import { CONSENSUS_LIMITS } from './limits.ts';
import { Kit } from './test-kit.ts';

const TYPES: readonly VoteType[] = [PREVOTE, PRECOMMIT];

test('votes for ever later rounds fill no log: a few of each validator are taken until this node moves on', () => {
  const kit = new Kit({ self: -1 }).fire('new-height');
  const before = kit.logged.length;
  for (let round = 2; round < 5_000; round++)
    for (const type of TYPES) kit.send({ kind: 'vote', vote: kit.vote(type, 1, round, undefined) });
  expect(kit.logged.length - before).toBe(2 * CONSENSUS_LIMITS.maxFarVotesPerRound);
  expect(kit.state.votes.mayAdd(kit.vote(PREVOTE, 1, 6_000, undefined))).toBe(false);
  expect(kit.state.votes.mayAdd(kit.vote(PREVOTE, 2, 6_000, undefined))).toBe(true);
});

test('whoever has used up its far votes still counts among those who are ahead', () => {
  const kit = new Kit({ self: -1 }).fire('new-height');
  for (let round = 2; round < 100; round++) kit.prevotes(round, undefined, 1);
  expect(kit.state.round).toBe(0);
  kit.prevotes(200, undefined, 2);
  // f+1 are at round 3 or beyond: the highest that was taken of validator 1.
  expect(kit.state.round).toBe(3);
  // The count begins anew in each round, so this node follows them further.
  kit.prevotes(300, undefined, 1);
  expect(kit.state.round).toBe(200);
});

test('a third vote of one round is neither logged nor reported nor judged, however often it comes', () => {
  for (const type of TYPES) {
    const kit = new Kit({ self: -1, extensionsFrom: 1n }).fire('new-height');
    for (let i = 0; i < 50; i++)
      kit.send({ kind: 'vote', vote: kit.vote(type, 1, 0, kit.block(`block ${i % 10}`), 'said') });
    expect(kit.of('report-evidence')).toHaveLength(1);
    expect(kit.of('verify-extension').length).toBe(type === PREVOTE ? 0 : 2);
    const votes = kit.logged.filter((input) => input.kind === 'vote');
    expect(votes).toHaveLength(CONSENSUS_LIMITS.maxConflictingVotesPerValidator);
  }
});

test('a second vote is reported, also of the height before, and a third is not', () => {
  const kit = new Kit({ self: -1 }).fire('new-height');
  const block = kit.block('decided');
  kit.propose(block, 0).precommits(0, block, 0, 1, 2);
  expect([kit.state.height, kit.state.step]).toEqual([2n, 'new-height']);
  const late = kit.vote(PRECOMMIT, 1, 0, undefined);
  for (const salt of ['x', 'y', 'z'])
    kit.send({ kind: 'vote', vote: { ...late, height: block.block.header.height, blockId: kit.block(salt).blockId } });
  expect(kit.of('report-evidence')).toHaveLength(1);
});

test('precommits with extensions that the application refuses are judged a few times a round', () => {
  const kit = new Kit({ self: -1, extensionsFrom: 1n, acceptExtension: () => false }).fire('new-height');
  for (let i = 0; i < 50; i++)
    kit.send({ kind: 'vote', vote: kit.vote(PRECOMMIT, 1, 0, kit.block(`block ${i}`), 'bad') });
  expect(kit.of('verify-extension')).toHaveLength(CONSENSUS_LIMITS.maxRefusedExtensionsPerRound);
  kit.send({ kind: 'vote', vote: kit.vote(PRECOMMIT, 1, 1, kit.block('next'), 'bad') });
  kit.send({ kind: 'vote', vote: kit.vote(PRECOMMIT, 2, 0, kit.block('other'), 'bad') });
  expect(kit.of('verify-extension')).toHaveLength(CONSENSUS_LIMITS.maxRefusedExtensionsPerRound + 2);
});

test('parts of nothing take up no more than their places, once a height', () => {
  const kit = new Kit({ self: -1 }).fire('new-height');
  const before = kit.logged.length;
  for (let i = 0; i < 500; i++) kit.parts(kit.block(`junk ${i}`), 0);
  for (let round = 0; round < 3; round++) kit.precommits(round, undefined, 0, 1, 2).fire('precommit');
  for (let i = 500; i < 1_000; i++)
    for (const part of kit.block(`junk ${i}`).parts.parts)
      kit.send({ kind: 'block-part', height: kit.state.height, round: toRound(3), part });
  const parts = kit.logged.slice(before).filter(({ kind }) => kind === 'block-part');
  expect(parts).toHaveLength(CONSENSUS_LIMITS.maxEarlyParts);
});
