/**
 * The NaN rule: a NaN made by an arithmetic instruction has the canonical bits, sign 0. WebAssembly leaves them open,
 * and one process can change them when V8 moves a function to its optimising tier.
 *
 * A producer's result is canonicalised at once, except where the very next instruction consumes it and is blind to
 * NaN bits: comparisons, conversions to integers, and other producers, whose own result is canonicalised in turn.
 */
import type { NanRole, Opcode } from '../wasm/opcodes.ts';
import { OP } from '../wasm/opcodes.ts';
import { F32, F64, V128, type ValType } from '../wasm/types.ts';
import { put, type Writer } from '../wasm/writer.ts';
import { putIndexed } from './emit.ts';

const SELECT = 0x1b;
const F32_EQ = 0x5b;
const F64_EQ = 0x61;
const SIMD = 0xfd;
const V128_CONST = 0x0c;
const V128_BITSELECT = 0x52;
const F32X4_EQ = 0x41;
const F64X2_EQ = 0x47;

const F32_NAN = [0, 0, 0xc0, 0x7f];
const F64_NAN = [0, 0, 0, 0, 0, 0, 0xf8, 0x7f];

/** A producer's kind, or `undefined`. */
export type Producer = Exclude<NanRole, 'none' | 'blind'>;

export function producerOf(op: Opcode): Producer | undefined {
  return op.nan === 'none' || op.nan === 'blind' ? undefined : op.nan;
}

/** Type of the scratch local that canonicalising needs. */
export function scratchType(producer: Producer): ValType {
  switch (producer) {
    case 'f32':
      return F32;
    case 'f64':
      return F64;
    case 'f32x4':
    case 'f64x2':
      return V128;
  }
}

/** value on the stack → the same value, its NaNs canonical: value == value ? value : NaN, lane by lane. */
export function putCanonical(w: Writer, producer: Producer, scratch: number): void {
  putIndexed(w, OP.localTee, scratch);
  switch (producer) {
    case 'f32':
      put(w, OP.f32Const, ...F32_NAN);
      break;
    case 'f64':
      put(w, OP.f64Const, ...F64_NAN);
      break;
    case 'f32x4':
      put(w, SIMD, V128_CONST, ...F32_NAN, ...F32_NAN, ...F32_NAN, ...F32_NAN);
      break;
    case 'f64x2':
      put(w, SIMD, V128_CONST, ...F64_NAN, ...F64_NAN);
      break;
  }
  putIndexed(w, OP.localGet, scratch);
  putIndexed(w, OP.localGet, scratch);
  switch (producer) {
    case 'f32':
      put(w, F32_EQ, SELECT);
      break;
    case 'f64':
      put(w, F64_EQ, SELECT);
      break;
    case 'f32x4':
      put(w, SIMD, F32X4_EQ, SIMD, V128_BITSELECT);
      break;
    case 'f64x2':
      put(w, SIMD, F64X2_EQ, SIMD, V128_BITSELECT);
      break;
  }
}
