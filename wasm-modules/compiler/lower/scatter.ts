/**
 * Operators that put rows of updates at the places that indices name. Indices that are constants become one gathering;
 * others are compared with every place.
 */
import { MAX_INDICES, MAX_SCATTER } from '../limits.ts';
import { BINARY, REDUCE, TYPED_BINARY } from '../opcodes.ts';
import { axisOf, type Lowering, type Operator } from '../operator.ts';
import { elements, type Value } from '../plan.ts';
import { counting, emitCopy, emitJoin, emitTranspose, indices, look, numbersUpTo, strides } from './copy.ts';
import { constantScalar, emitBinary } from './elementwise.ts';
import { emitPlaces, emitRowPlaces, indicesOf, plus } from './pick.ts';
import { emitReduce } from './reduce.ts';
import { emitArgument, emitCast, emitFill, emitGather, emitTypedBinary, emitWhere, integerScalar } from './typed.ts';

/** In each of `lines`, `updates` rows go to some of `rows`; a row is `block` elements. */
interface Scatter {
  readonly lines: number;
  readonly rows: number;
  readonly updates: number;
  readonly block: number;
  /** [lines * rows * block]. */
  readonly data: Value;
  /** [lines * updates * block]. */
  readonly values: Value;
  /** [lines * updates], int32, in 0 .. rows - 1. */
  readonly places: Value;
  readonly reduction: string;
}

/** Which of two numbers stays, and what changes none. */
const REDUCTIONS: Readonly<Record<string, { readonly over: number; readonly by: number; readonly neutral: number }>> = {
  add: { over: REDUCE.sum, by: BINARY.Add, neutral: 0 },
  mul: { over: REDUCE.product, by: BINARY.Mul, neutral: 1 },
  max: { over: REDUCE.max, by: BINARY.Max, neutral: Number.NEGATIVE_INFINITY },
  min: { over: REDUCE.min, by: BINARY.Min, neutral: Number.POSITIVE_INFINITY },
};

function emitScatter(op: Operator, s: Scatter): Value {
  const { lines, rows, updates, block } = s;
  const work = lines * rows * updates * (s.reduction === 'none' ? 1 : block);
  if (work > MAX_SCATTER)
    op.refuse(`${updates} updates of ${rows} places by indices that are not constant: more than ${MAX_SCATTER} pairs`);
  const hit = emitTypedBinary(
    op,
    TYPED_BINARY.Equal,
    look(op, s.places, [lines, 1, updates]),
    counting(op, rows, 1, 3),
  );
  const reduction = REDUCTIONS[s.reduction];
  if (reduction !== undefined) return emitReduction(op, s, hit, reduction);
  // Of several updates of one place the last stays.
  const last = emitCast(op, emitArgument(op, true, hit, 2, false, true), 'int32');
  const start = emitTypedBinary(op, TYPED_BINARY.Mul, counting(op, lines, 0, 2), integerScalar(op, 'int32', updates));
  const taken = emitGather(op, look(op, s.values, [lines * updates, block]), plus(op, last, start), 0);
  const any = look(op, emitReduce(op, REDUCE.max, hit, [2], true), [lines, rows, 1]);
  return emitWhere(op, any, taken, look(op, s.data, [lines, rows, block]));
}

function emitReduction(op: Operator, s: Scatter, hit: Value, r: (typeof REDUCTIONS)[string]): Value {
  const { lines, rows, updates, block } = s;
  if (s.data.dtype !== 'float32' && !Number.isFinite(r.neutral)) op.refuse(`${s.reduction} of ${s.data.dtype}`);
  const neutral =
    s.data.dtype === 'float32' ? constantScalar(op, r.neutral) : integerScalar(op, s.data.dtype, r.neutral);
  const all = emitWhere(
    op,
    look(op, hit, [lines, rows, updates, 1]),
    look(op, s.values, [lines, 1, updates, block]),
    neutral,
  );
  return emitBinary(op, r.by, look(op, s.data, [lines, rows, block]), emitReduce(op, r.over, all, [2], false));
}

