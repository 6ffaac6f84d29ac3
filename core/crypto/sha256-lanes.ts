/**
 * SHA-256 (FIPS 180-4) of four messages at once, one in each 32-bit lane of WebAssembly's vectors: for trees that hash many
 * short strings, about a quarter of what one after the other costs. The code is put together here, instruction by
 * instruction, so that no bytes have to be trusted that nobody can read. Integers only: the same on every machine.
 */
import { assert } from '../assert.ts';
import { ROUND_CONSTANTS } from './sha256-into.ts';

/** Messages of one run. */
export const LANES = 4;
/** Room for one message and its padding. */
const LANE_BYTES = 2048;
/** Longest message: a lane less one bit and the length in 64. */
export const LANE_MESSAGE_BYTES: number = LANE_BYTES - 9;

/** The memory: round constants and message schedule, a vector for each word; digests; messages. */
const CONSTANTS_AT = 0;
const SCHEDULE_AT = 1024;
const DIGESTS_AT = 2048;
const MESSAGES_AT = 4096;
const DIGEST_BYTES = 32;
const VECTOR_BYTES = 16;

export interface Sha256Lanes {
  /** Messages are written here from `messageAt(lane)` on, and digests read from `digestAt(lane)` on. */
  readonly bytes: Uint8Array;
  /**
   * Hashes the messages in all lanes, which must need equally many blocks ({@link blocksOf}). What follows them is
   * overwritten by padding. A lane that holds nothing of interest may have any such length.
   */
  run(lengths: ArrayLike<number>): void;
}

export const messageAt = (lane: number): number => MESSAGES_AT + lane * LANE_BYTES;
export const digestAt = (lane: number): number => DIGESTS_AT + lane * DIGEST_BYTES;

/** Blocks of 64 bytes that a message takes with its padding. */
export const blocksOf = (length: number): number => (length + 72) >>> 6;

/** One hasher; its memory is its own. */
export function createSha256Lanes(): Sha256Lanes {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes()));
  const exported = instance.exports as { readonly memory: WebAssembly.Memory; readonly hash: (bytes: number) => void };
  const { memory, hash } = exported;
  const bytes = new Uint8Array(memory.buffer);
  const constants = new Uint32Array(memory.buffer, CONSTANTS_AT, 64 * LANES);
  ROUND_CONSTANTS.forEach((constant, round) => void constants.fill(constant, LANES * round, LANES * (round + 1)));
  return {
    bytes,
    run(lengths) {
      const blocks = blocksOf(lengths[0] as number);
      assert(blocks << 6 <= LANE_BYTES, 'a message is longer than a lane');
      for (let lane = 0; lane < LANES; lane++) {
        const length = lengths[lane] as number;
        assert(blocksOf(length) === blocks, 'messages of one run need equally many blocks');
        pad(bytes, messageAt(lane), length, blocks << 6);
      }
      hash(blocks << 6);
    },
  };
}

function pad(bytes: Uint8Array, start: number, length: number, padded: number): void {
  bytes[start + length] = 0x80;
  const end = start + padded;
  for (let i = start + length + 1; i < end - 3; i++) bytes[i] = 0;
  // A lane has less than 2^16 bits.
  bytes[end - 3] = length >>> 13;
  bytes[end - 2] = length >>> 5;
  bytes[end - 1] = length << 3;
}

/** Instructions, encoded (WebAssembly core specification 2.0, chapter 5.4). */
type Code = readonly number[];

function leb(value: number): Code {
  const out = [];
  let rest = value;
  for (; rest >= 128; rest >>>= 7) out.push((rest & 127) | 128);
  out.push(rest);
  return out;
}

function signedLeb(value: number): Code {
  const out = [];
  let rest = value;
  for (; rest < -64 || rest > 63; rest >>= 7) out.push((rest & 127) | 128);
  out.push(rest & 127);
  return out;
}

