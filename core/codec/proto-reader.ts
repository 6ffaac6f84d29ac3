/**
 * Strict protobuf decoding for what peers and clients send: canonical varints, no unknown field, no field twice unless
 * repeated, no trailing bytes, UTF-8 strings, named byte limits. Expected refusals leave through {@link decode} as values.
 */
import { assert } from '../assert.ts';
import { EMPTY, fromUtf8 } from '../bytes.ts';
import { err, ok, type Result } from '../result.ts';

/** Thrown inside a decoder, caught by {@link decode}; the message names the path of the field. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** One field of a message as it stands on the wire. */
export interface ProtoField {
  readonly number: number;
  /** Value of a varint field as unsigned 64 bits, of a fixed64 or fixed32 field as its unsigned bits; 0n for bytes. */
  readonly value: bigint;
  /** Content of a length-delimited field (a view), empty for others. */
  readonly bytes: Uint8Array;
  readonly wire: 0 | 1 | 2 | 5;
}

export interface ReadOptions {
  /** Field numbers that may occur more than once. */
  readonly repeated?: readonly number[];
  /** Field numbers that the message knows. Any other is refused by number. */
  readonly known: readonly number[];
  /** Fields altogether; unlimited by default. */
  readonly maxFields?: number;
}

/** The fields of `bytes` in wire order. @throws DecodeError, see the top of this file. */
export function readFields(title: string, bytes: Uint8Array, options: ReadOptions): ProtoField[] {
  const fields: ProtoField[] = [];
  const { known, repeated, maxFields = Number.POSITIVE_INFINITY } = options;
  // Bits of the numbers below 32 that occurred: nearly all do, and a set for every message costs as much as reading it.
  let seen = 0;
  const seenLarge = new LargeNumbers();
  let at = 0;
  while (at < bytes.length) {
    if (fields.length === maxFields) throw new DecodeError(`${title}: more than ${maxFields} fields`);
    let tag = bytes[at] as number;
    if (tag < 128) at++;
    else {
      const long = readVarint(title, bytes, at);
      if (long.value > 0xffffffffn) throw new DecodeError(`${title}: field tag ${long.value} exceeds 32 bits`);
      tag = Number(long.value);
      at = long.next;
    }
    const number = tag >>> 3;
    if (!known.includes(number)) throw new DecodeError(`${title}: unknown field ${number}`);
    const again = number < 32 ? (seen & (1 << number)) !== 0 : seenLarge.has(number);
    if (again && !repeated?.includes(number)) throw new DecodeError(`${title}: field ${number} occurs twice`);
    if (number < 32) seen |= 1 << number;
    else seenLarge.add(number);
    at = readValue(fields, title, bytes, at, number, tag & 7);
  }
  return fields;
}

/** A set that is made when it is needed. */
class LargeNumbers {
  #numbers: Set<number> | undefined;

  has(number: number): boolean {
    return this.#numbers?.has(number) ?? false;
  }

  add(number: number): void {
    this.#numbers ??= new Set();
    this.#numbers.add(number);
  }
}

/** Adds the field whose value begins at `at`. Answers where the next one begins. */
function readValue(
  fields: ProtoField[],
  title: string,
  bytes: Uint8Array,
  at: number,
  number: number,
  wire: number,
): number {
  const first = bytes[at] ?? 128;
  if (wire === 0) {
    // One byte is the usual case; the title is made for those that are not.
    const short = first < 128;
    const long = short ? undefined : readVarint(`${title} field ${number}`, bytes, at);
    fields.push({ number, value: long?.value ?? BigInt(first), bytes: EMPTY, wire: 0 });
    return long?.next ?? at + 1;
  }
  if (wire === 2) {
    const long = first < 128 ? undefined : readVarint(`${title} field ${number}`, bytes, at);
    const next = long?.next ?? at + 1;
    const length = long?.value ?? first;
    // Compared as it is: a length may have 64 bits.
    if (length > bytes.length - next)
      throw new DecodeError(
        `${title} field ${number}: length ${length} exceeds the ${bytes.length - next} bytes that are left`,
      );
    const end = next + Number(length);
    fields.push({ number, value: 0n, bytes: bytes.subarray(next, end), wire: 2 });
    return end;
  }
  if (wire === 1 || wire === 5) {
    const size = wire === 1 ? 8 : 4;
    if (bytes.length - at < size)
      throw new DecodeError(`${title} field ${number}: expected ${size} bytes, ${bytes.length - at} are left`);
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i] as number);
    fields.push({ number, value, bytes: EMPTY, wire });
    return at + size;
  }
  throw new DecodeError(`${title} field ${number}: wire type ${wire} is not allowed`);
}

