/**
 * The NaN rule: a NaN made by an arithmetic instruction has the canonical bits, sign 0. WebAssembly leaves them open,
 * and one process can change them when V8 moves a function to its optimising tier.
 * `nan-flow.ts` decides where.
 */
import type { Lanes, Opcode } from '../wasm/opcodes.ts';
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
export type Producer = Lanes;

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

/** NaN constant of the shape, then for the value in `local`: value == value ? value : NaN, lane by lane. */
function putChoice(w: Writer, lanes: Lanes, local: number): void {
  const operands = (...bytes: readonly number[]): void => {
    put(w, ...bytes);
    putIndexed(w, OP.localGet, local);
    putIndexed(w, OP.localGet, local);
  };
  switch (lanes) {
    case 'f32':
      operands(OP.f32Const, ...F32_NAN);
      put(w, F32_EQ, SELECT);
      return;
    case 'f64':
      operands(OP.f64Const, ...F64_NAN);
      put(w, F64_EQ, SELECT);
      return;
    case 'f32x4':
      operands(SIMD, V128_CONST, ...F32_NAN, ...F32_NAN, ...F32_NAN, ...F32_NAN);
      put(w, SIMD, F32X4_EQ, SIMD, V128_BITSELECT);
      return;
    case 'f64x2':
      operands(SIMD, V128_CONST, ...F64_NAN, ...F64_NAN);
      put(w, SIMD, F64X2_EQ, SIMD, V128_BITSELECT);
      return;
  }
}

/** The value on top of the stack becomes canonical. */
export function putCanonical(w: Writer, lanes: Lanes, scratch: number): void {
  putIndexed(w, OP.localTee, scratch);
  putChoice(w, lanes, scratch);
}

/** The value of a local becomes canonical. */
export function putCanonicalLocal(w: Writer, lanes: Lanes, local: number): void {
  putIndexed(w, OP.localGet, local);
  putChoice(w, lanes, local);
  putIndexed(w, OP.localSet, local);
}
