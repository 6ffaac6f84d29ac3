import { BINARY, OPCODE, UNARY } from '../opcodes.ts';
import type { Lowering, Operator } from '../operator.ts';
import { address, elements, float, stridesOf, type Value } from '../plan.ts';

export function emitUnary(op: Operator, kind: number, x: Value, p: number, q: number): Value {
  const y = op.result(x.dims);
  op.plan.emit(OPCODE.unary, kind, address(x.buffer), address(y.buffer), elements(x.dims), float(p), float(q));
  return y;
}

function plainUnary(kind: number): Lowering {
  return { attributes: [], inputs: [1, 1], lower: (op) => [emitUnary(op, kind, op.floats(0), 0, 0)] };
}

/** The shape of the result of NumPy broadcasting. */
export function broadcast(op: Operator, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return op.invalid(`shapes [${a}] and [${b}] do not broadcast`);
    return x === 1 ? y : x;
  });
}

/** Strides of `from` seen as `to`: 0 where it is repeated. */
export function broadcastStrides(from: readonly number[], to: readonly number[]): number[] {
  const own = stridesOf(from);
  return to.map((_, i) => {
    const at = i - to.length + from.length;
    return at < 0 || from[at] === 1 ? 0 : (own[at] ?? 0);
  });
}

export function emitBinary(op: Operator, kind: number, a: Value, b: Value): Value {
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
    lower: (op) => [emitBinary(op, kind, op.floats(0), op.floats(1))],
  };
}

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

const gelu: Lowering = {
  attributes: ['approximate'],
  inputs: [1, 1],
  lower(op) {
    const kind = op.string('approximate', 'none');
    if (kind !== 'none') op.refuse(`approximate = ${kind} is not supported`);
    return [emitUnary(op, UNARY.Gelu, op.floats(0), 0, 0)];
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
      let y = op.floats(0);
      for (let i = 1; i < op.inputs; i++) y = emitBinary(op, kind, y, op.floats(i));
      return [y];
    },
  };
}

const clip: Lowering = {
  attributes: [],
  inputs: [1, 3],
  lower(op) {
    const bound = (i: number, otherwise: number): number =>
      op.optional(i) === undefined ? otherwise : (op.constantFloats(i)[0] ?? otherwise);
    const least = bound(1, Number.NEGATIVE_INFINITY);
    return [emitUnary(op, UNARY.Clip, op.floats(0), least, bound(2, Number.POSITIVE_INFINITY))];
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
  Neg: plainUnary(UNARY.Neg),
  Abs: plainUnary(UNARY.Abs),
  Sqrt: plainUnary(UNARY.Sqrt),
  Reciprocal: plainUnary(UNARY.Reciprocal),
  Floor: plainUnary(UNARY.Floor),
  Ceil: plainUnary(UNARY.Ceil),
  Round: plainUnary(UNARY.Round),
  Sign: plainUnary(UNARY.Sign),
  Clip: clip,
  Add: plainBinary(BINARY.Add),
  Sub: plainBinary(BINARY.Sub),
  Mul: plainBinary(BINARY.Mul),
  Div: plainBinary(BINARY.Div),
  Pow: plainBinary(BINARY.Pow),
  PRelu: plainBinary(BINARY.PRelu),
  Mean: mean,
  Max: variadic(BINARY.Max),
  Min: variadic(BINARY.Min),
  Sum: variadic(BINARY.Add),
};
