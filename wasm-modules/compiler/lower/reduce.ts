import { codeOf, widthOf } from '../../onnx/model.ts';
import { BINARY, OPCODE, REDUCE, UNARY } from '../opcodes.ts';
import { axesOf, axisOf, type Lowering, type Operator } from '../operator.ts';
import { address, elements, stridesOf, type Value } from '../plan.ts';
import { constantScalar, emitBinary, emitUnary } from './elementwise.ts';
import { integerScalar } from './typed.ts';

/** Reduces `axes` of x; they stay as 1 (`keep`) or go. */
export function emitReduce(op: Operator, kind: number, x: Value, axes: readonly number[], keep: boolean): Value {
  const strides = stridesOf(x.dims, widthOf(x.dtype));
  const gone = x.dims.map((_, i) => i).filter((i) => axes.includes(i));
  const stays = x.dims.map((_, i) => i).filter((i) => !axes.includes(i));
  const dims = keep ? x.dims.map((d, i) => (axes.includes(i) ? 1 : d)) : stays.map((i) => x.dims[i] ?? 1);
  const y = op.result(dims, x.dtype);
  const float = x.dtype === 'float32';
  const walk = (dims: readonly number[]): readonly number[] =>
    dims.length === 0 ? [1, 0] : [...dims.map((i) => x.dims[i] ?? 1), ...dims.map((i) => strides[i] ?? 0)];
  op.plan.emit(
    float ? OPCODE.reduce : OPCODE.reduceInts,
    kind,
    address(x.buffer),
    address(y.buffer),
    elements(y.dims),
    Math.max(stays.length, 1),
    Math.max(gone.length, 1),
    ...(float ? [] : [codeOf(x.dtype)]),
    ...walk(stays),
    ...walk(gone),
  );
  return y;
}

/** The axes of a reduction: an input or an attribute; none means all, or with `noop_with_empty_axes` no reduction. */
function reducedAxes(op: Operator, rank: number): readonly number[] | undefined {
  const given = op.optional(1) === undefined ? op.ints('axes') : op.constantInts(1);
  if (given !== undefined && given.length > 0) return axesOf(op, given, rank);
  return op.int('noop_with_empty_axes', 0) === 0 ? Array.from({ length: rank }, (_, i) => i) : undefined;
}

/** Input 0 of a reduction: float32, integers, or for the least and greatest also bool. */
function numbers(op: Operator, kind: number): Value {
  const x = op.input(0);
  if (x.dtype === 'float64') op.refuse('float64 is not supported');
  if (x.dtype === 'bool' && kind !== REDUCE.max && kind !== REDUCE.min) op.invalid('bool is no number');
  return x;
}

function reduction(kind: number, after?: number): Lowering {
  return {
    attributes: ['axes', 'keepdims', 'noop_with_empty_axes'],
    inputs: [1, 2],
    lower(op) {
      const x = numbers(op, kind);
      if (after !== undefined) op.floats(0);
      const axes = reducedAxes(op, x.dims.length);
      if (axes === undefined) {
        if (kind === REDUCE.squares || kind === REDUCE.absolutes || after !== undefined)
          op.refuse('noop_with_empty_axes without axes is not supported');
        return [x];
      }
      const keep = op.int('keepdims', 1) !== 0;
      // A mean of integers is cut towards zero.
      if (kind === REDUCE.mean && x.dtype !== 'float32') {
        const sum = emitReduce(op, REDUCE.sum, x, axes, keep);
        const count = axes.reduce((product, i) => product * (x.dims[i] ?? 1), 1);
        return [emitBinary(op, BINARY.Div, sum, integerScalar(op, x.dtype, count))];
      }
      const y = emitReduce(op, kind, x, axes, keep);
      return [after === undefined ? y : emitUnary(op, after, y, 0, 0)];
    },
  };
}