const get = (local: number): Code => [0x20, ...leb(local)];
const set = (local: number): Code => [0x21, ...leb(local)];
const tee = (local: number): Code => [0x22, ...leb(local)];
const i32Const = (value: number): Code => [0x41, ...signedLeb(value)];
const i32Add: Code = [0x6a];
const i32Below: Code = [0x49];
const simd = (opcode: number): Code => [0xfd, ...leb(opcode)];
/** The address is on the stack. */
const load = (offset: number): Code => [...simd(0), 0, ...leb(offset)];
const store = (offset: number): Code => [...simd(11), 0, ...leb(offset)];
const splatWord = (word: number): Code => [...i32Const(word | 0), ...simd(17)];
const shuffle = (lanes: readonly number[]): Code => [...simd(13), ...lanes];
const xor = simd(81);
const or = simd(80);
/** First operand where the third has ones, else the second. */
const select = simd(82);
const shiftLeft = (local: number, bits: number): Code => [...get(local), ...i32Const(bits), ...simd(171)];
const shiftRight = (local: number, bits: number): Code => [...get(local), ...i32Const(bits), ...simd(173)];
const add = simd(174);
const rotate = (local: number, bits: number): Code => [
  ...shiftRight(local, bits),
  ...shiftLeft(local, 32 - bits),
  ...or,
];
/** `body` again and again while the local, grown by `step`, is below `bound`. */
const loop = (local: number, step: number, bound: Code, body: Code): Code => [
  ...[0x03, 0x40],
  ...body,
  ...[...get(local), ...i32Const(step), ...i32Add, ...tee(local), ...bound, ...i32Below],
  ...[0x0d, 0x00, 0x0b],
];

/** Locals: the parameter, two addresses, then vectors. */
const END = 0;
const BLOCK = 1;
const AT = 2;
const LETTERS = [3, 4, 5, 6, 7, 8, 9, 10];
const STATE = [11, 12, 13, 14, 15, 16, 17, 18];
const ROWS = [19, 20, 21, 22] as const;
const PAIRS = [23, 24, 25, 26] as const;
const X = 27;
const VECTORS = 25;

const LOW_WORDS = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
const HIGH_WORDS = LOW_WORDS.map((at) => at + 8);
/** The first two words of both operands, each turned between big and little endian. */
const LOW_TURNED = [3, 2, 1, 0, 7, 6, 5, 4, 19, 18, 17, 16, 23, 22, 21, 20];
const HIGH_TURNED = LOW_TURNED.map((at) => at + 8);

/** Four rows of four words become four columns, their bytes turned; `consume` says what happens to each. */
function transpose(before: (column: number) => Code, after: (column: number) => Code): Code {
  const pair = (to: number, a: number, b: number, words: readonly number[]): Code => [
    ...[...get(a), ...get(b), ...shuffle(words), ...set(to)],
  ];
  const column = (index: number, a: number, b: number, words: readonly number[]): Code => [
    ...[...before(index), ...get(a), ...get(b), ...shuffle(words), ...after(index)],
  ];
  return [
    ...pair(PAIRS[0], ROWS[0], ROWS[1], LOW_WORDS),
    ...pair(PAIRS[1], ROWS[2], ROWS[3], LOW_WORDS),
    ...pair(PAIRS[2], ROWS[0], ROWS[1], HIGH_WORDS),
    ...pair(PAIRS[3], ROWS[2], ROWS[3], HIGH_WORDS),
    ...column(0, PAIRS[0], PAIRS[1], LOW_TURNED),
    ...column(1, PAIRS[0], PAIRS[1], HIGH_TURNED),
    ...column(2, PAIRS[2], PAIRS[3], LOW_TURNED),
    ...column(3, PAIRS[2], PAIRS[3], HIGH_TURNED),
  ];
}

/** The sixteen words of a block, of all lanes. */
function loadBlock(): Code {
  return [0, 1, 2, 3].flatMap((quarter) => [
    ...ROWS.flatMap((row, lane) => [
      ...[...get(BLOCK), ...load(messageAt(lane) + quarter * VECTOR_BYTES), ...set(row)],
    ]),
    ...transpose(
      () => i32Const(0),
      (word) => store(SCHEDULE_AT + (4 * quarter + word) * VECTOR_BYTES),
    ),
  ]);
}

