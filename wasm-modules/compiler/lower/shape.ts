import { widthOf } from '../../onnx/model.ts';
import { axesOf, axisOf, type Lowering, type Operator } from '../operator.ts';
import { elements, type Value } from '../plan.ts';
import { broadcast, broadcastStrides } from './broadcast.ts';
import { emitCopy, emitJoin, emitTranspose, longs, look, numbersUpTo, strides } from './copy.ts';
import { emitFill, emitGather } from './typed.ts';

const reshape: Lowering = {
  attributes: ['allowzero'],
  inputs: [2, 2],
  lower(op) {
    const x = op.input(0);
    const zeroCopies = op.int('allowzero', 0) === 0;
    const asked = op
      .constantInts(1)
      .map((d, i) => (d === 0 && zeroCopies ? (x.dims[i] ?? op.invalid(`dimension ${i} copies nothing`)) : d));
    const known = asked.filter((d) => d !== -1).reduce((product, d) => product * d, 1);
    if (asked.filter((d) => d === -1).length > 1) op.invalid(`shape [${asked}] leaves two dimensions open`);
    return [
      look(
        op,
        x,
        asked.map((d) => (d === -1 ? elements(x.dims) / known : d)),
      ),
    ];
  },
};

const flatten: Lowering = {
  attributes: ['axis'],
  inputs: [1, 1],
  lower(op) {
    const x = op.input(0);
    const given = op.int('axis', 1);
    const axis = given < 0 ? given + x.dims.length : given;
    if (axis < 0 || axis > x.dims.length) op.invalid(`axis ${given} is outside of rank ${x.dims.length}`);
    return [look(op, x, [elements(x.dims.slice(0, axis)), elements(x.dims.slice(axis))])];
  },
};

const identity: Lowering = { attributes: [], inputs: [1, 1], lower: (op) => [op.input(0)] };

const squeeze: Lowering = {
  attributes: [],
  inputs: [1, 2],
  lower(op) {
    const x = op.input(0);
    const axes = op.optional(1) === undefined ? undefined : axesOf(op, op.constantInts(1), x.dims.length);
    const dims = x.dims.filter((d, i) => (axes === undefined ? d !== 1 : !axes.includes(i)));
    return [look(op, x, dims)];
  },
};

const unsqueeze: Lowering = {
  attributes: [],
  inputs: [2, 2],
  lower(op) {
    const x = op.input(0);
    const given = op.constantInts(1);
    const rank = x.dims.length + given.length;
    const axes = new Set(axesOf(op, given, rank));
    const left = x.dims[Symbol.iterator]();
    return [
      look(
        op,
        x,
        Array.from({ length: rank }, (_, i) => (axes.has(i) ? 1 : (left.next().value ?? 1))),
      ),
    ];
  },
};

const concat: Lowering = {
  attributes: ['axis'],
  inputs: [1, 256],
  lower(op) {
    const parts = Array.from({ length: op.inputs }, (_, i) => op.input(i));
    const first = op.input(0).dims;
    const axis = axisOf(op, op.int('axis', 0), first.length);
    for (const { dims, dtype } of parts) {
      if (dtype !== op.input(0).dtype) op.invalid(`inputs are ${op.input(0).dtype} and ${dtype}; expected one type`);
      if (dims.length !== first.length || dims.some((d, i) => i !== axis && d !== first[i])) {
        op.invalid(`shapes [${first}] and [${dims}] do not join along axis ${axis}`);
      }
    }
    return [emitJoin(op, parts, axis)];
  },
};

const transpose: Lowering = {
  attributes: ['perm'],
  inputs: [1, 1],
  lower(op) {
    const x = op.input(0);
    const perm = op.ints('perm') ?? x.dims.map((_, i) => x.dims.length - 1 - i);
    if (perm.length !== x.dims.length || x.dims.some((_, i) => !perm.includes(i))) {
      op.invalid(`perm [${perm}] does not order ${x.dims.length} dimensions`);
    }
    return [emitTranspose(op, x, perm)];
  },
};

const slice: Lowering = {
  attributes: [],
  inputs: [3, 5],
  lower(op) {
    const x = op.input(0);
    const starts = op.constantInts(1);
    const ends = op.constantInts(2);
    const axes = op.optional(3) === undefined ? starts.map((_, i) => i) : axesOf(op, op.constantInts(3), x.dims.length);
    const steps = op.optional(4) === undefined ? starts.map(() => 1) : op.constantInts(4);
    if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length) {
      op.invalid('starts, ends, axes and steps differ in length');
    }
    const dims = [...x.dims];
    const own = strides(x);
    let begin = 0;
    axes.forEach((given, i) => {
      const axis = axisOf(op, given, dims.length);
      const cut = sliceOf(op, x.dims[axis] ?? 0, starts[i] ?? 0, ends[i] ?? 0, steps[i] ?? 1);
      begin += cut.start * (own[axis] ?? 0);
      dims[axis] = cut.count;
      own[axis] = (own[axis] ?? 0) * (steps[i] ?? 1);
    });
    const y = op.result(dims, x.dtype);
    emitCopy(op, x, own, begin, y, strides(y), 0, dims);
    return [y];
  },
};

/** The first index and the number of indices of one axis of Slice (ONNX Operators, Slice-13). */
function sliceOf(
  op: Operator,
  size: number,
  start: number,
  end: number,
  step: number,
): { readonly start: number; readonly count: number } {
  if (step === 0) op.invalid('a step is 0');
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const bound = (v: number, least: number): number => Math.min(Math.max(v < 0 ? v + size : v, least), high);
  const from = bound(start, 0);
  return { start: from, count: Math.max(0, Math.ceil((bound(end, low) - from) / step)) };
}

