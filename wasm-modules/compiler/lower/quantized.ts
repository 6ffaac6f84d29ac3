/** Operators that go between float32 and integers of eight bits, and those that multiply such integers. */
import { codeOf, type DataType } from '../../onnx/model.ts';
import { BINARY, OPCODE } from '../opcodes.ts';
import { axisOf, type Lowering, type Operator } from '../operator.ts';
import { address, elements, type Operand, type Value } from '../plan.ts';
import { emitIntegerProduct, type IntegerProduct, type Points } from '../product.ts';
import { emitBinary } from './elementwise.ts';
import { matrixProducts } from './matrix.ts';
import { CONVOLUTION_ATTRIBUTES, filtersOf, geometryOf, patchesOf } from './window.ts';

const BYTES: readonly DataType[] = ['uint8', 'int8'];
const SMALL: readonly DataType[] = [...BYTES, 'uint16', 'int16'];

function oneOf(op: Operator, i: number, types: readonly DataType[]): Value {
  const value = op.input(i);
  return types.includes(value.dtype)
    ? value
    : op.refuse(`input ${i} is ${value.dtype}; supported are ${types.join(', ')}`);
}

/** How scales and zero points meet a tensor: blocks of channels of numbers; one channel where there is but one scale. */
interface Channels {
  readonly blocks: number;
  readonly channels: number;
  readonly each: number;
}

function channelsOf(op: Operator, x: Value, scale: Value): Channels {
  if (elements(scale.dims) === 1) return { blocks: 1, channels: 1, each: elements(x.dims) };
  const axis = axisOf(op, op.int('axis', 1), x.dims.length);
  const channels = x.dims[axis] ?? 0;
  if (scale.dims.length !== 1 || scale.dims[0] !== channels)
    op.refuse(`scales of shape [${scale.dims}] for ${channels} channels`);
  return { blocks: elements(x.dims.slice(0, axis)), channels, each: elements(x.dims.slice(axis + 1)) };
}

/** A scalar, or a list of one. */
function isSingle({ dims }: Value): boolean {
  return dims.length <= 1 && elements(dims) === 1;
}

/** Operands of both directions after x, y and the type. */
function scaleOperands(op: Operator, { blocks, channels, each }: Channels, scale: Value, zero?: Value): Operand[] {
  // Of a single number each may be a scalar or a list of one, as ONNX Runtime has it.
  if (zero !== undefined && zero.dims.join() !== scale.dims.join() && !(isSingle(zero) && isSingle(scale)))
    op.invalid(`zero points of shape [${zero.dims}] for scales of [${scale.dims}]`);
  const step = (value: Value): number => (channels === 1 ? 0 : value.buffer.bytes / channels);
  return [
    blocks,
    channels,
    each,
    address(scale.buffer),
    step(scale),
    ...(zero === undefined ? [0, 0] : [address(zero.buffer), step(zero)]),
  ];
}

function blockless(op: Operator): void {
  if (op.int('block_size', 0) !== 0) op.refuse('block_size is not supported');
}

const quantizeLinear: Lowering = {
  attributes: ['axis', 'saturate', 'block_size', 'output_dtype', 'precision'],
  inputs: [2, 3],
  lower(op) {
    blockless(op);
    const [x, scale] = [op.floats(0), op.floats(1)];
    const zero = op.optional(2) === undefined ? undefined : oneOf(op, 2, SMALL);
    const asked = op.int('output_dtype', 0);
    const dtype =
      zero?.dtype ??
      (asked === 0 ? 'uint8' : SMALL.find((type) => codeOf(type) === asked)) ??
      op.refuse(`output_dtype ${asked} is not supported`);
    const y = op.result(x.dims, dtype);
    op.plan.emit(
      OPCODE.quantize,
      address(x.buffer),
      address(y.buffer),
      codeOf(dtype),
      ...scaleOperands(op, channelsOf(op, x, scale), scale, zero),
    );
    return [y];
  },
};

const dequantizeLinear: Lowering = {
  attributes: ['axis', 'block_size', 'output_dtype'],
  inputs: [2, 3],
  // What it makes of constants is four times as large.
  folds: false,
  lower(op) {
    blockless(op);
    if (![0, 1].includes(op.int('output_dtype', 0))) op.refuse('only output_dtype float32 is supported');
    const [x, scale] = [oneOf(op, 0, [...SMALL, 'int32']), op.floats(1)];
    const zero = op.optional(2);
    if (zero !== undefined && zero.dtype !== x.dtype) op.invalid(`zero points are ${zero.dtype}, input 0 ${x.dtype}`);
    const y = op.result(x.dims);
    op.plan.emit(
      OPCODE.dequantize,
      address(x.buffer),
      address(y.buffer),
      codeOf(x.dtype),
      ...scaleOperands(op, channelsOf(op, x, scale), scale, zero),
    );
    return [y];
  },
};

