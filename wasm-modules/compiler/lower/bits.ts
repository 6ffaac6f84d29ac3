/** Integers as rows of bits. */
import { typeOf, widthOf } from '../../onnx/model.ts';
import { TYPED_BINARY } from '../opcodes.ts';
import type { Lowering, Operator } from '../operator.ts';
import type { Value } from '../plan.ts';
import { emitCast, emitTypedBinary, integerScalar } from './typed.ts';

function integers(op: Operator, i: number): Value {
  const value = op.input(i);
  if (value.dtype === 'bool' || value.dtype.startsWith('float'))
    return op.invalid(`input ${i} is ${value.dtype}; expected integers`);
  return value;
}

function bitwise(kind: number): Lowering {
  return {
    attributes: [],
    inputs: [2, 2],
    lower: (op) => [emitTypedBinary(op, kind, integers(op, 0), integers(op, 1))],
  };
}

const not: Lowering = {
  attributes: [],
  inputs: [1, 1],
  lower(op) {
    const x = integers(op, 0);
    return [emitTypedBinary(op, TYPED_BINARY.Xor, x, integerScalar(op, x.dtype, -1))];
  },
};

/** A product with a power of two, or the quotient, in 64 bits. Of unsigned integers: the operator knows no others. */
const shift: Lowering = {
  attributes: ['direction'],
  inputs: [2, 2],
  lower(op) {
    const [x, count] = [integers(op, 0), integers(op, 1)];
    if (!x.dtype.startsWith('u')) op.refuse(`input 0 is ${x.dtype}; only unsigned integers are supported`);
    const direction = op.string('direction', '');
    if (direction !== 'LEFT' && direction !== 'RIGHT') op.invalid(`direction is ${JSON.stringify(direction)}`);
    const [wide, by] = [emitCast(op, x, 'uint64'), emitCast(op, count, 'uint64')];
    const power = emitTypedBinary(op, TYPED_BINARY.Pow, integerScalar(op, 'uint64', 2), by);
    const kind = direction === 'LEFT' ? TYPED_BINARY.Mul : TYPED_BINARY.Div;
    return [emitCast(op, emitTypedBinary(op, kind, wide, power), x.dtype)];
  },
};

/** The same bits as elements of another type of the same width: no step at all. */
const cast: Lowering = {
  attributes: ['to'],
  inputs: [1, 1],
  lower(op) {
    const x = op.input(0);
    const code = op.int('to', 0);
    const dtype = typeOf(code) ?? op.refuse(`element type ${code} is not supported`);
    if (dtype === 'bool') op.refuse('bits of any kind are no bool');
    if (widthOf(dtype) !== widthOf(x.dtype)) op.invalid(`${x.dtype} and ${dtype} differ in width`);
    return [{ ...x, dtype }];
  },
};

export const BITS: Readonly<Record<string, Lowering>> = {
  BitShift: shift,
  BitwiseAnd: bitwise(TYPED_BINARY.And),
  BitwiseOr: bitwise(TYPED_BINARY.Or),
  BitwiseXor: bitwise(TYPED_BINARY.Xor),
  BitwiseNot: not,
  BitCast: cast,
};
