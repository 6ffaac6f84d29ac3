/** Choices by a seed, and constants that engines stumble over. */
import { putI32, putI64 } from '#vm/rewrite/emit.ts';
import { OP } from '#vm/wasm/opcodes.ts';
import { F32, F64, I32, I64, type ValType } from '#vm/wasm/types.ts';
import { put, putU32, type Writer } from '#vm/wasm/writer.ts';

export type Pick = (below: number) => number;

/** xorshift32: the same everywhere. */
export function randomOf(seed: number): Pick {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export function putOp(w: Writer, code: number): void {
  if (code < 0x1000) put(w, code);
  else {
    put(w, code >>> 12);
    putU32(w, code & 0xfff);
  }
}

export function chosen<T>(pick: Pick, items: readonly T[]): T {
  const item = items[pick(items.length)];
  if (item === undefined) throw new Error('nothing to choose from');
  return item;
}

/** Bits that floats and integers stumble over; the last four are NaNs, two of them signalling. */
const F32_BITS = [0, 0x80000000, 0x3f800000, 0x7f800000, 0xff800000, 1, 0x4f000000, 0xcf000000].concat([
  0x7fc00000, 0xffc00001, 0x7fa00001, 0xff800123,
]);
const F64_BITS = [
  0n,
  1n << 63n,
  0x3ff0000000000000n,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  1n,
  0x41e0000000000000n,
  0xc3e0000000000000n,
  0x7ff8000000000000n,
  0xfff8000000000001n,
  0x7ff4000000000001n,
  0xfff0000000000123n,
];
const WORDS = [0, 1, -1, 2, 7, 31, 32, 63, 255, 256, 65_535, 0x7fffffff, -0x80000000];

export function putBits(w: Writer, bits: bigint, bytes: number): void {
  for (let i = 0; i < bytes; i++) put(w, Number((bits >> BigInt(8 * i)) & 0xffn));
}

function anyWord(pick: Pick): number {
  return pick(2) === 0 ? chosen(pick, WORDS) : pick(0x100000000) | 0;
}

export function floatBits(pick: Pick, type: ValType): bigint {
  if (type === F32) return BigInt(pick(2) === 0 ? chosen(pick, F32_BITS) : pick(0x100000000));
  return pick(2) === 0 ? chosen(pick, F64_BITS) : (BigInt(pick(0x100000000)) << 32n) | BigInt(pick(0x100000000));
}

/** An instruction that makes a constant. */
export function putConstant(w: Writer, pick: Pick, type: ValType): void {
  switch (type) {
    case I32:
      putI32(w, anyWord(pick));
      return;
    case I64:
      putI64(w, (BigInt(anyWord(pick)) << BigInt(pick(33))) + BigInt(pick(3)));
      return;
    case F32:
      put(w, OP.f32Const);
      putBits(w, floatBits(pick, F32), 4);
      return;
    case F64:
      put(w, OP.f64Const);
      putBits(w, floatBits(pick, F64), 8);
      return;
    default: {
      putOp(w, OP.v128Const);
      const shape = pick(2) === 0 ? F32 : F64;
      for (let i = 0; i < (shape === F32 ? 4 : 2); i++) putBits(w, floatBits(pick, shape), shape === F32 ? 4 : 8);
    }
  }
}
