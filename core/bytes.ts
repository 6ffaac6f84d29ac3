/** Byte strings: everything here treats `Uint8Array` as an immutable value. */

export const EMPTY: Uint8Array = new Uint8Array(0);

/** The two digits of every byte: hex keys of maps are made all the time. */
const LOWER = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const UPPER = LOWER.map((digits) => digits.toUpperCase());

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let out = '';
  for (let i = 0; i < bytes.length; i++) out += LOWER[bytes[i] as number];
  return out;
}

/** Upper-case hex, as CometBFT prints hashes and addresses. */
export function toHexUpper(bytes: Uint8Array): string {
  let out = '';
  for (let i = 0; i < bytes.length; i++) out += UPPER[bytes[i] as number];
  return out;
}

/** @throws RangeError that names `title` when the text is not an even number of hex digits. */
export function fromHex(text: string, title = 'hex'): Uint8Array {
  if (text.length % 2 !== 0)
    throw new RangeError(`${title}: expected an even number of hex digits, got ${text.length}`);
  if (!/^[0-9a-fA-F]*$/.test(text)) throw new RangeError(`${title}: expected hex digits only`);
  const out = new Uint8Array(text.length >> 1);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-16 units of a text up to which a loop is faster than the platform's call: names, addresses, amounts are shorter. */
const SHORT_TEXT = 64;

/** A lone surrogate becomes U+FFFD. */
export function utf8(text: string): Uint8Array {
  if (text.length > SHORT_TEXT) return encoder.encode(text);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return encoder.encode(text);
    out[i] = unit;
  }
  return out;
}

/** @throws TypeError when the bytes are not valid UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return isShortAscii(bytes)
    ? String.fromCharCode.apply(null, bytes as unknown as number[])
    : strictDecoder.decode(bytes);
}

function isShortAscii(bytes: Uint8Array): boolean {
  if (bytes.length > SHORT_TEXT) return false;
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] as number) > 0x7f) return false;
  return true;
}

/** Of few pieces, named one by one. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return concatAll(parts);
}

/** Of a list that may be long: spread into arguments it would end at what a call can take, some hundred thousand. */
export function concatAll(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lexicographic order of unsigned bytes, shorter first on a common prefix: the order of LevelDB and of Go's bytes.Compare. */
export function compare(a: Uint8Array, b: Uint8Array): -1 | 0 | 1 {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a[i] as number;
    const y = b[i] as number;
    if (x !== y) return x < y ? -1 : 1;
  }
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
}

export function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  if (bytes.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}

/** The least key greater than every key with this prefix, or `undefined` when there is none (all bytes 0xff). */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] as number;
    if (byte < 0xff) {
      const out = prefix.slice(0, i + 1);
      out[i] = byte + 1;
      return out;
    }
  }
  return undefined;
}

export function u32be(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff)
    throw new RangeError(`u32: ${value} is out of range`);
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

export function u64be(value: bigint): Uint8Array {
  if (value < 0n || value > 0xffffffffffffffffn) throw new RangeError(`u64: ${value} is out of range`);
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, value);
  return out;
}

export function readU64be(bytes: Uint8Array, offset = 0): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(offset);
}

/** u32 big-endian length, then the bytes: how variable-length items are concatenated in everything this chain hashes. */
export function lengthPrefixed(bytes: Uint8Array): Uint8Array {
  return concat(u32be(bytes.length), bytes);
}

/** @throws RangeError that names `title` when the length differs. */
export function expectLength(bytes: Uint8Array, length: number, title: string): Uint8Array {
  if (bytes.length !== length) throw new RangeError(`${title}: expected ${length} bytes, got ${bytes.length}`);
  return bytes;
}

const B64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const B64_PAD = '='.charCodeAt(0);
/** The value of each digit by its code; 255 for what is none. */
const B64_VALUES = new Uint8Array(256).fill(255);
for (let i = 0; i < 64; i++) B64_VALUES[B64.charCodeAt(i)] = i;

/** Digits that are put together at once: a call takes only so many arguments. */
const B64_PIECE = new Uint8Array(1024);

/** Standard base64 with padding (RFC 4648 section 4). */
export function toBase64(bytes: Uint8Array): string {
  let out = '';
  let filled = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const three =
      ((bytes[i] as number) << 16) |
      ((left > 1 ? (bytes[i + 1] as number) : 0) << 8) |
      (left > 2 ? (bytes[i + 2] as number) : 0);
    B64_PIECE[filled] = B64.charCodeAt(three >> 18);
    B64_PIECE[filled + 1] = B64.charCodeAt((three >> 12) & 63);
    B64_PIECE[filled + 2] = left > 1 ? B64.charCodeAt((three >> 6) & 63) : B64_PAD;
    B64_PIECE[filled + 3] = left > 2 ? B64.charCodeAt(three & 63) : B64_PAD;
    filled += 4;
    if (filled < B64_PIECE.length && left > 3) continue;
    out += String.fromCharCode.apply(null, B64_PIECE.subarray(0, filled) as unknown as number[]);
    filled = 0;
  }
  return out;
}

/** @throws RangeError that names `title` when the text is not canonical padded base64. */
export function fromBase64(text: string, title = 'base64'): Uint8Array {
  const pad = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const digits = text.length - pad;
  const out = new Uint8Array(text.length % 4 === 0 ? (text.length >> 2) * 3 - pad : 0);
  let bits = 0;
  let count = 0;
  let at = 0;
  let isBase64 = text.length % 4 === 0;
  for (let i = 0; isBase64 && i < digits; i++) {
    const code = text.charCodeAt(i);
    const value = code < 256 ? (B64_VALUES[code] as number) : 255;
    isBase64 = value !== 255;
    bits = ((bits << 6) | value) & 0xffffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out[at++] = (bits >> count) & 255;
    }
  }
  if (!isBase64) throw new RangeError(`${title}: expected padded base64 (RFC 4648)`);
  if ((bits & ((1 << count) - 1)) !== 0) throw new RangeError(`${title}: expected zero padding bits`);
  return out;
}
