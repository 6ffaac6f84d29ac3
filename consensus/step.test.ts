/** Scenarios of Algorithm 1 (arXiv 1807.04938), by its lines. Four validators of equal power: two are f+1, three 2f+1. */
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { addMillis } from '#core/types/timestamp.ts';
import { indexOfValidator, proposerOf } from '#core/types/validator-set.ts';
import { PRECOMMIT, PREVOTE } from '#core/types/vote.ts';
import { CONSENSUS_LIMITS } from './limits.ts';
import { createEngine } from './state.ts';
import { step } from './step.ts';
import { fingerprint, GENESIS_TIME, Kit, type KitOptions, voteName } from './test-kit.ts';

/** Index of the proposer of a round of height 1. */
function proposerIndex(round: number): number {
  const { validators } = new Kit().state.chain;
  return indexOfValidator(validators, proposerOf(validators, round).address);
}

/** An engine that is not among the proposers of the first rounds, in round 0, waiting for a proposal. */
function follower(options: KitOptions = {}): { kit: Kit; self: number; others: number[] } {
  const proposers = [0, 1, 2].map(proposerIndex);
  const self = [0, 1, 2, 3].find((index) => !proposers.includes(index)) ?? 0;
  const kit = new Kit({ ...options, self }).fire('new-height');
  return { kit, self, others: [0, 1, 2, 3].filter((index) => index !== self) };
}

function toRound1(kit: Kit, others: readonly number[]): void {
  kit.precommits(0, undefined, ...others.slice(0, 2));
  kit.fire('precommit');
}

test('lines 14–19: the proposer of the round makes, signs and publishes a block, then prevotes it', () => {
  const kit = new Kit({ self: proposerIndex(0) }).fire('new-height');
  const [draft] = kit.of('prepare-proposal');
  expect(draft?.request.time).toEqual(GENESIS_TIME);
  const published = kit.of('publish').map((effect) => effect.message.kind);
  expect(published).toEqual(['proposal', 'block-part', 'vote']);
  expect(kit.ownVotes).toEqual([voteName(PREVOTE, 0, kit.state.candidate)]);
});

test('lines 22–25, 36–43, 49–54: proposal, 2f+1 prevotes, 2f+1 precommits: decided', () => {
  const { kit, others } = follower();
  const block = kit.block('a');
  kit.propose(block, 0);
  expect(kit.ownVotes).toEqual([voteName(PREVOTE, 0, block)]);
  kit.prevotes(0, block, ...others.slice(0, 2));
  expect(kit.ownVotes).toEqual([voteName(PREVOTE, 0, block), voteName(PRECOMMIT, 0, block)]);
  expect(kit.state.locked?.round).toBe(0);
  kit.precommits(0, block, ...others.slice(0, 2));
  const [commit] = kit.of('commit');
  expect(commit?.seenCommit.signatures.filter((sig) => sig.flag === 2)).toHaveLength(3);
  expect(kit.state.height).toBe(2n);
  expect(kit.state.locked).toBeUndefined();
  expect(kit.state.timers.has('new-height')).toBe(true);
});

test('two thirds exactly are not more than two thirds', () => {
  const kit = new Kit({ validators: 3, self: 0 }).fire('new-height');
  const block = kit.state.candidate ?? kit.block('a');
  kit.precommits(0, block, 1, 2);
  expect(kit.of('commit')).toEqual([]);
});

test('line 26: nil for a block that the application refuses', () => {
  const { kit } = follower({ accept: () => false });
  kit.propose(kit.block('a'), 0);
  expect(kit.ownVotes).toEqual([voteName(PREVOTE, 0, undefined)]);
});

test('line 26: nil for a block that breaks the rules, without asking the application', () => {
  const { kit } = follower();
  const foreign = new Kit({ validators: 5 }).block('a');
  kit.propose(foreign, 0);
  expect(kit.ownVotes).toEqual([voteName(PREVOTE, 0, undefined)]);
  expect(kit.of('process-proposal')).toEqual([]);
});

