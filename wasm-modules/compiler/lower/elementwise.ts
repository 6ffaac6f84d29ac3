import { BINARY, OPCODE, TYPED_UNARY, UNARY } from '../opcodes.ts';
import type { Lowering, Operator } from '../operator.ts';
import { address, elements, float, type Value } from '../plan.ts';
import { broadcast, broadcastStrides } from './broadcast.ts';
import { emitCast, emitTypedBinary, emitTypedUnary } from './typed.ts';

export function emitUnary(op: Operator, kind: number, x: Value, p: number, q: number): Value {
  const y = op.result(x.dims);
  op.plan.emit(OPCODE.unary, kind, address(x.buffer), address(y.buffer), elements(x.dims), float(p), float(q));
  return y;
}

function plainUnary(kind: number): Lowering {
  return { attributes: [], inputs: [1, 1], lower: (op) => [emitUnary(op, kind, op.floats(0), 0, 0)] };
}

/** Of two tensors of one type: floats or integers. */
export function emitBinary(op: Operator, kind: number, a: Value, b: Value): Value {
  if (a.dtype === 'bool') op.invalid('bool is no number');
  if (a.dtype !== 'float32' || b.dtype !== 'float32') {
    if (a.dtype === 'float64' && kind >= BINARY.Pow) op.refuse('float64 is not supported');
    return emitTypedBinary(op, kind, a, b);
  }
  const dims = broadcast(op, a.dims, b.dims);
  const y = op.result(dims);
  const shape = dims.length === 0 ? [1] : dims;
  op.plan.emit(
    OPCODE.binary,
    kind,
    address(a.buffer),
    address(b.buffer),
    address(y.buffer),
    shape.length,
    ...shape,
    ...broadcastStrides(a.dims, shape),
    ...broadcastStrides(b.dims, shape),
  );
  return y;
}

function plainBinary(kind: number): Lowering {
  return {
    attributes: [],
    inputs: [2, 2],
    lower: (op) => [emitBinary(op, kind, op.input(0), op.input(1))],
  };
}

/** A function of floats that also has a meaning for integers. */
function anyUnary(kind: number, typed: number): Lowering {
  return {
    attributes: [],
    inputs: [1, 1],
    lower(op) {
      const x = op.input(0);
      if (x.dtype === 'float32') return [emitUnary(op, kind, x, 0, 0)];
      if (x.dtype === 'float64' || x.dtype === 'bool') op.refuse(`${x.dtype} is not supported`);
      return [emitTypedUnary(op, typed, x)];
    },
  };
}

const isFloat = ({ dtype }: Value): boolean => dtype === 'float32' || dtype === 'float64';

/** Base and exponent may differ in type; the result has the type of the base. */
const pow: Lowering = {
  attributes: [],
  inputs: [2, 2],
  lower(op) {
    const [base, exponent] = [op.input(0), op.input(1)];
    if (!isFloat(base) && !isFloat(exponent))
      return [emitBinary(op, BINARY.Pow, base, emitCast(op, exponent, base.dtype))];
    if (base.dtype === 'float64') op.refuse('float64 is not supported');
    const power = emitBinary(op, BINARY.Pow, emitCast(op, base, 'float32'), emitCast(op, exponent, 'float32'));
    return [emitCast(op, power, base.dtype)];
  },
};

const prelu: Lowering = {
  attributes: [],
  inputs: [2, 2],
  lower: (op) => [emitBinary(op, BINARY.PRelu, op.floats(0), op.floats(1))],
};

/** A constant without dimensions. */
export function constantScalar(op: Operator, value: number): Value {
  return { dtype: 'float32', dims: [], buffer: op.plan.constant(new Uint8Array(Float32Array.of(value).buffer)) };
}

/** A function of two attributes, each with its value where it is left out. */
function steered(kind: number, p: readonly [string, number], q?: readonly [string, number]): Lowering {
  return {
    attributes: q === undefined ? [p[0]] : [p[0], q[0]],
    inputs: [1, 1],
    lower: (op) => [emitUnary(op, kind, op.floats(0), op.float(...p), q === undefined ? 0 : op.float(...q))],
  };
}

const hardSwish: Lowering = {
  attributes: [],
  inputs: [1, 1],
  lower: (op) => [emitUnary(op, UNARY.HardSwish, op.floats(0), 1 / 6, 0.5)],
};

/** sqrt(2 / pi). */
const SLOPE = 0.7978845608028654;

