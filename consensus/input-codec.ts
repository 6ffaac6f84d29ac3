/** Engine inputs as protobuf, for the write-ahead log alone. The field number is the kind. */
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
  type ProtoField,
  readFields,
} from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { LIMITS } from '#core/limits.ts';
import type { Result } from '#core/result.ts';
import { type Height, type Round, toHeight, toRound } from '#core/types/brand.ts';
import { encodeEvidence, readEvidence } from '#core/types/evidence.ts';
import { encodePart, readPart } from '#core/types/part-set.ts';
import { encodeProposal, readProposal } from '#core/types/proposal.ts';
import { encodeVote, readVote } from '#core/types/vote.ts';
import type { Input, SignedStep, TimeoutStep, WalRecord } from './input.ts';
import { trusted } from './verify-message.ts';

type LoggedInput = Exclude<Input, { kind: 'committed' }>;

/** Append only: logs of older versions must stay readable. */
const KIND = {
  proposal: 1,
  'block-part': 2,
  vote: 3,
  timeout: 4,
  'txs-available': 5,
  prepared: 6,
  processed: 7,
  extended: 8,
  'extension-checked': 9,
  'proposal-signed': 10,
  'vote-signed': 11,
  'sign-refused': 12,
  'end-height': 15,
} as const;

const TIMEOUT_STEPS: readonly TimeoutStep[] = ['new-height', 'new-round', 'propose', 'prevote', 'precommit'];
const SIGNED_STEPS: readonly SignedStep[] = ['proposal', 'prevote', 'precommit'];

export function encodeWalPayload(record: WalRecord): Uint8Array {
  const writer = new ProtoWriter();
  if (record.kind === 'end-height')
    return writer.message(KIND['end-height'], new ProtoWriter().varint(1, record.height).finish()).finish();
  return writer.message(KIND[record.input.kind], encodeBody(record.input)).finish();
}

function encodeBody(input: LoggedInput): Uint8Array {
  const at = (where: { readonly height: bigint; readonly round?: number }) =>
    new ProtoWriter().varint(1, where.height).varint(2, where.round ?? 0);
  switch (input.kind) {
    case 'proposal':
    case 'proposal-signed':
      return encodeProposal(input.proposal);
    case 'vote':
    case 'vote-signed':
      return encodeVote(input.vote);
    case 'block-part':
      return at(input).message(3, encodePart(input.part)).finish();
    case 'timeout':
      return at(input).varint(3, TIMEOUT_STEPS.indexOf(input.step)).varint(4, waitsCode(input.waits)).finish();
    case 'txs-available':
      return at(input).finish();
    case 'prepared': {
      const writer = at(input);
      for (const tx of input.txs) writer.message(3, tx);
      for (const item of input.evidence) writer.message(4, encodeEvidence(item));
      return writer.finish();
    }
    case 'processed':
      return at(input).bytes(3, input.blockHash).bool(4, input.accept).finish();
    case 'extended':
      return at(input).bytes(3, input.extension).finish();
    case 'extension-checked':
      return new ProtoWriter().message(1, encodeVote(input.vote)).bool(2, input.accept).finish();
    case 'sign-refused':
      return at(input).varint(3, SIGNED_STEPS.indexOf(input.what)).finish();
    default:
      return assertNever(input, 'logged input');
  }
}

/** Logs of older versions do not say. */
function waitsCode(waits: boolean | undefined): number {
  return waits === undefined ? 0 : waits ? 2 : 1;
}

const KINDS: ReadonlySet<number> = new Set(Object.values(KIND));

/** Whether the bytes from `start` to `end` have the outer shape of a payload: one field of a known kind that fills them. */
export function mayBePayload(bytes: Uint8Array, start: number, end: number): boolean {
  const tag = bytes[start] ?? 0;
  if ((tag & 7) !== 2 || !KINDS.has(tag >>> 3)) return false;
  let length = 0;
  for (let i = 0; i < 4; i++) {
    const at = start + 1 + i;
    const byte = bytes[at] ?? 0;
    length |= (byte & 127) << (7 * i);
    if (byte < 128) return at + 1 + length === end;
  }
  return false;
}

export function decodeWalPayload(bytes: Uint8Array): Result<WalRecord, string> {
  return decode(() => readRecord(bytes));
}

function readRecord(bytes: Uint8Array): WalRecord {
  const fields = readFields('record', bytes, { known: Object.values(KIND) });
  const field = fields[0];
  if (field === undefined || fields.length !== 1) throw new DecodeError('record: expected exactly one kind');
  const body = asMessage('record', field);
  if (field.number === KIND['end-height'])
    return { kind: 'end-height', height: toHeight(readPlace('end_height', body).height) };
  return { kind: 'input', input: readInput(field.number, body) };
}

interface Place {
  readonly height: bigint;
  readonly round: number;
  readonly rest: readonly ProtoField[];
}