test('line 26: nil at once for parts that make another block than the proposal names', () => {
  const { kit } = follower();
  const block = kit.block('a');
  const lie = { ...block, blockId: { ...block.blockId, hash: new Uint8Array(32).fill(1) } };
  kit.propose(lie, 0);
  expect(kit.ownVotes).toEqual([voteName(PREVOTE, 0, undefined)]);
});

test('proposer binding: a new block that names another proposer than that of the round is prevoted nil', () => {
  const { kit } = follower();
  kit.propose(kit.block('a', proposerIndex(1)), 0);
  expect(kit.ownVotes).toEqual([voteName(PREVOTE, 0, undefined)]);
});

test('line 57: no proposal in time: nil', () => {
  const { kit } = follower();
  kit.fire('propose');
  expect(kit.ownVotes).toEqual([voteName(PREVOTE, 0, undefined)]);
  kit.propose(kit.block('a'), 0);
  expect(kit.ownVotes).toHaveLength(1);
});

test('lines 34 and 61: 2f+1 prevotes that do not agree: wait, then precommit nil', () => {
  const { kit, others } = follower();
  const block = kit.block('a');
  kit.propose(block, 0).prevotes(0, undefined, ...others.slice(0, 2));
  expect(kit.ownVotes).toHaveLength(1);
  kit.fire('prevote');
  expect(kit.ownVotes.at(-1)).toBe(voteName(PRECOMMIT, 0, undefined));
});

test('line 44: 2f+1 prevotes for nil: precommit nil at once', () => {
  const { kit, others } = follower();
  kit.fire('propose').prevotes(0, undefined, ...others.slice(0, 2));
  expect(kit.ownVotes.at(-1)).toBe(voteName(PRECOMMIT, 0, undefined));
});

test('lines 47 and 65: 2f+1 precommits that decide nothing: wait, then the next round', () => {
  const { kit, others } = follower();
  kit.fire('propose').prevotes(0, undefined, ...others.slice(0, 2));
  kit.precommits(0, undefined, ...others.slice(0, 2));
  expect(kit.state.round).toBe(0);
  kit.fire('precommit');
  expect(kit.state.round).toBe(1);
  expect(kit.state.step).toBe('propose');
});

test('timeouts grow with the round', () => {
  const { kit, others } = follower();
  kit.fire('propose').prevotes(0, undefined, ...others.slice(0, 2));
  toRound1(kit, others);
  const proposes = kit.of('schedule-timeout').filter((effect) => effect.step === 'propose');
  expect(proposes.map((effect) => effect.durationMs)).toEqual([3000, 3500]);
});

/** Locked on `a` in round 0, now in round 1. */
function locked(): ReturnType<typeof follower> & { a: ReturnType<Kit['block']> } {
  const setting = follower();
  const { kit, others } = setting;
  const a = kit.block('a');
  kit.propose(a, 0).prevotes(0, a, ...others.slice(0, 2));
  expect(kit.state.locked?.candidate).toBe(kit.state.candidate);
  toRound1(kit, others);
  expect(kit.state.round).toBe(1);
  return { ...setting, a };
}

test('line 23: whoever is locked on a block does not prevote another new one', () => {
  const { kit } = locked();
  kit.propose(kit.block('b'), 1);
  expect(kit.ownVotes.at(-1)).toBe(voteName(PREVOTE, 1, undefined));
});

test('line 23: whoever is locked prevotes that block again when it is proposed anew', () => {
  const { kit, a } = locked();
  kit.propose(a, 1, 0);
  expect(kit.ownVotes.at(-1)).toBe(voteName(PREVOTE, 1, a));
});

test('line 29: 2f+1 prevotes in a round since the lock free it', () => {
  const { kit, others } = locked();
  const b = kit.block('b');
  kit.fire('propose').prevotes(1, b, ...others);
  kit.fire('prevote');
  kit.precommits(1, undefined, ...others.slice(0, 2)).fire('precommit');
  expect(kit.state.round).toBe(2);
  kit.propose(b, 2, 1);
  expect(kit.ownVotes.at(-1)).toBe(voteName(PREVOTE, 2, b));
});