/** Gelu by way of tanh: half of x, times 1 + tanh(SLOPE * (x + 0.044715 x^3)). */
function emitGeluTanh(op: Operator, x: Value): Value {
  const times = (a: Value, factor: number): Value => emitBinary(op, BINARY.Mul, a, constantScalar(op, factor));
  const cube = emitBinary(op, BINARY.Mul, emitBinary(op, BINARY.Mul, x, x), x);
  const inner = times(emitBinary(op, BINARY.Add, x, times(cube, 0.044715)), SLOPE);
  const share = emitBinary(op, BINARY.Add, emitUnary(op, UNARY.Tanh, inner, 0, 0), constantScalar(op, 1));
  return emitBinary(op, BINARY.Mul, times(x, 0.5), share);
}

const gelu: Lowering = {
  attributes: ['approximate'],
  inputs: [1, 1],
  lower(op) {
    const kind = op.string('approximate', 'none');
    if (kind === 'none') return [emitUnary(op, UNARY.Gelu, op.floats(0), 0, 0)];
    if (kind !== 'tanh') op.invalid(`approximate = ${kind}; expected none or tanh`);
    return [emitGeluTanh(op, op.floats(0))];
  },
};

const mean: Lowering = {
  attributes: [],
  inputs: [1, 256],
  lower(op) {
    let y = op.floats(0);
    for (let i = 1; i < op.inputs; i++) y = emitBinary(op, BINARY.Add, y, op.floats(i));
    return [emitBinary(op, BINARY.Div, y, constantScalar(op, op.inputs))];
  },
};

function variadic(kind: number): Lowering {
  return {
    attributes: [],
    inputs: [1, 256],
    lower(op) {
      let y = op.input(0);
      for (let i = 1; i < op.inputs; i++) y = emitBinary(op, kind, y, op.input(i));
      return [y];
    },
  };
}

const clip: Lowering = {
  attributes: [],
  inputs: [1, 3],
  lower(op) {
    const x = op.input(0);
    const [low, high] = [op.optional(1), op.optional(2)];
    const known = [low, high].every((bound) => bound === undefined || bound.buffer.data !== undefined);
    if (x.dtype === 'float32' && known) {
      const bound = (i: number, otherwise: number): number =>
        op.optional(i) === undefined ? otherwise : (op.constantFloats(i)[0] ?? otherwise);
      const least = bound(1, Number.NEGATIVE_INFINITY);
      return [emitUnary(op, UNARY.Clip, x, least, bound(2, Number.POSITIVE_INFINITY))];
    }
    const above = low === undefined ? x : emitBinary(op, BINARY.Max, x, low);
    return [high === undefined ? above : emitBinary(op, BINARY.Min, above, high)];
  },
};

export const ELEMENTWISE: Readonly<Record<string, Lowering>> = {
  Relu: plainUnary(UNARY.Relu),
  Sigmoid: plainUnary(UNARY.Sigmoid),
  Tanh: plainUnary(UNARY.Tanh),
  LeakyRelu: steered(UNARY.LeakyRelu, ['alpha', 0.01]),
  Elu: steered(UNARY.Elu, ['alpha', 1]),
  Selu: steered(UNARY.Selu, ['alpha', 1.6732632423543772], ['gamma', 1.0507009873554805]),
  HardSigmoid: steered(UNARY.HardSigmoid, ['alpha', 0.2], ['beta', 0.5]),
  HardSwish: hardSwish,
  Gelu: gelu,
  Softplus: plainUnary(UNARY.Softplus),
  Softsign: plainUnary(UNARY.Softsign),
  Log: plainUnary(UNARY.Log),
  Erf: plainUnary(UNARY.Erf),
  Exp: plainUnary(UNARY.Exp),
  Neg: anyUnary(UNARY.Neg, TYPED_UNARY.Neg),
  Abs: anyUnary(UNARY.Abs, TYPED_UNARY.Abs),
  Sqrt: plainUnary(UNARY.Sqrt),
  Reciprocal: plainUnary(UNARY.Reciprocal),
  Floor: plainUnary(UNARY.Floor),
  Ceil: plainUnary(UNARY.Ceil),
  Round: plainUnary(UNARY.Round),
  Sign: anyUnary(UNARY.Sign, TYPED_UNARY.Sign),
  Clip: clip,
  Add: plainBinary(BINARY.Add),
  Sub: plainBinary(BINARY.Sub),
  Mul: plainBinary(BINARY.Mul),
  Div: plainBinary(BINARY.Div),
  Pow: pow,
  PRelu: prelu,
  Mean: mean,
  Max: variadic(BINARY.Max),
  Min: variadic(BINARY.Min),
  Sum: variadic(BINARY.Add),
};
