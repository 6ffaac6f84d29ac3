/** Other arrangements of the same elements, triangles, and tensors that follow from shapes and constants alone. */

import { codeOf, type DataType, typeOf, widthOf } from '../../onnx/model.ts';
import { MAX_INDICES } from '../limits.ts';
import { TYPED_BINARY } from '../opcodes.ts';
import { axesOf, axisOf, type Lowering, type Operator } from '../operator.ts';
import { elements, stridesOf, type Value } from '../plan.ts';
import { counting, emitCopy, emitTranspose, longs, look, strides } from './copy.ts';
import { emitCast, emitFill, emitTypedBinary, emitWhere, integerScalar } from './typed.ts';

/** Batch, channels, height and width of a picture, and the side of a block. */
function blocks(op: Operator): {
  readonly x: Value;
  readonly dims: readonly [number, number, number, number];
  b: number;
} {
  const x = op.input(0);
  const [n = 0, c = 0, h = 0, w = 0] = x.dims;
  const b = op.int('blocksize', 0);
  if (x.dims.length !== 4 || b < 1) op.invalid(`blocks of ${b} in a shape of [${x.dims}]`);
  return { x, dims: [n, c, h, w], b };
}

const depthToSpace: Lowering = {
  attributes: ['blocksize', 'mode'],
  inputs: [1, 1],
  lower(op) {
    const { x, dims, b } = blocks(op);
    const [n, c, h, w] = dims;
    const left = c / (b * b);
    const mode = op.string('mode', 'DCR');
    if (mode !== 'DCR' && mode !== 'CRD') op.invalid(`mode ${mode}; expected DCR or CRD`);
    const y =
      mode === 'DCR'
        ? emitTranspose(op, look(op, x, [n, b, b, left, h, w]), [0, 3, 4, 1, 5, 2])
        : emitTranspose(op, look(op, x, [n, left, b, b, h, w]), [0, 1, 4, 2, 5, 3]);
    return [look(op, y, [n, left, h * b, w * b])];
  },
};

const spaceToDepth: Lowering = {
  attributes: ['blocksize'],
  inputs: [1, 1],
  lower(op) {
    const { x, dims, b } = blocks(op);
    const [n, c, h, w] = dims;
    const y = emitTranspose(op, look(op, x, [n, c, h / b, b, w / b, b]), [0, 3, 5, 1, 2, 4]);
    return [look(op, y, [n, c * b * b, h / b, w / b])];
  },
};

/** Whether column - row >= `diagonal`, for a matrix. */
export function emitTriangle(op: Operator, rows: number, columns: number, diagonal: number): Value {
  const row = counting(op, rows, 0, 2);
  const from = emitTypedBinary(op, TYPED_BINARY.Add, row, integerScalar(op, 'int32', diagonal));
  return emitTypedBinary(op, TYPED_BINARY.GreaterOrEqual, counting(op, columns, 1, 2), from);
}

/** A diagonal of a matrix, kept where nothing of the matrix lies beyond it. */
const diagonalWithin = (k: number, rows: number, columns: number): number => Math.min(Math.max(k, -rows), columns);

const trilu: Lowering = {
  attributes: ['upper'],
  inputs: [1, 2],
  lower(op) {
    const x = op.input(0);
    const [rows = 0, columns = 0] = x.dims.slice(-2);
    if (x.dims.length < 2) op.invalid(`input 0 has the shape [${x.dims}]; expected a matrix`);
    const k = op.optional(1) === undefined ? 0 : (op.constantInts(1)[0] ?? 0);
    const zero = op.result([], x.dtype);
    emitFill(op, zero, new Uint8Array(widthOf(x.dtype)));
    if (op.int('upper', 1) !== 0)
      return [emitWhere(op, emitTriangle(op, rows, columns, diagonalWithin(k, rows, columns)), x, zero)];
    return [emitWhere(op, emitTriangle(op, rows, columns, diagonalWithin(k, rows, columns) + 1), zero, x)];
  },
};

