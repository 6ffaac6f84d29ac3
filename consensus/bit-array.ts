import { asBytes, asUint32, DecodeError, readFields } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';

/** `size` bits, bit i in byte i >> 3 at weight 2^(i & 7). Bits beyond `size` are zero. */
export interface BitArray {
  readonly size: number;
  readonly bytes: Uint8Array;
}

export const NO_BITS: BitArray = { size: 0, bytes: new Uint8Array(0) };

/** The bits at which `has` answers true. */
export function bitArray(size: number, has: (index: number) => boolean): BitArray {
  const bytes = new Uint8Array((size + 7) >> 3);
  for (let i = 0; i < size; i++) if (has(i)) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7));
  return { size, bytes };
}

/** False beyond the end. */
export function hasBit(bits: BitArray, index: number): boolean {
  return index < bits.size && (((bits.bytes[index >> 3] ?? 0) >> (index & 7)) & 1) === 1;
}

export function encodeBitArray(bits: BitArray): Uint8Array {
  return new ProtoWriter().varint(1, bits.size).bytes(2, bits.bytes).finish();
}

/** @throws DecodeError when the size exceeds `limit`, does not fit the bytes, or bits beyond it are set. */
export function readBitArray(title: string, encoded: Uint8Array, limit: number): BitArray {
  let size = 0;
  let bytes: Uint8Array = NO_BITS.bytes;
  for (const field of readFields(title, encoded, { known: [1, 2] })) {
    if (field.number === 1) size = asUint32(`${title}.size`, field);
    else bytes = asBytes(`${title}.bytes`, field, (limit + 7) >> 3).slice();
  }
  if (size > limit) throw new DecodeError(`${title}.size: ${size} bits exceed the limit of ${limit}`);
  const expected = (size + 7) >> 3;
  if (bytes.length !== expected)
    throw new DecodeError(`${title}.bytes: expected ${expected} bytes for ${size} bits, got ${bytes.length}`);
  const last = bytes[expected - 1] ?? 0;
  if ((size & 7) !== 0 && last >> (size & 7) !== 0)
    throw new DecodeError(`${title}.bytes: bits beyond the ${size} are set`);
  return { size, bytes };
}