/** FIPS 180-4, 6.2.2, step 1: four words, the first of them the one that `AT` is sixteen before. */
function extendSchedule(): Code {
  const word = (back: number): Code => [...get(AT), ...load(SCHEDULE_AT + back * VECTOR_BYTES)];
  return [0, 1, 2, 3].flatMap((i) => [
    ...get(AT),
    ...[...word(i), ...word(i + 9), ...add],
    ...[...word(i + 1), ...set(X), ...rotate(X, 7), ...rotate(X, 18), ...xor, ...shiftRight(X, 3), ...xor, ...add],
    ...[...word(i + 14), ...set(X), ...rotate(X, 17), ...rotate(X, 19), ...xor, ...shiftRight(X, 10), ...xor, ...add],
    ...store(SCHEDULE_AT + (i + 16) * VECTOR_BYTES),
  ]);
}

/** Step 3, eight rounds: then the letters are back where they were, and no value has moved. */
function eightRounds(): Code {
  return [0, 1, 2, 3, 4, 5, 6, 7].flatMap((round) => {
    const [a, b, c, d, e, f, g, h] = LETTERS.map((_, i) => LETTERS[(i - round + 8) & 7]) as [
      ...[number, number, number, number],
      ...[number, number, number, number],
    ];
    const at = round * VECTOR_BYTES;
    return [
      ...[...get(h), ...get(AT), ...load(CONSTANTS_AT + at), ...add, ...get(AT), ...load(SCHEDULE_AT + at), ...add],
      ...[...rotate(e, 6), ...rotate(e, 11), ...xor, ...rotate(e, 25), ...xor, ...add],
      ...[...get(f), ...get(g), ...get(e), ...select, ...add, ...tee(X)],
      ...[...get(d), ...add, ...set(d)],
      ...[...rotate(a, 2), ...rotate(a, 13), ...xor, ...rotate(a, 22), ...xor],
      // Where a and b differ c decides the majority; elsewhere they do.
      ...[...get(c), ...get(b), ...get(a), ...get(b), ...xor, ...select, ...add, ...get(X), ...add, ...set(h)],
    ];
  });
}

function body(): Code {
  const schedule = [
    ...i32Const(0),
    ...set(AT),
    ...loop(AT, 4 * VECTOR_BYTES, i32Const(48 * VECTOR_BYTES), extendSchedule()),
  ];
  const rounds = [
    ...i32Const(0),
    ...set(AT),
    ...loop(AT, 8 * VECTOR_BYTES, i32Const(64 * VECTOR_BYTES), eightRounds()),
  ];
  const letters = (step: (letter: number, state: number) => Code): Code =>
    LETTERS.flatMap((letter, i) => step(letter, STATE[i] as number));
  return [
    ...INITIAL_STATE.flatMap((word, i) => [...splatWord(word), ...set(STATE[i] as number)]),
    ...loop(BLOCK, 64, get(END), [
      ...loadBlock(),
      ...schedule,
      ...letters((letter, state) => [...get(state), ...set(letter)]),
      ...rounds,
      ...letters((letter, state) => [...get(state), ...get(letter), ...add, ...set(state)]),
    ]),
    ...[0, 1].flatMap((half) => [
      ...ROWS.flatMap((row, i) => [...get(STATE[4 * half + i] as number), ...set(row)]),
      ...transpose(
        () => i32Const(0),
        (lane) => store(digestAt(lane) + half * VECTOR_BYTES),
      ),
    ]),
  ];
}

/** FIPS 180-4, 5.3.3. */
const INITIAL_STATE = [
  ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
];

/** One memory of a page, and `hash(bytes of each message)`. */
function moduleBytes(): Uint8Array<ArrayBuffer> {
  const section = (id: number, content: Code): Code => [id, ...leb(content.length), ...content];
  const name = (text: string): Code => [text.length, ...[...text].map((character) => character.charCodeAt(0))];
  const code = [...[2, 2, 0x7f, ...leb(VECTORS), 0x7b], ...body(), 0x0b];
  return Uint8Array.of(
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, 1, 0x7f, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('hash'), 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  );
}
