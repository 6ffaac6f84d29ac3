import { assertNever } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import {
  asInt32,
  asMessage,
  asString,
  DecodeError,
  decode,
  type ProtoField,
  readFields,
} from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { encodePublicKey, type PublicKey, readPublicKey } from '#core/crypto/pubkey.ts';
import { LIMITS } from '#core/limits.ts';
import type { Result } from '#core/result.ts';
import { encodeBlockId, NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { encodeProposal, type Proposal, readUnsignedProposal } from '#core/types/proposal.ts';
import { encodeTimestamp, ZERO_TIME } from '#core/types/timestamp.ts';
import { encodeVote, readUnsignedVote, type Vote } from '#core/types/vote.ts';
import { PRIVVAL_LIMITS } from './limits.ts';

/** tendermint.privval.RemoteSignerError. CometBFT's own signer always says code 0. */
export interface SignerError {
  readonly code: number;
  readonly description: string;
}

type Answer<T> = { readonly value: T } | { readonly error: SignerError };

/** tendermint.privval.Message of CometBFT v0.38. Votes and proposals in requests carry no signatures. */
export type PrivvalMessage =
  | { readonly kind: 'pub-key-request'; readonly chainId: string }
  | { readonly kind: 'pub-key-response'; readonly answer: Answer<PublicKey> }
  | { readonly kind: 'sign-vote-request'; readonly vote: Vote; readonly chainId: string }
  | { readonly kind: 'signed-vote-response'; readonly answer: Answer<Vote> }
  | { readonly kind: 'sign-proposal-request'; readonly proposal: Proposal; readonly chainId: string }
  | { readonly kind: 'signed-proposal-response'; readonly answer: Answer<Proposal> }
  | { readonly kind: 'ping-request' }
  | { readonly kind: 'ping-response' };

/** What stands in the place of the value beside an error: CometBFT writes its zero values there. */
const NO_VOTE = new ProtoWriter()
  .message(4, encodeBlockId(NIL_BLOCK_ID))
  .message(5, encodeTimestamp(ZERO_TIME))
  .finish();
const NO_PROPOSAL = new ProtoWriter()
  .message(5, encodeBlockId(NIL_BLOCK_ID))
  .message(6, encodeTimestamp(ZERO_TIME))
  .finish();

export function encodePrivval(message: PrivvalMessage): Uint8Array {
  const wrap = (field: number, content: Uint8Array) => new ProtoWriter().message(field, content).finish();
  switch (message.kind) {
    case 'pub-key-request':
      return wrap(1, new ProtoWriter().string(1, message.chainId).finish());
    case 'pub-key-response':
      return wrap(2, encodeAnswer(message.answer, encodePublicKey, EMPTY));
    case 'sign-vote-request':
      return wrap(3, new ProtoWriter().message(1, encodeVote(message.vote)).string(2, message.chainId).finish());
    case 'signed-vote-response':
      return wrap(4, encodeAnswer(message.answer, encodeVote, NO_VOTE));
    case 'sign-proposal-request':
      return wrap(
        5,
        new ProtoWriter().message(1, encodeProposal(message.proposal)).string(2, message.chainId).finish(),
      );
    case 'signed-proposal-response':
      return wrap(6, encodeAnswer(message.answer, encodeProposal, NO_PROPOSAL));
    case 'ping-request':
      return wrap(7, EMPTY);
    case 'ping-response':
      return wrap(8, EMPTY);
    default:
      return assertNever(message, 'privval message');
  }
}

function encodeAnswer<T>(answer: Answer<T>, encode: (value: T) => Uint8Array, none: Uint8Array): Uint8Array {
  if (!('error' in answer)) return new ProtoWriter().message(1, encode(answer.value)).finish();
  const error = new ProtoWriter().varint(1, answer.error.code).string(2, answer.error.description).finish();
  return new ProtoWriter().message(1, none).message(2, error).finish();
}

/** Strict: exactly one message, no unknown field, every value within its bounds. */
export function decodePrivval(bytes: Uint8Array): Result<PrivvalMessage, string> {
  return decode(() => {
    const [field, second] = readFields('privval', bytes, { known: [1, 2, 3, 4, 5, 6, 7, 8] });
    if (field === undefined || second !== undefined) throw new DecodeError('privval: expected exactly one message');
    return readMessage(field);
  });
}

function readMessage(field: ProtoField): PrivvalMessage {
  const content = asMessage('privval', field);
  switch (field.number) {
    case 1:
      return { kind: 'pub-key-request', chainId: readChainId('pub_key_request', content, 1) };
    case 2:
      return { kind: 'pub-key-response', answer: readAnswer('pub_key_response', content, readPublicKey) };
    case 3: {
      const vote = readUnsignedVote('sign_vote_request.vote', part('sign_vote_request', content, 1));
      return { kind: 'sign-vote-request', vote, chainId: readChainId('sign_vote_request', content, 2) };
    }
    case 4:
      return { kind: 'signed-vote-response', answer: readAnswer('signed_vote_response', content, readUnsignedVote) };
    case 5: {
      const proposal = readUnsignedProposal(
        'sign_proposal_request.proposal',
        part('sign_proposal_request', content, 1),
      );
      return { kind: 'sign-proposal-request', proposal, chainId: readChainId('sign_proposal_request', content, 2) };
    }
    case 6:
      return {
        kind: 'signed-proposal-response',
        answer: readAnswer('signed_proposal_response', content, readUnsignedProposal),
      };
    default: {
      const title = field.number === 7 ? 'ping_request' : 'ping_response';
      if (content.length > 0) throw new DecodeError(`${title}: expected no fields`);
      return { kind: field.number === 7 ? 'ping-request' : 'ping-response' };
    }
  }
}

/** The embedded message `number` of a request that has two fields. */
function part(title: string, content: Uint8Array, number: number): Uint8Array {
  const found = readFields(title, content, { known: [1, 2] }).find((field) => field.number === number);
  if (found === undefined) throw new DecodeError(`${title}: field ${number} is missing`);
  return asMessage(title, found);
}

function readChainId(title: string, content: Uint8Array, number: 1 | 2): string {
  const fields = readFields(title, content, { known: number === 1 ? [1] : [1, 2] });
  const found = fields.find((field) => field.number === number);
  return found === undefined ? '' : asString(`${title}.chain_id`, found, LIMITS.maxChainIdBytes);
}

function readAnswer<T>(title: string, content: Uint8Array, read: (title: string, bytes: Uint8Array) => T): Answer<T> {
  const fields = readFields(title, content, { known: [1, 2] });
  const failed = fields.find((field) => field.number === 2);
  // Beside an error stand zero values, which no reader of real ones takes.
  if (failed !== undefined) return { error: readError(`${title}.error`, asMessage(`${title}.error`, failed)) };
  const value = fields.find((field) => field.number === 1);
  if (value === undefined) throw new DecodeError(`${title}: neither a value nor an error`);
  return { value: read(`${title}.value`, asMessage(`${title}.value`, value)) };
}

function readError(title: string, bytes: Uint8Array): SignerError {
  let code = 0;
  let description = '';
  for (const field of readFields(title, bytes, { known: [1, 2] })) {
    if (field.number === 1) code = asInt32(`${title}.code`, field);
    else description = asString(`${title}.description`, field, PRIVVAL_LIMITS.maxDescriptionBytes);
  }
  return { code, description };
}
