import { MAX_TOP } from '../limits.ts';
import { REDUCE, TYPED_BINARY, TYPED_UNARY } from '../opcodes.ts';
import { axisOf, type Lowering, type Operator } from '../operator.ts';
import type { Value } from '../plan.ts';
import { emitJoin, longs, numbersUpTo } from './copy.ts';
import { emitReduce } from './reduce.ts';
import { emitArgument, emitFill, emitTypedBinary, emitTypedUnary, emitWhere } from './typed.ts';

/** The numbers that nothing is beyond: the least of a type, and the greatest. */
const ENDS: Readonly<Record<string, readonly [bigint, bigint]>> = {
  uint8: [0n, 0xffn],
  int8: [-0x80n, 0x7fn],
  uint16: [0n, 0xffffn],
  int16: [-0x8000n, 0x7fffn],
  uint32: [0n, 0xffff_ffffn],
  int32: [-0x8000_0000n, 0x7fff_ffffn],
  uint64: [0n, 0xffff_ffff_ffff_ffffn],
  int64: [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
};

/** A constant that loses against every element of the type. */
function loser(op: Operator, dtype: Value['dtype'], greatest: boolean): Value {
  if (dtype === 'float32') {
    const worst = greatest ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    return { dtype, dims: [], buffer: op.plan.constant(new Uint8Array(Float32Array.of(worst).buffer)) };
  }
  const [least, most] = ENDS[dtype] ?? op.refuse(`${dtype} is not supported`);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt.asIntN(64, greatest ? least : most), true);
  const width = { 8: 1, 16: 2, 32: 4, 64: 8 }[Number(dtype.replace(/\D+/, ''))] ?? 8;
  return { dtype, dims: [], buffer: op.plan.constant(bytes.slice(0, width)) };
}

/**
 * One round for each of the k: the greatest of what is left, the first place where it stands, and that place is taken.
 * Equal elements come in the order of their indices. Sorted or not, the result is sorted.
 */
const topK: Lowering = {
  attributes: ['axis', 'largest', 'sorted'],
  inputs: [2, 2],
  lower(op) {
    const x = op.input(0);
    const axis = axisOf(op, op.int('axis', -1), x.dims.length);
    const size = x.dims[axis] ?? 0;
    const counts = op.constantInts(1);
    const k = counts[0] ?? 0;
    if (counts.length !== 1 || k < 0 || k > size) op.invalid(`k = [${counts}] of ${size}`);
    if (k < 1 || k > MAX_TOP) op.refuse(`k = ${k}; 1 to ${MAX_TOP} are supported`);
    const greatest = op.int('largest', 1) !== 0;
    const worst = loser(op, x.dtype, greatest);
    const places = longs(
      op,
      numbersUpTo(op, size),
      x.dims.map((_, i) => (i === axis ? size : 1)),
    );
    let left = op.result(x.dims, 'bool');
    emitFill(op, left, Uint8Array.of(1));
    const values: Value[] = [];
    const indices: Value[] = [];
    for (let round = 0; round < k; round++) {
      const open = emitWhere(op, left, x, worst);
      const best = emitReduce(op, greatest ? REDUCE.max : REDUCE.min, open, [axis], true);
      const equal = emitTypedBinary(op, TYPED_BINARY.Equal, open, best);
      const hit = emitTypedBinary(op, TYPED_BINARY.And, equal, left);
      const index = emitArgument(op, true, hit, axis, true, false);
      values.push(best);
      indices.push(index);
      const taken = emitTypedBinary(op, TYPED_BINARY.Equal, places, index);
      left = emitTypedBinary(op, TYPED_BINARY.And, left, emitTypedUnary(op, TYPED_UNARY.Not, taken));
    }
    return [emitJoin(op, values, axis), emitJoin(op, indices, axis)];
  },
};

export const TOP: Readonly<Record<string, Lowering>> = { TopK: topK };