const dynamicQuantizeLinear: Lowering = {
  attributes: [],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    const [y, scale, zero] = [op.result(x.dims, 'uint8'), op.result([]), op.result([], 'uint8')];
    op.plan.emit(
      OPCODE.dynamicQuantize,
      address(x.buffer),
      elements(x.dims),
      address(y.buffer),
      address(scale.buffer),
      address(zero.buffer),
    );
    return [y, scale, zero];
  },
};

/** Numbers for a whole operand, or one for each of its `count` rows or columns. */
function points(op: Operator, i: number, count: number, width = 1): Points | undefined {
  const value = op.optional(i);
  if (value === undefined) return undefined;
  const n = elements(value.dims);
  if (n !== 1 && n !== count)
    op.refuse(`input ${i} has the shape [${value.dims}]; supported are 1 and ${count} numbers`);
  return { buffer: value.buffer, offset: 0, stride: n === 1 ? 0 : width };
}

/** What the integers of one operand mean: its zero point must have its type. */
function zeroPoint(op: Operator, i: number, operand: Value, count: number): Points | undefined {
  const value = op.optional(i);
  if (value !== undefined && value.dtype !== operand.dtype)
    op.invalid(`input ${i} is ${value.dtype}; expected ${operand.dtype}`);
  return points(op, i, count);
}

interface Operands {
  readonly a: Value;
  readonly b: Value;
  readonly zeroA: number;
  readonly zeroB: number;
}

function emitMatrices(
  op: Operator,
  { a, b, zeroA, zeroB }: Operands,
  dtype: DataType,
  scaledOf: (m: number, n: number) => IntegerProduct['scaled'],
): Value {
  const { m, n, k, dims, products } = matrixProducts(op, a, b);
  const y = op.result(dims, dtype);
  const width = dtype === 'int32' ? 4 : 1;
  const [za, zb] = [zeroPoint(op, zeroA, a, m), zeroPoint(op, zeroB, b, n)];
  const scaled = scaledOf(m, n);
  for (const each of products) {
    const byRow = (za?.stride ?? 0) !== 0 || (scaled?.scale.row ?? 0) !== 0;
    if (byRow && each.rows !== m) op.refuse('scales or zero points for each row of a batch are not supported');
    emitIntegerProduct(op.plan, {
      a: { buffer: a.buffer, offset: each.offsetA, row: k, column: 1 },
      b: { buffer: b.buffer, offset: each.offsetB, row: n, column: 1 },
      y: y.buffer,
      yOffset: each.at * width,
      m: each.rows,
      n,
      k,
      typeA: a.dtype,
      typeB: b.dtype,
      ...(za === undefined ? {} : { zeroA: za }),
      ...(zb === undefined ? {} : { zeroB: zb }),
      ...(scaled === undefined ? {} : { scaled }),
    });
  }
  return y;
}

const matMulInteger: Lowering = {
  attributes: [],
  inputs: [2, 4],
  lower: (op) => [
    emitMatrices(op, { a: oneOf(op, 0, BYTES), b: oneOf(op, 1, BYTES), zeroA: 2, zeroB: 3 }, 'int32', () => undefined),
  ],
};

/** How sums become numbers of y: a's scale times b's, over y's, in that order and in f32. */
function scaleOf(op: Operator, first: number, second: number, own: number): Value {
  if (elements(op.floats(own).dims) !== 1) op.refuse(`input ${own} has the shape [${op.input(own).dims}]`);
  const flat = (i: number): Value => {
    const value = op.floats(i);
    return { ...value, dims: elements(value.dims) === 1 ? [] : [elements(value.dims)] };
  };
  return emitBinary(op, BINARY.Div, emitBinary(op, BINARY.Mul, flat(first), flat(second)), flat(own));
}

function narrow(op: Operator, i: number): { readonly type: 'uint8' | 'int8'; readonly zeroY: Points } {
  const zero = oneOf(op, i, BYTES);
  const at = points(op, i, 1) ?? op.invalid(`input ${i} is missing`);
  return { type: zero.dtype === 'int8' ? 'int8' : 'uint8', zeroY: at };
}

