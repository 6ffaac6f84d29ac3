import { assertNever } from '../assert.ts';
import { equal } from '../bytes.ts';
import { asInt64, asMessage, DecodeError, readFields } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { sha256 } from '../crypto/hash.ts';
import { merkleRoot } from '../merkle.ts';
import { blockIdKey } from './block-id.ts';
import type { Height } from './brand.ts';
import { attackId, encodeAttack, type LightClientAttackEvidence, readAttack } from './light-attack.ts';
import { encodeTimestamp, readTimestamp, type Timestamp, ZERO_TIME } from './timestamp.ts';
import { encodeVote, readVote, type Vote } from './vote.ts';

/** Two votes of one validator for different blocks at the same height, round and type; `voteA` has the lesser block id. */
export interface DuplicateVoteEvidence {
  readonly kind: 'duplicate-vote';
  readonly voteA: Vote;
  readonly voteB: Vote;
  readonly totalVotingPower: bigint;
  readonly validatorPower: bigint;
  /** Time of the block at the votes' height. */
  readonly timestamp: Timestamp;
}

export type Evidence = DuplicateVoteEvidence | LightClientAttackEvidence;

/** tendermint.types.DuplicateVoteEvidence: the bytes that are hashed. */
function encodeDuplicateVote(evidence: DuplicateVoteEvidence): Uint8Array {
  return new ProtoWriter()
    .message(1, encodeVote(evidence.voteA))
    .message(2, encodeVote(evidence.voteB))
    .varint(3, evidence.totalVotingPower)
    .varint(4, evidence.validatorPower)
    .message(5, encodeTimestamp(evidence.timestamp))
    .finish();
}

/** The message of its kind: the bytes that are hashed. */
function encodeKind(evidence: Evidence): Uint8Array {
  switch (evidence.kind) {
    case 'duplicate-vote':
      return encodeDuplicateVote(evidence);
    case 'light-client-attack':
      return encodeAttack(evidence);
    default:
      return assertNever(evidence, 'evidence');
  }
}

/** tendermint.types.Evidence: the oneof that travels in blocks. */
export function encodeEvidence(evidence: Evidence): Uint8Array {
  return new ProtoWriter().message(evidence.kind === 'duplicate-vote' ? 1 : 2, encodeKind(evidence)).finish();
}

/** `evidence_hash` of the header. */
export function evidenceHash(list: readonly Evidence[]): Uint8Array {
  return merkleRoot(list.map(encodeKind));
}

/** 32 bytes by which one piece of evidence is known (CometBFT's Evidence.Hash). */
export function evidenceId(evidence: Evidence): Uint8Array {
  return evidence.kind === 'duplicate-vote' ? sha256(encodeDuplicateVote(evidence)) : attackId(evidence);
}

/** The height whose validators are accused, and whose age counts. */
export function evidenceHeight(evidence: Evidence): Height {
  return evidence.kind === 'duplicate-vote' ? evidence.voteA.height : evidence.commonHeight;
}

/** @throws DecodeError also when the two votes do not contradict each other. */
export function readEvidence(title: string, bytes: Uint8Array): Evidence {
  const fields = readFields(title, bytes, { known: [1, 2] });
  const field = fields[0];
  if (field === undefined || fields.length > 1)
    throw new DecodeError(`${title}: expected one kind of evidence, got ${fields.length}`);
  return field.number === 1
    ? readDuplicateVote(`${title}.duplicate_vote_evidence`, asMessage(title, field))
    : readAttack(`${title}.light_client_attack_evidence`, asMessage(title, field));
}

function readDuplicateVote(title: string, bytes: Uint8Array): DuplicateVoteEvidence {
  let voteA: Vote | undefined;
  let voteB: Vote | undefined;
  let totalVotingPower = 0n;
  let validatorPower = 0n;
  let timestamp = ZERO_TIME;
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5] })) {
    if (field.number === 1) voteA = readVote(`${title}.vote_a`, asMessage(title, field));
    else if (field.number === 2) voteB = readVote(`${title}.vote_b`, asMessage(title, field));
    else if (field.number === 3) totalVotingPower = asInt64(`${title}.total_voting_power`, field);
    else if (field.number === 4) validatorPower = asInt64(`${title}.validator_power`, field);
    else timestamp = readTimestamp(`${title}.timestamp`, asMessage(title, field));
  }
  if (voteA === undefined || voteB === undefined) throw new DecodeError(`${title}: expected two votes`);
  if (!contradict(voteA, voteB)) throw new DecodeError(`${title}: the votes do not contradict each other`);
  if (blockIdKey(voteA.blockId) >= blockIdKey(voteB.blockId))
    throw new DecodeError(`${title}: expected the lesser block id first`);
  return { kind: 'duplicate-vote', voteA, voteB, totalVotingPower, validatorPower, timestamp };
}

/** Same validator, height, round and type, but different blocks. */
export function contradict(a: Vote, b: Vote): boolean {
  return (
    a.type === b.type &&
    a.height === b.height &&
    a.round === b.round &&
    equal(a.validatorAddress, b.validatorAddress) &&
    blockIdKey(a.blockId) !== blockIdKey(b.blockId)
  );
}