/** The logarithm of a sum of powers of e, which are taken of what is at most 0. */
const logSumExp: Lowering = {
  attributes: ['axes', 'keepdims', 'noop_with_empty_axes'],
  inputs: [1, 2],
  lower(op) {
    const x = op.floats(0);
    const axes = reducedAxes(op, x.dims.length) ?? op.refuse('noop_with_empty_axes without axes is not supported');
    // Infinite values stay at their side instead of being taken from each other.
    const most = emitUnary(op, UNARY.Clip, emitReduce(op, REDUCE.max, x, axes, true), -GREATEST, GREATEST);
    const powers = emitUnary(op, UNARY.Exp, emitBinary(op, BINARY.Sub, x, most), 0, 0);
    const log = emitUnary(op, UNARY.Log, emitReduce(op, REDUCE.sum, powers, axes, true), 0, 0);
    const y = emitBinary(op, BINARY.Add, log, most);
    const keep = op.int('keepdims', 1) !== 0;
    return [keep ? y : { ...y, dims: y.dims.filter((_, i) => !axes.includes(i)) }];
  },
};

/** The greatest float32 below infinity. */
const GREATEST = 3.4028234663852886e38;

/** Softmax along one axis, its logarithm if `log`. Before operator set 13 it is of a matrix that begins anew at the axis. */
function softmax(log: boolean): Lowering {
  return {
    attributes: ['axis'],
    inputs: [1, 1],
    lower(op) {
      const given = op.floats(0);
      const whole = op.opset < 13;
      const at = axisOf(op, op.int('axis', whole ? 1 : -1), given.dims.length);
      const matrix = [elements(given.dims.slice(0, at)), elements(given.dims.slice(at))];
      const x = whole ? { ...given, dims: matrix } : given;
      const axis = [whole ? 1 : at];
      const centred = emitBinary(op, BINARY.Sub, x, emitReduce(op, REDUCE.max, x, axis, true));
      const powers = emitUnary(op, UNARY.Exp, centred, 0, 0);
      const sum = emitReduce(op, REDUCE.sum, powers, axis, true);
      const y = log
        ? emitBinary(op, BINARY.Sub, centred, emitUnary(op, UNARY.Log, sum, 0, 0))
        : emitBinary(op, BINARY.Div, powers, sum);
      return [{ ...y, dims: given.dims }];
    },
  };
}

const batchNormalization: Lowering = {
  attributes: ['epsilon', 'momentum', 'training_mode'],
  inputs: [5, 5],
  lower(op) {
    if (op.int('training_mode', 0) !== 0) op.refuse('training_mode = 1 is not supported');
    const x = op.floats(0);
    const channels = x.dims[1] ?? 1;
    const perChannel = (i: number): Value => {
      const value = op.floats(i);
      if (value.dims.length !== 1 || value.dims[0] !== channels)
        op.invalid(`input ${i} has the shape [${value.dims}] for ${channels} channels`);
      return { ...value, dims: [channels, ...x.dims.slice(2).map(() => 1)] };
    };
    const [scale, bias, mean, variance] = [1, 2, 3, 4].map(perChannel) as [Value, Value, Value, Value];
    const deviation = emitUnary(
      op,
      UNARY.Sqrt,
      emitBinary(op, BINARY.Add, variance, constantScalar(op, op.float('epsilon', 1e-5))),
      0,
      0,
    );
    const normal = emitBinary(op, BINARY.Div, emitBinary(op, BINARY.Sub, x, mean), deviation);
    return [emitBinary(op, BINARY.Add, emitBinary(op, BINARY.Mul, normal, scale), bias)];
  },
};

export const REDUCTION: Readonly<Record<string, Lowering>> = {
  ReduceSum: reduction(REDUCE.sum),
  ReduceMean: reduction(REDUCE.mean),
  ReduceMax: reduction(REDUCE.max),
  ReduceMin: reduction(REDUCE.min),
  ReduceProd: reduction(REDUCE.product),
  ReduceSumSquare: reduction(REDUCE.squares),
  ReduceL1: reduction(REDUCE.absolutes),
  ReduceL2: reduction(REDUCE.squares, UNARY.Sqrt),
  ReduceLogSum: reduction(REDUCE.sum, UNARY.Log),
  ReduceLogSumExp: logSumExp,
  Softmax: softmax(false),
  LogSoftmax: softmax(true),
  BatchNormalization: batchNormalization,
};
