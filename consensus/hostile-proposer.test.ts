/** What a validator with the right to propose may do to the others: none of it may stop them or split them. */
import { expect, test } from 'vitest';
import { type Block, encodeBlock } from '#core/types/block.ts';
import { toHeight } from '#core/types/brand.ts';
import { type Commit, FLAG_ABSENT, FLAG_COMMIT, toCommitSig } from '#core/types/commit.ts';
import { headerHash } from '#core/types/header.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { parseTime } from '#core/types/timestamp.ts';
import { indexOfValidator, proposerOf } from '#core/types/validator-set.ts';
import { PRECOMMIT, PREVOTE } from '#core/types/vote.ts';
import { makeBlock } from './block-rules.ts';
import { decodePeerMessage, encodePeerMessage } from './messages.ts';
import type { Candidate } from './state.ts';
import { Kit, type KitOptions, voteName } from './test-kit.ts';

function candidateOf(block: Block): Candidate {
  const parts = createPartSet(encodeBlock(block));
  return { block, parts, blockId: { hash: headerHash(block.header), partSetHeader: parts.header } };
}

test('a block from the end of time does not make the votes against it unreadable', () => {
  const kit = new Kit({ self: 1 }).fire('new-height');
  const { block } = kit.block('late');
  const time = parseTime('9999-12-31T23:59:59.999999999Z');
  kit.propose(candidateOf({ ...block, header: { ...block.header, time } }), 0);
  expect(kit.ownVotes).toEqual(['prevote 0 nil']);
  for (const { message } of kit.of('publish')) {
    const read = decodePeerMessage(encodePeerMessage(message));
    expect(read.ok ? '' : read.error).toBe('');
  }
});

/** At height 1, where it is not this validator's turn, nor in the first two rounds of height 2. */
function atFirstHeight(options: KitOptions = {}): Kit {
  const { validators } = new Kit({ self: -1 }).state.chain;
  const self = indexOfValidator(validators, proposerOf(validators, 3).address);
  return new Kit({ ...options, self }).fire('new-height');
}

/** At height 2, whose blocks have a last commit: its height, round and block id are in the parts but not in the hash. */
function toSecondHeight(kit: Kit, first: Candidate, voters: readonly number[]): Kit {
  kit.propose(first, 0).prevotes(0, first, ...voters);
  kit.precommits(0, first, ...voters).fire('new-height');
  expect(kit.state.height).toBe(2n);
  return kit;
}

function atSecondHeight(): Kit {
  const kit = atFirstHeight();
  return toSecondHeight(kit, kit.block('first'), othersOf(kit));
}

function othersOf(kit: Kit): number[] {
  return [0, 1, 2, 3].filter((index) => index !== kit.options.self);
}

/** The same header, so the same hash; but the last commit speaks of another height. */
function sameHash({ block }: Candidate): Candidate {
  const lastCommit: Commit = { ...block.lastCommit, height: toHeight(9n) };
  return candidateOf({ ...block, lastCommit });
}

test('an invalid block with the hash of a valid one does not make the valid one invalid', () => {
  const kit = atSecondHeight();
  const good = kit.block('good');
  const bad = sameHash(good);
  expect(bad.blockId.hash).toEqual(good.blockId.hash);
  expect(bad.blockId.partSetHeader).not.toEqual(good.blockId.partSetHeader);
  kit.propose(bad, 0);
  expect(kit.ownVotes.at(-1)).toBe(voteName(PREVOTE, 0, undefined));
  // The others were shown the valid one, and locked it.
  const others = [0, 1, 2, 3].filter((index) => index !== kit.options.self);
  kit
    .prevotes(0, good, ...others)
    .precommits(0, undefined, ...others)
    .fire('precommit');
  kit.propose(good, 1, 0);
  expect(kit.ownVotes.at(-1)).toBe(voteName(PREVOTE, 1, good));
});

test('a valid block does not make an invalid one with the same hash valid', () => {
  const kit = atSecondHeight();
  const good = kit.block('good');
  kit.propose(good, 0);
  expect(kit.ownVotes.at(-1)).toBe(voteName(PREVOTE, 0, good));
  const others = othersOf(kit);
  for (let round = 0; round < 4; round++)
    kit
      .prevotes(round, undefined, ...others)
      .precommits(round, undefined, ...others)
      .fire('precommit');
  // The same proposer's turn again.
  const bad = sameHash(good);
  kit.propose(bad, 4);
  expect(kit.ownVotes.at(-1)).toBe(voteName(PREVOTE, 4, undefined));
});

