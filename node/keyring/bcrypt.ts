/**
 * bcrypt (Provos and Mazières 1999, revision 2a), for opening keys that the Cosmos SDK sealed before version 0.50. Nothing
 * is sealed with it here. Passwords count up to their 72nd byte, as everywhere.
 */
import { expectLength, toBase64, utf8 } from '#core/bytes.ts';

const ROUNDS = 16;
const SUBKEYS = ROUNDS + 2;
const BOX_WORDS = 1_024;
const WORD_BITS = 32;
/** Bits behind those that are used, for the rounding of the series. */
const GUARD_BITS = 64;

let digits: Uint32Array | undefined;

/** The first fractional bits of pi as words: what Blowfish's subkeys and boxes begin with. Machin's formula. */
function fractionOfPi(): Uint32Array {
  if (digits !== undefined) return digits;
  const count = SUBKEYS + BOX_WORDS;
  const one = 1n << BigInt(count * WORD_BITS + GUARD_BITS);
  const pi = 16n * arctanOfInverse(5n, one) - 4n * arctanOfInverse(239n, one);
  const fraction = (pi - 3n * one) >> BigInt(GUARD_BITS);
  const hex = fraction.toString(16).padStart(count * 8, '0');
  digits = Uint32Array.from({ length: count }, (_, i) => Number.parseInt(hex.slice(8 * i, 8 * i + 8), 16));
  return digits;
}

/** arctan(1 / x) · one. */
function arctanOfInverse(x: bigint, one: bigint): bigint {
  let power = one / x;
  let sum = 0n;
  for (let n = 1n; power !== 0n; n += 2n) {
    sum += n % 4n === 1n ? power / n : -(power / n);
    power /= x * x;
  }
  return sum;
}

class Blowfish {
  readonly #subkeys = new Uint32Array(SUBKEYS);
  readonly #boxes = new Uint32Array(BOX_WORDS);
  #left = 0;
  #right = 0;

  constructor() {
    const pi = fractionOfPi();
    this.#subkeys.set(pi.subarray(0, SUBKEYS));
    this.#boxes.set(pi.subarray(SUBKEYS));
  }

  /** Mixes a key, and a salt unless there is none, into subkeys and boxes. Both are read in a circle. */
  expand(key: Uint8Array, salt: Uint8Array): void {
    const keyWord = circle(key);
    for (let i = 0; i < SUBKEYS; i++) this.#subkeys[i] = (this.#subkeys[i] as number) ^ keyWord();
    const saltWord = salt.length === 0 ? () => 0 : circle(salt);
    this.#left = 0;
    this.#right = 0;
    for (const words of [this.#subkeys, this.#boxes])
      for (let i = 0; i < words.length; i += 2) {
        this.#encipher(this.#left ^ saltWord(), this.#right ^ saltWord());
        words[i] = this.#left;
        words[i + 1] = this.#right;
      }
  }

  encipher(left: number, right: number): readonly [number, number] {
    this.#encipher(left, right);
    return [this.#left, this.#right];
  }

  #encipher(a: number, b: number): void {
    const subkeys = this.#subkeys;
    const boxes = this.#boxes;
    let left = a ^ (subkeys[0] as number);
    let right = b;
    for (let i = 1; i <= ROUNDS; i += 2) {
      right ^= mixed(boxes, left) ^ (subkeys[i] as number);
      left ^= mixed(boxes, right) ^ (subkeys[i + 1] as number);
    }
    this.#left = (right ^ (subkeys[SUBKEYS - 1] as number)) >>> 0;
    this.#right = left >>> 0;
  }
}

function mixed(boxes: Uint32Array, word: number): number {
  const sum = (boxes[word >>> 24] as number) + (boxes[256 + ((word >>> 16) & 255)] as number);
  return ((sum ^ (boxes[512 + ((word >>> 8) & 255)] as number)) + (boxes[768 + (word & 255)] as number)) | 0;
}

/** Words of the bytes, again from the beginning after the last. */
function circle(bytes: Uint8Array): () => number {
  let at = 0;
  return () => {
    let word = 0;
    for (let i = 0; i < 4; i++) {
      word = (word << 8) | (bytes[at] as number);
      at = (at + 1) % bytes.length;
    }
    return word;
  };
}

const MAGIC = 'OrpheanBeholderScryDoubt';
const MAGIC_ROUNDS = 64;
/** Of 24: the last byte was forgotten in the first implementation, and is left out by all others since. */
const HASH_BYTES = 23;
const SALT_BYTES = 16;
const MAX_COST = 20;

/** `$2a$cost$salt hash`, 60 characters. @param cost 2^cost rounds, 4 … 20. */
export function bcryptHash(password: string, salt: Uint8Array, cost: number): string {
  expectLength(salt, SALT_BYTES, 'salt');
  if (!Number.isInteger(cost) || cost < 4 || cost > MAX_COST)
    throw new RangeError(`cost: expected 4 … ${MAX_COST}, got ${cost}`);
  const key = utf8(`${password}\0`);
  const cipher = new Blowfish();
  const none = new Uint8Array(0);
  cipher.expand(key, salt);
  for (let i = 0; i < 2 ** cost; i++) {
    cipher.expand(key, none);
    cipher.expand(salt, none);
  }
  const out = utf8(MAGIC);
  const view = new DataView(out.buffer, out.byteOffset, out.length);
  for (let at = 0; at < out.length; at += 8) {
    let [left, right] = [view.getUint32(at), view.getUint32(at + 4)];
    for (let i = 0; i < MAGIC_ROUNDS; i++) [left, right] = cipher.encipher(left, right);
    view.setUint32(at, left);
    view.setUint32(at + 4, right);
  }
  return `$2a$${String(cost).padStart(2, '0')}$${ownBase64(salt)}${ownBase64(out.subarray(0, HASH_BYTES))}`;
}

const COMMON = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const OWN = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

function ownBase64(bytes: Uint8Array): string {
  return [...toBase64(bytes)].map((letter) => (letter === '=' ? '' : OWN[COMMON.indexOf(letter)])).join('');
}