const shapeOf: Lowering = {
  attributes: ['start', 'end'],
  inputs: [1, 1],
  lower(op) {
    const { dims } = op.input(0);
    const part = dims.slice(op.int('start', 0), op.int('end', dims.length));
    return [longs(op, part, [part.length])];
  },
};

const sizeOf: Lowering = {
  attributes: [],
  inputs: [1, 1],
  lower: (op) => [longs(op, [elements(op.input(0).dims)], [])],
};

const split: Lowering = {
  attributes: ['axis', 'num_outputs'],
  inputs: [1, 2],
  lower(op) {
    const x = op.input(0);
    const axis = axisOf(op, op.int('axis', 0), x.dims.length);
    const size = x.dims[axis] ?? 0;
    const count = op.node.outputs.length;
    // Equal parts; the last one is smaller where the size does not divide (Split-18).
    const part = Math.ceil(size / count);
    const sizes =
      op.optional(1) === undefined
        ? Array.from({ length: count }, (_, i) => Math.min(part, size - i * part))
        : op.constantInts(1);
    if (sizes.length !== count || sizes.reduce((a, b) => a + b, 0) !== size) op.invalid(`parts [${sizes}] of ${size}`);
    const own = strides(x);
    let at = 0;
    return sizes.map((d) => {
      const y = op.result(
        x.dims.map((whole, i) => (i === axis ? d : whole)),
        x.dtype,
      );
      emitCopy(op, x, own, at, y, strides(y), 0, y.dims);
      at += d * (own[axis] ?? 0);
      return y;
    });
  },
};

const expand: Lowering = {
  attributes: [],
  inputs: [2, 2],
  lower(op) {
    const x = op.input(0);
    const y = op.result(broadcast(op, x.dims, op.constantInts(1)), x.dtype);
    emitCopy(op, x, broadcastStrides(x.dims, y.dims, widthOf(x.dtype)), 0, y, strides(y), 0, y.dims);
    return [y];
  },
};

/** Copies x into the middle of a tensor of one value. */
function padConstant(op: Operator, x: Value, before: readonly number[], dims: readonly number[]): Value {
  const y = op.result(dims, x.dtype);
  const own = strides(y);
  const value = op.optional(2);
  if (value === undefined) emitFill(op, y, new Uint8Array(widthOf(x.dtype)));
  else {
    if (value.dtype !== x.dtype || elements(value.dims) !== 1)
      op.invalid(`the padding value is ${value.dtype} [${value.dims}]; expected one ${x.dtype}`);
    const still = dims.map(() => 0);
    emitCopy(op, value, still, 0, y, own, 0, dims);
  }
  const start = before.reduce((sum, v, i) => sum + v * (own[i] ?? 0), 0);
  emitCopy(op, x, strides(x), 0, y, own, start, x.dims);
  return y;
}

/** Which element of an axis of `size` stands at `at`, which may lie outside of it (ONNX Operators, Pad-19). */
function mirrored(op: Operator, mode: string, size: number, at: number): number {
  const modulo = (v: number, m: number): number => ((v % m) + m) % m;
  switch (mode) {
    case 'edge':
      return Math.min(Math.max(at, 0), size - 1);
    case 'wrap':
      return modulo(at, size);
    case 'reflect': {
      if (size === 1) return 0;
      const phase = modulo(at, 2 * size - 2);
      return phase < size ? phase : 2 * size - 2 - phase;
    }
    default:
      return op.refuse(`mode ${mode} is not supported`);
  }
}

const pad: Lowering = {
  attributes: ['mode'],
  inputs: [2, 4],
  lower(op) {
    const x = op.input(0);
    const rank = x.dims.length;
    const mode = op.string('mode', 'constant');
    const axes = op.optional(3) === undefined ? x.dims.map((_, i) => i) : axesOf(op, op.constantInts(3), rank);
    const given = op.constantInts(1);
    if (given.length !== 2 * axes.length) op.invalid(`pads [${given}] for ${axes.length} axes`);
    if (given.some((v) => v < 0)) op.refuse(`pads [${given}]: negative padding is not supported`);
    const before = new Array<number>(rank).fill(0);
    const dims = [...x.dims];
    axes.forEach((axis, i) => {
      before[axis] = given[i] ?? 0;
      dims[axis] = (dims[axis] ?? 0) + (given[i] ?? 0) + (given[i + axes.length] ?? 0);
    });
    if (mode === 'constant') return [padConstant(op, x, before, dims)];
    return [
      axes.reduce((y, axis) => {
        const size = x.dims[axis] ?? 1;
        if (size === 0) op.invalid(`mode ${mode} has nothing to repeat in a shape of [${x.dims}]`);
        const indices = numbersUpTo(op, dims[axis] ?? 1).map((k) => mirrored(op, mode, size, k - (before[axis] ?? 0)));
        return emitGather(op, y, longs(op, indices, [indices.length]), axis);
      }, x),
    ];
  },
};

export const SHAPE: Readonly<Record<string, Lowering>> = {
  Reshape: reshape,
  Flatten: flatten,
  Identity: identity,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Transpose: transpose,
  Slice: slice,
  Shape: shapeOf,
  Size: sizeOf,
  Split: split,
  Expand: expand,
  Pad: pad,
};