test('line 29: a proof of lock from before the lock does not free it', () => {
  const { kit, others } = follower();
  const [x = 0, y = 0] = others;
  const b = kit.block('b');
  // Round 0: 2f+1 prevote b, but this node never gets it. Round 1: it locks a.
  kit
    .fire('propose')
    .prevotes(0, b, ...others)
    .fire('prevote');
  toRound1(kit, others);
  const a = kit.block('a');
  kit.propose(a, 1).prevotes(1, a, x, y);
  expect(kit.state.locked?.round).toBe(1);
  kit.precommits(1, undefined, x, y).fire('precommit');
  kit.propose(b, 2, 0);
  expect(kit.ownVotes.at(-1)).toBe(voteName(PREVOTE, 2, undefined));
});

test('line 28: a proof of lock that is not there yet is waited for', () => {
  const { kit, others, a } = locked();
  const [x = 0, y = 0] = others;
  const b = kit.block('b');
  kit.fire('propose').prevotes(1, undefined, x).prevotes(1, a, y).fire('prevote');
  kit.precommits(1, undefined, ...others.slice(0, 2)).fire('precommit');
  const votes = kit.ownVotes.length;
  kit.propose(b, 2, 1);
  expect(kit.ownVotes).toHaveLength(votes);
  kit.fire('propose');
  expect(kit.ownVotes.at(-1)).toBe(voteName(PREVOTE, 2, undefined));
});

test('line 16: a proposer that knows a valid value proposes it again with its round', () => {
  const self = proposerIndex(1);
  const others = [0, 1, 2, 3].filter((index) => index !== self);
  const kit = new Kit({ self }).fire('new-height');
  const a = kit.block('a');
  kit.propose(a, 0).prevotes(0, a, ...others.slice(0, 2));
  toRound1(kit, others);
  const proposals = kit.of('sign-proposal').map((effect) => effect.proposal);
  expect(proposals).toEqual([{ height: 1n, round: 1, polRound: 0, blockId: a.blockId }]);
  expect(kit.of('prepare-proposal')).toEqual([]);
});

test('line 36 after line 34: a late polka is remembered as valid without a lock', () => {
  const { kit, others } = follower();
  const a = kit.block('a');
  kit
    .propose(a, 0)
    .prevotes(0, undefined, others[0] ?? 0)
    .prevotes(0, a, others[1] ?? 0);
  kit.fire('prevote');
  kit.prevotes(0, a, others[2] ?? 0);
  expect(kit.state.valid?.round).toBe(0);
  expect(kit.state.locked).toBeUndefined();
});

test('a polka for a block whose proposal was lost: the block is fetched by its parts', () => {
  const { kit, others } = follower();
  const a = kit.block('a');
  kit.fire('propose').prevotes(0, a, ...others);
  expect(kit.state.collected?.header).toEqual(a.blockId.partSetHeader);
  kit.parts(a, 0);
  expect(kit.ownVotes.at(-1)).toBe(voteName(PRECOMMIT, 0, a));
});

test('line 49: 2f+1 precommits decide whatever the round, the block may come later', () => {
  const { kit, others } = follower();
  const a = kit.block('a');
  kit.precommits(0, a, ...others);
  expect(kit.state.step).toBe('commit');
  kit.parts(a, 0);
  expect(kit.state.height).toBe(2n);
});

test('line 49: a node that stayed behind decides by precommits of a far round', () => {
  const { kit, others } = follower();
  const a = kit.block('a');
  kit.precommits(9, a, ...others).parts(a, 9);
  expect(kit.state.height).toBe(2n);
});

test('line 55: f+1 validators in a later round are followed; one with many votes is not', () => {
  const { kit, others } = follower();
  const [x = 0, y = 0] = others;
  kit.prevotes(5, undefined, x).precommits(5, undefined, x).prevotes(7, undefined, x);
  expect(kit.state.round).toBe(0);
  kit.precommits(6, undefined, y);
  expect(kit.state.round).toBe(6);
});

test('votes of far rounds are bounded by validators: one of each type', () => {
  const { kit, others } = follower();
  const [x = 0] = others;
  for (let round = 2; round < 500; round++) kit.prevotes(round, undefined, x);
  expect(kit.state.votes.rounds().length).toBeLessThanOrEqual(2);
  expect(kit.state.round).toBe(0);
});

