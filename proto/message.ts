/**
 * The one door to the protobuf library: making and encoding messages, and the strict decoder for everything that comes
 * from outside. No other layer imports the library.
 */
import {
  create as createMessage,
  type DescEnum,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';

export type { DescEnum, DescMessage, Message, MessageInitShape, MessageShape };

/** Structurally a `Result<T, string>`: the error names the path of the field and what was wrong with it. */
export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

export const PROTO_LIMITS = {
  /** Messages inside messages, values of Any included. protobuf's usual recursion limit is 100. */
  maxDepth: 64,
  /** Any inside Any: the Cosmos SDK's MaxUnpackAnyRecursionDepth. */
  maxAnyDepth: 10,
} as const;

export interface StrictOptions {
  /** How errors call the message; its full name by default. */
  readonly title?: string;
  /**
   * `non-critical`: the outermost message may carry unknown fields whose number has bit 11 set (ADR-020 of the Cosmos
   * SDK). Messages inside it may not.
   */
  readonly unknown?: 'refuse' | 'non-critical';
  /** Messages inside messages; {@link PROTO_LIMITS}.maxDepth by default. */
  readonly maxDepth?: number;
  /** Fields altogether, those of messages inside included; unlimited by default. Two bytes are a field, and a microsecond of work. */
  readonly maxFields?: number;
  /** Given, the value of every Any is checked as the type it names, and a type that is not resolved is refused. */
  readonly resolveAny?: (typeUrl: string) => DescMessage | undefined;
}

/** A message with the given fields; the others have their defaults. */
export function create<D extends DescMessage>(schema: D, init?: MessageInitShape<D>): MessageShape<D> {
  return createMessage(schema, init);
}

/** Fields in the order of their numbers, defaults left out: one byte string for one value (maps excepted). */
export function encode<D extends DescMessage>(schema: D, init: MessageInitShape<D>): Uint8Array {
  return toBinary(schema, createMessage(schema, init));
}

/** `/` and the full name: what an Any of this type carries. */
export function typeUrlOf(schema: DescMessage): string {
  return `/${schema.typeName}`;
}

/** The fields of a google.protobuf.Any that holds the message. */
export function pack<D extends DescMessage>(
  schema: D,
  init: MessageInitShape<D>,
): { readonly typeUrl: string; readonly value: Uint8Array } {
  return { typeUrl: typeUrlOf(schema), value: encode(schema, init) };
}

/**
 * Decodes bytes from outside. Refused by name: unknown fields, wrong wire types, groups, cut or trailing bytes, text
 * that is not UTF-8, nesting beyond {@link PROTO_LIMITS}.
 */
export function decodeStrict<D extends DescMessage>(
  schema: D,
  bytes: Uint8Array,
  options: StrictOptions = {},
): Decoded<MessageShape<D>> {
  try {
    checkMessage(schema, bytes, {
      path: options.title ?? schema.typeName,
      depth: 1,
      maxDepth: options.maxDepth ?? PROTO_LIMITS.maxDepth,
      anyDepth: 0,
      budget: { fields: options.maxFields ?? Number.MAX_SAFE_INTEGER },
      allowNonCritical: options.unknown === 'non-critical',
      resolveAny: options.resolveAny,
    });
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, error: error.message };
    throw error;
  }
  return decodeChecked(schema, bytes);
}

/** Decodes bytes that {@link decodeStrict} has checked already, as the value of an Any that it resolved. */
export function decodeChecked<D extends DescMessage>(schema: D, bytes: Uint8Array): Decoded<MessageShape<D>> {
  try {
    const limit = PROTO_LIMITS.maxDepth;
    return { ok: true, value: fromBinary(schema, bytes, { readUnknownFields: false, recursionLimit: limit }) };
  } catch (error) {
    if (error instanceof Error) return { ok: false, error: error.message };
    throw error;
  }
}

class Refusal extends Error {}

interface Place {
  readonly path: string;
  readonly depth: number;
  readonly maxDepth: number;
  readonly anyDepth: number;
  readonly budget: { fields: number };
  readonly allowNonCritical: boolean;
  readonly resolveAny: ((typeUrl: string) => DescMessage | undefined) | undefined;
}

const NON_CRITICAL_BIT = 1 << 10;
const MAX_FIELD = 0x1fffffff;
const ANY = 'google.protobuf.Any';
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const fieldTables = new WeakMap<DescMessage, Map<number, DescField>>();

function fieldsOf(schema: DescMessage): Map<number, DescField> {
  let table = fieldTables.get(schema);
  if (table === undefined) {
    table = new Map(schema.fields.map((field) => [field.number, field]));
    fieldTables.set(schema, table);
  }
  return table;
}

