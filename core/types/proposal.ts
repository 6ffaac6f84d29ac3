import { EMPTY } from '../bytes.ts';
import { asBytes, asInt32, asInt64, asMessage, DecodeError, readFields } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { LIMITS } from '../limits.ts';
import { type BlockId, encodeBlockId, isCompleteBlockId, isNilBlockId, NIL_BLOCK_ID, readBlockId } from './block-id.ts';
import { type Height, type Round, toHeight, toRound } from './brand.ts';
import { encodeTimestamp, readTimestamp, type Timestamp, ZERO_TIME } from './timestamp.ts';
import { PROPOSAL_TYPE } from './vote.ts';

/** tendermint.types.Proposal. `polRound` −1: the proposer claims no proof of lock. */
export interface Proposal {
  readonly height: Height;
  readonly round: Round;
  readonly polRound: Round;
  readonly blockId: BlockId;
  readonly timestamp: Timestamp;
  readonly signature: Uint8Array;
}

export function encodeProposal(proposal: Proposal): Uint8Array {
  return new ProtoWriter()
    .varint(1, PROPOSAL_TYPE)
    .varint(2, proposal.height)
    .varint(3, proposal.round)
    .varint(4, proposal.polRound)
    .message(5, encodeBlockId(proposal.blockId))
    .message(6, encodeTimestamp(proposal.timestamp))
    .bytes(7, proposal.signature)
    .finish();
}

/** A proposal that may have no signature yet. Whether it makes sense is judged by those who know what was asked. @throws DecodeError */
export function readUnsignedProposal(title: string, bytes: Uint8Array): Proposal {
  let type = 0;
  let height = 0n;
  let round = 0;
  let polRound = 0;
  let blockId = NIL_BLOCK_ID;
  let timestamp = ZERO_TIME;
  let signature: Uint8Array = EMPTY;
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5, 6, 7] })) {
    if (field.number === 1) type = asInt32(`${title}.type`, field);
    else if (field.number === 2) height = asInt64(`${title}.height`, field);
    else if (field.number === 3) round = asInt32(`${title}.round`, field);
    else if (field.number === 4) polRound = asInt32(`${title}.pol_round`, field);
    else if (field.number === 5) blockId = readBlockId(`${title}.block_id`, asMessage(`${title}.block_id`, field));
    else if (field.number === 6)
      timestamp = readTimestamp(`${title}.timestamp`, asMessage(`${title}.timestamp`, field));
    else signature = asBytes(`${title}.signature`, field, LIMITS.maxSignatureBytes);
  }
  if (type !== PROPOSAL_TYPE) throw new DecodeError(`${title}.type: expected ${PROPOSAL_TYPE}, got ${type}`);
  if (height <= 0n) throw new DecodeError(`${title}.height: expected ≥ 1, got ${height}`);
  if (round < 0) throw new DecodeError(`${title}.round: expected ≥ 0, got ${round}`);
  if (polRound < -1 || polRound >= round)
    throw new DecodeError(`${title}.pol_round: expected −1 … ${round - 1}, got ${polRound}`);
  return {
    height: toHeight(height),
    round: toRound(round),
    polRound: toRound(polRound),
    blockId,
    timestamp,
    signature: signature.slice(),
  };
}

/** Decodes and validates as CometBFT's Proposal.ValidateBasic does. @throws DecodeError */
export function readProposal(title: string, bytes: Uint8Array): Proposal {
  const proposal = readUnsignedProposal(title, bytes);
  const { blockId, signature } = proposal;
  if (!isCompleteBlockId(blockId) || isNilBlockId(blockId))
    throw new DecodeError(`${title}.block_id: expected a complete id`);
  if (signature.length === 0) throw new DecodeError(`${title}.signature: missing`);
  return proposal;
}

/** Length-delimited CanonicalProposal (CometBFT types/canonical.go). */
export function proposalSignBytes(chainId: string, proposal: Omit<Proposal, 'signature'>): Uint8Array {
  return new ProtoWriter()
    .varint(1, PROPOSAL_TYPE)
    .sfixed64(2, proposal.height)
    .sfixed64(3, BigInt(proposal.round))
    .varint(4, proposal.polRound)
    .optional(5, isNilBlockId(proposal.blockId) ? undefined : encodeBlockId(proposal.blockId))
    .message(6, encodeTimestamp(proposal.timestamp))
    .string(7, chainId)
    .finishDelimited();
}
