/** Records in genesis JSON: the base64 of their protobuf, so that what is exported is what is read, to the byte. */
import { fromBase64, toBase64 } from '#core/bytes.ts';
import { type DescMessage, decodeStrict, encode, type MessageInitShape, type MessageShape } from '#proto/message.ts';
import { asString, JsonError, type JsonField } from './json.ts';
import type { Json } from './module.ts';

export function asBase64(field: JsonField): Uint8Array {
  const text = asString(field);
  try {
    return fromBase64(text, field.path);
  } catch (error) {
    throw new JsonError(error instanceof Error ? error.message : String(error));
  }
}

export function asRecord<D extends DescMessage>(field: JsonField, schema: D): MessageShape<D> {
  const decoded = decodeStrict(schema, asBase64(field), { title: field.path });
  if (!decoded.ok) throw new JsonError(decoded.error);
  return decoded.value;
}

export function recordJson<D extends DescMessage>(schema: D, record: MessageShape<D>): Json {
  return toBase64(encode(schema, record as MessageInitShape<D>));
}
