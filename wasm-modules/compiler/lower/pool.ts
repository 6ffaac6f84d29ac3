import { BINARY, OPCODE, POOL, REDUCE, UNARY } from '../opcodes.ts';
import type { Lowering, Operator } from '../operator.ts';
import { address, type Value } from '../plan.ts';
import { look } from './copy.ts';
import { constantScalar, emitBinary, emitUnary } from './elementwise.ts';
import { emitReduce } from './reduce.ts';
import { type Pair, positions, SPATIAL_ATTRIBUTES, type Spatial, spatialOf } from './spatial.ts';
import { emitCast } from './typed.ts';

/** Pools each of `planes` planes by itself: [planes, size] becomes [planes, out]. */
type Pooling = (planes: number, x: Value, s: Spatial, out: Pair) => Value;

function outOf(op: Operator, s: Spatial): Pair {
  const ceil = op.int('ceil_mode', 0) !== 0;
  const along = (i: 0 | 1): number => {
    const count = positions(s, i, ceil ? Math.ceil : Math.floor);
    // A last position that would begin in the padding after the image is left out.
    return ceil && (count - 1) * s.stride[i] >= s.size[i] + s.before[i] ? count - 1 : count;
  };
  for (const i of [0, 1] as const) {
    if (s.before[i] >= s.kernel[i] || s.after[i] >= s.kernel[i]) op.refuse('padding is not smaller than the kernel');
    if (s.dilation[i] > 1 && s.before[i] + s.after[i] > 0 && (s.kernel[i] - 1) * s.dilation[i] + 1 > s.size[i]) {
      op.refuse('a dilated kernel larger than the padded image is not supported');
    }
  }
  return [along(0), along(1)];
}

/** The same node, its attributes of one entry a dimension cut to the dimensions from `from` up to `to`. */
function cutTo(op: Operator, from: number, to: number): Operator {
  return {
    ...op,
    ints(name) {
      const all = op.ints(name);
      if (all === undefined || name === 'kernel_shape') return all;
      if (name !== 'pads') return all.slice(from, to);
      const half = all.length / 2;
      return [...all.slice(from, to), ...all.slice(half + from, half + to)];
    },
  };
}

/**
 * Over one, two or three spatial dimensions. Of three, height and width are pooled first and then the depth, which comes to
 * the same: a window is a box, and what lies outside of the image of it is cut off or counted in each dimension by itself.
 */
function emitSpatial(op: Operator, x: Value, pooling: Pooling): Value {
  const kernel = op.ints('kernel_shape') ?? op.invalid('kernel_shape is missing');
  const [batch = 0, channels = 0, depth = 0] = x.dims;
  if (x.dims.length !== 5) {
    const s = spatialOf(op, x.dims, kernel, true);
    const out = outOf(op, s);
    const y = pooling(batch * channels, x, s, out);
    return look(op, y, [batch, channels, ...(s.flat ? [out[1]] : out)]);
  }
  if (kernel.length !== 3) op.invalid(`kernel [${kernel}] for 3 spatial dimensions`);
  const [flat, deep] = [cutTo(op, 1, 3), cutTo(op, 0, 1)];
  const s = spatialOf(flat, [batch, channels, ...x.dims.slice(3)], kernel.slice(1), true);
  const out = outOf(op, s);
  const planes = pooling(batch * channels * depth, x, s, out);
  const line = spatialOf(deep, [batch, channels, depth], kernel.slice(0, 1), true);
  const area = out[0] * out[1];
  const upright: Spatial = {
    flat: false,
    size: [depth, area],
    kernel: [line.kernel[1], 1],
    stride: [line.stride[1], 1],
    dilation: [line.dilation[1], 1],
    before: [line.before[1], 0],
    after: [line.after[1], 0],
  };
  const [levels] = outOf(op, upright);
  const y = pooling(batch * channels, planes, upright, [levels, area]);
  return look(op, y, [batch, channels, levels, ...out]);
}

