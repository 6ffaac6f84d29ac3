/**
 * Reading JSON in the shape of CometBFT's RPC: 64-bit integers are strings (numbers are admitted), hashes and addresses
 * are hex, keys and signatures are base64. Every refusal names the path of the field.
 */
import { EMPTY, fromBase64, fromHex } from '#core/bytes.ts';
import { MAX_INT64, MAX_UINT64, MIN_INT64 } from '#core/int.ts';
import { err, ok, type Result } from '#core/result.ts';
import { parseTime, type Timestamp } from '#core/types/timestamp.ts';

/** Thrown inside a reader, caught by {@link readJson}. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

/** Runs a reader and turns its refusal into a value whose error is the sentence. */
export function readJson<T>(read: () => T): Result<T, string> {
  try {
    return ok(read());
  } catch (error) {
    // The byte and brand helpers of core refuse with RangeErrors that name the field.
    if (error instanceof JsonError || error instanceof RangeError) return err(error.message);
    throw error;
  }
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** A short description of a value for error messages. */
export function describeJson(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function refuse(title: string, expected: string, value: unknown): never {
  throw new JsonError(`${title}: expected ${expected}, got ${describeJson(value)}`);
}

export function asObject(title: string, value: unknown): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(title, 'an object', value);
  return value as JsonObject;
}

/** An array; null and absence stand for the empty one, as Go writes nil slices. */
export function asArray(title: string, value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) refuse(title, 'an array', value);
  return value;
}

export function asString(title: string, value: unknown): string {
  if (typeof value !== 'string') refuse(title, 'a string', value);
  return value;
}

export function asBoolean(title: string, value: unknown): boolean {
  if (typeof value !== 'boolean') refuse(title, 'true or false', value);
  return value;
}

/** A signed 64-bit integer as a decimal string or a safe number. */
export function asInt64(title: string, value: unknown): bigint {
  let number: bigint;
  if (typeof value === 'number' && Number.isSafeInteger(value)) number = BigInt(value);
  else if (typeof value === 'string' && /^-?[0-9]{1,19}$/.test(value)) number = BigInt(value);
  else refuse(title, 'an integer, as decimal digits', value);
  if (number < MIN_INT64 || number > MAX_INT64) refuse(title, 'a 64-bit integer', value);
  return number;
}

/** An unsigned 64-bit integer as a decimal string or a safe number. */
export function asUint64(title: string, value: unknown): bigint {
  let number: bigint;
  if (typeof value === 'number' && Number.isSafeInteger(value)) number = BigInt(value);
  else if (typeof value === 'string' && /^[0-9]{1,20}$/.test(value)) number = BigInt(value);
  else refuse(title, 'an integer ≥ 0, as decimal digits', value);
  if (number < 0n || number > MAX_UINT64) refuse(title, 'an unsigned 64-bit integer', value);
  return number;
}

/** An integer of at most 32 bits, as a number (a decimal string is admitted). */
export function asInt32(title: string, value: unknown): number {
  const number = asInt64(title, value);
  if (number < -0x80000000n || number > 0x7fffffffn) refuse(title, 'a 32-bit integer', value);
  return Number(number);
}

/** Hex of either case; absence and null are the empty bytes. */
export function asHex(title: string, value: unknown): Uint8Array {
  if (value === undefined || value === null) return EMPTY;
  return fromHex(asString(title, value), title);
}

/** Padded base64; absence and null are the empty bytes. */
export function asBase64(title: string, value: unknown): Uint8Array {
  if (value === undefined || value === null) return EMPTY;
  return fromBase64(asString(title, value), title);
}

/** RFC 3339. */
export function asTime(title: string, value: unknown): Timestamp {
  return parseTime(asString(title, value), title);
}

/** Base64, or null for no bytes, as Go writes a nil slice. */
export function base64OrNull(bytes: Uint8Array): string | null {
  return bytes.length === 0 ? null : Buffer.from(bytes).toString('base64');
}

/** Base64 of bytes that are never absent. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
