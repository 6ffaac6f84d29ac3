/** Reading genesis JSON: every refusal names the path of the field and shows what was there. */
import { err, ok, type Result } from '#core/result.ts';
import type { Json } from './module.ts';

/** Thrown inside a reader, caught by {@link readJson}. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

/** Runs a reader and turns its refusal into a value. */
export function readJson<T>(read: () => T): Result<T, string> {
  try {
    return ok(read());
  } catch (error) {
    if (error instanceof JsonError) return err(error.message);
    throw error;
  }
}

const MAX_SHOWN = 80;

function show(value: Json | undefined): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

export interface JsonField {
  readonly path: string;
  readonly value: Json | undefined;
}

export function root(value: Json | undefined, path: string): JsonField {
  return { path, value };
}

function refuse(field: JsonField, expected: string): never {
  throw new JsonError(`${field.path}: expected ${expected}, got ${show(field.value)}`);
}

export function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The fields of an object; any that is not in `known` is refused. */
export function asObject<const K extends string>(field: JsonField, known: readonly K[]): Record<K, JsonField> {
  if (!isObject(field.value)) return refuse(field, 'an object');
  const names: readonly string[] = known;
  for (const name of Object.keys(field.value))
    if (!names.includes(name))
      throw new JsonError(`${field.path}.${name}: unknown field, known are ${known.join(', ')}`);
  const out: Partial<Record<K, JsonField>> = {};
  for (const name of known) {
    const value = Object.hasOwn(field.value, name) ? field.value[name] : undefined;
    out[name] = { path: `${field.path}.${name}`, value };
  }
  return out as Record<K, JsonField>;
}

export function asArray(field: JsonField): readonly JsonField[] {
  if (!Array.isArray(field.value)) return refuse(field, 'an array');
  return field.value.map((value: Json, i) => ({ path: `${field.path}[${i}]`, value }));
}

/** Absent and null read as the empty array. */
export function asArrayOrEmpty(field: JsonField): readonly JsonField[] {
  return isAbsent(field) ? [] : asArray(field);
}

export function isAbsent(field: JsonField): boolean {
  return field.value === undefined || field.value === null;
}

export function asString(field: JsonField): string {
  return typeof field.value === 'string' ? field.value : refuse(field, 'a string');
}

export function asBoolean(field: JsonField): boolean {
  return typeof field.value === 'boolean' ? field.value : refuse(field, 'true or false');
}

/** A 64-bit integer: a decimal string, or a number that is exact. */
export function asInteger(field: JsonField, min: bigint, max: bigint): bigint {
  const { value } = field;
  let integer: bigint | undefined;
  if (typeof value === 'string' && /^-?(0|[1-9][0-9]{0,19})$/.test(value)) integer = BigInt(value);
  else if (typeof value === 'number' && Number.isSafeInteger(value)) integer = BigInt(value);
  if (integer === undefined || integer < min || integer > max) return refuse(field, `an integer ${min} … ${max}`);
  return integer;
}

/** Reads with `read` what may fail as a value. */
export function asParsed<T>(field: JsonField, read: (text: string, title: string) => Result<T, unknown>): T {
  const result = read(asString(field), field.path);
  if (result.ok) return result.value;
  const { error } = result;
  throw new JsonError(typeof error === 'string' ? error : (error as { message: string }).message);
}
