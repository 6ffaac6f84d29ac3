/** Activations that are made of other functions, and tests for what is no number. */
import { BINARY, TYPED_BINARY, TYPED_UNARY, UNARY } from '../opcodes.ts';
import { axisOf, type Lowering, type Operator } from '../operator.ts';
import type { Value } from '../plan.ts';
import { counting, look } from './copy.ts';
import { constantScalar, emitBinary, emitUnary } from './elementwise.ts';
import { emitArgument, emitCast, emitTypedBinary, emitTypedUnary, emitWhere } from './typed.ts';

const times = (op: Operator, a: Value, factor: number): Value =>
  emitBinary(op, BINARY.Mul, a, constantScalar(op, factor));

const plus = (op: Operator, a: Value, term: number): Value => emitBinary(op, BINARY.Add, a, constantScalar(op, term));

const compare = (op: Operator, kind: number, a: Value, bound: number): Value =>
  emitTypedBinary(op, kind, a, constantScalar(op, bound));

const celu: Lowering = {
  attributes: ['alpha'],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    const alpha = op.float('alpha', 1);
    if (!(alpha > 0)) op.refuse(`alpha = ${alpha} is not supported; expected more than 0`);
    const quotient = emitBinary(op, BINARY.Div, x, constantScalar(op, alpha));
    const below = emitUnary(op, UNARY.Elu, quotient, alpha, 0);
    const zero = constantScalar(op, 0);
    return [emitBinary(op, BINARY.Add, emitUnary(op, UNARY.Relu, x, 0, 0), emitBinary(op, BINARY.Min, below, zero))];
  },
};

const thresholdedRelu: Lowering = {
  attributes: ['alpha'],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    const above = compare(op, TYPED_BINARY.Greater, x, op.float('alpha', 1));
    return [emitWhere(op, above, x, constantScalar(op, 0))];
  },
};

const mish: Lowering = {
  attributes: [],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    return [emitBinary(op, BINARY.Mul, x, emitUnary(op, UNARY.Tanh, emitUnary(op, UNARY.Softplus, x, 0, 0), 0, 0))];
  },
};

const swish: Lowering = {
  attributes: ['alpha'],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    const alpha = op.float('alpha', 1);
    return [emitBinary(op, BINARY.Mul, x, emitUnary(op, UNARY.Sigmoid, alpha === 1 ? x : times(op, x, alpha), 0, 0))];
  },
};

const shrink: Lowering = {
  attributes: ['bias', 'lambd'],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    const [bias, edge] = [op.float('bias', 0), op.float('lambd', 0.5)];
    const above = emitWhere(op, compare(op, TYPED_BINARY.Greater, x, edge), plus(op, x, -bias), constantScalar(op, 0));
    return [emitWhere(op, compare(op, TYPED_BINARY.Less, x, -edge), plus(op, x, bias), above)];
  },
};

/** 1 where the first of the greatest elements of the axis is, 0 elsewhere. */
const hardmax: Lowering = {
  attributes: ['axis'],
  inputs: [1, 1],
  lower(op) {
    const given = op.floats(0);
    const axis = axisOf(op, op.int('axis', op.opset < 13 ? 1 : -1), given.dims.length);
    // Before operator set 13 it works on a matrix of what lies before the axis and what lies behind.
    const [before, behind] = [given.dims.slice(0, axis), given.dims.slice(axis)];
    const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
    const x = op.opset < 13 ? look(op, given, [product(before), product(behind)]) : given;
    const along = op.opset < 13 ? 1 : axis;
    const first = emitArgument(op, true, x, along, true, false);
    const places = counting(op, x.dims[along] ?? 1, along, x.dims.length);
    const hit = emitTypedBinary(op, TYPED_BINARY.Equal, places, emitCast(op, first, 'int32'));
    return [look(op, emitCast(op, hit, 'float32'), given.dims)];
  },
};

/** NaN is the only number that does not equal itself. */
const notANumber: Lowering = {
  attributes: [],
  inputs: [1, 1],
  lower(op) {
    const x = op.input(0);
    if (x.dtype !== 'float32' && x.dtype !== 'float64') op.refuse(`input 0 is ${x.dtype}; expected floats`);
    return [emitTypedUnary(op, TYPED_UNARY.Not, emitTypedBinary(op, TYPED_BINARY.Equal, x, x))];
  },
};

const infinite: Lowering = {
  attributes: ['detect_negative', 'detect_positive'],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    const [negative, positive] = [op.int('detect_negative', 1) !== 0, op.int('detect_positive', 1) !== 0];
    const at = (bound: number): Value => compare(op, TYPED_BINARY.Equal, x, bound);
    const least = negative ? at(Number.NEGATIVE_INFINITY) : undefined;
    if (positive) {
      const most = at(Number.POSITIVE_INFINITY);
      return [least === undefined ? most : emitTypedBinary(op, TYPED_BINARY.Or, least, most)];
    }
    return [least ?? emitTypedBinary(op, TYPED_BINARY.Less, x, x)];
  },
};

export const ACTIVATION: Readonly<Record<string, Lowering>> = {
  Celu: celu,
  ThresholdedRelu: thresholdedRelu,
  Mish: mish,
  Swish: swish,
  Shrink: shrink,
  Hardmax: hardmax,
  IsNaN: notANumber,
  IsInf: infinite,
};
