/**
 * What validators and full nodes say to each other about consensus. One message is a protobuf oneof whose field number
 * is its kind; block types keep CometBFT's encodings inside.
 */

import { assertNever } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import {
  asBool,
  asBytes,
  asInt32,
  asInt64,
  asMessage,
  asUint32,
  DecodeError,
  decode,
  readFields,
} from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { LIMITS } from '#core/limits.ts';
import type { Result } from '#core/result.ts';
import { encodePartSetHeader, NIL_BLOCK_ID, type PartSetHeader, readPartSetHeader } from '#core/types/block-id.ts';
import { type Height, type Round, toHeight, toRound } from '#core/types/brand.ts';
import { type ExtendedCommit, encodeExtendedCommit, readExtendedCommit } from '#core/types/commit.ts';
import { type Evidence, encodeEvidence, readEvidence } from '#core/types/evidence.ts';
import { encodePart, type Part, readPart } from '#core/types/part-set.ts';
import { encodeProposal, type Proposal, readProposal } from '#core/types/proposal.ts';
import { encodeVote, readVote, type Vote } from '#core/types/vote.ts';
import { type BitArray, encodeBitArray, NO_BITS, readBitArray } from './bit-array.ts';
import { CONSENSUS_LIMITS } from './limits.ts';

/** Where a node stands, so that its peers can send what it lacks. All of it is a claim. */
export interface RoundStatus {
  /** The height the node works on: it has committed the one before. */
  readonly height: Height;
  readonly round: Round;
  /** Lowest height of a block it can serve; 0: none. */
  readonly base: Height;
  /** It has decided this height and only lacks parts. */
  readonly committing: boolean;
  readonly hasProposal: boolean;
  /** The part set it collects; total 0 when it knows of none. */
  readonly partSetHeader: PartSetHeader;
  readonly parts: BitArray;
  /** Votes it has of its round, by validator index. */
  readonly prevotes: BitArray;
  readonly precommits: BitArray;
  /** It sees a two-thirds majority for one block or nil there. */
  readonly prevoteMajority: boolean;
  readonly precommitMajority: boolean;
  /** The round whose prevotes justify its proposal, −1 for none, and whose prevotes for the proposed block it has there. */
  readonly polRound: Round;
  readonly polPrevotes: BitArray;
}

export type PeerMessage =
  | { readonly kind: 'proposal'; readonly proposal: Proposal }
  | { readonly kind: 'block-part'; readonly height: Height; readonly round: Round; readonly part: Part }
  | { readonly kind: 'vote'; readonly vote: Vote }
  | { readonly kind: 'status'; readonly status: RoundStatus }
  /** Block sync: send me the block at `height` and the commit seen for it. */
  | { readonly kind: 'block-request'; readonly height: Height }
  /** `block` is an encoded block; empty when the peer does not have it. */
  | {
      readonly kind: 'block-response';
      readonly height: Height;
      readonly block: Uint8Array;
      readonly commit: ExtendedCommit | undefined;
    }
  /** That validators broke the rules: for the next block. */
  | { readonly kind: 'evidence'; readonly evidence: Evidence };

const FIELD = { proposal: 1, part: 2, vote: 3, status: 4, request: 5, response: 6, evidence: 7 } as const;

/** Most bytes of a message by its first one, which is the tag of its kind. */
export function maxMessageBytes(firstByte: number | undefined): number {
  if (firstByte === tagOf(FIELD.response)) return CONSENSUS_LIMITS.maxBlockResponseBytes;
  if (firstByte === tagOf(FIELD.evidence)) return CONSENSUS_LIMITS.maxEvidenceMessageBytes;
  return CONSENSUS_LIMITS.maxMessageBytes;
}

export function isVote(firstByte: number | undefined): boolean {
  return firstByte === tagOf(FIELD.vote);
}

export function isBlockResponse(firstByte: number | undefined): boolean {
  return firstByte === tagOf(FIELD.response);
}