test('the commit wait ends early only when every precommit is in', () => {
  const { kit, others } = follower({ config: { skipTimeoutCommit: true } });
  const [x = 0, y = 0, z = 0] = others;
  const a = kit.block('a');
  const last = kit.vote(PRECOMMIT, z, 0, a);
  kit.propose(a, 0).prevotes(0, a, x, y).precommits(0, a, x, y);
  expect([kit.state.height, kit.state.step]).toEqual([2n, 'new-height']);
  kit.send({ kind: 'vote', vote: last });
  expect(kit.state.lastCommit?.hasAll).toBe(true);
  expect(kit.of('schedule-timeout').at(-1)).toMatchObject({ step: 'new-height', height: 2n, durationMs: 0 });
});

test('BFT time: a vote is stamped at least one millisecond after the block it may commit', () => {
  const { kit } = follower();
  const a = kit.block('a');
  kit.propose(a, 0);
  expect(kit.of('sign-vote')[0]?.minTime).toEqual(addMillis(a.block.header.time, 1n));
});

test('two different votes of one validator are reported, and count for both blocks', () => {
  const { kit, others } = follower();
  const [x = 0, y = 0] = others;
  const a = kit.block('a');
  kit.propose(a, 0).prevotes(0, undefined, x).prevotes(0, a, x);
  expect(kit.of('report-evidence')).toHaveLength(1);
  kit.prevotes(0, a, y);
  expect(kit.ownVotes.at(-1)).toBe(voteName(PRECOMMIT, 0, a));
});

test('an equivocator cannot fill memory with blocks of its invention', () => {
  const { kit, others } = follower();
  const [x = 0] = others;
  const logged = () => kit.logged.length;
  const before = logged();
  for (let i = 0; i < 50; i++) {
    const hash = new Uint8Array(32).fill(i + 1);
    kit.send({ kind: 'vote', vote: kit.vote(PREVOTE, x, 0, { hash, partSetHeader: { total: 1, hash } }) });
  }
  expect(logged() - before).toBe(CONSENSUS_LIMITS.maxConflictingVotesPerValidator);
});

test('extensions: a precommit waits for its own, and others count once the application has accepted theirs', () => {
  const { kit, others } = follower({ extensionsFrom: 1n, acceptExtension: (bytes) => bytes.length === 4 });
  const [x = 0, y = 0, z = 0] = others;
  const a = kit.block('a');
  kit.propose(a, 0).prevotes(0, a, x, y);
  const own = kit.of('sign-vote').at(-1);
  expect(own?.extend).toBe(true);
  expect(own?.vote.extension).toEqual(utf8('mine'));
  kit.send({ kind: 'vote', vote: kit.vote(PRECOMMIT, x, 0, a, 'wrong') });
  kit.send({ kind: 'vote', vote: kit.vote(PRECOMMIT, y, 0, a, 'good') });
  expect(kit.of('commit')).toEqual([]);
  kit.send({ kind: 'vote', vote: kit.vote(PRECOMMIT, z, 0, a, 'fine') });
  expect(kit.of('commit')[0]?.seenCommit.signatures[x]?.flag).toBe(1);
});

test('a signer that refuses costs the node its vote, not its progress', () => {
  const { kit, others } = follower({ refuse: true });
  const a = kit.block('a');
  kit
    .propose(a, 0)
    .prevotes(0, a, ...others)
    .precommits(0, a, ...others);
  expect(kit.ownVotes).toEqual([]);
  expect(kit.state.height).toBe(2n);
});

test('with nobody else to end a round, refused votes end it by their timeouts', () => {
  const kit = new Kit({ validators: 1, self: 0, refuse: true }).fire('new-height');
  kit.fire('propose').fire('prevote').fire('precommit');
  expect(kit.ownVotes).toEqual([]);
  expect(kit.state.round).toBe(1);
  const waits = kit.of('schedule-timeout').map(({ round, step }) => `${round} ${step}`);
  expect(waits).toEqual(expect.arrayContaining(['0 propose', '0 prevote', '0 precommit', '1 propose']));
});