/** Checks types and the kind of reduction. */
function reductionOf(op: Operator, data: Value, values: Value): string {
  if (data.dtype !== values.dtype) op.invalid(`inputs are ${data.dtype} and ${values.dtype}; expected one type`);
  const reduction = op.string('reduction', 'none');
  if (reduction === 'none') return reduction;
  if (REDUCTIONS[reduction] === undefined) op.invalid(`reduction ${reduction}`);
  if (data.dtype === 'bool' || data.dtype === 'float64') op.refuse(`reduction ${reduction} of ${data.dtype}`);
  return reduction;
}

const scatterND: Lowering = {
  attributes: ['reduction'],
  inputs: [3, 3],
  lower(op) {
    const [data, given, values] = [op.input(0), indicesOf(op, 1), op.input(2)];
    const depth = given.dims.at(-1) ?? 0;
    const expected = [...given.dims.slice(0, -1), ...data.dims.slice(depth)];
    if (depth < 1 || depth > data.dims.length || values.dims.join() !== expected.join())
      op.invalid(`indices [${given.dims}] and updates [${values.dims}] for a tensor of [${data.dims}]`);
    const reduction = reductionOf(op, data, values);
    if (elements(values.dims) === 0) return [look(op, data, data.dims)];
    const [rows, block] = [elements(data.dims.slice(0, depth)), elements(data.dims.slice(depth))];
    const updates = elements(given.dims.slice(0, -1));
    if (given.buffer.data !== undefined && reduction === 'none')
      return [look(op, emitKnown(op, data, values, knownRows(op, data.dims, depth), rows, block), data.dims)];
    const places = emitRowPlaces(op, given, data.dims.slice(0, depth));
    return [look(op, emitScatter(op, { lines: 1, rows, updates, block, data, values, places, reduction }), data.dims)];
  },
};

/** The rows that constant indices name. */
function knownRows(op: Operator, dims: readonly number[], depth: number): readonly number[] {
  const flat = op.constantElements(1, MAX_INDICES).map(Number);
  return Array.from({ length: flat.length / depth }, (_, i) =>
    flat.slice(i * depth, (i + 1) * depth).reduce((row, v, k) => {
      const size = dims[k] ?? 0;
      if (v < -size || v >= size) op.invalid(`an index ${v} is outside of its axis of ${size}`);
      return row * size + (v < 0 ? v + size : v);
    }, 0),
  );
}

/** Each row of the result is one of the data or one of the updates, known when the model is compiled. */
function emitKnown(
  op: Operator,
  data: Value,
  values: Value,
  targets: readonly number[],
  rows: number,
  block: number,
): Value {
  if (rows > MAX_INDICES) op.refuse(`${rows} places; at most ${MAX_INDICES} are supported`);
  const from = Array.from({ length: rows }, (_, i) => i);
  targets.forEach((row, i) => {
    from[row] = rows + i;
  });
  const all = emitJoin(op, [look(op, data, [rows, block]), look(op, values, [targets.length, block])], 0);
  return emitGather(op, all, indices(op, from, [rows]), 0);
}

