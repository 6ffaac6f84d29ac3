/**
 * The rule that keeps a key from signing twice (CometBFT privval/file.go CheckHRS and signVote): heights, rounds and steps
 * only ever grow, and the same place is signed again only for bytes that differ in nothing but the timestamp, with the
 * signature and the timestamp of the first time.
 */
import { EMPTY, equal } from '#core/bytes.ts';
import { asBytes, asInt32, asInt64, asMessage, DecodeError, decode, readFields } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { LIMITS } from '#core/limits.ts';
import type { Result } from '#core/result.ts';
import { encodeTimestamp, readTimestamp, type Timestamp, ZERO_TIME } from '#core/types/timestamp.ts';

/** Within a round: the proposal, the prevote, the precommit. */
export const SIGN_STEP = { proposal: 1, prevote: 2, precommit: 3 } as const;
export type SignStep = (typeof SIGN_STEP)[keyof typeof SIGN_STEP];

/** The last thing that a key has signed. */
export interface LastSign {
  readonly height: bigint;
  readonly round: number;
  readonly step: SignStep;
  readonly timestamp: Timestamp;
  /** The sign bytes as if the timestamp were {@link ZERO_TIME}: what must not differ. */
  readonly timelessBytes: Uint8Array;
  readonly signature: Uint8Array;
}

export interface SignRequest {
  readonly height: bigint;
  readonly round: number;
  readonly step: SignStep;
  readonly timelessBytes: Uint8Array;
}

export type SignDecision =
  /** Sign, and remember before releasing the signature. */
  | { readonly kind: 'sign' }
  /** The same was signed before: release that signature, with its timestamp. */
  | { readonly kind: 'reuse'; readonly timestamp: Timestamp; readonly signature: Uint8Array }
  | { readonly kind: 'refuse'; readonly reason: string };

export function decideSign(last: LastSign | undefined, request: SignRequest): SignDecision {
  if (last === undefined) return { kind: 'sign' };
  const order = comparePlace(request, last);
  if (order > 0) return { kind: 'sign' };
  if (order < 0) return { kind: 'refuse', reason: `${place(request)} is before ${place(last)}, which is signed` };
  if (!equal(request.timelessBytes, last.timelessBytes))
    return { kind: 'refuse', reason: `something else is signed at ${place(last)}` };
  return { kind: 'reuse', timestamp: last.timestamp, signature: last.signature };
}

type Place = Pick<SignRequest, 'height' | 'round' | 'step'>;

function comparePlace(a: Place, b: Place): number {
  if (a.height !== b.height) return a.height < b.height ? -1 : 1;
  return a.round !== b.round ? a.round - b.round : a.step - b.step;
}

function place({ height, round, step }: Place): string {
  return `height ${height} round ${round} step ${step}`;
}

export function encodeLastSign(last: LastSign): Uint8Array {
  return new ProtoWriter()
    .varint(1, last.height)
    .varint(2, last.round)
    .varint(3, last.step)
    .message(4, encodeTimestamp(last.timestamp))
    .bytes(5, last.timelessBytes)
    .bytes(6, last.signature)
    .finish();
}

/** The error says what is wrong with the stored state: signing without it would be unsafe. */
export function decodeLastSign(bytes: Uint8Array): Result<LastSign, string> {
  return decode(() => {
    let height = 0n;
    let round = 0;
    let step = 0;
    let timestamp = ZERO_TIME;
    let timelessBytes: Uint8Array = EMPTY;
    let signature: Uint8Array = EMPTY;
    for (const field of readFields('last_sign', bytes, { known: [1, 2, 3, 4, 5, 6] })) {
      if (field.number === 1) height = asInt64('last_sign.height', field);
      else if (field.number === 2) round = asInt32('last_sign.round', field);
      else if (field.number === 3) step = asInt32('last_sign.step', field);
      else if (field.number === 4)
        timestamp = readTimestamp('last_sign.timestamp', asMessage('last_sign.timestamp', field));
      else if (field.number === 5) timelessBytes = asMessage('last_sign.timeless_bytes', field).slice();
      else signature = asBytes('last_sign.signature', field, LIMITS.maxSignatureBytes).slice();
    }
    if (height < 1n || round < 0) throw new DecodeError('last_sign: height or round out of range');
    if (step !== 1 && step !== 2 && step !== 3)
      throw new DecodeError(`last_sign.step: expected 1, 2 or 3, got ${step}`);
    if (timelessBytes.length === 0 || signature.length === 0) throw new DecodeError('last_sign: incomplete');
    return { height, round, step, timestamp, timelessBytes, signature };
  });
}
