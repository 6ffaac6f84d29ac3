import { EMPTY } from '../bytes.ts';
import { asBytes, asInt32, asInt64, asMessage, DecodeError, readFields } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { LIMITS } from '../limits.ts';
import { type BlockId, encodeBlockId, isCompleteBlockId, isNilBlockId, NIL_BLOCK_ID, readBlockId } from './block-id.ts';
import { type Address, type Height, type Round, toAddress, toHeight, toRound } from './brand.ts';
import { encodeTimestamp, readTimestamp, type Timestamp, ZERO_TIME } from './timestamp.ts';

export const PREVOTE = 1;
export const PRECOMMIT = 2;
export const PROPOSAL_TYPE = 32;
export type VoteType = typeof PREVOTE | typeof PRECOMMIT;

/** tendermint.types.Vote. `extension` and `extensionSignature` are empty except on non-nil precommits with extensions on. */
export interface Vote {
  readonly type: VoteType;
  readonly height: Height;
  readonly round: Round;
  readonly blockId: BlockId;
  readonly timestamp: Timestamp;
  readonly validatorAddress: Address;
  readonly validatorIndex: number;
  readonly signature: Uint8Array;
  readonly extension: Uint8Array;
  readonly extensionSignature: Uint8Array;
}

export function encodeVote(vote: Vote): Uint8Array {
  return new ProtoWriter()
    .varint(1, vote.type)
    .varint(2, vote.height)
    .varint(3, vote.round)
    .message(4, encodeBlockId(vote.blockId))
    .message(5, encodeTimestamp(vote.timestamp))
    .bytes(6, vote.validatorAddress)
    .varint(7, vote.validatorIndex)
    .bytes(8, vote.signature)
    .bytes(9, vote.extension)
    .bytes(10, vote.extensionSignature)
    .finish();
}

/** A vote that may have no signatures yet. Whether it makes sense is judged by those who know what was asked. @throws DecodeError */
export function readUnsignedVote(title: string, bytes: Uint8Array): Vote {
  let type = 0;
  let height = 0n;
  let round = 0;
  let blockId = NIL_BLOCK_ID;
  let timestamp = ZERO_TIME;
  let validatorAddress: Uint8Array = EMPTY;
  let validatorIndex = 0;
  let signature: Uint8Array = EMPTY;
  let extension: Uint8Array = EMPTY;
  let extensionSignature: Uint8Array = EMPTY;
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] })) {
    if (field.number === 1) type = asInt32(`${title}.type`, field);
    else if (field.number === 2) height = asInt64(`${title}.height`, field);
    else if (field.number === 3) round = asInt32(`${title}.round`, field);
    else if (field.number === 4) blockId = readBlockId(`${title}.block_id`, asMessage(`${title}.block_id`, field));
    else if (field.number === 5)
      timestamp = readTimestamp(`${title}.timestamp`, asMessage(`${title}.timestamp`, field));
    else if (field.number === 6) validatorAddress = asBytes(`${title}.validator_address`, field, 20);
    else if (field.number === 7) validatorIndex = asInt32(`${title}.validator_index`, field);
    else if (field.number === 8) signature = asBytes(`${title}.signature`, field, LIMITS.maxSignatureBytes);
    else if (field.number === 9) extension = asBytes(`${title}.extension`, field, LIMITS.maxExtensionBytes);
    else extensionSignature = asBytes(`${title}.extension_signature`, field, LIMITS.maxSignatureBytes);
  }
  if (type !== PREVOTE && type !== PRECOMMIT) throw new DecodeError(`${title}.type: expected 1 or 2, got ${type}`);
  if (height <= 0n) throw new DecodeError(`${title}.height: expected ≥ 1, got ${height}`);
  if (round < 0) throw new DecodeError(`${title}.round: expected ≥ 0, got ${round}`);
  if (validatorAddress.length !== 20)
    throw new DecodeError(`${title}.validator_address: expected 20 bytes, got ${validatorAddress.length}`);
  if (validatorIndex < 0) throw new DecodeError(`${title}.validator_index: expected ≥ 0, got ${validatorIndex}`);
  return {
    type,
    height: toHeight(height),
    round: toRound(round),
    blockId,
    timestamp,
    validatorAddress: toAddress(validatorAddress.slice()),
    validatorIndex,
    signature: signature.slice(),
    extension: extension.slice(),
    extensionSignature: extensionSignature.slice(),
  };
}

/** Decodes and validates as CometBFT's Vote.ValidateBasic does. @throws DecodeError */
export function readVote(title: string, bytes: Uint8Array): Vote {
  const vote = readUnsignedVote(title, bytes);
  const { type, blockId, validatorIndex, signature, extension, extensionSignature } = vote;
  if (!isNilBlockId(blockId) && !isCompleteBlockId(blockId))
    throw new DecodeError(`${title}.block_id: expected nil or a complete id`);
  if (validatorIndex >= LIMITS.maxValidators)
    throw new DecodeError(`${title}.validator_index: expected 0 … ${LIMITS.maxValidators - 1}, got ${validatorIndex}`);
  if (signature.length === 0) throw new DecodeError(`${title}.signature: missing`);
  const mayExtend = type === PRECOMMIT && !isNilBlockId(blockId);
  if (!mayExtend && (extension.length > 0 || extensionSignature.length > 0))
    throw new DecodeError(`${title}.extension: only a precommit for a block may carry one`);
  if (extension.length > 0 && extensionSignature.length === 0)
    throw new DecodeError(`${title}.extension_signature: missing`);
  return vote;
}

/** What of a vote is signed. `height`, `round` as in the vote; a nil block id is left out. */
export interface CanonicalVote {
  readonly type: number;
  readonly height: bigint;
  readonly round: number;
  readonly blockId: BlockId;
  readonly timestamp: Timestamp;
}

/** Length-delimited CanonicalVote (CometBFT types/canonical.go). */
export function voteSignBytes(chainId: string, vote: CanonicalVote): Uint8Array {
  return new ProtoWriter()
    .varint(1, vote.type)
    .sfixed64(2, vote.height)
    .sfixed64(3, BigInt(vote.round))
    .optional(4, isNilBlockId(vote.blockId) ? undefined : encodeBlockId(vote.blockId))
    .message(5, encodeTimestamp(vote.timestamp))
    .string(6, chainId)
    .finishDelimited();
}

/** Length-delimited CanonicalVoteExtension (CometBFT types/canonical.go). */
export function voteExtensionSignBytes(
  chainId: string,
  vote: { readonly height: bigint; readonly round: number; readonly extension: Uint8Array },
): Uint8Array {
  return new ProtoWriter()
    .bytes(1, vote.extension)
    .sfixed64(2, vote.height)
    .sfixed64(3, BigInt(vote.round))
    .string(4, chainId)
    .finishDelimited();
}
