/**
 * Transactions as the JSON that the Cosmos SDK's tools write and read: for files that are signed elsewhere, and for the
 * validators' transactions of a genesis. Decimals have a point, bytes are base64, an Any has its `@type`.
 */
import { err, ok, type Result } from '#core/result.ts';
import { AuthInfoSchema, TxBodySchema, TxRawSchema, TxSchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { create, type DescMessage, encode } from '#proto/message.ts';
import type { Json } from '#runtime/module.ts';
import { MODULES, moduleTable } from '#runtime/module-table.ts';
import { sdkFromJson, sdkToJson } from '#runtime/sdk-json.ts';
import { decodeTx, type RawTx } from '#runtime/tx/decode.ts';
import { NODE_LIMITS } from '../limits.ts';

export const TX_TABLE = moduleTable();

/** Everything that may stand inside an Any of a transaction. */
export const TX_TYPES: readonly DescMessage[] = MODULES.flatMap(({ messages = [], anyTypes = [] }) => [
  ...messages.map(({ schema }) => schema),
  ...anyTypes,
]);

export function encodeTxParts({ bodyBytes, authInfoBytes, signatures }: RawTx): Uint8Array {
  return encode(TxRawSchema, { bodyBytes, authInfoBytes, signatures: [...signatures] });
}

/** Failure: what is no transaction of this chain, in a sentence. */
export function txToJson(bytes: Uint8Array): Result<Json, string> {
  const decoded = decodeTx(bytes, TX_TABLE);
  if (!decoded.ok) return err(decoded.error.message);
  const { body, authInfo, raw } = decoded.value;
  return ok(sdkToJson(TxSchema, create(TxSchema, { body, authInfo, signatures: [...raw.signatures] }), TX_TYPES));
}

/** Reads the text of such a file. Failure: a sentence that names the field. */
export function txFromJson(text: string): Result<RawTx, string> {
  if (text.length > NODE_LIMITS.maxTxJsonCharacters)
    return err(`tx: ${text.length} characters exceed the limit of ${NODE_LIMITS.maxTxJsonCharacters}`);
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch {
    return err('tx: expected JSON');
  }
  const read = sdkFromJson(TxSchema, json, 'tx', TX_TYPES);
  if (!read.ok) return read;
  const { body, authInfo, signatures } = read.value;
  if (body === undefined) return err('tx.body: missing');
  if (authInfo === undefined) return err('tx.auth_info: missing');
  return ok({
    bodyBytes: encode(TxBodySchema, body),
    authInfoBytes: encode(AuthInfoSchema, authInfo),
    signatures,
  });
}
