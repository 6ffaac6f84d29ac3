/**
 * The write-ahead log as bytes. A record is u32 length ‖ u32 CRC-32C of the payload ‖ payload, both big-endian; a payload
 * is an input of the engine or the mark that a height has ended.
 *
 * A crash may leave the last records incomplete: that torn tail is cut. A damaged record with a good one after it is no
 * crash but corruption, and an error: what was signed after it must not be forgotten.
 */
import { concat, u32be } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Height } from '#core/types/brand.ts';
import type { Input, WalRecord } from './input.ts';
import { decodeWalPayload, encodeWalPayload, mayBePayload } from './input-codec.ts';
import { CONSENSUS_LIMITS } from './limits.ts';

const HEADER_BYTES = 8;

export function encodeWalRecord(record: WalRecord): Uint8Array {
  const payload = encodeWalPayload(record);
  return concat(u32be(payload.length), u32be(crc32c(payload)), payload);
}

export interface WalContent {
  readonly records: readonly WalRecord[];
  /** Length of the sound prefix; what follows is a torn tail. */
  readonly length: number;
}

/** All records. The error names the offset of the corruption. */
export function decodeWal(bytes: Uint8Array): Result<WalContent, string> {
  const records: WalRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    const payload = payloadAt(bytes, at);
    if (payload === undefined) {
      const later = soundRecordAfter(bytes, afterDamaged(bytes, at));
      if (later !== undefined)
        return err(`WAL: the record at byte ${at} is corrupt, but there is a sound one at byte ${later}`);
      break;
    }
    const record = decodeWalPayload(payload);
    if (!record.ok) return err(`WAL: the record at byte ${at} has a sound checksum but ${record.error}`);
    records.push(record.value);
    at += HEADER_BYTES + payload.length;
  }
  return ok({ records, length: at });
}

/**
 * Where a record may begin behind the damaged one at `at`. Its length is in its header and again in the head of its payload:
 * where both agree, whatever looks like a record inside was written by others, into a transaction perhaps, to keep this
 * node from starting.
 */
function afterDamaged(bytes: Uint8Array, at: number): number {
  const start = at + HEADER_BYTES;
  if (start >= bytes.length) return at + 1;
  const end = start + new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(at);
  return mayBePayload(bytes, start, end) ? end : at + 1;
}

function payloadAt(bytes: Uint8Array, at: number): Uint8Array | undefined {
  if (bytes.length - at <= HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES);
  const length = view.getUint32(0);
  if (length === 0 || length > CONSENSUS_LIMITS.maxWalRecordBytes || length > bytes.length - at - HEADER_BYTES)
    return undefined;
  const payload = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
  return crc32c(payload) === view.getUint32(4) ? payload : undefined;
}

/**
 * A record that only looks sound by chance is excluded by decoding it too. What stands in a log is in part what others
 * wished to stand there, so every byte may look like the beginning of a record that reaches to the end: each costs a look
 * at its header and a checksum out of those of the prefixes, not one over all of it.
 */
function soundRecordAfter(bytes: Uint8Array, from: number): number | undefined {
  let checksums: PrefixChecksums | undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = from; at < bytes.length - HEADER_BYTES; at++) {
    const start = at + HEADER_BYTES;
    const length = view.getUint32(at);
    if (length === 0 || length > CONSENSUS_LIMITS.maxWalRecordBytes || length > bytes.length - start) continue;
    if (!mayBePayload(bytes, start, start + length)) continue;
    checksums ??= new PrefixChecksums(bytes, from);
    if (checksums.range(start, start + length) !== view.getUint32(at + 4)) continue;
    if (decodeWalPayload(bytes.subarray(start, start + length)).ok) return at;
  }
  return undefined;
}

/** The inputs after the mark of the last ended height; `lastEnded` is that height. */
export function tailOfWal(records: readonly WalRecord[]): {
  readonly lastEnded: Height | undefined;
  readonly inputs: readonly Input[];
} {
  let lastEnded: Height | undefined;
  let inputs: Input[] = [];
  for (const record of records) {
    if (record.kind === 'input') inputs.push(record.input);
    else {
      lastEnded = record.height;
      inputs = [];
    }
  }
  return { lastEnded, inputs };
}

/** Castagnoli polynomial, reflected (RFC 3720 appendix B.4). */
const POLYNOMIAL = 0x82f63b78;
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

/** CRC-32C as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  return ~register(-1, bytes) >>> 0;
}

function register(before: number, bytes: Uint8Array): number {
  let crc = before;
  // By index: an iterator takes two to five times as long.
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[i] as number)) & 255] as number);
  return crc;
}

/** The product of two polynomials over GF(2) modulo that of the checksum, both reflected: bit 31 is x^0. */
function product(a: number, b: number): number {
  let sum = 0;
  let shifted = b;
  for (let bit = 31; bit >= 0; bit--) {
    if (((a >>> bit) & 1) === 1) sum ^= shifted;
    shifted = (shifted & 1) === 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return sum;
}

/** x^(8 · 2^k): what 2^k bytes more do to the checksum of what stands before them. */
const BYTES_MORE: readonly number[] = (() => {
  let power = 1 << 23;
  return Array.from({ length: 32 }, () => {
    const current = power;
    power = product(power, power);
    return current;
  });
})();

/**
 * Checksums of any range after one pass: of all that stands before it and of that with it follows its own
 * (crc(AB) = crc(A) · x^(8|B|) + crc(B)).
 */
export class PrefixChecksums {
  static readonly #STEP_BITS = 6;
  readonly #bytes: Uint8Array;
  readonly #from: number;
  /** Registers at every 64th byte. */
  readonly #registers: Int32Array;

  /** Of ranges that begin at `from` or later. */
  constructor(bytes: Uint8Array, from: number) {
    this.#bytes = bytes;
    this.#from = from;
    const count = ((bytes.length - from) >>> PrefixChecksums.#STEP_BITS) + 1;
    this.#registers = new Int32Array(count);
    let crc = -1;
    for (let i = 0; i < count; i++) {
      this.#registers[i] = crc;
      const at = from + (i << PrefixChecksums.#STEP_BITS);
      crc = register(crc, bytes.subarray(at, at + (1 << PrefixChecksums.#STEP_BITS)));
    }
  }

  /** CRC-32C of the bytes from `start` up to `end`. */
  range(start: number, end: number): number {
    let before = this.#upTo(start);
    for (let k = 0, left = end - start; left > 0; k++, left >>>= 1)
      if ((left & 1) === 1) before = product(BYTES_MORE[k] as number, before);
    return (this.#upTo(end) ^ before) >>> 0;
  }

  #upTo(end: number): number {
    const index = (end - this.#from) >>> PrefixChecksums.#STEP_BITS;
    const at = this.#from + (index << PrefixChecksums.#STEP_BITS);
    return ~register(this.#registers[index] as number, this.#bytes.subarray(at, end));
  }
}
