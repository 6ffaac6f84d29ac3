/** The answer of FinalizeBlock as this node stores it. Field numbers are this node's own. */

import { encodeParams, readParams } from '#consensus/chain-state-codec.ts';
import type { Event, ExecTxResult, FinalizeBlockResponse } from '#core/abci.ts';
import { EMPTY } from '#core/bytes.ts';
import { asBytes, asInt64, asMessage, asUint32, decode, readFields } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { encodePublicKey, readPublicKey } from '#core/crypto/pubkey.ts';
import { LIMITS } from '#core/limits.ts';
import type { Result } from '#core/result.ts';
import { readEvent, readTxResult, writeEvent, writeTxResult } from '#core/tx-result.ts';
import type { ConsensusParamsUpdate } from '#core/types/consensus-params.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';

const SECTIONS = ['block', 'evidence', 'validator', 'version', 'abci'] as const;

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
  for (const result of response.txResults) writeTxResult(writer, 2, result);
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
