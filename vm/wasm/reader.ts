/** Reading untrusted WebAssembly bytes: every error names the offset, what was expected and what was found. */

import { fromUtf8 } from '#core/bytes.ts';
import { type VmError, vmError } from '#core/errors.ts';
import { err, type Failure, ok, type Result } from '#core/result.ts';

/** Thrown inside the parser and the type-checker only: {@link refusals} turns it into a value at their doors. */
class Refusal {
  readonly failure: Failure;
  constructor(failure: Failure) {
    this.failure = failure;
  }
}

/** Ends parsing or checking with a failure of the vm codespace. */
export function refuse(kind: VmError, message: string): never {
  throw new Refusal(vmError(kind, message));
}

/** Runs `body`; a refusal inside it becomes a value. Anything else that is thrown is a bug and passes through. */
export function refusals<T>(body: () => T): Result<T> {
  try {
    return ok(body());
  } catch (error) {
    if (error instanceof Refusal) return err(error.failure);
    throw error;
  }
}

export function checkLimit(value: number, limit: number, what: string, at: number): void {
  if (value > limit) refuse('limit', `offset ${at}: ${value} ${what}, expected at most ${limit}`);
}

/** A position inside a half-open window of bytes. */
export interface Reader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
}

export function reader(bytes: Uint8Array, at: number, end: number): Reader {
  return { bytes, at, end };
}

export function byte(r: Reader, what: string): number {
  if (r.at >= r.end) refuse('malformed', `offset ${r.at}: expected ${what}, found the end at ${r.end}`);
  return r.bytes[r.at++] as number;
}

export function skip(r: Reader, count: number, what: string): void {
  if (count > r.end - r.at)
    refuse('malformed', `offset ${r.at}: expected ${count} bytes of ${what}, found ${r.end - r.at}`);
  r.at += count;
}

/** Unsigned LEB128 of at most 32 bits (5 bytes, unused bits zero). */
export function u32(r: Reader, what: string): number {
  const start = r.at;
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const next = byte(r, what);
    if (shift === 28 && next > 0x0f)
      refuse('malformed', `offset ${start}: ${what} expected to be a LEB128 number of 32 bits`);
    value = (value | ((next & 0x7f) << shift)) >>> 0;
    if (next < 0x80) return value;
  }
  return refuse('malformed', `offset ${start}: ${what} expected to be a LEB128 number of 32 bits`);
}

/** Signed LEB128 of `bits` bits, whose value nobody needs: models' constants are copied, not interpreted. */
function signed(r: Reader, bits: number, what: string): bigint {
  const start = r.at;
  let value = 0n;
  let shift = 0;
  for (;;) {
    const next = byte(r, what);
    const left = bits - shift;
    if (left < 7) {
      const sign = (next & 0x7f) >> (left - 1);
      const ones = (1 << (8 - left)) - 1;
      if (next >= 0x80 || (sign !== 0 && sign !== ones))
        refuse('malformed', `offset ${start}: ${what} expected to be a signed LEB128 number of ${bits} bits`);
    }
    value |= BigInt(next & 0x7f) << BigInt(shift);
    shift += 7;
    if (next < 0x80) return BigInt.asIntN(Math.min(shift, bits), value);
  }
}

export function s32(r: Reader, what: string): number {
  return Number(signed(r, 32, what));
}

export function s33(r: Reader, what: string): number {
  return Number(signed(r, 33, what));
}

export function s64(r: Reader, what: string): bigint {
  return signed(r, 64, what);
}

/** A vector's length, bounded before anything is allocated; each element takes at least one byte. */
export function count(r: Reader, limit: number, what: string): number {
  const at = r.at;
  const value = u32(r, `the number of ${what}`);
  checkLimit(value, limit, what, at);
  if (value > r.end - r.at)
    refuse('malformed', `offset ${at}: ${value} ${what} announced, found only ${r.end - r.at} bytes`);
  return value;
}

export function name(r: Reader, limit: number, what: string): string {
  const at = r.at;
  const length = u32(r, `the length of ${what}`);
  checkLimit(length, limit, `bytes in ${what}`, at);
  const start = r.at;
  skip(r, length, what);
  try {
    return fromUtf8(r.bytes.subarray(start, r.at));
  } catch {
    return refuse('malformed', `offset ${start}: ${what} expected to be UTF-8`);
  }
}