function tagOf(field: number): number {
  return (field << 3) | 2;
}

export function encodePeerMessage(message: PeerMessage): Uint8Array {
  const writer = new ProtoWriter();
  switch (message.kind) {
    case 'proposal':
      return writer.message(FIELD.proposal, encodeProposal(message.proposal)).finish();
    case 'block-part':
      return writer
        .message(
          FIELD.part,
          new ProtoWriter()
            .varint(1, message.height)
            .varint(2, message.round)
            .message(3, encodePart(message.part))
            .finish(),
        )
        .finish();
    case 'vote':
      return writer.message(FIELD.vote, encodeVote(message.vote)).finish();
    case 'status':
      return writer.message(FIELD.status, encodeStatus(message.status)).finish();
    case 'block-request':
      return writer.message(FIELD.request, new ProtoWriter().varint(1, message.height).finish()).finish();
    case 'block-response':
      return writer
        .message(
          FIELD.response,
          new ProtoWriter()
            .varint(1, message.height)
            .bytes(2, message.block)
            .optional(3, message.commit && encodeExtendedCommit(message.commit))
            .finish(),
        )
        .finish();
    case 'evidence':
      return writer.message(FIELD.evidence, encodeEvidence(message.evidence)).finish();
    default:
      return assertNever(message, 'peer message');
  }
}

/** Strict: the error names the field and what was wrong with it. */
export function decodePeerMessage(bytes: Uint8Array): Result<PeerMessage, string> {
  return decode(() => readPeerMessage('message', bytes));
}

function readPeerMessage(title: string, bytes: Uint8Array): PeerMessage {
  const fields = readFields(title, bytes, { known: Object.values(FIELD) });
  const field = fields[0];
  if (field === undefined || fields.length !== 1)
    throw new DecodeError(`${title}: expected exactly one kind, got ${fields.length}`);
  const inner = asBytes(title, field, maxMessageBytes(tagOf(field.number)));
  switch (field.number) {
    case FIELD.proposal:
      return { kind: 'proposal', proposal: readProposal('proposal', inner) };
    case FIELD.part:
      return readBlockPart(inner);
    case FIELD.vote:
      return { kind: 'vote', vote: readVote('vote', inner) };
    case FIELD.status:
      return { kind: 'status', status: readStatus('status', inner) };
    case FIELD.request:
      return readRequest(inner);
    case FIELD.evidence:
      return { kind: 'evidence', evidence: readEvidence('evidence', inner) };
    default:
      return readResponse(inner);
  }
}

function readBlockPart(bytes: Uint8Array): PeerMessage {
  let height = 0n;
  let round = 0;
  let part: Part | undefined;
  for (const field of readFields('block_part', bytes, { known: [1, 2, 3] })) {
    if (field.number === 1) height = asInt64('block_part.height', field);
    else if (field.number === 2) round = asInt32('block_part.round', field);
    else part = readPart('block_part.part', asMessage('block_part.part', field));
  }
  if (part === undefined) throw new DecodeError('block_part.part: missing');
  return {
    kind: 'block-part',
    height: positiveHeight('block_part.height', height),
    round: nonNegativeRound('block_part.round', round),
    part,
  };
}

function readRequest(bytes: Uint8Array): PeerMessage {
  let height = 0n;
  for (const field of readFields('block_request', bytes, { known: [1] }))
    height = asInt64('block_request.height', field);
  return { kind: 'block-request', height: positiveHeight('block_request.height', height) };
}

function readResponse(bytes: Uint8Array): PeerMessage {
  const title = 'block_response';
  let height = 0n;
  let block: Uint8Array = EMPTY;
  let commit: ExtendedCommit | undefined;
  for (const field of readFields(title, bytes, { known: [1, 2, 3] })) {
    if (field.number === 1) height = asInt64(`${title}.height`, field);
    else if (field.number === 2) block = asBytes(`${title}.block`, field, LIMITS.maxBlockBytes).slice();
    else commit = readExtendedCommit(`${title}.commit`, asMessage(`${title}.commit`, field));
  }
  if ((block.length === 0) !== (commit === undefined))
    throw new DecodeError(`${title}: expected a block together with its commit, or neither`);
  return { kind: 'block-response', height: positiveHeight(`${title}.height`, height), block, commit };
}

