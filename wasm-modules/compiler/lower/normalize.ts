/** Normalisations: to mean 0 and variance 1 over some axes, or to length 1. */
import { BINARY, OPCODE, POOL, REDUCE, TYPED_BINARY, UNARY } from '../opcodes.ts';
import { axesOf, axisOf, type Lowering, type Operator } from '../operator.ts';
import { address, elements, type Value } from '../plan.ts';
import { broadcast } from './broadcast.ts';
import { look } from './copy.ts';
import { constantScalar, emitBinary, emitUnary } from './elementwise.ts';
import { emitReduce } from './reduce.ts';
import { emitTypedBinary, emitWhere } from './typed.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** The mean of the squares over `axes`, which stay as 1. */
function emitPower(op: Operator, x: Value, axes: readonly number[]): Value {
  const count = axes.reduce((product, axis) => product * (x.dims[axis] ?? 1), 1);
  return emitBinary(op, BINARY.Div, emitReduce(op, REDUCE.squares, x, axes, true), constantScalar(op, count));
}

/** 1 / sqrt(power + epsilon). */
function emitInverse(op: Operator, power: Value): Value {
  const raised = emitBinary(op, BINARY.Add, power, constantScalar(op, op.float('epsilon', 1e-5)));
  return emitUnary(op, UNARY.Reciprocal, emitUnary(op, UNARY.Sqrt, raised, 0, 0), 0, 0);
}

interface Standard {
  readonly y: Value;
  readonly mean: Value;
  readonly inverse: Value;
}

function emitStandard(op: Operator, x: Value, axes: readonly number[]): Standard {
  const mean = emitReduce(op, REDUCE.mean, x, axes, true);
  const centred = emitBinary(op, BINARY.Sub, x, mean);
  const inverse = emitInverse(op, emitPower(op, centred, axes));
  return { y: emitBinary(op, BINARY.Mul, centred, inverse), mean, inverse };
}

/** Input `i`, which must broadcast to the shape of x without changing it. */
function factor(op: Operator, i: number, x: Value): Value {
  const value = op.floats(i);
  if (broadcast(op, value.dims, x.dims).join() !== x.dims.join())
    op.invalid(`input ${i} of shape [${value.dims}] does not broadcast to [${x.dims}]`);
  return value;
}

/** Input `i`: one number for each of `count`, seen with `behind` more dimensions of 1. */
function perChannel(op: Operator, i: number, count: number, behind: number): Value {
  const value = op.floats(i);
  if (value.dims.length !== 1 || value.dims[0] !== count)
    op.invalid(`input ${i} has the shape [${value.dims}]; expected [${count}]`);
  return look(op, value, [count, ...new Array<number>(behind).fill(1)]);
}

/** In float32 everything is computed in float32; another type for it is not supported. */
function checkStash(op: Operator): void {
  const type = op.int('stash_type', 1);
  if (type !== 1) op.refuse(`stash_type = ${type} is not supported`);
}

function scaled(op: Operator, x: Value, scale: Value, bias: Value | undefined): Value {
  const y = emitBinary(op, BINARY.Mul, x, scale);
  return bias === undefined ? y : emitBinary(op, BINARY.Add, y, bias);
}

const layer: Lowering = {
  attributes: ['axis', 'epsilon', 'stash_type'],
  inputs: [2, 3],
  lower(op) {
    checkStash(op);
    const x = op.floats(0);
    const axes = range(axisOf(op, op.int('axis', -1), x.dims.length), x.dims.length);
    const { y, mean, inverse } = emitStandard(op, x, axes);
    const bias = op.optional(2) === undefined ? undefined : factor(op, 2, x);
    return [scaled(op, y, factor(op, 1, x), bias), mean, inverse];
  },
};

const rootMeanSquare: Lowering = {
  attributes: ['axis', 'epsilon', 'stash_type'],
  inputs: [2, 2],
  lower(op) {
    checkStash(op);
    const x = op.floats(0);
    const axes = range(axisOf(op, op.int('axis', -1), x.dims.length), x.dims.length);
    const y = emitBinary(op, BINARY.Mul, x, emitInverse(op, emitPower(op, x, axes)));
    return [scaled(op, y, factor(op, 1, x), undefined)];
  },
};

