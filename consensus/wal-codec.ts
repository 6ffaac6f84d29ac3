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
import { decodeWalPayload, encodeWalPayload } from './input-codec.ts';
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
      const later = soundRecordAfter(bytes, at + 1);
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

function payloadAt(bytes: Uint8Array, at: number): Uint8Array | undefined {
  if (bytes.length - at <= HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES);
  const length = view.getUint32(0);
  if (length === 0 || length > CONSENSUS_LIMITS.maxWalRecordBytes || length > bytes.length - at - HEADER_BYTES)
    return undefined;
  const payload = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
  return crc32c(payload) === view.getUint32(4) ? payload : undefined;
}

/** A record that only looks sound by chance is excluded by decoding it too. */
function soundRecordAfter(bytes: Uint8Array, from: number): number | undefined {
  for (let at = from; at < bytes.length - HEADER_BYTES; at++) {
    const payload = payloadAt(bytes, at);
    if (payload !== undefined && decodeWalPayload(payload).ok) return at;
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
  let crc = -1;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 255] as number);
  return ~crc >>> 0;
}