test('a full node follows without voting', () => {
  const kit = new Kit({ self: -1 }).fire('new-height');
  const a = kit.block('a');
  kit.propose(a, 0).prevotes(0, a, 0, 1, 2).precommits(0, a, 0, 1, 2);
  expect(kit.of('sign-vote')).toEqual([]);
  expect(kit.state.height).toBe(2n);
});

test('without empty blocks round 0 waits for transactions, or for somebody else to begin', () => {
  const { kit, others } = follower({ config: { createEmptyBlocks: false } });
  const advance = (): void => {
    const block = kit.block(`at ${kit.state.height}`);
    kit
      .propose(block, 0)
      .prevotes(0, block, ...others)
      .precommits(0, block, ...others);
    kit.fire('new-height');
  };
  expect(kit.state.step).toBe('propose');
  advance();
  // The first block changed the application: its proof is worth one more block. The second changes nothing.
  advance();
  expect([kit.state.height, kit.state.step]).toEqual([3n, 'new-round']);
  kit.send({ kind: 'txs-available', height: kit.state.height });
  expect(kit.state.step).not.toBe('new-round');
});

test('the log is synced before anything this node signed leaves', () => {
  const { kit, others } = follower({ extensionsFrom: 1n });
  const a = kit.block('a');
  kit.propose(a, 0).prevotes(0, a, ...others);
  const proposer = new Kit({ self: proposerIndex(0) }).fire('new-height');
  for (const { effects } of [kit, proposer]) {
    let unsynced = false;
    let published = 0;
    for (const effect of effects) {
      if (effect.kind === 'append-wal') unsynced = true;
      else if (effect.kind === 'sync-wal') unsynced = false;
      else if (effect.kind === 'publish') {
        expect(unsynced).toBe(false);
        published++;
      }
    }
    expect(published).toBeGreaterThan(1);
  }
});

test('messages of other heights, stale answers and repetitions change nothing and are not logged', () => {
  const { kit, others } = follower();
  const [x = 0] = others;
  const a = kit.block('a');
  kit.propose(a, 0).prevotes(0, a, x);
  const before = fingerprint(kit.state);
  const logged = kit.logged.length;
  kit.propose(a, 0).prevotes(0, a, x);
  kit.send({ kind: 'vote', vote: { ...kit.vote(PREVOTE, x, 0, a), height: (kit.state.height + 5n) as never } });
  kit.send({
    kind: 'processed',
    height: kit.state.height,
    round: kit.state.round,
    blockHash: a.blockId.hash,
    accept: false,
  });
  kit.send({ kind: 'timeout', height: kit.state.height, round: kit.state.round, step: 'new-height' });
  expect(fingerprint(kit.state)).toBe(before);
  expect(kit.logged).toHaveLength(logged);
});

test('replay: after every prefix of the log the engine is what it was', () => {
  const { kit, others } = follower({ extensionsFrom: 1n });
  const a = kit.block('a');
  const states: string[] = [];
  kit.propose(a, 0).prevotes(0, a, ...others.slice(0, 2));
  toRound1(kit, others);
  const b = kit.block('b');
  kit
    .propose(b, 1)
    .prevotes(1, undefined, ...others)
    .precommits(1, undefined, ...others.slice(0, 2))
    .fire('precommit');
  const live = kit.fresh();
  for (const input of kit.logged) {
    step(live, input);
    states.push(fingerprint(live));
  }
  expect(states.at(-1)).toBe(fingerprint(kit.state));
  for (let length = 0; length <= kit.logged.length; length++) {
    const replayed = kit.fresh();
    for (const input of kit.logged.slice(0, length)) step(replayed, input);
    expect(fingerprint(replayed)).toBe(length === 0 ? fingerprint(kit.fresh()) : states[length - 1]);
  }
});

test('an engine that has replayed asks again exactly what was not answered', () => {
  const { kit } = follower();
  const a = kit.block('a');
  kit.propose(a, 0);
  const unanswered = kit.logged.filter((input) => input.kind !== 'vote-signed');
  const engine = createEngine(kit.state.env, kit.fresh().chain, undefined);
  for (const input of unanswered) step(engine, input);
  expect([...engine.awaiting.keys()]).toEqual(['sign:prevote']);
});