function encodeStatus(status: RoundStatus): Uint8Array {
  return new ProtoWriter()
    .varint(1, status.height)
    .varint(2, status.round)
    .varint(3, status.base)
    .bool(4, status.committing)
    .bool(5, status.hasProposal)
    .message(6, encodePartSetHeader(status.partSetHeader))
    .message(7, encodeBitArray(status.parts))
    .message(8, encodeBitArray(status.prevotes))
    .message(9, encodeBitArray(status.precommits))
    .bool(10, status.prevoteMajority)
    .bool(11, status.precommitMajority)
    .varint(12, status.polRound + 1)
    .message(13, encodeBitArray(status.polPrevotes))
    .finish();
}

function readStatus(title: string, bytes: Uint8Array): RoundStatus {
  let height = 0n;
  let round = 0;
  let base = 0n;
  let polRound = -1;
  let partSetHeader = NIL_BLOCK_ID.partSetHeader;
  const flags = { committing: false, hasProposal: false, prevoteMajority: false, precommitMajority: false };
  const bits = { parts: NO_BITS, prevotes: NO_BITS, precommits: NO_BITS, polPrevotes: NO_BITS };
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13] })) {
    const { number } = field;
    if (number === 1) height = asInt64(`${title}.height`, field);
    else if (number === 2) round = asInt32(`${title}.round`, field);
    else if (number === 3) base = asInt64(`${title}.base`, field);
    else if (number === 6)
      partSetHeader = readPartSetHeader(`${title}.part_set_header`, asMessage(`${title}.part_set_header`, field));
    else if (number === 12) polRound = asUint32(`${title}.pol_round`, field) - 1;
    else if (number in STATUS_FLAGS) {
      const name = STATUS_FLAGS[number as keyof typeof STATUS_FLAGS];
      flags[name] = asBool(`${title}.${name}`, field);
    } else {
      const name = STATUS_BITS[number as keyof typeof STATUS_BITS];
      const limit = name === 'parts' ? LIMITS.maxBlockParts : LIMITS.maxValidators;
      bits[name] = readBitArray(`${title}.${name}`, asMessage(`${title}.${name}`, field), limit);
    }
  }
  if (bits.parts.size !== partSetHeader.total)
    throw new DecodeError(`${title}.parts: expected ${partSetHeader.total} bits, got ${bits.parts.size}`);
  if (base < 0n || base > height) throw new DecodeError(`${title}.base: expected 0 … ${height}, got ${base}`);
  if (polRound >= round && polRound !== -1)
    throw new DecodeError(`${title}.pol_round: expected below the round ${round}, got ${polRound}`);
  return {
    height: positiveHeight(`${title}.height`, height),
    round: nonNegativeRound(`${title}.round`, round),
    base: toHeight(base),
    partSetHeader,
    polRound: toRound(polRound),
    ...flags,
    ...bits,
  };
}

const STATUS_FLAGS = { 4: 'committing', 5: 'hasProposal', 10: 'prevoteMajority', 11: 'precommitMajority' } as const;
const STATUS_BITS = { 7: 'parts', 8: 'prevotes', 9: 'precommits', 13: 'polPrevotes' } as const;

function positiveHeight(title: string, height: bigint): Height {
  if (height < 1n) throw new DecodeError(`${title}: expected ≥ 1, got ${height}`);
  return toHeight(height);
}

function nonNegativeRound(title: string, round: number): Round {
  if (round < 0) throw new DecodeError(`${title}: expected ≥ 0, got ${round}`);
  return toRound(round);
}
