/** Running sums and products along one axis. */

import { widthOf } from '../../onnx/model.ts';
import { BINARY } from '../opcodes.ts';
import { axisOf, type Lowering, type Operator } from '../operator.ts';
import type { Value } from '../plan.ts';
import { emitCopy, strides } from './copy.ts';
import { emitBinary } from './elementwise.ts';
import { emitFill } from './typed.ts';

/** x moved `by` places along the axis; `neutral` comes in at the side that becomes free. */
function shifted(op: Operator, x: Value, axis: number, by: number, reverse: boolean, neutral: Uint8Array): Value {
  const y = op.result(x.dims, x.dtype);
  emitFill(op, y, neutral);
  const own = strides(y);
  const size = x.dims[axis] ?? 0;
  const dims = x.dims.map((d, i) => (i === axis ? size - by : d));
  const start = by * (own[axis] ?? 0);
  if (by < size) emitCopy(op, x, own, reverse ? start : 0, y, own, reverse ? 0 : start, dims);
  return y;
}

/** 0 or 1 of an element type, by its bytes. */
function neutralOf(op: Operator, dtype: Value['dtype'], one: boolean): Uint8Array {
  const bytes = new Uint8Array(widthOf(dtype));
  if (dtype === 'bool' || dtype === 'float16') return op.refuse(`${dtype} is not supported`);
  if (!one) return bytes;
  if (dtype === 'float32') return new Uint8Array(Float32Array.of(1).buffer);
  if (dtype === 'float64') return new Uint8Array(Float64Array.of(1).buffer);
  bytes[0] = 1;
  return bytes;
}

/**
 * Each round doubles how far a sum reaches: after the last one it is of all before (or, `reverse`, behind). Floats are so
 * added in a tree, in the same order everywhere.
 */
function running(kind: number): Lowering {
  return {
    attributes: ['exclusive', 'reverse'],
    inputs: [2, 2],
    lower(op) {
      const x = op.input(0);
      const axis = axisOf(op, op.constantInts(1)[0] ?? 0, x.dims.length);
      const reverse = op.int('reverse', 0) !== 0;
      const neutral = neutralOf(op, x.dtype, kind === BINARY.Mul);
      let y = op.int('exclusive', 0) === 0 ? x : shifted(op, x, axis, 1, reverse, neutral);
      for (let by = 1; by < (x.dims[axis] ?? 0); by *= 2)
        y = emitBinary(op, kind, y, shifted(op, y, axis, by, reverse, neutral));
      return [y];
    },
  };
}

export const RUNNING: Readonly<Record<string, Lowering>> = {
  CumSum: running(BINARY.Add),
  CumProd: running(BINARY.Mul),
};