const instance: Lowering = {
  attributes: ['epsilon'],
  inputs: [3, 3],
  lower(op) {
    const x = op.floats(0);
    if (x.dims.length < 3) op.invalid(`input 0 has the shape [${x.dims}]; expected spatial dimensions`);
    const spatial = x.dims.length - 2;
    const [scale, bias] = [1, 2].map((i) => perChannel(op, i, x.dims[1] ?? 0, spatial)) as [Value, Value];
    return [scaled(op, emitStandard(op, x, range(2, x.dims.length)).y, scale, bias)];
  },
};

const group: Lowering = {
  attributes: ['epsilon', 'num_groups', 'stash_type'],
  inputs: [3, 3],
  lower(op) {
    checkStash(op);
    const x = op.floats(0);
    const [batch = 0, channels = 0] = x.dims;
    const groups = op.int('num_groups', 0);
    if (x.dims.length < 2 || groups < 1 || channels % groups !== 0)
      op.invalid(`input 0 of shape [${x.dims}] in ${groups} groups`);
    const { y } = emitStandard(op, look(op, x, [batch, groups, elements(x.dims) / (batch * groups)]), [2]);
    // Scale and bias are by group up to operator set 20, by channel since.
    if (op.opset < 21) {
      const [scale, bias] = [1, 2].map((i) => perChannel(op, i, groups, 1)) as [Value, Value];
      return [look(op, scaled(op, y, scale, bias), x.dims)];
    }
    const [scale, bias] = [1, 2].map((i) => perChannel(op, i, channels, x.dims.length - 2)) as [Value, Value];
    return [scaled(op, look(op, y, x.dims), scale, bias)];
  },
};

const meanVariance: Lowering = {
  attributes: ['axes'],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    const axes = axesOf(op, op.ints('axes') ?? [0, 2, 3], x.dims.length);
    const centred = emitBinary(op, BINARY.Sub, x, emitReduce(op, REDUCE.mean, x, axes, true));
    const deviation = emitUnary(op, UNARY.Sqrt, emitPower(op, centred, axes), 0, 0);
    return [emitBinary(op, BINARY.Div, centred, emitBinary(op, BINARY.Add, deviation, constantScalar(op, 1e-9)))];
  },
};

/** To length 1 along one axis; what has length 0 stays 0. */
const length: Lowering = {
  attributes: ['axis', 'p'],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    const axis = [axisOf(op, op.int('axis', -1), x.dims.length)];
    const p = op.int('p', 2);
    if (p !== 1 && p !== 2) op.invalid(`p = ${p}; expected 1 or 2`);
    const sum = emitReduce(op, p === 1 ? REDUCE.absolutes : REDUCE.squares, x, axis, true);
    const norm = p === 1 ? sum : emitUnary(op, UNARY.Sqrt, sum, 0, 0);
    const zero = constantScalar(op, 0);
    const none = emitTypedBinary(op, TYPED_BINARY.Equal, norm, zero);
    return [emitBinary(op, BINARY.Div, x, emitWhere(op, none, constantScalar(op, 1), norm))];
  },
};

/** Each number by the squares of its neighbours in other channels: their mean is a pooling along the channels. */
const localResponse: Lowering = {
  attributes: ['alpha', 'beta', 'bias', 'size'],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    const size = op.int('size', 0);
    const [batch = 0, channels = 0] = x.dims;
    if (x.dims.length < 3 || size < 1) op.invalid(`size ${size} for an input of shape [${x.dims}]`);
    const area = elements(x.dims.slice(2));
    const squares = emitBinary(op, BINARY.Mul, x, x);
    const mean = op.result(x.dims);
    const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
    op.plan.emit(
      OPCODE.pool,
      POOL.padded,
      address(squares.buffer),
      address(mean.buffer),
      batch,
      ...[channels, area],
      ...[size, 1],
      ...[channels, area],
      ...[1, 1],
      ...[1, 1],
      ...[before, 0],
      ...[after, 0],
    );
    const weighted = emitBinary(op, BINARY.Mul, mean, constantScalar(op, op.float('alpha', 0.0001)));
    const raised = emitBinary(op, BINARY.Add, weighted, constantScalar(op, op.float('bias', 1)));
    const divisor = emitBinary(op, BINARY.Pow, raised, constantScalar(op, op.float('beta', 0.75)));
    return [emitBinary(op, BINARY.Div, x, divisor)];
  },
};

export const NORMALIZATION: Readonly<Record<string, Lowering>> = {
  LayerNormalization: layer,
  RMSNormalization: rootMeanSquare,
  InstanceNormalization: instance,
  GroupNormalization: group,
  MeanVarianceNormalization: meanVariance,
  LpNormalization: length,
  LRN: localResponse,
};
