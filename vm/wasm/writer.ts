/** Writing WebAssembly bytes: a growing buffer with the encodings of the core specification, chapter 5. */
import { utf8 } from '#core/bytes.ts';

export interface Writer {
  bytes: Uint8Array;
  length: number;
}

export function writer(capacity = 256): Writer {
  return { bytes: new Uint8Array(capacity), length: 0 };
}

function reserve(w: Writer, count: number): void {
  const needed = w.length + count;
  if (needed <= w.bytes.length) return;
  const grown = new Uint8Array(Math.max(needed, w.bytes.length * 2));
  grown.set(w.bytes.subarray(0, w.length));
  w.bytes = grown;
}

export function put(w: Writer, ...bytes: readonly number[]): void {
  reserve(w, bytes.length);
  for (const byte of bytes) w.bytes[w.length++] = byte;
}

export function putBytes(w: Writer, bytes: Uint8Array): void {
  reserve(w, bytes.length);
  w.bytes.set(bytes, w.length);
  w.length += bytes.length;
}

/** Unsigned LEB128, shortest. */
export function putU32(w: Writer, value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    put(w, (rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  put(w, rest);
}

/** Signed LEB128, shortest: i32 and i64 constants, block types. */
export function putSigned(w: Writer, value: bigint): void {
  let rest = value;
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const last = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
    put(w, last ? low : low | 0x80);
    if (last) return;
  }
}

export function putName(w: Writer, text: string): void {
  const bytes = utf8(text);
  putU32(w, bytes.length);
  putBytes(w, bytes);
}

/** What has been written, without the spare capacity. */
export function written(w: Writer): Uint8Array {
  return w.bytes.subarray(0, w.length);
}

/** Length, then the bytes: sections and function bodies. */
export function putSized(w: Writer, content: Uint8Array): void {
  putU32(w, content.length);
  putBytes(w, content);
}
