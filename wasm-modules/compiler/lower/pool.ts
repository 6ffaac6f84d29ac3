import { OPCODE, POOL, REDUCE } from '../opcodes.ts';
import type { Lowering, Operator } from '../operator.ts';
import { address, type Value } from '../plan.ts';
import { emitReduce } from './reduce.ts';
import { type Pair, positions, SPATIAL_ATTRIBUTES, type Spatial, spatialOf } from './spatial.ts';

function emitPool(op: Operator, kind: number, x: Value, s: Spatial): Value {
  const ceil = op.int('ceil_mode', 0) !== 0;
  const along = (i: 0 | 1): number => {
    const count = positions(s, i, ceil ? Math.ceil : Math.floor);
    // A last position that would begin in the padding after the image is left out.
    return ceil && (count - 1) * s.stride[i] >= s.size[i] + s.before[i] ? count - 1 : count;
  };
  const out: Pair = [along(0), along(1)];
  const [batch = 0, channels = 0] = x.dims;
  for (const i of [0, 1] as const) {
    if (s.before[i] >= s.kernel[i] || s.after[i] >= s.kernel[i]) op.refuse('padding is not smaller than the kernel');
    if (s.dilation[i] > 1 && s.before[i] + s.after[i] > 0 && (s.kernel[i] - 1) * s.dilation[i] + 1 > s.size[i]) {
      op.refuse('a dilated kernel larger than the padded image is not supported');
    }
  }
  const y = op.result([batch, channels, ...(s.flat ? [out[1]] : out)]);
  op.plan.emit(
    OPCODE.pool,
    kind,
    address(x.buffer),
    address(y.buffer),
    batch * channels,
    ...s.size,
    ...s.kernel,
    ...out,
    ...s.stride,
    ...s.dilation,
    ...s.before,
    ...s.after,
  );
  return y;
}

function kernelShape(op: Operator): readonly number[] {
  return op.ints('kernel_shape') ?? op.invalid('kernel_shape is missing');
}

const maxPool: Lowering = {
  attributes: [...SPATIAL_ATTRIBUTES, 'ceil_mode', 'storage_order'],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    return [emitPool(op, POOL.max, x, spatialOf(op, x.dims, kernelShape(op), true))];
  },
};

const averagePool: Lowering = {
  attributes: [...SPATIAL_ATTRIBUTES, 'ceil_mode', 'count_include_pad'],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    const kind = op.int('count_include_pad', 0) === 0 ? POOL.inside : POOL.padded;
    return [emitPool(op, kind, x, spatialOf(op, x.dims, kernelShape(op), true))];
  },
};

function globalPool(kind: number): Lowering {
  return {
    attributes: [],
    inputs: [1, 1],
    lower(op) {
      const x = op.floats(0);
      if (x.dims.length < 3) op.invalid(`input 0 has the shape [${x.dims}]; expected spatial dimensions`);
      const axes = x.dims.map((_, i) => i).slice(2);
      return [emitReduce(op, kind, x, axes, true)];
    },
  };
}

export const POOLING: Readonly<Record<string, Lowering>> = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalPool(REDUCE.mean),
  GlobalMaxPool: globalPool(REDUCE.max),
};
