/** The answer of FinalizeBlock as this node stores it. Field numbers are this node's own. */

import { encodeParams, readParams } from '#consensus/chain-state-codec.ts';
import type { Event, ExecTxResult, FinalizeBlockResponse } from '#core/abci.ts';
import { EMPTY } from '#core/bytes.ts';
import {
  asBool,
  asBytes,
  asInt64,
  asMessage,
  asString,
  asUint32,
  decode,
  readFields,
} from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { encodePublicKey, readPublicKey } from '#core/crypto/pubkey.ts';
import { LIMITS } from '#core/limits.ts';
import type { Result } from '#core/result.ts';
import type { ConsensusParamsUpdate } from '#core/types/consensus-params.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';

const NO_LIMIT = Number.MAX_SAFE_INTEGER;
const SECTIONS = ['block', 'evidence', 'validator', 'version', 'abci'] as const;

function writeEvent(writer: ProtoWriter, field: number, event: Event): void {
  const opened = writer.open(field);
  writer.string(1, event.type);
  for (const { key, value, index } of event.attributes) {
    const attribute = writer.open(2);
    writer.string(1, key).string(2, value).bool(3, index).close(attribute);
  }
  writer.close(opened);
}

function writeTxResult(writer: ProtoWriter, result: ExecTxResult): void {
  writer
    .varint(1, result.code)
    .bytes(2, result.data)
    .string(3, result.log)
    .string(4, result.info)
    .varint(5, result.gasWanted)
    .varint(6, result.gasUsed)
    .string(8, result.codespace);
  for (const event of result.events) writeEvent(writer, 7, event);
}

export function encodeTxResult(result: ExecTxResult): Uint8Array {
  const writer = new ProtoWriter();
  writeTxResult(writer, result);
  return writer.finish();
}

/** Made once: the state store, and then the index, ask for the same. */
export function encodeFinalizeResponse(response: FinalizeBlockResponse): Uint8Array {
  const known = encodedResponses.get(response);
  if (known !== undefined) return known;
  const encoded = encodeResponse(response);
  encodedResponses.set(response, encoded);
  return encoded;
}

const encodedResponses = new WeakMap<FinalizeBlockResponse, Uint8Array>();

function encodeResponse(response: FinalizeBlockResponse): Uint8Array {
  const writer = new ProtoWriter().bytes(5, response.appHash);
  for (const event of response.events) writeEvent(writer, 1, event);
  for (const result of response.txResults) {
    const opened = writer.open(2);
    writeTxResult(writer, result);
    writer.close(opened);
  }
  for (const { publicKey, power } of response.validatorUpdates)
    writer.message(3, new ProtoWriter().message(1, encodePublicKey(publicKey)).varint(2, power).finish());
  const update = response.consensusParamUpdates;
  if (update !== undefined) {
    writer.message(4, encodeParams({ ...DEFAULT_CONSENSUS_PARAMS, ...update }));
    SECTIONS.forEach((section, i) => {
      if (update[section] !== undefined) writer.varint(6, i + 1);
    });
  }
  return writer.finish();
}

/** The error says what is wrong with the stored bytes. */
export function decodeFinalizeResponse(bytes: Uint8Array): Result<FinalizeBlockResponse, string> {
  return decode(() => readResponse('finalize_response', bytes));
}

function readResponse(title: string, bytes: Uint8Array): FinalizeBlockResponse {
  const events: Event[] = [];
  const txResults: ExecTxResult[] = [];
  const validatorUpdates: ValidatorUpdate[] = [];
  let appHash: Uint8Array = EMPTY;
  let params = DEFAULT_CONSENSUS_PARAMS;
  let hasParams = false;
  const sections: number[] = [];
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5, 6], repeated: [1, 2, 3, 6] })) {
    if (field.number === 1) events.push(readEvent(`${title}.events`, asMessage(title, field)));
    else if (field.number === 2) txResults.push(readTxResult(`${title}.tx_results`, asMessage(title, field)));
    else if (field.number === 3)
      validatorUpdates.push(readUpdate(`${title}.validator_updates`, asMessage(title, field)));
    else if (field.number === 4) {
      hasParams = true;
      params = readParams(`${title}.consensus_param_updates`, asMessage(title, field));
    } else if (field.number === 5) appHash = asBytes(`${title}.app_hash`, field, LIMITS.maxHashBytes).slice();
    else sections.push(asUint32(title, field));
  }
  const named = SECTIONS.filter((_, i) => sections.includes(i + 1));
  const consensusParamUpdates: ConsensusParamsUpdate | undefined = hasParams
    ? Object.fromEntries(named.map((section) => [section, params[section]]))
    : undefined;
  return { events, txResults, validatorUpdates, consensusParamUpdates, appHash };
}

function readUpdate(title: string, bytes: Uint8Array): ValidatorUpdate {
  let publicKey: ValidatorUpdate['publicKey'] = { type: 'ed25519', bytes: EMPTY };
  let power = 0n;
  for (const field of readFields(title, bytes, { known: [1, 2] })) {
    if (field.number === 1) publicKey = readPublicKey(`${title}.pub_key`, asMessage(title, field));
    else power = asInt64(`${title}.power`, field);
  }
  return { publicKey, power };
}

function readEvent(title: string, bytes: Uint8Array): Event {
  let type = '';
  const attributes: Event['attributes'][number][] = [];
  for (const field of readFields(title, bytes, { known: [1, 2], repeated: [2] })) {
    if (field.number === 1) type = asString(`${title}.type`, field, NO_LIMIT);
    else attributes.push(readAttribute(`${title}.attributes`, asMessage(title, field)));
  }
  return { type, attributes };
}

function readAttribute(title: string, bytes: Uint8Array): Event['attributes'][number] {
  let key = '';
  let value = '';
  let index = false;
  for (const field of readFields(title, bytes, { known: [1, 2, 3] })) {
    if (field.number === 1) key = asString(title, field, NO_LIMIT);
    else if (field.number === 2) value = asString(title, field, NO_LIMIT);
    else index = asBool(title, field);
  }
  return { key, value, index };
}

export function readTxResult(title: string, bytes: Uint8Array): ExecTxResult {
  let code = 0;
  let data: Uint8Array = EMPTY;
  const texts = new Map<number, string>();
  const gas = new Map<number, bigint>();
  const events: Event[] = [];
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5, 6, 7, 8], repeated: [7] })) {
    const { number } = field;
    if (number === 1) code = asUint32(title, field);
    else if (number === 2) data = asBytes(title, field, NO_LIMIT).slice();
    else if (number === 5 || number === 6) gas.set(number, asInt64(title, field));
    else if (number === 7) events.push(readEvent(`${title}.events`, asMessage(title, field)));
    else texts.set(number, asString(title, field, NO_LIMIT));
  }
  return {
    code,
    data,
    log: texts.get(3) ?? '',
    info: texts.get(4) ?? '',
    gasWanted: gas.get(5) ?? 0n,
    gasUsed: gas.get(6) ?? 0n,
    events,
    codespace: texts.get(8) ?? '',
  };
}
