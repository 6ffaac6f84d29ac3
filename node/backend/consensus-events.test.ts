import { expect, test } from 'vitest';
import { step } from '#consensus/step.ts';
import { Kit } from '#consensus/test-kit.ts';
import { indexOfValidator, proposerOf } from '#core/types/validator-set.ts';
import type { ConsensusEvent } from '#rpc/backend.ts';
import { observeConsensus } from './consensus-events.ts';

/** What an observer is told of everything that the engine of a kit has logged, in short words. */
function told(kit: Kit): string[] {
  const words: string[] = [];
  const observe = observeConsensus((event) => words.push(word(event)));
  const state = kit.fresh();
  for (const input of kit.logged) {
    const { effects } = step(state, input);
    observe(input, effects, state);
    // The same again is no news to the engine, and none to anybody else.
    if (input.kind === 'vote') observe(input, step(state, input).effects, state);
  }
  return words;
}

function word(event: ConsensusEvent): string {
  switch (event.kind) {
    case 'round-state':
      return `${event.name} ${event.height}/${event.round}/${event.step}`;
    case 'new-round':
      return `NewRound ${event.height}/${event.round} by ${event.proposer?.index}`;
    case 'complete-proposal':
      return `CompleteProposal ${event.height}/${event.round}/${event.step}`;
    case 'vote':
      return `Vote ${event.vote.type} of ${event.vote.validatorIndex} in ${event.vote.round}`;
  }
}

const { validators } = new Kit().state.chain;
const proposers = [0, 1].map((round) => indexOfValidator(validators, proposerOf(validators, round).address));
const self = [0, 1, 2, 3].find((index) => !proposers.includes(index)) ?? 0;
const [a = 0, b = 0, c = 0] = [0, 1, 2, 3].filter((index) => index !== self);

test('a height that is decided in its first round', () => {
  const kit = new Kit({ self }).fire('new-height');
  const block = kit.block('a');
  kit.propose(block, 0).prevotes(0, block, a, b).precommits(0, block, a, b);
  expect(told(kit)).toEqual([
    `NewRound 1/0 by ${proposers[0]}`,
    'NewRoundStep 1/0/3',
    'CompleteProposal 1/0/3',
    'NewRoundStep 1/0/4',
    `Vote 1 of ${self} in 0`,
    `Vote 1 of ${a} in 0`,
    `Vote 1 of ${b} in 0`,
    'ValidBlock 1/0/6',
    'Polka 1/0/6',
    'Lock 1/0/6',
    'NewRoundStep 1/0/6',
    `Vote 2 of ${self} in 0`,
    `Vote 2 of ${a} in 0`,
    `Vote 2 of ${b} in 0`,
    'NewRoundStep 1/0/8',
  ]);
});

test('rounds without a proposal and without a majority', () => {
  const kit = new Kit({ self }).fire('new-height').fire('propose');
  kit.prevotes(0, undefined, a).prevotes(0, kit.block('x'), b).fire('prevote');
  kit.precommits(0, undefined, a, c).fire('precommit');
  const words = told(kit);
  expect(words.filter((one) => /Timeout|NewRound |Polka|Lock/.test(one))).toEqual([
    `NewRound 1/0 by ${proposers[0]}`,
    'TimeoutPropose 1/0/3',
    'TimeoutWait 1/0/4',
    'TimeoutWait 1/0/6',
    `NewRound 1/1 by ${proposers[1]}`,
  ]);
  expect(words.at(-1)).toBe('NewRoundStep 1/1/3');
});

test('the same block locked in a later round', () => {
  const kit = new Kit({ self }).fire('new-height');
  const block = kit.block('a');
  kit.propose(block, 0).prevotes(0, block, a, b);
  kit.precommits(0, undefined, a, b).fire('precommit');
  kit.propose(block, 1, 0).prevotes(1, block, a, b);
  expect(told(kit).filter((one) => /ock /.test(one))).toEqual([
    'ValidBlock 1/0/6',
    'Lock 1/0/6',
    'ValidBlock 1/1/6',
    'Relock 1/1/6',
  ]);
});