const eyeLike: Lowering = {
  attributes: ['dtype', 'k'],
  inputs: [1, 1],
  lower(op) {
    const x = op.input(0);
    const [rows = 0, columns = 0] = x.dims;
    if (x.dims.length !== 2) op.invalid(`input 0 has the shape [${x.dims}]; expected a matrix`);
    const code = op.int('dtype', codeOf(x.dtype));
    const dtype = typeOf(code) ?? op.refuse(`element type ${code} is not supported`);
    const from = emitTypedBinary(
      op,
      TYPED_BINARY.Add,
      counting(op, rows, 0, 2),
      integerScalar(op, 'int32', diagonalWithin(op.int('k', 0), rows, columns)),
    );
    const hit = emitTypedBinary(op, TYPED_BINARY.Equal, from, counting(op, columns, 1, 2));
    return [emitCast(op, hit, dtype)];
  },
};

const RANGE_TYPES: readonly DataType[] = ['float32', 'float64', 'int16', 'int32', 'int64'];

const range: Lowering = {
  attributes: [],
  inputs: [3, 3],
  lower(op) {
    const { dtype } = op.input(0);
    if (!RANGE_TYPES.includes(dtype)) op.refuse(`${dtype} is not supported`);
    const [start = 0, limit = 0, delta = 0] = [0, 1, 2].map((i) => {
      const value = op.input(i);
      if (value.dtype !== dtype || elements(value.dims) !== 1)
        op.invalid(`input ${i} is ${value.dtype} [${value.dims}]; expected one ${dtype}`);
      return Number(op.constantElements(i, 1)[0]);
    });
    if (![start, limit, delta].every(Number.isSafeInteger) && !dtype.startsWith('float'))
      op.refuse('a bound is beyond 2^53');
    if (delta === 0 || !Number.isFinite(delta)) op.invalid(`the step is ${delta}`);
    const count = Math.max(Math.ceil((limit - start) / delta), 0);
    if (!(count <= MAX_INDICES)) op.refuse(`the range has ${count} elements; at most ${MAX_INDICES} are supported`);
    const single = dtype === 'float32' ? Math.fround : (v: number): number => v;
    const numbers = Array.from({ length: count }, (_, i) => single(start + single(i * delta)));
    return [{ dtype, dims: [count], buffer: op.plan.constant(bytesOf(dtype, numbers)) }];
  },
};

function bytesOf(dtype: DataType, numbers: readonly number[]): Uint8Array {
  const width = widthOf(dtype);
  const view = new DataView(new ArrayBuffer(numbers.length * width));
  numbers.forEach((v, i) => {
    if (dtype === 'float32') view.setFloat32(i * width, v, true);
    else if (dtype === 'float64') view.setFloat64(i * width, v, true);
    else if (dtype === 'int16') view.setInt16(i * width, v, true);
    else if (dtype === 'int32') view.setInt32(i * width, v, true);
    else view.setBigInt64(i * width, BigInt(v), true);
  });
  return new Uint8Array(view.buffer);
}

/** Indices of what is not 0, one row for each dimension; of a constant, since their number is a shape. */
const nonZero: Lowering = {
  attributes: [],
  inputs: [1, 1],
  lower(op) {
    const { dims } = op.input(0);
    if (dims.length === 0) op.refuse('a scalar is not supported');
    const found = op.constantElements(0, MAX_INDICES).flatMap((v, i) => (Number(v) === 0 ? [] : [i]));
    const steps = stridesOf(dims, 1);
    const rows = dims.flatMap((size, d) => found.map((i) => Math.floor(i / (steps[d] ?? 1)) % size));
    return [longs(op, rows, [dims.length, found.length])];
  },
};

