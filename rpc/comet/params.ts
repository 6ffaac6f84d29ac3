/**
 * Parameters of the CometBFT routes as data: a table of names in positional order, each with a kind and what stands
 * for an absent one. The same table reads named and positional JSON, and the text of URI-style GET requests.
 */
import { EMPTY, fromBase64, fromHex, utf8 } from '#core/bytes.ts';
import { asArray, asBoolean, asInt64, asString, describeJson, JsonError, type JsonObject } from './json/reader.ts';

/** A value as it arrived: JSON, or the text of a URI parameter. */
export type Raw = { readonly from: 'json'; readonly value: unknown } | { readonly from: 'uri'; readonly text: string };

export interface Param<T> {
  /** @throws JsonError, RangeError that name `title`. */
  readonly read: (title: string, raw: Raw) => T;
  /** The value that stands for an absent parameter; `undefined`: it is required. */
  readonly absent: { readonly value: T } | undefined;
}

export type ParamTable = Readonly<Record<string, Param<unknown>>>;

export type Args<P extends ParamTable> = { readonly [N in keyof P]: P[N] extends Param<infer T> ? T : never };

/** Makes a required parameter optional. */
export function optional<T, D extends T | undefined>(param: Param<T>, value: D): Param<T | D> {
  return { read: param.read, absent: { value } };
}

/** URI strings stand in double quotes; without quotes they are taken as they are. */
function unquote(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

export const text: Param<string> = {
  absent: undefined,
  read: (title, raw) => (raw.from === 'json' ? asString(title, raw.value) : unquote(raw.text)),
};

/** A signed 64-bit integer: a string of digits or a number. */
export const int64: Param<bigint> = {
  absent: undefined,
  read: (title, raw) => asInt64(title, raw.from === 'json' ? raw.value : unquote(raw.text)),
};

export const boolean: Param<boolean> = {
  absent: undefined,
  read(title, raw) {
    if (raw.from === 'json') return asBoolean(title, raw.value);
    const word = unquote(raw.text);
    if (word !== 'true' && word !== 'false')
      throw new JsonError(`${title}: expected true or false, got ${describeJson(word)}`);
    return word === 'true';
  },
};

/** In a URI, bytes are `0x` and hex digits, or the characters of a quoted string. */
function uriBytes(title: string, value: string): Uint8Array {
  if (value.startsWith('0x')) return fromHex(value.slice(2), title);
  if (value.startsWith('"') && value.endsWith('"') && value.length >= 2) return utf8(value.slice(1, -1));
  throw new JsonError(`${title}: expected 0x and hex digits, or a quoted string, got ${describeJson(value)}`);
}

/** Go's []byte: base64 in JSON. */
export const bytes: Param<Uint8Array> = {
  absent: undefined,
  read: (title, raw) =>
    raw.from === 'uri' ? uriBytes(title, raw.text) : fromBase64(asString(title, raw.value), title),
};

/** CometBFT's HexBytes: hex in JSON, with or without 0x. */
export const hexBytes: Param<Uint8Array> = {
  absent: undefined,
  read(title, raw) {
    if (raw.from === 'uri') return raw.text === '' ? EMPTY : uriBytes(title, raw.text);
    const digits = asString(title, raw.value);
    return fromHex(digits.startsWith('0x') ? digits.slice(2) : digits, title);
  },
};

/** A SHA-256: base64 in JSON as CometBFT reads it; 64 hex digits are admitted, for no 32 bytes have such a base64. */
export const hash: Param<Uint8Array> = {
  absent: undefined,
  read(title, raw) {
    const value = raw.from === 'uri' ? unquote(raw.text) : asString(title, raw.value);
    const digits = value.startsWith('0x') ? value.slice(2) : value;
    const out = /^[0-9a-fA-F]{64}$/.test(digits) ? fromHex(digits, title) : fromBase64(value, title);
    if (out.length !== 32) throw new JsonError(`${title}: expected a hash of 32 bytes, got ${out.length}`);
    return out;
  },
};

/** Any JSON, for a handler that reads it further. */
export const json: Param<unknown> = {
  absent: undefined,
  read(title, raw) {
    if (raw.from === 'json') return raw.value;
    try {
      return JSON.parse(raw.text);
    } catch {
      throw new JsonError(`${title}: expected JSON`);
    }
  },
};

/** Reads the `params` member of a JSON-RPC request: an object by name, an array by position, or nothing. */
export function readJsonParams(table: ParamTable, params: unknown): Record<string, unknown> {
  const names = Object.keys(table);
  if (Array.isArray(params)) {
    const list = asArray('params', params);
    if (list.length > names.length)
      throw new JsonError(`params: expected at most ${names.length} (${names.join(', ')}), got ${list.length}`);
    return readEach(table, (name) => fromJson(list[names.indexOf(name)]));
  }
  if (params !== undefined && params !== null && typeof params !== 'object')
    throw new JsonError(`params: expected an object or an array, got ${describeJson(params)}`);
  const object = (params ?? {}) as JsonObject;
  return readEach(table, (name) => fromJson(Object.hasOwn(object, name) ? object[name] : undefined));
}

function fromJson(value: unknown): Raw | undefined {
  return value === undefined || value === null ? undefined : { from: 'json', value };
}

/** Reads the parameters of a GET request. */
export function readUriParams(table: ParamTable, query: URLSearchParams): Record<string, unknown> {
  return readEach(table, (name) => {
    const value = query.get(name);
    return value === null || value === '' ? undefined : { from: 'uri', text: value };
  });
}

function readEach(table: ParamTable, find: (name: string) => Raw | undefined): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, param] of Object.entries(table)) {
    const raw = find(name);
    if (raw !== undefined) out[name] = param.read(name, raw);
    else if (param.absent === undefined) throw new JsonError(`${name}: missing`);
    else out[name] = param.absent.value;
  }
  return out;
}
