/** RIPEMD-160 of SHA-256: what accounts' addresses are. The two of them without the copies that they make on their own. */
import { assert } from '../assert.ts';
import { SHA256_PADDING_BYTES, sha256Into } from './sha256-into.ts';

/** Longest preimage: what is hashed so are keys. */
const MOST_BYTES = 128;
const preimage = new Uint8Array(MOST_BYTES + SHA256_PADDING_BYTES);
const digest = new Uint8Array(32);
/** One block: the digest, then the padding of 32 bytes (a one, zeros, the length in bits). */
const block = new Int32Array(16);
block[8] = 0x80;
block[14] = 256;

// Which word each step takes and by how much it rotates, in the left and the right line (RIPEMD-160, appendix A).
const LEFT_WORDS = Uint8Array.of(
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  ...[7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8],
  ...[3, 10, 14, 4, 9, 15, 8, 1, 2, 7, 0, 6, 13, 11, 5, 12],
  ...[1, 9, 11, 10, 0, 8, 12, 4, 13, 3, 7, 15, 14, 5, 6, 2],
  ...[4, 0, 5, 9, 7, 12, 2, 10, 14, 1, 3, 8, 11, 6, 15, 13],
);
const RIGHT_WORDS = Uint8Array.of(
  ...[5, 14, 7, 0, 9, 2, 11, 4, 13, 6, 15, 8, 1, 10, 3, 12],
  ...[6, 11, 3, 7, 0, 13, 5, 10, 14, 15, 8, 12, 4, 9, 1, 2],
  ...[15, 5, 1, 3, 7, 14, 6, 9, 11, 8, 12, 2, 10, 0, 4, 13],
  ...[8, 6, 4, 1, 3, 11, 15, 0, 5, 12, 2, 13, 9, 7, 10, 14],
  ...[12, 15, 10, 4, 1, 5, 8, 7, 6, 2, 13, 14, 0, 3, 9, 11],
);
const LEFT_ROTATIONS = Uint8Array.of(
  ...[11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8],
  ...[7, 6, 8, 13, 11, 9, 7, 15, 7, 12, 15, 9, 11, 7, 13, 12],
  ...[11, 13, 6, 7, 14, 9, 13, 15, 14, 8, 13, 6, 5, 12, 7, 5],
  ...[11, 12, 14, 15, 14, 15, 9, 8, 9, 14, 5, 6, 8, 6, 5, 12],
  ...[9, 15, 5, 11, 6, 8, 13, 12, 5, 12, 13, 14, 11, 8, 5, 6],
);
const RIGHT_ROTATIONS = Uint8Array.of(
  ...[8, 9, 9, 11, 13, 15, 15, 5, 7, 7, 8, 11, 14, 14, 12, 6],
  ...[9, 13, 15, 7, 12, 8, 9, 11, 7, 7, 12, 7, 6, 15, 13, 11],
  ...[9, 7, 15, 11, 8, 6, 6, 14, 12, 13, 5, 14, 13, 13, 7, 5],
  ...[15, 5, 8, 11, 14, 14, 6, 14, 6, 9, 12, 9, 12, 5, 15, 8],
  ...[8, 5, 12, 9, 12, 5, 14, 6, 8, 13, 6, 5, 15, 13, 11, 11],
);
/** Added in each of the five rounds. */
const LEFT_CONSTANTS = Int32Array.of(0, 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xa953fd4e);
const RIGHT_CONSTANTS = Int32Array.of(0x50a28be6, 0x5c4dd124, 0x6d703ef3, 0x7a6d76e9, 0);
const INITIAL = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
const STEPS = 80;

/** 20 bytes. @throws AssertionError over 128 bytes. */
export function hash160(bytes: Uint8Array): Uint8Array {
  assert(bytes.length <= MOST_BYTES, `hash160: ${bytes.length} bytes exceed ${MOST_BYTES}`);
  preimage.set(bytes);
  sha256Into(preimage, bytes.length, digest, 0);
  for (let i = 0; i < 8; i++) {
    const at = 4 * i;
    block[i] =
      (digest[at] as number) |
      ((digest[at + 1] as number) << 8) |
      ((digest[at + 2] as number) << 16) |
      ((digest[at + 3] as number) << 24);
  }
  line(LEFT_WORDS, LEFT_ROTATIONS, LEFT_CONSTANTS, 0, left);
  line(RIGHT_WORDS, RIGHT_ROTATIONS, RIGHT_CONSTANTS, 4, right);
  const out = new Uint8Array(20);
  for (let i = 0; i < 5; i++) {
    const sum = (INITIAL[(i + 1) % 5] as number) + (left[(i + 2) % 5] as number) + (right[(i + 3) % 5] as number);
    for (let byte = 0; byte < 4; byte++) out[4 * i + byte] = sum >>> (8 * byte);
  }
  return out;
}

const left = new Int32Array(5);
const right = new Int32Array(5);

/** One of the two lines over the block; in the right one the rounds' functions come in reverse, from `first` down. */
function line(words: Uint8Array, rotations: Uint8Array, constants: Int32Array, first: number, out: Int32Array): void {
  let a = INITIAL[0] as number;
  let b = INITIAL[1] as number;
  let c = INITIAL[2] as number;
  let d = INITIAL[3] as number;
  let e = INITIAL[4] as number;
  for (let step = 0; step < STEPS; step++) {
    const round = step >>> 4;
    const kind = first === 0 ? round : first - round;
    const word = block[words[step] as number] as number;
    const turned = (a + mix(kind, b, c, d) + word + (constants[round] as number)) | 0;
    const by = rotations[step] as number;
    const next = (((turned << by) | (turned >>> (32 - by))) + e) | 0;
    a = e;
    e = d;
    d = (c << 10) | (c >>> 22);
    c = b;
    b = next;
  }
  out[0] = a;
  out[1] = b;
  out[2] = c;
  out[3] = d;
  out[4] = e;
}

/** The five functions of the standard. */
function mix(kind: number, x: number, y: number, z: number): number {
  if (kind === 0) return x ^ y ^ z;
  if (kind === 1) return (x & y) | (~x & z);
  if (kind === 2) return (x | ~y) ^ z;
  if (kind === 3) return (x & z) | (y & ~z);
  return x ^ (y | ~z);
}