const qLinearMatMul: Lowering = {
  attributes: [],
  inputs: [8, 8],
  lower(op) {
    const scale = scaleOf(op, 1, 4, 6);
    const { type, zeroY } = narrow(op, 7);
    const ofA = elements(op.input(1).dims) !== 1;
    const ofB = elements(op.input(4).dims) !== 1;
    if (ofA && ofB) op.refuse('scales for each row and for each column at once are not supported');
    return [
      emitMatrices(op, { a: oneOf(op, 0, BYTES), b: oneOf(op, 3, BYTES), zeroA: 2, zeroB: 5 }, type, (m, n) => {
        if (elements(scale.dims) !== (ofA ? m : ofB ? n : 1)) op.refuse(`scales of shape [${scale.dims}]`);
        return {
          type,
          zeroY,
          scale: { buffer: scale.buffer, offset: 0, row: ofA ? 4 : 0, column: ofB ? 4 : 0 },
        };
      }),
    ];
  },
};

/** Inputs of a convolution of integers, by their places. */
interface Places {
  readonly x: number;
  readonly w: number;
  readonly zeroX: number;
  readonly zeroW: number;
  readonly bias?: number;
}

function emitConvolution(
  op: Operator,
  places: Places,
  dtype: DataType,
  scaled: (filters: number) => IntegerProduct['scaled'],
): Value {
  const [x, weights] = [oneOf(op, places.x, BYTES), oneOf(op, places.w, BYTES)];
  const g = geometryOf(op, x, weights, true);
  const { out, filters, depth } = filtersOf(op, g);
  const y = op.result([g.batch, filters, ...(g.flat ? [out[1]] : out)], dtype);
  const width = dtype === 'int32' ? 4 : 1;
  const zeroX = zeroPoint(op, places.zeroX, x, 1);
  const zeroW = zeroPoint(op, places.zeroW, weights, filters);
  const bias = places.bias === undefined || op.optional(places.bias) === undefined ? undefined : op.input(places.bias);
  if (bias !== undefined && (bias.dtype !== 'int32' || elements(bias.dims) !== filters))
    op.invalid(`the bias is ${bias.dtype} [${bias.dims}]; expected int32 [${filters}]`);
  const perGroup = filters / g.groups;
  const patch = depth * g.kernel[0] * g.kernel[1];
  const area = out[0] * out[1];
  const image = patchesOf(op, g, out[1], zeroX);
  const scales = scaled(filters);
  for (let i = 0; i < g.batch * g.groups; i++) {
    const first = (i % g.groups) * perGroup;
    emitIntegerProduct(op.plan, {
      a: { buffer: weights.buffer, offset: first * patch, row: patch, column: 1 },
      b: image(i * depth, area),
      ...(bias === undefined ? {} : { c: { buffer: bias.buffer, offset: first * 4, row: 4, column: 0 } }),
      y: y.buffer,
      yOffset: i * perGroup * area * width,
      m: perGroup,
      n: area,
      k: patch,
      typeA: weights.dtype,
      typeB: x.dtype,
      ...(zeroW === undefined ? {} : { zeroA: { ...zeroW, offset: first * zeroW.stride } }),
      ...(zeroX === undefined ? {} : { zeroB: zeroX }),
      ...(scales === undefined
        ? {}
        : { scaled: { ...scales, scale: { ...scales.scale, offset: first * scales.scale.row } } }),
    });
  }
  return y;
}

const convInteger: Lowering = {
  attributes: CONVOLUTION_ATTRIBUTES,
  inputs: [2, 4],
  lower: (op) => [emitConvolution(op, { x: 0, w: 1, zeroX: 2, zeroW: 3 }, 'int32', () => undefined)],
};

const qLinearConv: Lowering = {
  attributes: CONVOLUTION_ATTRIBUTES,
  inputs: [8, 9],
  lower(op) {
    const scale = scaleOf(op, 1, 4, 6);
    const { type, zeroY } = narrow(op, 7);
    return [
      emitConvolution(op, { x: 0, w: 3, zeroX: 2, zeroW: 5, bias: 8 }, type, (filters) => {
        const count = elements(scale.dims);
        if (count !== 1 && count !== filters) op.refuse(`scales of shape [${scale.dims}] for ${filters} filters`);
        return { type, zeroY, scale: { buffer: scale.buffer, offset: 0, row: count === 1 ? 0 : 4, column: 0 } };
      }),
    ];
  },
};

export const QUANTIZED: Readonly<Record<string, Lowering>> = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  DynamicQuantizeLinear: dynamicQuantizeLinear,
  MatMulInteger: matMulInteger,
  ConvInteger: convInteger,
  QLinearMatMul: qLinearMatMul,
  QLinearConv: qLinearConv,
};
