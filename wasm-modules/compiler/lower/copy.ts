/** Copies and new looks at the same numbers: what operators over shapes, and many others, are made of. */
import { widthOf } from '../../onnx/model.ts';
import { MAX_INDICES } from '../limits.ts';
import { OPCODE } from '../opcodes.ts';
import type { Operator } from '../operator.ts';
import { address, elements, stridesOf, type Value } from '../plan.ts';

/** Of a value's dimensions, in bytes. */
export const strides = (value: Value): number[] => stridesOf(value.dims, widthOf(value.dtype));

/** The same numbers under another shape: no step at all. */
export function look(op: Operator, x: Value, dims: readonly number[]): Value {
  const whole = dims.every((d) => Number.isInteger(d) && d >= 0);
  if (!whole || elements(dims) !== elements(x.dims)) return op.invalid(`shape [${x.dims}] cannot become [${dims}]`);
  return { ...x, dims };
}

/** Copies x (strides and start in bytes) into y. */
export function emitCopy(
  op: Operator,
  x: Value,
  xs: readonly number[],
  start: number,
  y: Value,
  ys: readonly number[],
  at: number,
  dims: readonly number[],
): void {
  const width = widthOf(x.dtype);
  const walk = dims.length === 0 ? [1, width, width] : [...dims, ...xs, ...ys];
  const [from, to, rank] = [address(x.buffer, start), address(y.buffer, at), Math.max(dims.length, 1)];
  op.plan.emit(OPCODE.copy, from, to, width, rank, ...walk);
}

/** Parts of one type side by side along an axis; their other dimensions are the same. */
export function emitJoin(op: Operator, parts: readonly Value[], axis: number): Value {
  const [first] = parts;
  if (first === undefined) return op.invalid('nothing to join');
  const whole = parts.reduce((sum, part) => sum + (part.dims[axis] ?? 0), 0);
  const y = op.result(
    first.dims.map((d, i) => (i === axis ? whole : d)),
    first.dtype,
  );
  const own = strides(y);
  let at = 0;
  for (const part of parts) {
    emitCopy(op, part, strides(part), 0, y, own, at, part.dims);
    at += (part.dims[axis] ?? 0) * (own[axis] ?? 0);
  }
  return y;
}

/** Dimension `i` of the result is dimension `perm[i]` of x. */
export function emitTranspose(op: Operator, x: Value, perm: readonly number[]): Value {
  if (perm.every((p, i) => p === i)) return x;
  const own = strides(x);
  const y = op.result(
    perm.map((p) => x.dims[p] ?? 0),
    x.dtype,
  );
  const from = perm.map((p) => own[p] ?? 0);
  emitCopy(op, x, from, 0, y, strides(y), 0, y.dims);
  return y;
}

/** `count` of the indices of one axis, from `start` on. */
export function emitPart(op: Operator, x: Value, axis: number, start: number, count: number): Value {
  if (start === 0 && count === x.dims[axis]) return x;
  const own = strides(x);
  const y = op.result(
    x.dims.map((d, i) => (i === axis ? count : d)),
    x.dtype,
  );
  emitCopy(op, x, own, start * (own[axis] ?? 0), y, strides(y), 0, y.dims);
  return y;
}

/** Integers of 64 bits that are known when the model is compiled: what needs them as a constant may use them. */
export function longs(op: Operator, values: readonly number[], dims: readonly number[]): Value {
  const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { dtype: 'int64', dims, buffer: op.plan.constant(data) };
}

/** The same of 32 bits, which is what this compiler makes indices of. */
export function indices(op: Operator, values: readonly number[], dims: readonly number[]): Value {
  return { dtype: 'int32', dims, buffer: op.plan.constant(new Uint8Array(Int32Array.from(values).buffer)) };
}

/** 0, 1, 2, … times `step`. */
export function numbersUpTo(op: Operator, count: number, step = 1): number[] {
  if (count > MAX_INDICES) op.refuse(`an axis of ${count} elements; at most ${MAX_INDICES} are numbered`);
  return Array.from({ length: count }, (_, i) => i * step);
}

/** 0, 1, 2, … along one axis of `rank`. */
export function counting(op: Operator, count: number, axis: number, rank: number): Value {
  const dims = Array.from({ length: rank }, (_, i) => (i === axis ? count : 1));
  return indices(op, numbersUpTo(op, count), dims);
}

export function floats(op: Operator, values: readonly number[], dims: readonly number[]): Value {
  return { dtype: 'float32', dims, buffer: op.plan.constant(new Uint8Array(Float32Array.from(values).buffer)) };
}