/** A canonical unsigned 64-bit varint at `at`. @throws DecodeError when truncated, longer than needed, or over 64 bits. */
export function readVarint(title: string, bytes: Uint8Array, at: number): { value: bigint; next: number } {
  let small = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw new DecodeError(`${title}: truncated varint`);
    small |= (byte & 127) << (7 * i);
    if (byte < 128) {
      if (i > 0 && byte === 0) throw new DecodeError(`${title}: non-canonical varint`);
      return { value: BigInt(small), next: at + i + 1 };
    }
  }
  let value = BigInt(small);
  for (let i = 4; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw new DecodeError(`${title}: truncated varint`);
    if (i === 9 && byte > 1) throw new DecodeError(`${title}: varint exceeds 64 bits`);
    value |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte < 128) {
      if (byte === 0) throw new DecodeError(`${title}: non-canonical varint`);
      return { value, next: at + i + 1 };
    }
  }
  throw new DecodeError(`${title}: varint exceeds 64 bits`);
}

function expectWire(title: string, field: ProtoField, wire: number): void {
  if (field.wire !== wire) throw new DecodeError(`${title}: expected wire type ${wire}, got ${field.wire}`);
}

export function asUint64(title: string, field: ProtoField): bigint {
  expectWire(title, field, 0);
  return field.value;
}

export function asInt64(title: string, field: ProtoField): bigint {
  expectWire(title, field, 0);
  return BigInt.asIntN(64, field.value);
}

export function asUint32(title: string, field: ProtoField): number {
  expectWire(title, field, 0);
  if (field.value > 0xffffffffn) throw new DecodeError(`${title}: ${field.value} exceeds 32 bits`);
  return Number(field.value);
}

export function asInt32(title: string, field: ProtoField): number {
  const value = asInt64(title, field);
  if (value !== BigInt.asIntN(32, value)) throw new DecodeError(`${title}: ${value} exceeds 32 bits`);
  return Number(value);
}

export function asBool(title: string, field: ProtoField): boolean {
  expectWire(title, field, 0);
  if (field.value > 1n) throw new DecodeError(`${title}: expected 0 or 1, got ${field.value}`);
  return field.value === 1n;
}

export function asSfixed64(title: string, field: ProtoField): bigint {
  expectWire(title, field, 1);
  return BigInt.asIntN(64, field.value);
}

/** A view of the content, at most `limit` bytes. Copy it before the message's buffer is reused. */
export function asBytes(title: string, field: ProtoField, limit: number): Uint8Array {
  expectWire(title, field, 2);
  if (field.bytes.length > limit)
    throw new DecodeError(`${title}: ${field.bytes.length} bytes exceed the limit of ${limit}`);
  return field.bytes;
}

export function asString(title: string, field: ProtoField, limit: number): string {
  const bytes = asBytes(title, field, limit);
  try {
    return fromUtf8(bytes);
  } catch {
    throw new DecodeError(`${title}: expected UTF-8`);
  }
}

/** The content of an embedded message. */
export function asMessage(title: string, field: ProtoField): Uint8Array {
  expectWire(title, field, 2);
  return field.bytes;
}

/** Runs a decoder and turns its refusal into a value whose error is the sentence. */
export function decode<T>(read: () => T): Result<T, string> {
  try {
    return ok(read());
  } catch (error) {
    if (error instanceof DecodeError) return err(error.message);
    assert(error instanceof Error, 'a decoder threw something that is not an Error');
    throw error;
  }
}
