/**
 * Transactions off the wire, by the rules of the Cosmos SDK v0.50 (x/tx/decode): TxRaw in the canonical form of ADR-027;
 * body and auth_info as received, since those bytes are what was signed; TxBody admits non-critical unknown fields,
 * AuthInfo and messages admit none.
 */

import { DecodeError, readFields } from '#core/codec/proto-reader.ts';
import { LIMITS } from '#core/limits.ts';
import { ok, type Result } from '#core/result.ts';
import { type AuthInfo, AuthInfoSchema, type TxBody, TxBodySchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { type DescMessage, decodeChecked, decodeStrict } from '#proto/message.ts';
import { failSdk } from '../errors.ts';
import { RUNTIME_LIMITS } from '../limits.ts';
import type { MessageHandler } from '../module.ts';
import { readUsualTx } from './usual.ts';

export interface RawTx {
  readonly bodyBytes: Uint8Array;
  readonly authInfoBytes: Uint8Array;
  readonly signatures: readonly Uint8Array[];
}

export interface TxMessage {
  readonly handler: MessageHandler;
  readonly message: unknown;
}

export interface DecodedTx {
  readonly raw: RawTx;
  /** Bytes of the whole transaction. */
  readonly size: number;
  readonly body: TxBody;
  readonly authInfo: AuthInfo;
  readonly messages: readonly TxMessage[];
  /** Read by {@link readUsualTx}: it consists of few objects. */
  readonly isUsual: boolean;
  /** Made by `factsOf` when somebody asks for them, and its alone: kept here, they go when the transaction goes. */
  facts: object | undefined;
  /** What carried.ts remembers of its last check, and its alone. */
  pass: object | undefined;
}

/** What decoding needs of the module table. */
export interface TxTypes {
  readonly messages: ReadonlyMap<string, MessageHandler>;
  resolveAny(typeUrl: string): DescMessage | undefined;
}

/** Failure: `txTooLarge` or `txDecode`. */
export function decodeTx(bytes: Uint8Array, types: TxTypes): Result<DecodedTx> {
  if (bytes.length > LIMITS.maxTxBytes)
    return failSdk('txTooLarge', `transaction: ${bytes.length} bytes exceed the limit of ${LIMITS.maxTxBytes}`);
  const usual = readUsualTx(bytes, types);
  return usual === undefined ? decodeStrictly(bytes, types) : ok(usual);
}

/** {@link decodeTx} of what is no longer than the limit, usual or not. */
export function decodeStrictly(bytes: Uint8Array, types: TxTypes): Result<DecodedTx> {
  const raw = readRawTx(bytes);
  if (!raw.ok) return raw;
  const resolveAny = (typeUrl: string) => types.resolveAny(typeUrl);
  const { maxFields } = RUNTIME_LIMITS;
  const body = decodeStrict(TxBodySchema, raw.value.bodyBytes, {
    title: 'TxBody',
    unknown: 'non-critical',
    maxFields,
    resolveAny,
  });
  if (!body.ok) return failSdk('txDecode', body.error);
  const authInfo = decodeStrict(AuthInfoSchema, raw.value.authInfoBytes, { title: 'AuthInfo', maxFields, resolveAny });
  if (!authInfo.ok) return failSdk('txDecode', authInfo.error);
  const messages = readMessages(body.value, types);
  if (!messages.ok) return messages;
  return ok({
    raw: raw.value,
    size: bytes.length,
    body: body.value,
    authInfo: authInfo.value,
    messages: messages.value,
    isUsual: false,
    facts: undefined,
    pass: undefined,
  });
}

const BODY = 1;
const AUTH_INFO = 2;
const SIGNATURES = 3;

/** ADR-027: fields in ascending order, 1 and 2 at most once, shortest varints, nothing unknown, nothing left over. */
function readRawTx(bytes: Uint8Array): Result<RawTx> {
  try {
    const parts: Uint8Array[] = [];
    const signatures: Uint8Array[] = [];
    let last = 0;
    const fields = readFields('TxRaw', bytes, {
      known: [BODY, AUTH_INFO, SIGNATURES],
      repeated: [SIGNATURES],
      maxFields: 2 + RUNTIME_LIMITS.maxSignatures,
    });
    for (const { number, wire, bytes: content } of fields) {
      if (wire !== 2) throw new DecodeError(`TxRaw: field ${number} has wire type ${wire}, expected 2`);
      if (number < last) throw new DecodeError(`TxRaw: field ${number} after field ${last}, expected ascending order`);
      last = number;
      if (number === SIGNATURES) signatures.push(content);
      else parts[number] = content;
    }
    const none = bytes.subarray(0, 0);
    return ok({ bodyBytes: parts[BODY] ?? none, authInfoBytes: parts[AUTH_INFO] ?? none, signatures });
  } catch (error) {
    if (error instanceof DecodeError) return failSdk('txDecode', error.message);
    throw error;
  }
}

function readMessages(body: TxBody, types: TxTypes): Result<readonly TxMessage[]> {
  if (body.messages.length > RUNTIME_LIMITS.maxMessages)
    return failSdk(
      'invalidRequest',
      `transaction: ${body.messages.length} messages exceed the limit of ${RUNTIME_LIMITS.maxMessages}`,
    );
  const messages: TxMessage[] = [];
  for (const [i, { typeUrl, value }] of body.messages.entries()) {
    const handler = types.messages.get(typeUrl);
    if (handler === undefined)
      return failSdk('txDecode', `TxBody.messages[${i}]: ${typeUrl} is not a message of this chain`);
    // Checked with the body, of which it is part.
    const decoded = decodeChecked(handler.schema, value);
    if (!decoded.ok) return failSdk('txDecode', decoded.error);
    messages.push({ handler, message: decoded.value });
  }
  return ok(messages);
}
