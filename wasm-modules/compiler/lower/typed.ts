/** Operators over elements of any type, and the typed side of those that `elementwise.ts` has for float32. */
import { codeOf, type DataType, type Tensor, widthOf } from '../../onnx/model.ts';
import { OPCODE, TYPED_BINARY, TYPED_UNARY } from '../opcodes.ts';
import { axisOf, type Lowering, type Operator } from '../operator.ts';
import { address, elements, message, stridesOf, type Value } from '../plan.ts';
import { broadcast, broadcastStrides } from './broadcast.ts';

export function emitCast(op: Operator, x: Value, to: DataType): Value {
  if (x.dtype === to) return x;
  const y = op.result(x.dims, to);
  op.plan.emit(OPCODE.cast, codeOf(x.dtype), codeOf(to), address(x.buffer), address(y.buffer), elements(x.dims));
  return y;
}

export function emitTypedUnary(op: Operator, kind: number, x: Value): Value {
  const y = op.result(x.dims, x.dtype);
  op.plan.emit(OPCODE.typedUnary, kind, codeOf(x.dtype), address(x.buffer), address(y.buffer), elements(x.dims));
  return y;
}

/** Of two tensors of one type; a comparison gives bool. */
export function emitTypedBinary(op: Operator, kind: number, a: Value, b: Value): Value {
  if (a.dtype !== b.dtype) op.invalid(`inputs are ${a.dtype} and ${b.dtype}; expected one type`);
  const dims = broadcast(op, a.dims, b.dims);
  const y = op.result(dims, kind >= TYPED_BINARY.Equal ? 'bool' : a.dtype);
  const shape = dims.length === 0 ? [1] : dims;
  const width = widthOf(a.dtype);
  op.plan.emit(
    OPCODE.typedBinary,
    kind,
    codeOf(a.dtype),
    codeOf(y.dtype),
    address(a.buffer),
    address(b.buffer),
    address(y.buffer),
    ...message(`division by zero at node ${JSON.stringify(op.node.name)} (${op.node.op})`),
    shape.length,
    ...shape,
    ...broadcastStrides(a.dims, shape, width),
    ...broadcastStrides(b.dims, shape, width),
  );
  return y;
}

/** A constant without dimensions, of an integer type. */
export function integerScalar(op: Operator, dtype: DataType, value: number): Value {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true);
  return { dtype, dims: [], buffer: op.plan.constant(bytes.slice(0, widthOf(dtype))) };
}

/** ONNX numbers element types (TensorProto.DataType). */
const CAST_TO: Readonly<Record<number, DataType>> = Object.fromEntries(
  (
    ['float32', 'uint8', 'int8', 'uint16', 'int16', 'int32', 'int64', 'bool', 'float64', 'uint32', 'uint64'] as const
  ).map((dtype) => [codeOf(dtype), dtype]),
);

const cast: Lowering = {
  // What is out of range is always cut to the ends of its type or wrapped, as the kernel says; `saturate` speaks of float8.
  attributes: ['to', 'saturate'],
  inputs: [1, 1],
  lower(op) {
    const code = op.int('to', 0);
    return [emitCast(op, op.input(0), CAST_TO[code] ?? op.refuse(`a cast to element type ${code} is not supported`))];
  },
};

const castLike: Lowering = {
  attributes: ['saturate'],
  inputs: [2, 2],
  lower: (op) => [emitCast(op, op.input(0), op.input(1).dtype)],
};

/** Input `i`, which must be of bool. */
export function bools(op: Operator, i: number): Value {
  const value = op.input(i);
  return value.dtype === 'bool' ? value : op.invalid(`input ${i} is ${value.dtype}; expected bool`);
}

const not: Lowering = {
  attributes: [],
  inputs: [1, 1],
  lower: (op) => [emitTypedUnary(op, TYPED_UNARY.Not, bools(op, 0))],
};

function logic(kind: number): Lowering {
  return {
    attributes: [],
    inputs: [2, 2],
    lower: (op) => [emitTypedBinary(op, kind, bools(op, 0), bools(op, 1))],
  };
}

function comparison(kind: number): Lowering {
  return {
    attributes: [],
    inputs: [2, 2],
    lower(op) {
      const a = op.input(0);
      if (a.dtype === 'bool' && kind !== TYPED_BINARY.Equal) op.invalid('bool has no order');
      return [emitTypedBinary(op, kind, a, op.input(1))];
    },
  };
}

const mod: Lowering = {
  attributes: ['fmod'],
  inputs: [2, 2],
  lower(op) {
    const a = op.input(0);
    if (a.dtype === 'float32' || a.dtype === 'float64') op.refuse(`${a.dtype} is not supported`);
    const kind = op.int('fmod', 0) === 0 ? TYPED_BINARY.Mod : TYPED_BINARY.Fmod;
    return [emitTypedBinary(op, kind, a, op.input(1))];
  },
};

/** Of two tensors of one type, by a tensor of bool; all three broadcast. */
export function emitWhere(op: Operator, c: Value, a: Value, b: Value): Value {
  if (a.dtype !== b.dtype) op.invalid(`inputs are ${a.dtype} and ${b.dtype}; expected one type`);
  const dims = broadcast(op, broadcast(op, c.dims, a.dims), b.dims);
  const y = op.result(dims, a.dtype);
  const shape = dims.length === 0 ? [1] : dims;
  const width = widthOf(a.dtype);
  op.plan.emit(
    OPCODE.where,
    address(c.buffer),
    address(a.buffer),
    address(b.buffer),
    address(y.buffer),
    width,
    shape.length,
    ...shape,
    ...broadcastStrides(c.dims, shape, 1),
    ...broadcastStrides(a.dims, shape, width),
    ...broadcastStrides(b.dims, shape, width),
  );
  return y;
}

