/** Generators of valid consensus data, for property tests. */
import fc from 'fast-check';
import { EMPTY } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { type Block, txsHash } from '#core/types/block.ts';
import { type BlockId, blockIdKey, NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toAddress, toHeight, toRound } from '#core/types/brand.ts';
import {
  ABSENT_SIG,
  commitHash,
  type ExtendedCommit,
  type ExtendedCommitSig,
  FLAG_COMMIT,
  FLAG_NIL,
  toCommit,
} from '#core/types/commit.ts';
import { type DuplicateVoteEvidence, evidenceHash } from '#core/types/evidence.ts';
import { BLOCK_PROTOCOL, type Header } from '#core/types/header.ts';
import type { Proposal } from '#core/types/proposal.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';
import { PRECOMMIT, PREVOTE, type Vote } from '#core/types/vote.ts';

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const maybeHash = fc.oneof(hash, fc.constant(EMPTY));
const address = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => toAddress(bytes));
const signature = fc.uint8Array({ minLength: 1, maxLength: 64 });
const height = fc.bigInt(1n, 2n ** 63n - 1n).map(toHeight);
const round = fc.integer({ min: 0, max: 2 ** 31 - 1 }).map(toRound);

export const timestamp: fc.Arbitrary<Timestamp> = fc.record({
  seconds: fc.bigInt(-62_135_596_800n, 253_402_300_799n),
  nanos: fc.integer({ min: 0, max: 999_999_999 }),
});

export const blockId: fc.Arbitrary<BlockId> = fc.record({
  hash,
  partSetHeader: fc.record({ total: fc.integer({ min: 1, max: 1601 }), hash }),
});

export const vote: fc.Arbitrary<Vote> = fc
  .record({
    type: fc.constantFrom(PREVOTE, PRECOMMIT),
    height,
    round,
    blockId: fc.oneof(blockId, fc.constant(NIL_BLOCK_ID)),
    timestamp,
    validatorAddress: address,
    validatorIndex: fc.integer({ min: 0, max: 9_999 }),
    signature,
    extension: fc.uint8Array({ maxLength: 100 }),
    extensionSignature: signature,
  })
  .map((made) =>
    made.type === PRECOMMIT && made.blockId !== NIL_BLOCK_ID
      ? made
      : { ...made, extension: EMPTY, extensionSignature: EMPTY },
  );

export const proposal: fc.Arbitrary<Proposal> = fc
  .record({ height, round, blockId, timestamp, signature, pol: fc.nat() })
  .map(({ pol, ...rest }) => ({ ...rest, polRound: toRound((pol % (rest.round + 1)) - 1) }));

const presentSig: fc.Arbitrary<ExtendedCommitSig> = fc
  .record({
    flag: fc.constantFrom(FLAG_COMMIT, FLAG_NIL),
    validatorAddress: address,
    timestamp,
    signature,
    extension: fc.uint8Array({ maxLength: 40 }),
    extensionSignature: signature,
  })
  .map((sig) => (sig.flag === FLAG_COMMIT ? sig : { ...sig, extension: EMPTY, extensionSignature: EMPTY }));

export const extendedCommit: fc.Arbitrary<ExtendedCommit> = fc.record({
  height,
  round,
  blockId,
  signatures: fc.array(fc.oneof(presentSig, fc.constant(ABSENT_SIG)), { minLength: 1, maxLength: 8 }),
});

export const duplicateVote: fc.Arbitrary<DuplicateVoteEvidence> = fc
  .record({ base: vote, other: blockId, total: fc.bigInt(1n, 2n ** 60n), power: fc.bigInt(1n, 2n ** 60n), timestamp })
  .map(({ base, other, total, power, timestamp: time }) => {
    const votes = [base, { ...base, blockId: other, extension: EMPTY, extensionSignature: EMPTY }] as const;
    const [voteA, voteB] = blockIdKey(votes[0].blockId) < blockIdKey(other) ? votes : [votes[1], votes[0]];
    return { kind: 'duplicate-vote', voteA, voteB, totalVotingPower: total, validatorPower: power, timestamp: time };
  });

export const header: fc.Arbitrary<Header> = fc.record({
  version: fc.record({ block: fc.constant(BLOCK_PROTOCOL), app: fc.bigInt(0n, 2n ** 64n - 1n) }),
  chainId: fc.string({ maxLength: 12 }),
  height,
  time: timestamp,
  lastBlockId: fc.oneof(blockId, fc.constant(NIL_BLOCK_ID)),
  lastCommitHash: maybeHash,
  dataHash: maybeHash,
  validatorsHash: maybeHash,
  nextValidatorsHash: maybeHash,
  consensusHash: maybeHash,
  appHash: fc.uint8Array({ maxLength: 32 }),
  lastResultsHash: maybeHash,
  evidenceHash: maybeHash,
  proposerAddress: address,
});

export const block: fc.Arbitrary<Block> = fc
  .record({
    header,
    txs: fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 }),
    evidence: fc.array(duplicateVote, { maxLength: 2 }),
    lastCommit: extendedCommit.map(toCommit),
  })
  .map((made) => ({
    ...made,
    header: {
      ...made.header,
      dataHash: txsHash(made.txs),
      evidenceHash: evidenceHash(made.evidence),
      lastCommitHash: commitHash(made.lastCommit),
    },
  }));

/** Distinct validators with powers that can be summed. */
export const validatorUpdates: fc.Arbitrary<ValidatorUpdate[]> = fc
  .uniqueArray(fc.nat({ max: 200 }), { minLength: 1, maxLength: 12 })
  .chain((seeds) =>
    fc.tuple(...seeds.map((seed) => fc.bigInt(1n, 2n ** 56n).map((power) => ({ publicKey: keyOf(seed), power })))),
  );

/** A key with a known seed; no signature is ever checked against it. */
export function keyOf(seed: number) {
  return ed25519Key(sha256(Uint8Array.of(seed & 255, seed >> 8)));
}