function emitPool(op: Operator, kind: number): Pooling {
  return (planes, x, s, out) => {
    const y = op.result([planes, ...out]);
    op.plan.emit(
      OPCODE.pool,
      kind,
      address(x.buffer),
      address(y.buffer),
      planes,
      ...s.size,
      ...s.kernel,
      ...out,
      ...s.stride,
      ...s.dilation,
      ...s.before,
      ...s.after,
    );
    return y;
  };
}

const maxPool: Lowering = {
  attributes: [...SPATIAL_ATTRIBUTES, 'ceil_mode', 'storage_order'],
  inputs: [1, 1],
  lower(op) {
    const x = op.input(0);
    // Floats hold all integers of 8 bits.
    if (x.dtype === 'uint8' || x.dtype === 'int8')
      return [emitCast(op, emitSpatial(op, emitCast(op, x, 'float32'), emitPool(op, POOL.max)), x.dtype)];
    return [emitSpatial(op, op.floats(0), emitPool(op, POOL.max))];
  },
};

const averagePool: Lowering = {
  attributes: [...SPATIAL_ATTRIBUTES, 'ceil_mode', 'count_include_pad'],
  inputs: [1, 1],
  lower(op) {
    const kind = op.int('count_include_pad', 0) === 0 ? POOL.inside : POOL.padded;
    return [emitSpatial(op, op.floats(0), emitPool(op, kind))];
  },
};

/** The magnitudes to the power of p, and back from their sum. */
function powers(op: Operator): { readonly raise: (x: Value) => Value; readonly root: (x: Value) => Value } {
  const p = op.int('p', 2);
  if (p < 1) op.invalid(`p = ${p}; expected at least 1`);
  const power = (x: Value, exponent: number): Value => emitBinary(op, BINARY.Pow, x, constantScalar(op, exponent));
  return {
    raise(x) {
      if (p === 2) return emitBinary(op, BINARY.Mul, x, x);
      const magnitude = emitUnary(op, UNARY.Abs, x, 0, 0);
      return p === 1 ? magnitude : power(magnitude, p);
    },
    root: (x) => (p === 1 ? x : p === 2 ? emitUnary(op, UNARY.Sqrt, x, 0, 0) : power(x, 1 / p)),
  };
}

/** Windows side by side, with 0 outside of the image, and their sums. */
function emitWindowSum(op: Operator): Pooling {
  return (planes, x, s, out) => {
    const [window, area] = [s.kernel[0] * s.kernel[1], out[0] * out[1]];
    const columns = op.result([planes, window, area]);
    const [to, from] = [address(columns.buffer), address(x.buffer)];
    const walk = [...s.size, ...s.kernel, ...out, ...s.stride, ...s.dilation, ...s.before];
    op.plan.emit(OPCODE.imageToColumns, to, from, 0, planes, ...walk);
    return emitReduce(op, REDUCE.sum, columns, [1], false);
  };
}

const lpPool: Lowering = {
  attributes: [...SPATIAL_ATTRIBUTES, 'ceil_mode', 'p'],
  inputs: [1, 1],
  lower(op) {
    const { raise, root } = powers(op);
    return [root(emitSpatial(op, raise(op.floats(0)), emitWindowSum(op)))];
  },
};

/** Input 0 and its spatial axes. */
function globalOf(op: Operator): { readonly x: Value; readonly axes: readonly number[] } {
  const x = op.floats(0);
  if (x.dims.length < 3) op.invalid(`input 0 has the shape [${x.dims}]; expected spatial dimensions`);
  return { x, axes: x.dims.map((_, i) => i).slice(2) };
}

function globalPool(kind: number): Lowering {
  return {
    attributes: [],
    inputs: [1, 1],
    lower(op) {
      const { x, axes } = globalOf(op);
      return [emitReduce(op, kind, x, axes, true)];
    },
  };
}

const globalLpPool: Lowering = {
  attributes: ['p'],
  inputs: [1, 1],
  lower(op) {
    const { x, axes } = globalOf(op);
    const { raise, root } = powers(op);
    return [root(emitReduce(op, REDUCE.sum, raise(x), axes, true))];
  },
};

export const POOLING: Readonly<Record<string, Lowering>> = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalAveragePool: globalPool(REDUCE.mean),
  GlobalMaxPool: globalPool(REDUCE.max),
  GlobalLpPool: globalLpPool,
};