const where: Lowering = {
  attributes: [],
  inputs: [3, 3],
  lower: (op) => [emitWhere(op, bools(op, 0), op.input(1), op.input(2))],
};

/** The slices of x along an axis that `indices` name; its dimensions stand in the place of the axis. */
export function emitGather(op: Operator, x: Value, indices: Value, axis: number): Value {
  const behind = x.dims.slice(axis + 1);
  const size = x.dims[axis] ?? 1;
  const y = op.result([...x.dims.slice(0, axis), ...indices.dims, ...behind], x.dtype);
  op.plan.emit(
    OPCODE.gather,
    address(x.buffer),
    address(indices.buffer),
    address(y.buffer),
    codeOf(indices.dtype),
    elements(x.dims.slice(0, axis)),
    size,
    elements(behind) * widthOf(x.dtype),
    elements(indices.dims),
    ...message(`an index at node ${JSON.stringify(op.node.name)} (${op.node.op}) is outside of its axis of ${size}`),
  );
  return y;
}

const gather: Lowering = {
  attributes: ['axis'],
  inputs: [2, 2],
  lower(op) {
    const [x, indices] = [op.input(0), op.input(1)];
    if (indices.dtype !== 'int64' && indices.dtype !== 'int32')
      op.invalid(`input 1 is ${indices.dtype}; expected int64 or int32`);
    return [emitGather(op, x, indices, axisOf(op, op.int('axis', 0), x.dims.length))];
  },
};

/** Where along the axis the greatest (or least) element is; the axis stays as 1 (`keep`) or goes. */
export function emitArgument(
  op: Operator,
  greatest: boolean,
  x: Value,
  axis: number,
  keep: boolean,
  last: boolean,
): Value {
  const dims = keep ? x.dims.map((d, i) => (i === axis ? 1 : d)) : x.dims.filter((_, i) => i !== axis);
  const y = op.result(dims, 'int64');
  op.plan.emit(
    OPCODE.argument,
    Number(greatest),
    Number(last),
    codeOf(x.dtype),
    address(x.buffer),
    address(y.buffer),
    elements(x.dims.slice(0, axis)),
    x.dims[axis] ?? 1,
    elements(x.dims.slice(axis + 1)),
  );
  return y;
}

function argument(greatest: boolean): Lowering {
  return {
    attributes: ['axis', 'keepdims', 'select_last_index'],
    inputs: [1, 1],
    lower(op) {
      const x = op.input(0);
      const axis = axisOf(op, op.int('axis', 0), x.dims.length);
      const last = op.int('select_last_index', 0) !== 0;
      return [emitArgument(op, greatest, x, axis, op.int('keepdims', 1) !== 0, last)];
    },
  };
}

/** Fills y with one element, given by its bytes. */
export function emitFill(op: Operator, y: Value, element: Uint8Array): void {
  const words = new DataView(Uint8Array.from([...element, 0, 0, 0, 0, 0, 0, 0, 0]).buffer);
  const [low, high] = [words.getUint32(0, true), words.getUint32(4, true)];
  op.plan.emit(OPCODE.typedFill, address(y.buffer), elements(y.dims), widthOf(y.dtype), low, high);
}

const ZERO: Pick<Tensor, 'dtype' | 'data'> = { dtype: 'float32', data: new Uint8Array(4) };

const constantOfShape: Lowering = {
  attributes: ['value'],
  inputs: [1, 1],
  lower(op) {
    const { dtype, data } = op.tensor('value') ?? ZERO;
    if (data.length !== widthOf(dtype)) op.invalid('attribute value must have one element');
    const y = op.result(op.constantInts(0), dtype);
    emitFill(op, y, data);
    return [y];
  },
};

const tile: Lowering = {
  attributes: [],
  inputs: [2, 2],
  lower(op) {
    const x = op.input(0);
    const repeats = op.constantInts(1);
    if (repeats.length !== x.dims.length) op.invalid(`${repeats.length} repeats for ${x.dims.length} dimensions`);
    const y = op.result(
      x.dims.map((d, i) => d * (repeats[i] ?? 1)),
      x.dtype,
    );
    const width = widthOf(x.dtype);
    const [xs, ys] = [stridesOf(x.dims, width), stridesOf(y.dims, width)];
    // Each dimension twice: how often, standing still in x; then itself.
    const twice = <T>(f: (i: number) => readonly [T, T]): T[] => x.dims.flatMap((_, i) => [...f(i)]);
    op.plan.emit(
      OPCODE.copy,
      address(x.buffer),
      address(y.buffer),
      width,
      x.dims.length * 2,
      ...twice((i) => [repeats[i] ?? 1, x.dims[i] ?? 1]),
      ...twice((i) => [0, xs[i] ?? 0]),
      ...twice((i) => [(x.dims[i] ?? 1) * (ys[i] ?? 0), ys[i] ?? 0]),
    );
    return [y];
  },
};

export const TYPED: Readonly<Record<string, Lowering>> = {
  Cast: cast,
  CastLike: castLike,
  Not: not,
  And: logic(TYPED_BINARY.And),
  Or: logic(TYPED_BINARY.Or),
  Xor: logic(TYPED_BINARY.Xor),
  Equal: comparison(TYPED_BINARY.Equal),
  Less: comparison(TYPED_BINARY.Less),
  Greater: comparison(TYPED_BINARY.Greater),
  LessOrEqual: comparison(TYPED_BINARY.LessOrEqual),
  GreaterOrEqual: comparison(TYPED_BINARY.GreaterOrEqual),
  Mod: mod,
  Where: where,
  Gather: gather,
  ArgMax: argument(true),
  ArgMin: argument(false),
  ConstantOfShape: constantOfShape,
  Tile: tile,
};