function checkMessage(schema: DescMessage, bytes: Uint8Array, place: Place): void {
  const { path } = place;
  if (place.depth > place.maxDepth) throw new Refusal(`${path}: nested deeper than ${place.maxDepth} messages`);
  const fields = fieldsOf(schema);
  let typeUrl = '';
  let anyValue: Uint8Array | undefined;
  let at = 0;
  while (at < bytes.length) {
    if (place.budget.fields-- === 0) throw new Refusal(`${path}: too many fields, those before it included`);
    const tag = readVarint(bytes, at, path);
    const number = tag.value >>> 3;
    const wire = tag.value & 7;
    if (tag.overflow || number === 0 || number > MAX_FIELD)
      throw new Refusal(`${path}: field number is outside 1 … 2^29 − 1`);
    const value = readValue(bytes, tag.next, wire, path, number);
    at = value.next;
    const field = fields.get(number);
    if (field === undefined) {
      if (place.allowNonCritical && (number & NON_CRITICAL_BIT) !== 0) continue;
      throw new Refusal(`${path}: unknown field ${number}`);
    }
    const content = checkField(field, wire, value.content, place);
    if (schema.typeName !== ANY || content === undefined) continue;
    if (number === 1) typeUrl = textOf(content);
    else anyValue = content;
  }
  if (schema.typeName === ANY && place.resolveAny !== undefined) checkAny(typeUrl, anyValue, place);
}

function checkAny(typeUrl: string, value: Uint8Array | undefined, place: Place): void {
  if (place.anyDepth >= PROTO_LIMITS.maxAnyDepth)
    throw new Refusal(`${place.path}: google.protobuf.Any nested deeper than ${PROTO_LIMITS.maxAnyDepth}`);
  const schema = place.resolveAny?.(typeUrl);
  if (schema === undefined) throw new Refusal(`${place.path}: unable to resolve type URL ${typeUrl}`);
  checkMessage(schema, value ?? new Uint8Array(0), {
    ...place,
    path: `${place.path}(${schema.typeName})`,
    depth: place.depth + 1,
    anyDepth: place.anyDepth + 1,
    allowNonCritical: false,
  });
}

/** Checks the wire type and what is inside; answers the bytes of a length-delimited field. */
function checkField(field: DescField, wire: number, content: Uint8Array | undefined, place: Place) {
  const path = `${place.path}.${field.name}`;
  const expected = wireOf(field);
  const packed = field.fieldKind === 'list' && expected !== WIRE.bytes && wire === WIRE.bytes;
  if (wire !== expected && !packed) throw new Refusal(`${path}: expected wire type ${expected}, got ${wire}`);
  if (content === undefined || packed) return undefined;
  if (field.message !== undefined) {
    checkMessage(field.message, content, { ...place, path, depth: place.depth + 1, allowNonCritical: false });
  } else if (field.scalar === ScalarType.STRING && !isShortAscii(content)) {
    try {
      utf8.decode(content);
    } catch {
      throw new Refusal(`${path}: expected UTF-8`);
    }
  }
  return content;
}

/** Up to so many bytes a loop is faster than the platform's decoder. */
const SHORT_TEXT = 64;

/** Most text is addresses, amounts and names: it need not be decoded to see that it is UTF-8. */
function isShortAscii(bytes: Uint8Array): boolean {
  if (bytes.length > SHORT_TEXT) return false;
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] as number) > 0x7f) return false;
  return true;
}

function textOf(bytes: Uint8Array): string {
  return isShortAscii(bytes) ? String.fromCharCode.apply(null, bytes as unknown as number[]) : utf8.decode(bytes);
}

function wireOf(field: DescField): number {
  if (field.fieldKind === 'map') throw new Refusal(`${field.name}: map fields are not used by this chain`);
  if (field.message !== undefined) return WIRE.bytes;
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WIRE.bytes;
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
    case ScalarType.DOUBLE:
      return WIRE.fixed64;
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
    case ScalarType.FLOAT:
      return WIRE.fixed32;
    default:
      return WIRE.varint;
  }
}

function readValue(bytes: Uint8Array, at: number, wire: number, path: string, number: number) {
  if (wire === WIRE.varint) return { next: readVarint(bytes, at, path).next, content: undefined };
  if (wire === WIRE.bytes) {
    const length = readVarint(bytes, at, path);
    const left = bytes.length - length.next;
    if (length.overflow || length.value > left)
      throw new Refusal(`${path}: the length of field ${number} exceeds the ${left} bytes that are left`);
    const next = length.next + length.value;
    return { next, content: bytes.subarray(length.next, next) };
  }
  if (wire !== WIRE.fixed64 && wire !== WIRE.fixed32)
    throw new Refusal(`${path}: field ${number} has wire type ${wire}, which is not allowed`);
  const next = at + (wire === WIRE.fixed64 ? 8 : 4);
  if (next > bytes.length) throw new Refusal(`${path}: field ${number} is cut short`);
  return { next, content: undefined };
}

/** The low 31 bits of a varint of at most ten bytes; `overflow` when there were more. */
function readVarint(bytes: Uint8Array, at: number, path: string) {
  let value = 0;
  let overflow = false;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw new Refusal(`${path}: truncated varint`);
    const bits = byte & 127;
    if (i < 4) value |= bits << (7 * i);
    else if (i === 4 && bits <= 15) value = (value | (bits << 28)) >>> 0;
    else if (bits !== 0) overflow = true;
    if (byte < 128) return { value, overflow, next: at + i + 1 };
  }
  throw new Refusal(`${path}: varint longer than ten bytes`);
}
