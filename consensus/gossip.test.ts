/** Repair among more validators than one answer has room for. */
import { expect, test } from 'vitest';
import { PREVOTE } from '#core/types/vote.ts';
import { planRepair, type StoredBlocks } from './gossip.ts';
import { roundStatus } from './state.ts';
import { Kit } from './test-kit.ts';

const VALIDATORS = 1_000;
const everybody = Array.from({ length: VALIDATORS }, (_, index) => index);
const nothing = new Kit({ self: -1 }).stored();

/** The peer tells where it stands and takes what it is sent, until it is done. */
function repair(from: Kit, stored: StoredBlocks, to: Kit, done: () => boolean): number {
  let turns = 0;
  for (; !done() && turns < 20; turns++)
    for (const message of planRepair(from.state, stored, roundStatus(to.state, to.state.height), turns))
      if (message.kind === 'vote') to.send({ kind: 'vote', vote: message.vote as never });
      else if (message.kind === 'block-part' || message.kind === 'proposal') to.send(message as never);
  return turns;
}

const kits = () => [1, 2].map(() => new Kit({ validators: VALIDATORS, self: -1 }).fire('new-height')) as [Kit, Kit];

test('a peer whose round is over comes to ours, though that takes the votes of more than one answer', () => {
  const [ahead, behind] = kits();
  ahead.prevotes(5, undefined, ...everybody);
  expect(ahead.state.round).toBe(5);
  expect(repair(ahead, nothing, behind, () => behind.state.round === 5)).toBeLessThanOrEqual(4);
  expect(behind.state.round).toBe(5);
});

test('a peer of another round gets all the precommits that decided', () => {
  const [decided, behind] = kits();
  const block = decided.block('decided');
  decided.precommits(0, block, ...everybody);
  expect(decided.state.step).toBe('commit');
  behind.prevotes(3, undefined, ...everybody.slice(0, 400));
  expect(behind.state.round).toBe(3);
  repair(decided, nothing, behind, () => behind.state.step === 'commit');
  expect(behind.state.decided?.blockId).toEqual(block.blockId);
});

test('a peer one height behind, in a round of its own, gets all of the commit', () => {
  const [done, behind] = kits();
  const block = done.block('decided');
  done.propose(block, 0).precommits(0, block, ...everybody.slice(0, 700));
  expect(done.state.height).toBe(2n);
  behind.prevotes(3, undefined, ...everybody.slice(0, 400));
  repair(done, done.stored(), behind, () => behind.state.height === 2n);
  expect(behind.state.height).toBe(2n);
});

test('an equivocator beyond the first answer does not keep a majority from a peer for ever', () => {
  const [sees, misled] = kits();
  const block = sees.block('block');
  // 667 prevotes make the majority, exactly; the peer was shown another one of the last of them.
  const voters = everybody.slice(0, 667);
  sees.prevotes(0, block, ...voters);
  misled.prevotes(0, block, ...voters.slice(0, -1)).prevotes(0, undefined, 666);
  expect(misled.state.votes.peek(PREVOTE, 0)?.majority).toBeUndefined();
  repair(sees, nothing, misled, () => misled.state.votes.peek(PREVOTE, 0)?.majority !== undefined);
  expect(misled.state.votes.peek(PREVOTE, 0)?.majority).toEqual(block.blockId);
});

test('a proof of lock reaches a peer whom an equivocator showed another prevote of that round', () => {
  const [sees, misled] = [1, 2].map(() => new Kit({ self: -1 }).fire('new-height')) as [Kit, Kit];
  const block = sees.block('block');
  sees.propose(block, 0).prevotes(0, block, 0, 1, 2);
  misled.propose(block, 0).prevotes(0, block, 0, 1).prevotes(0, undefined, 2);
  for (const kit of [sees, misled]) {
    kit.precommits(0, undefined, 0, 1, 2).fire('precommit').propose(block, 1, 0);
    expect(kit.state.round).toBe(1);
  }
  expect(misled.state.step).toBe('propose');
  repair(sees, nothing, misled, () => misled.state.step === 'prevote');
  expect(misled.state.step).toBe('prevote');
  // Nothing more of that round is sent, though the peers' first votes still differ.
  expect(planRepair(sees.state, nothing, roundStatus(misled.state, misled.state.height))).toEqual([]);
});
