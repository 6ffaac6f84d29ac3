import { EMPTY } from '../bytes.ts';
import {
  asBytes,
  asInt32,
  asInt64,
  asMessage,
  DecodeError,
  type ProtoField,
  readFields,
} from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { LIMITS } from '../limits.ts';
import { merkleRoot } from '../merkle.ts';
import { type BlockId, encodeBlockId, equalBlockId, isNilBlockId, NIL_BLOCK_ID, readBlockId } from './block-id.ts';
import { type Height, type Round, toHeight, toRound } from './brand.ts';
import { encodeTimestamp, readTimestamp, type Timestamp, ZERO_TIME } from './timestamp.ts';
import { PRECOMMIT, type Vote, voteSignBytes } from './vote.ts';

export const FLAG_ABSENT = 1;
export const FLAG_COMMIT = 2;
export const FLAG_NIL = 3;
export type BlockIdFlag = typeof FLAG_ABSENT | typeof FLAG_COMMIT | typeof FLAG_NIL;

/** One validator's place in a commit. Absent: empty address and signature, {@link ZERO_TIME}. */
export interface CommitSig {
  readonly flag: BlockIdFlag;
  readonly validatorAddress: Uint8Array;
  readonly timestamp: Timestamp;
  readonly signature: Uint8Array;
}

/** Precommits for one block, in the order of the validator set. */
export interface Commit {
  readonly height: Height;
  readonly round: Round;
  readonly blockId: BlockId;
  readonly signatures: readonly CommitSig[];
}

export interface ExtendedCommitSig extends CommitSig {
  readonly extension: Uint8Array;
  readonly extensionSignature: Uint8Array;
}

/** A commit that keeps the vote extensions. */
export interface ExtendedCommit extends Omit<Commit, 'signatures'> {
  readonly signatures: readonly ExtendedCommitSig[];
}

export const ABSENT_SIG: ExtendedCommitSig = {
  flag: FLAG_ABSENT,
  validatorAddress: EMPTY,
  timestamp: ZERO_TIME,
  signature: EMPTY,
  extension: EMPTY,
  extensionSignature: EMPTY,
};

/** The last commit of the first block. */
export const EMPTY_COMMIT: Commit = { height: toHeight(0n), round: toRound(0), blockId: NIL_BLOCK_ID, signatures: [] };

function writeCommitSig(sig: CommitSig): ProtoWriter {
  return new ProtoWriter()
    .varint(1, sig.flag)
    .bytes(2, sig.validatorAddress)
    .message(3, encodeTimestamp(sig.timestamp))
    .bytes(4, sig.signature);
}

function encodeCommitSig(sig: CommitSig): Uint8Array {
  return writeCommitSig(sig).finish();
}

function writeCommit(commit: Omit<Commit, 'signatures'>, signatures: readonly Uint8Array[]): Uint8Array {
  const writer = new ProtoWriter()
    .varint(1, commit.height)
    .varint(2, commit.round)
    .message(3, encodeBlockId(commit.blockId));
  for (const signature of signatures) writer.message(4, signature);
  return writer.finish();
}

export function encodeCommit(commit: Commit): Uint8Array {
  return writeCommit(commit, commit.signatures.map(encodeCommitSig));
}

export function encodeExtendedCommit(commit: ExtendedCommit): Uint8Array {
  return writeCommit(
    commit,
    commit.signatures.map((sig) =>
      writeCommitSig(sig).bytes(5, sig.extension).bytes(6, sig.extensionSignature).finish(),
    ),
  );
}

/** Merkle root over the encoded signatures: `last_commit_hash` of the next header. */
export function commitHash(commit: Commit): Uint8Array {
  return merkleRoot(commit.signatures.map(encodeCommitSig));
}

/** Drops the extensions. */
export function toCommit(extended: ExtendedCommit): Commit {
  return {
    ...extended,
    signatures: extended.signatures.map(({ flag, validatorAddress, timestamp, signature }) => ({
      flag,
      validatorAddress,
      timestamp,
      signature,
    })),
  };
}

/** The block that a place in the commit voted for: the commit's own with FLAG_COMMIT, nil otherwise. */
export function sigBlockId(commit: Pick<Commit, 'blockId'>, sig: CommitSig): BlockId {
  return sig.flag === FLAG_COMMIT ? commit.blockId : NIL_BLOCK_ID;
}

/** What validator `index` signed. */
export function commitSignBytes(chainId: string, commit: Commit, index: number): Uint8Array {
  const sig = commit.signatures[index];
  if (sig === undefined) throw new RangeError(`commit has no signature ${index}`);
  return voteSignBytes(chainId, {
    type: PRECOMMIT,
    height: commit.height,
    round: commit.round,
    blockId: sigBlockId(commit, sig),
    timestamp: sig.timestamp,
  });
}

/** The place of a precommit in a commit for `blockId`. A vote for another block counts as absent there. */
export function toCommitSig(vote: Vote | undefined, blockId: BlockId): ExtendedCommitSig {
  if (vote === undefined) return ABSENT_SIG;
  const nil = isNilBlockId(vote.blockId);
  if (!nil && !equalBlockId(vote.blockId, blockId)) return ABSENT_SIG;
  return {
    flag: nil ? FLAG_NIL : FLAG_COMMIT,
    validatorAddress: vote.validatorAddress,
    timestamp: vote.timestamp,
    signature: vote.signature,
    extension: vote.extension,
    extensionSignature: vote.extensionSignature,
  };
}