test('a signature for other parts of the same block is no signature of the last commit', () => {
  // No signature verifies: only those that were checked as votes before may stand in a commit.
  const verifier = { ed25519: () => false, secp256k1: () => false };
  const early = atFirstHeight({ verifier });
  const [traitor = -1, ...others] = othersOf(early);
  const first = early.block('first');
  const otherParts = { ...first.blockId, partSetHeader: { total: 7, hash: new Uint8Array(32) } };
  const stray = early.vote(PRECOMMIT, traitor, 0, otherParts);
  early.send({ kind: 'vote', vote: stray });
  const kit = toSecondHeight(early, first, others);
  const { block } = kit.block('second');
  expect(block.lastCommit.signatures[traitor]?.flag).toBe(FLAG_ABSENT);
  kit.propose(candidateOf(block), 0);
  expect(kit.ownVotes.at(-1)).not.toBe(voteName(PREVOTE, 0, undefined));

  const again = toSecondHeight(atFirstHeight({ verifier }).send({ kind: 'vote', vote: stray }), first, others);
  const signatures = block.lastCommit.signatures.map((sig, i) =>
    i === traitor ? { ...toCommitSig(stray, otherParts), flag: FLAG_COMMIT as typeof FLAG_COMMIT } : sig,
  );
  const { proposerAddress } = block.header;
  const forged = { txs: block.txs, evidence: [], lastCommit: { ...block.lastCommit, signatures }, proposerAddress };
  again.propose(candidateOf(makeBlock(again.state.chain, forged)), 0);
  expect(again.ownVotes.at(-1)).toBe(voteName(PREVOTE, 0, undefined));
});

test('two proposals of one round: the application judges the first, a polka makes the second valid', () => {
  const kit = atFirstHeight();
  const [x = -1, y = -1, z = -1] = othersOf(kit);
  const [first, second] = [kit.block('first'), kit.block('second')];
  kit.propose(first, 0).prevotes(0, second, x, y, z);
  // The parts of the first are no longer of use: those of the second are asked for.
  expect(kit.state.collected?.header).toEqual(second.blockId.partSetHeader);
  kit.parts(second, 0);
  expect(kit.ownVotes).toEqual([voteName(PREVOTE, 0, first), voteName(PRECOMMIT, 0, second)]);
  expect(kit.state.locked).toMatchObject({ round: 0, candidate: { blockId: second.blockId } });
  expect(kit.of('process-proposal').map(({ request }) => request.hash)).toEqual([first.blockId.hash]);
  // Proposed again with its proof, it is prevoted; the application was never asked about it.
  kit.precommits(0, undefined, x, y).fire('precommit').propose(second, 1, 0);
  expect(kit.ownVotes.at(-1)).toBe(voteName(PREVOTE, 1, second));
  expect(kit.of('process-proposal')).toHaveLength(1);
});

test('no polka makes a block valid that breaks the rules, or that the own application has refused', () => {
  const kit = atFirstHeight({ accept: () => false });
  const [x = -1, y = -1, z = -1] = othersOf(kit);
  const refused = kit.block('refused');
  kit.propose(refused, 0).prevotes(0, refused, x, y, z).fire('prevote');
  expect(kit.ownVotes).toEqual([voteName(PREVOTE, 0, undefined), voteName(PRECOMMIT, 0, undefined)]);

  const other = atFirstHeight();
  const { block } = other.block('foreign');
  const foreign = candidateOf({ ...block, header: { ...block.header, chainId: 'another' } });
  other.propose(other.block('first'), 0).prevotes(0, foreign, x, y, z).parts(foreign, 0);
  expect(other.state.candidate?.blockId).toEqual(foreign.blockId);
  other.fire('prevote');
  expect(other.ownVotes.at(-1)).toBe(voteName(PRECOMMIT, 0, undefined));
  expect([other.state.locked, other.state.valid]).toEqual([undefined, undefined]);
});