/** The axis of the indices becomes the last: then each line is scattered by itself. */
const scatterElements: Lowering = {
  attributes: ['axis', 'reduction'],
  inputs: [3, 3],
  lower(op) {
    const [data, given, values] = [op.input(0), indicesOf(op, 1), op.input(2)];
    const axis = axisOf(op, op.int('axis', 0), data.dims.length);
    const fits =
      given.dims.join() === values.dims.join() &&
      given.dims.length === data.dims.length &&
      given.dims.every((d, i) => i === axis || d <= (data.dims[i] ?? 0));
    if (!fits) op.invalid(`indices [${given.dims}] and updates [${values.dims}] for a tensor of [${data.dims}]`);
    const reduction = reductionOf(op, data, values);
    if (elements(values.dims) === 0) return [look(op, data, data.dims)];
    const order = [...data.dims.map((_, i) => i).filter((i) => i !== axis), axis];
    const [rows, updates] = [data.dims[axis] ?? 0, given.dims[axis] ?? 0];
    const lines = elements(given.dims) / updates;
    const part = data.dims.map((d, i) => (i === axis ? d : (given.dims[i] ?? 0)));
    const [own, turnedDims] = [strides(data), order.map((i) => part[i] ?? 0)];
    const turned = order.map((i) => own[i] ?? 0);
    const region = op.result(turnedDims, data.dtype);
    emitCopy(op, data, turned, 0, region, strides(region), 0, turnedDims);
    const places = emitPlaces(op, emitTranspose(op, given, order), rows, 1);
    const scattered = emitScatter(op, {
      lines,
      rows,
      updates,
      block: 1,
      data: region,
      values: emitTranspose(op, values, order),
      places,
      reduction,
    });
    if (part.join() === data.dims.join() && axis === data.dims.length - 1) return [look(op, scattered, data.dims)];
    const y = op.result(data.dims, data.dtype);
    emitCopy(op, data, own, 0, y, own, 0, data.dims);
    emitCopy(op, look(op, scattered, turnedDims), strides(region), 0, y, turned, 0, turnedDims);
    return [y];
  },
};

/** Rows of a cache from where each batch's new ones begin; `circular` goes on at the front. */
const tensorScatter: Lowering = {
  attributes: ['axis', 'mode'],
  inputs: [2, 3],
  lower(op) {
    const [data, values] = [op.input(0), op.input(1)];
    const axis = axisOf(op, op.int('axis', -2), data.dims.length);
    const mode = op.string('mode', 'linear');
    if (mode !== 'linear' && mode !== 'circular') op.invalid(`mode ${mode}`);
    const fits =
      values.dims.length === data.dims.length && values.dims.every((d, i) => i === axis || d === data.dims[i]);
    const [batch = 0] = data.dims;
    const [rows, updates] = [data.dims[axis] ?? 0, values.dims[axis] ?? 0];
    if (!fits || axis === 0 || batch === 0 || updates > rows || data.dtype !== values.dtype)
      op.invalid(`an update of shape [${values.dims}] for a cache of [${data.dims}]`);
    const lines = elements(data.dims.slice(0, axis));
    const zeros = op.result([batch], 'int64');
    if (op.optional(2) === undefined) emitFill(op, zeros, new Uint8Array(8));
    const starts = op.optional(2) === undefined ? zeros : indicesOf(op, 2);
    if (starts.dims.join() !== `${batch}`) op.invalid(`input 2 has the shape [${starts.dims}]; expected [${batch}]`);
    const first = emitCast(op, look(op, starts, [batch, 1, 1]), 'int32');
    // One for each line: the batch's.
    const spread = plus(op, first, emitCast(op, zerosOf(op, [1, lines / batch, 1]), 'int32'));
    const running = plus(op, spread, counting(op, updates, 2, 3));
    const turned =
      mode === 'circular' ? emitTypedBinary(op, TYPED_BINARY.Mod, running, integerScalar(op, 'int32', rows)) : running;
    const places = emitPlaces(op, turned, rows, 1);
    const block = elements(data.dims.slice(axis + 1));
    const y = emitScatter(op, { lines, rows, updates, block, data, values, places, reduction: 'none' });
    return [look(op, y, data.dims)];
  },
};

function zerosOf(op: Operator, dims: readonly number[]): Value {
  return indices(op, numbersUpTo(op, elements(dims), 0), dims);
}

export const SCATTERING: Readonly<Record<string, Lowering>> = {
  ScatterND: scatterND,
  ScatterElements: scatterElements,
  Scatter: scatterElements,
  TensorScatter: tensorScatter,
};