/** The height and round that most inputs begin with. */
function readPlace(
  title: string,
  bytes: Uint8Array,
  known: readonly number[] = [],
  repeated: readonly number[] = [],
): Place {
  let height = 0n;
  let round = 0;
  const rest: ProtoField[] = [];
  for (const field of readFields(title, bytes, { known: [1, 2, ...known], repeated })) {
    if (field.number === 1) height = asInt64(`${title}.height`, field);
    else if (field.number === 2) round = asInt32(`${title}.round`, field);
    else rest.push(field);
  }
  if (height < 1n) throw new DecodeError(`${title}.height: expected ≥ 1, got ${height}`);
  if (round < 0) throw new DecodeError(`${title}.round: expected ≥ 0, got ${round}`);
  return { height, round, rest };
}

function readInput(kind: number, body: Uint8Array): LoggedInput {
  switch (kind) {
    case KIND.proposal:
      return { kind: 'proposal', proposal: trusted.proposal(readProposal('proposal', body)) };
    case KIND['proposal-signed']:
      return { kind: 'proposal-signed', proposal: trusted.proposal(readProposal('proposal', body)) };
    case KIND.vote:
      return { kind: 'vote', vote: trusted.vote(readVote('vote', body)) };
    case KIND['vote-signed']:
      return { kind: 'vote-signed', vote: trusted.vote(readVote('vote', body)) };
    case KIND['extension-checked']:
      return readExtensionChecked(body);
    case KIND.prepared:
      return readPrepared(body);
    default:
      return readSmall(kind, body);
  }
}

function readExtensionChecked(body: Uint8Array): LoggedInput {
  let vote: Uint8Array | undefined;
  let accept = false;
  for (const field of readFields('extension_checked', body, { known: [1, 2] })) {
    if (field.number === 1) vote = asMessage('extension_checked.vote', field);
    else accept = asBool('extension_checked.accept', field);
  }
  if (vote === undefined) throw new DecodeError('extension_checked.vote: missing');
  return { kind: 'extension-checked', vote: trusted.vote(readVote('vote', vote)), accept };
}

function readPrepared(body: Uint8Array): LoggedInput {
  const { height, round, rest } = readPlace('prepared', body, [3, 4], [3, 4]);
  const txs: Uint8Array[] = [];
  const evidence = [];
  for (const field of rest) {
    if (field.number === 3) txs.push(asMessage('prepared.txs', field).slice());
    else evidence.push(readEvidence('prepared.evidence', asMessage('prepared.evidence', field)));
  }
  return { kind: 'prepared', height: toHeight(height), round: toRound(round), txs, evidence };
}

/** Inputs of a place and at most two small fields. */
function readSmall(kind: number, body: Uint8Array): LoggedInput {
  const { rest, ...place } = readPlace('input', body, [3, 4]);
  const height = toHeight(place.height);
  const round = toRound(place.round);
  const third = rest.find((field) => field.number === 3);
  const fourth = rest.find((field) => field.number === 4);
  const bytes = (limit: number) => (third === undefined ? EMPTY : asBytes('input', third, limit).slice());
  const index = third === undefined || third.wire !== 0 ? 0 : asUint32('input', third);
  switch (kind) {
    case KIND['block-part']:
      return { kind: 'block-part', height, round, part: readPart('part', bytes(Number.MAX_SAFE_INTEGER)) };
    case KIND.timeout:
      return readTimeout(height, round, member('timeout.step', TIMEOUT_STEPS, index), fourth);
    case KIND['txs-available']:
      return { kind: 'txs-available', height };
    case KIND.processed: {
      const accept = fourth !== undefined && asBool('processed.accept', fourth);
      return { kind: 'processed', height, round, blockHash: bytes(LIMITS.maxHashBytes), accept };
    }
    case KIND.extended:
      return { kind: 'extended', height, round, extension: bytes(LIMITS.maxExtensionBytes) };
    case KIND['sign-refused']:
      return { kind: 'sign-refused', height, round, what: member('sign_refused.what', SIGNED_STEPS, index) };
    default:
      throw new DecodeError(`record: unknown kind ${kind}`);
  }
}

function readTimeout(height: Height, round: Round, step: TimeoutStep, field: ProtoField | undefined): LoggedInput {
  const code = field === undefined ? 0 : asUint32('timeout.waits', field);
  if (code > 2) throw new DecodeError(`timeout.waits: expected 0 … 2, got ${code}`);
  return { kind: 'timeout', height, round, step, ...(code === 0 ? {} : { waits: code === 2 }) };
}

function member<T>(title: string, list: readonly T[], index: number): T {
  const value = list[index];
  if (value === undefined) throw new DecodeError(`${title}: expected 0 … ${list.length - 1}, got ${index}`);
  return value;
}