export function readCommit(title: string, bytes: Uint8Array): Commit {
  const { head, sigs } = readCommitFields(title, bytes);
  return { ...head, signatures: sigs.map((field, i) => stripSig(readSig(`${title}.signatures[${i}]`, field, false))) };
}

export function readExtendedCommit(title: string, bytes: Uint8Array): ExtendedCommit {
  const { head, sigs } = readCommitFields(title, bytes);
  return { ...head, signatures: sigs.map((field, i) => readSig(`${title}.signatures[${i}]`, field, true)) };
}

function stripSig({ flag, validatorAddress, timestamp, signature }: ExtendedCommitSig): CommitSig {
  return { flag, validatorAddress, timestamp, signature };
}

/** Fields of a commit besides its signatures. */
const HEAD_FIELDS = 3;

function readCommitFields(title: string, bytes: Uint8Array) {
  let height = 0n;
  let round = 0;
  let blockId = NIL_BLOCK_ID;
  const sigs: ProtoField[] = [];
  // Reading stops behind the limit: two bytes are a signature.
  const maxFields = HEAD_FIELDS + LIMITS.maxValidators + 1;
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4], repeated: [4], maxFields })) {
    if (field.number === 1) height = asInt64(`${title}.height`, field);
    else if (field.number === 2) round = asInt32(`${title}.round`, field);
    else if (field.number === 3) blockId = readBlockId(`${title}.block_id`, asMessage(`${title}.block_id`, field));
    else sigs.push(field);
  }
  if (height < 0n) throw new DecodeError(`${title}.height: expected ≥ 0, got ${height}`);
  if (round < 0) throw new DecodeError(`${title}.round: expected ≥ 0, got ${round}`);
  if (sigs.length > LIMITS.maxValidators)
    throw new DecodeError(`${title}.signatures: ${sigs.length} exceed the limit of ${LIMITS.maxValidators}`);
  if (height >= 1n && isNilBlockId(blockId)) throw new DecodeError(`${title}.block_id: a commit cannot be for nil`);
  if (height >= 1n && sigs.length === 0) throw new DecodeError(`${title}.signatures: missing`);
  return { head: { height: toHeight(height), round: toRound(round), blockId }, sigs };
}

/** Validates as CometBFT's CommitSig.ValidateBasic and ExtendedCommitSig.ValidateBasic do. */
function readSig(title: string, outer: ProtoField, extended: boolean): ExtendedCommitSig {
  let flag = 0;
  let validatorAddress: Uint8Array = EMPTY;
  let timestamp = ZERO_TIME;
  let signature: Uint8Array = EMPTY;
  let extension: Uint8Array = EMPTY;
  let extensionSignature: Uint8Array = EMPTY;
  for (const field of readFields(title, asMessage(title, outer), {
    known: extended ? [1, 2, 3, 4, 5, 6] : [1, 2, 3, 4],
  })) {
    if (field.number === 1) flag = asInt32(`${title}.block_id_flag`, field);
    else if (field.number === 2) validatorAddress = asBytes(`${title}.validator_address`, field, 20);
    else if (field.number === 3)
      timestamp = readTimestamp(`${title}.timestamp`, asMessage(`${title}.timestamp`, field));
    else if (field.number === 4) signature = asBytes(`${title}.signature`, field, LIMITS.maxSignatureBytes);
    else if (field.number === 5) extension = asBytes(`${title}.extension`, field, LIMITS.maxExtensionBytes);
    else extensionSignature = asBytes(`${title}.extension_signature`, field, LIMITS.maxSignatureBytes);
  }
  if (flag !== FLAG_ABSENT && flag !== FLAG_COMMIT && flag !== FLAG_NIL)
    throw new DecodeError(`${title}.block_id_flag: expected 1, 2 or 3, got ${flag}`);
  if (flag === FLAG_ABSENT) {
    if (
      validatorAddress.length > 0 ||
      signature.length > 0 ||
      timestamp.seconds !== ZERO_TIME.seconds ||
      timestamp.nanos !== 0
    )
      throw new DecodeError(`${title}: an absent signature carries address, time or signature`);
  } else {
    if (validatorAddress.length !== 20)
      throw new DecodeError(`${title}.validator_address: expected 20 bytes, got ${validatorAddress.length}`);
    if (signature.length === 0) throw new DecodeError(`${title}.signature: missing`);
  }
  if (flag !== FLAG_COMMIT && (extension.length > 0 || extensionSignature.length > 0))
    throw new DecodeError(`${title}.extension: only a vote for the block may carry one`);
  if (extension.length > 0 && extensionSignature.length === 0)
    throw new DecodeError(`${title}.extension_signature: missing`);
  return {
    flag,
    validatorAddress: validatorAddress.slice(),
    timestamp,
    signature: signature.slice(),
    extension: extension.slice(),
    extensionSignature: extensionSignature.slice(),
  };
}