/** `off` everywhere but where the position along the new axis is the index; an index outside has nothing. */
const oneHot: Lowering = {
  attributes: ['axis'],
  inputs: [3, 3],
  lower(op) {
    const [indices, depths, values] = [op.input(0), op.input(1), op.input(2)];
    const rank = indices.dims.length + 1;
    const axis = axisOf(op, op.int('axis', -1), rank);
    if (elements(depths.dims) !== 1) op.invalid(`depth has the shape [${depths.dims}]`);
    const depth = Number(op.constantElements(1, 1)[0]);
    if (!Number.isInteger(depth) || depth < 1 || depth > MAX_INDICES) op.refuse(`depth ${depth} is not supported`);
    if (values.dims.length !== 1 || values.dims[0] !== 2) op.invalid(`values have the shape [${values.dims}]`);
    const whole = emitCast(op, indices, 'int64');
    const negative = emitTypedBinary(op, TYPED_BINARY.Less, whole, integerScalar(op, 'int64', 0));
    const raised = emitTypedBinary(op, TYPED_BINARY.Add, whole, integerScalar(op, 'int64', depth));
    const counted = indices.dtype.startsWith('u') ? whole : emitWhere(op, negative, raised, whole);
    const index = look(op, counted, [...indices.dims.slice(0, axis), 1, ...indices.dims.slice(axis)]);
    const places = emitCast(op, counting(op, depth, axis, rank), 'int64');
    const hit = emitTypedBinary(op, TYPED_BINARY.Equal, index, places);
    const [off, on] = [0, 1].map((i) => {
      const y = op.result([], values.dtype);
      emitCopy(op, values, [], i * widthOf(values.dtype), y, [], 0, []);
      return y;
    }) as [Value, Value];
    return [emitWhere(op, hit, on, off)];
  },
};

/** Dropout at inference changes nothing; nothing is dropped, says the mask. */
const dropout: Lowering = {
  attributes: ['ratio', 'seed'],
  inputs: [1, 3],
  lower(op) {
    const x = op.input(0);
    if (op.optional(2) !== undefined && Number(op.constantElements(2, 1)[0]) !== 0) {
      const ratio = op.optional(1) === undefined ? 0.5 : Number(op.constantElements(1, 1)[0]);
      if (ratio !== 0) op.refuse('training_mode = true is not supported');
    }
    if (!op.wants(1)) return [x];
    // Before operator set 10 the mask has the type of the input.
    const mask = op.result(x.dims, op.opset < 10 ? x.dtype : 'bool');
    const one = op.opset < 10 && x.dtype === 'float32' ? [0, 0, 0x80, 0x3f] : [1];
    if (op.opset < 10 && x.dtype !== 'float32') op.refuse(`a mask of ${x.dtype} is not supported`);
    emitFill(op, mask, Uint8Array.from(one));
    return [x, mask];
  },
};

/** Cut from the middle, or zeros around it. */
const centerCropPad: Lowering = {
  attributes: ['axes'],
  inputs: [2, 2],
  lower(op) {
    const x = op.input(0);
    const axes = axesOf(op, op.ints('axes') ?? x.dims.map((_, i) => i), x.dims.length);
    const shape = op.constantInts(1);
    if (shape.length !== axes.length) op.invalid(`${shape.length} sizes for ${axes.length} axes`);
    const dims = [...x.dims];
    axes.forEach((axis, i) => {
      dims[axis] = shape[i] ?? 0;
    });
    const y = op.result(dims, x.dtype);
    emitFill(op, y, new Uint8Array(widthOf(x.dtype)));
    const [xs, ys] = [strides(x), strides(y)];
    const both = dims.map((d, i) => Math.min(d, x.dims[i] ?? 0));
    const start = (from: readonly number[], steps: readonly number[]): number =>
      from.reduce((sum, d, i) => sum + Math.floor((d - (both[i] ?? 0)) / 2) * (steps[i] ?? 0), 0);
    emitCopy(op, x, xs, start(x.dims, xs), y, ys, start(dims, ys), both);
    return [y];
  },
};

export const ARRANGEMENT: Readonly<Record<string, Lowering>> = {
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Trilu: trilu,
  EyeLike: eyeLike,
  Range: range,
  NonZero: nonZero,
  OneHot: oneHot,
  Dropout: dropout,
  CenterCropPad: centerCropPad,
};
