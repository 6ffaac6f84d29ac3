/**
 * Genesis JSON of the Cosmos SDK's modules: protobuf's JSON, except that decimals are written with a point ("0.05"), while
 * messages carry them as whole numbers of 10^-18: as
 * digits in a string, or in bytes.
 */
import { fromBase64, fromUtf8, toBase64, utf8 } from '#core/bytes.ts';
import { formatDec, parseDec, parseDecAtomics } from '#core/dec.ts';
import { err, type Result } from '#core/result.ts';
import { messageFromJson, messageToJson } from '#proto/json.ts';
import type { DescMessage, MessageShape } from '#proto/message.ts';
import { aminoField, type DescField, isBytesField } from '#proto/reflect.ts';
import { isObject, JsonError, readJson } from './json.ts';
import type { Json } from './module.ts';

const DEC_COIN = 'cosmos.base.v1beta1.DecCoin';
const INTEGER = /^-?(0|[1-9][0-9]{0,77})$/;

type Change = (field: DescField, text: string, path: string) => string;

function isDecimal(schema: DescMessage, field: DescField): boolean {
  return aminoField(field).scalar === 'cosmos.Dec' || (schema.typeName === DEC_COIN && field.name === 'amount');
}

function isWhole(field: DescField): boolean {
  return aminoField(field).scalar === 'cosmos.Int' && field.fieldKind === 'scalar';
}

/** The JSON with each decimal changed, and each whole number checked. */
function walk(schema: DescMessage, json: Json, path: string, change: Change): Json {
  if (!isObject(json)) return json;
  const out: { [name: string]: Json } = { ...json };
  for (const field of schema.fields) {
    const value = Object.hasOwn(json, field.name) ? json[field.name] : undefined;
    if (value === undefined || value === null) continue;
    const at = `${path}.${field.name}`;
    if (field.fieldKind === 'message') out[field.name] = walk(field.message, value, at, change);
    else if (field.fieldKind === 'list' && field.listKind === 'message' && Array.isArray(value))
      out[field.name] = value.map((entry: Json, i) => walk(field.message, entry, `${at}[${i}]`, change));
    else if (typeof value === 'string' && value !== '' && isDecimal(schema, field))
      out[field.name] = change(field, value, at);
    else if (typeof value === 'string' && isWhole(field) && !INTEGER.test(value))
      throw new JsonError(`${at}: expected a whole number, got ${JSON.stringify(value.slice(0, 80))}`);
  }
  return out;
}

function toAtomics(field: DescField, text: string, path: string): string {
  const parsed = parseDec(text, path);
  if (!parsed.ok) throw new JsonError(parsed.error);
  const digits = String(parsed.value);
  return isBytesField(field) ? toBase64(utf8(digits)) : digits;
}

function toDecimal(field: DescField, text: string, path: string): string {
  const parsed = parseDecAtomics(isBytesField(field) ? fromUtf8(fromBase64(text, path)) : text, path);
  if (!parsed.ok) throw new JsonError(parsed.error);
  return formatDec(parsed.value);
}

/** @param types what may stand inside an Any. Failure: a sentence that names the field. */
export function sdkFromJson<D extends DescMessage>(
  schema: D,
  json: Json,
  path: string,
  types: readonly DescMessage[] = [],
): Result<MessageShape<D>, string> {
  const changed = readJson(() => walk(schema, json, path, toAtomics));
  if (!changed.ok) return changed;
  const read = messageFromJson(schema, changed.value, types);
  return read.ok ? read : err(`${path}: ${read.error}`);
}

export function sdkToJson<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  types: readonly DescMessage[] = [],
): Json {
  return walk(schema, messageToJson(schema, message, types) as Json, schema.typeName, toDecimal);
}
