/**
 * Genesis JSON of the Cosmos SDK's modules: protobuf's JSON, except that decimals are written with a point ("0.05"), while
 * messages carry them as whole numbers of 10^-18: as
 * digits in a string, or in bytes.
 */
import { fromBase64, fromUtf8, toBase64, utf8 } from '#core/bytes.ts';
import { formatDec, parseDec, parseDecAtomics } from '#core/dec.ts';
import { err, type Result } from '#core/result.ts';
import { messageFromJson, messageToJson } from '#proto/json.ts';
import { type DescMessage, type MessageShape, PROTO_LIMITS, typeUrlOf } from '#proto/message.ts';
import { aminoField, type DescField, isBytesField } from '#proto/reflect.ts';
import { isObject, JsonError, readJson } from './json.ts';
import type { Json } from './module.ts';

const DEC_COIN = 'cosmos.base.v1beta1.DecCoin';
const INTEGER = /^-?(0|[1-9][0-9]{0,77})$/;

type Change = (field: DescField, text: string, path: string) => string;

const ANY = 'google.protobuf.Any';

/** The type of a message, or of what stands inside when it is an Any; undefined: not one of `types`. */
function typeOf(schema: DescMessage, json: Json, types: readonly DescMessage[]): DescMessage | undefined {
  if (schema.typeName !== ANY) return schema;
  return isObject(json) ? types.find((type) => typeUrlOf(type) === json['@type']) : undefined;
}

function isDecimal(schema: DescMessage, field: DescField): boolean {
  return aminoField(field).scalar === 'cosmos.Dec' || (schema.typeName === DEC_COIN && field.name === 'amount');
}

function isWhole(field: DescField): boolean {
  return aminoField(field).scalar === 'cosmos.Int' && field.fieldKind === 'scalar';
}

interface Walk {
  readonly change: Change;
  /** Reading: whole numbers are those of somebody outside. */
  readonly reads: boolean;
  /** What may stand inside an Any. */
  readonly types: readonly DescMessage[];
}

/** The JSON with each decimal changed, and each whole number checked. */
function walk(place: DescMessage, json: Json, path: string, by: Walk, depth = 1): Json {
  if (depth > PROTO_LIMITS.maxDepth) throw new JsonError(`${path}: nested deeper than ${PROTO_LIMITS.maxDepth} levels`);
  const { change } = by;
  const schema = typeOf(place, json, by.types);
  if (schema === undefined || !isObject(json)) return json;
  const out: { [name: string]: Json } = { ...json };
  for (const field of schema.fields) {
    const value = Object.hasOwn(json, field.name) ? json[field.name] : undefined;
    if (value === undefined || value === null) continue;
    const at = `${path}.${field.name}`;
    if (field.fieldKind === 'message') out[field.name] = walk(field.message, value, at, by, depth + 1);
    else if (field.fieldKind === 'list' && field.listKind === 'message' && Array.isArray(value))
      out[field.name] = value.map((entry: Json, i) => walk(field.message, entry, `${at}[${i}]`, by, depth + 1));
    else if (typeof value === 'string' && value !== '' && isDecimal(schema, field))
      out[field.name] = change(field, value, at);
    else if (by.reads && typeof value === 'string' && isWhole(field) && !INTEGER.test(value))
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
  const changed = readJson(() => walk(schema, json, path, { change: toAtomics, reads: true, types }));
  if (!changed.ok) return changed;
  const read = messageFromJson(schema, changed.value, types);
  return read.ok ? read : err(`${path}: ${read.error}`);
}

export function sdkToJson<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  types: readonly DescMessage[] = [],
): Json {
  return walk(schema, messageToJson(schema, message, types) as Json, schema.typeName, {
    change: toDecimal,
    reads: false,
    types,
  });
}
