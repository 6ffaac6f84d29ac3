/** Operators that pick elements or rows by indices. Every index is checked when it is used; one outside is refused. */
import { MAX_INDICES } from '../limits.ts';
import { TYPED_BINARY } from '../opcodes.ts';
import { axisOf, type Lowering, type Operator } from '../operator.ts';
import { elements, stridesOf, type Value } from '../plan.ts';
import { counting, emitPart, indices, look, numbersUpTo } from './copy.ts';
import { emitCast, emitGather, emitTypedBinary, emitWhere, integerScalar } from './typed.ts';

export const plus = (op: Operator, a: Value, b: Value): Value => emitTypedBinary(op, TYPED_BINARY.Add, a, b);

/** Input `i`, which must be of indices. */
export function indicesOf(op: Operator, i: number): Value {
  const value = op.input(i);
  return value.dtype === 'int64' || value.dtype === 'int32'
    ? value
    : op.invalid(`input ${i} is ${value.dtype}; expected int64 or int32`);
}

/** Indices of an axis of `size`, times `step`, as int32: negative ones from the end, one that is outside refused. */
export function emitPlaces(op: Operator, given: Value, size: number, step: number): Value {
  return emitGather(op, indices(op, numbersUpTo(op, size, step), [size]), given, 0);
}

/** What the other axes than `skip` give to the position of an element of `dims` in a tensor of row-major `steps`. */
function emitOthers(op: Operator, dims: readonly number[], steps: readonly number[], skip: number): Value | undefined {
  return dims.reduce<Value | undefined>((sum, size, axis) => {
    if (axis === skip || size === 1) return sum;
    const places = counting(op, size, axis, dims.length);
    const own = emitTypedBinary(op, TYPED_BINARY.Mul, places, integerScalar(op, 'int32', steps[axis] ?? 0));
    return sum === undefined ? own : plus(op, sum, own);
  }, undefined);
}

const gatherElements: Lowering = {
  attributes: ['axis'],
  inputs: [2, 2],
  lower(op) {
    const [x, given] = [op.input(0), indicesOf(op, 1)];
    const axis = axisOf(op, op.int('axis', 0), x.dims.length);
    const fits = given.dims.length === x.dims.length && given.dims.every((d, i) => i === axis || d <= (x.dims[i] ?? 0));
    if (!fits) op.invalid(`indices of shape [${given.dims}] for a tensor of [${x.dims}]`);
    const steps = stridesOf(x.dims, 1);
    const along = emitPlaces(op, given, x.dims[axis] ?? 0, steps[axis] ?? 0);
    const others = emitOthers(op, given.dims, steps, axis);
    const places = others === undefined ? along : plus(op, along, others);
    return [emitGather(op, look(op, x, [elements(x.dims)]), places, 0)];
  },
};

/** Positions of the rows that the last dimension of `given` names by one index for each of `dims`. */
export function emitRowPlaces(op: Operator, given: Value, dims: readonly number[]): Value {
  const last = given.dims.length - 1;
  const steps = stridesOf(dims, 1);
  const parts = dims.map((size, i) => {
    const column = look(op, emitPart(op, given, last, i, 1), given.dims.slice(0, last));
    return emitPlaces(op, column, size, steps[i] ?? 0);
  });
  return parts.reduce((sum, part) => plus(op, sum, part));
}

const gatherND: Lowering = {
  attributes: ['batch_dims'],
  inputs: [2, 2],
  lower(op) {
    const [x, given] = [op.input(0), indicesOf(op, 1)];
    const batch = op.int('batch_dims', 0);
    const depth = given.dims.at(-1) ?? 0;
    const same = x.dims.slice(0, batch).every((d, i) => d === given.dims[i]);
    if (batch < 0 || batch >= given.dims.length || depth < 1 || batch + depth > x.dims.length || !same)
      op.invalid(`indices of shape [${given.dims}] for a tensor of [${x.dims}]`);
    const picked = x.dims.slice(batch, batch + depth);
    const rows = emitRowPlaces(op, given, picked);
    const steps = stridesOf([...x.dims.slice(0, batch), elements(picked)], 1);
    const shape = rows.dims.map((d, i) => (i < batch ? d : 1));
    const start = emitOthers(op, shape, steps, -1);
    const places = start === undefined ? rows : plus(op, rows, start);
    const behind = x.dims.slice(batch + depth);
    const table = look(op, x, [elements(x.dims.slice(0, batch + depth)), ...behind]);
    return [emitGather(op, table, places, 0)];
  },
};

/** The slices that a constant mask lets through. */
const compress: Lowering = {
  attributes: ['axis'],
  inputs: [2, 2],
  lower(op) {
    const given = op.input(0);
    const flat = !op.node.attributes.has('axis');
    const x = flat ? look(op, given, [elements(given.dims)]) : given;
    const axis = flat ? 0 : axisOf(op, op.int('axis', 0), x.dims.length);
    if (op.input(1).dtype !== 'bool') op.invalid(`input 1 is ${op.input(1).dtype}; expected bool`);
    const mask = op.constantElements(1, MAX_INDICES);
    if (mask.length > (x.dims[axis] ?? 0)) op.invalid(`a mask of ${mask.length} for an axis of ${x.dims[axis]}`);
    const kept = mask.flatMap((flag, i) => (flag === 0 ? [] : [i]));
    return [emitGather(op, x, indices(op, kept, [kept.length]), axis)];
  },
};

/** The first elements of each sequence backwards, the others as they are. */
const reverseSequence: Lowering = {
  attributes: ['batch_axis', 'time_axis'],
  inputs: [2, 2],
  lower(op) {
    const [x, lengths] = [op.input(0), indicesOf(op, 1)];
    const [batchAxis, timeAxis] = [op.int('batch_axis', 1), op.int('time_axis', 0)];
    const [first = 0, second = 0] = x.dims;
    if (batchAxis + timeAxis !== 1 || batchAxis * timeAxis !== 0 || x.dims.length < 2)
      op.invalid(`batch_axis ${batchAxis} and time_axis ${timeAxis} of [${x.dims}]`);
    const [times, batch] = timeAxis === 0 ? [first, second] : [second, first];
    if (lengths.dims.join() !== `${batch}`) op.invalid(`input 1 has the shape [${lengths.dims}]; expected [${batch}]`);
    const count = emitCast(op, look(op, lengths, timeAxis === 0 ? [1, batch] : [batch, 1]), 'int32');
    const place = counting(op, times, timeAxis, 2);
    const scalar = (v: number): Value => integerScalar(op, 'int32', v);
    const turned = emitTypedBinary(op, TYPED_BINARY.Sub, plus(op, count, scalar(-1)), place);
    const inside = emitTypedBinary(op, TYPED_BINARY.Less, place, count);
    // A length beyond the sequence gives a position beyond it, which is refused.
    const from = emitPlaces(op, emitWhere(op, inside, turned, place), times, timeAxis === 0 ? batch : 1);
    const own = emitTypedBinary(
      op,
      TYPED_BINARY.Mul,
      counting(op, batch, batchAxis, 2),
      scalar(timeAxis === 0 ? 1 : times),
    );
    const rows = look(op, x, [first * second, ...x.dims.slice(2)]);
    return [emitGather(op, rows, plus(op, from, own), 0)];
  },
};

export const PICKING: Readonly<Record<string, Lowering>> = {
  GatherElements: gatherElements,
  GatherND: gatherND,
  Compress: compress,
  ReverseSequence: reverseSequence,
};
