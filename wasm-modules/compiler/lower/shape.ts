import { OPCODE } from '../opcodes.ts';
import { axesOf, axisOf, type Lowering, type Operator } from '../operator.ts';
import { address, elements, float, stridesOf, type Value } from '../plan.ts';
import { broadcast, broadcastStrides } from './elementwise.ts';

/** The same numbers under another shape: no step at all. */
function look(op: Operator, x: Value, dims: readonly number[]): Value {
  const whole = dims.every((d) => Number.isInteger(d) && d > 0);
  if (!whole || elements(dims) !== elements(x.dims)) return op.invalid(`shape [${x.dims}] cannot become [${dims}]`);
  return { ...x, dims };
}

/** Copies x (strides and start in bytes) into y. */
function copy(
  op: Operator,
  x: Value,
  xs: readonly number[],
  start: number,
  y: Value,
  ys: readonly number[],
  at: number,
  dims: readonly number[],
): void {
  const scalar = dims.length === 0;
  op.plan.emit(
    OPCODE.stridedCopy,
    address(x.buffer, start),
    address(y.buffer, at),
    Math.max(dims.length, 1),
    ...(scalar ? [1, 4, 4] : [...dims, ...xs, ...ys]),
  );
}

const reshape: Lowering = {
  attributes: ['allowzero'],
  inputs: [2, 2],
  lower(op) {
    const x = op.floats(0);
    if (op.int('allowzero', 0) !== 0) op.refuse('allowzero = 1: empty tensors are not supported');
    const asked = op
      .constantInts(1)
      .map((d, i) => (d === 0 ? (x.dims[i] ?? op.invalid(`dimension ${i} copies nothing`)) : d));
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
    const x = op.floats(0);
    const given = op.int('axis', 1);
    const axis = given < 0 ? given + x.dims.length : given;
    if (axis < 0 || axis > x.dims.length) op.invalid(`axis ${given} is outside of rank ${x.dims.length}`);
    return [look(op, x, [elements(x.dims.slice(0, axis)), elements(x.dims.slice(axis))])];
  },
};

const identity: Lowering = { attributes: [], inputs: [1, 1], lower: (op) => [op.floats(0)] };

const squeeze: Lowering = {
  attributes: [],
  inputs: [1, 2],
  lower(op) {
    const x = op.floats(0);
    const axes = op.optional(1) === undefined ? undefined : axesOf(op, op.constantInts(1), x.dims.length);
    const dims = x.dims.filter((d, i) => (axes === undefined ? d !== 1 : !axes.includes(i)));
    return [look(op, x, dims)];
  },
};

const unsqueeze: Lowering = {
  attributes: [],
  inputs: [2, 2],
  lower(op) {
    const x = op.floats(0);
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
    const parts = Array.from({ length: op.inputs }, (_, i) => op.floats(i));
    const first = op.floats(0).dims;
    const axis = axisOf(op, op.int('axis', 0), first.length);
    for (const { dims } of parts) {
      if (dims.length !== first.length || dims.some((d, i) => i !== axis && d !== first[i])) {
        op.invalid(`shapes [${first}] and [${dims}] do not join along axis ${axis}`);
      }
    }
    const y = op.result(
      first.map((d, i) => (i === axis ? parts.reduce((sum, part) => sum + (part.dims[axis] ?? 0), 0) : d)),
    );
    const strides = stridesOf(y.dims);
    let at = 0;
    for (const part of parts) {
      copy(op, part, stridesOf(part.dims), 0, y, strides, at, part.dims);
      at += (part.dims[axis] ?? 0) * (strides[axis] ?? 0);
    }
    return [y];
  },
};

const transpose: Lowering = {
  attributes: ['perm'],
  inputs: [1, 1],
  lower(op) {
    const x = op.floats(0);
    const perm = op.ints('perm') ?? x.dims.map((_, i) => x.dims.length - 1 - i);
    if (perm.length !== x.dims.length || x.dims.some((_, i) => !perm.includes(i))) {
      op.invalid(`perm [${perm}] does not order ${x.dims.length} dimensions`);
    }
    const strides = stridesOf(x.dims);
    const y = op.result(perm.map((p) => x.dims[p] ?? 0));
    copy(
      op,
      x,
      perm.map((p) => strides[p] ?? 0),
      0,
      y,
      stridesOf(y.dims),
      0,
      y.dims,
    );
    return [y];
  },
};

const slice: Lowering = {
  attributes: [],
  inputs: [3, 5],
  lower(op) {
    const x = op.floats(0);
    const starts = op.constantInts(1);
    const ends = op.constantInts(2);
    const axes = op.optional(3) === undefined ? starts.map((_, i) => i) : axesOf(op, op.constantInts(3), x.dims.length);
    const steps = op.optional(4) === undefined ? starts.map(() => 1) : op.constantInts(4);
    if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length) {
      op.invalid('starts, ends, axes and steps differ in length');
    }
    const dims = [...x.dims];
    const strides = stridesOf(x.dims);
    let begin = 0;
    axes.forEach((given, i) => {
      const axis = axisOf(op, given, dims.length);
      const cut = sliceOf(op, x.dims[axis] ?? 0, starts[i] ?? 0, ends[i] ?? 0, steps[i] ?? 1);
      begin += cut.start * (strides[axis] ?? 0);
      dims[axis] = cut.count;
      strides[axis] = (strides[axis] ?? 0) * (steps[i] ?? 1);
    });
    const y = op.result(dims);
    copy(op, x, strides, begin, y, stridesOf(dims), 0, dims);
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

/** Numbers that are known when the model is compiled: what needs them as a constant may use them. */
function ints(op: Operator, values: readonly number[], dims: readonly number[]): Value {
  const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { dtype: 'int64', dims, buffer: op.plan.constant(data) };
}

const shapeOf: Lowering = {
  attributes: ['start', 'end'],
  inputs: [1, 1],
  lower(op) {
    const { dims } = op.input(0);
    const part = dims.slice(op.int('start', 0), op.int('end', dims.length));
    if (part.length === 0) op.refuse('the result is an empty tensor');
    return [ints(op, part, [part.length])];
  },
};

const sizeOf: Lowering = {
  attributes: [],
  inputs: [1, 1],
  lower: (op) => [ints(op, [elements(op.input(0).dims)], [])],
};

const split: Lowering = {
  attributes: ['axis', 'num_outputs'],
  inputs: [1, 2],
  lower(op) {
    const x = op.floats(0);
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
    const strides = stridesOf(x.dims);
    let at = 0;
    return sizes.map((d) => {
      const y = op.result(x.dims.map((own, i) => (i === axis ? d : own)));
      copy(op, x, strides, at, y, stridesOf(y.dims), 0, y.dims);
      at += d * (strides[axis] ?? 0);
      return y;
    });
  },
};

const expand: Lowering = {
  attributes: [],
  inputs: [2, 2],
  lower(op) {
    const x = op.floats(0);
    const y = op.result(broadcast(op, x.dims, op.constantInts(1)));
    copy(op, x, broadcastStrides(x.dims, y.dims), 0, y, stridesOf(y.dims), 0, y.dims);
    return [y];
  },
};

const pad: Lowering = {
  attributes: ['mode'],
  inputs: [2, 4],
  lower(op) {
    const x = op.floats(0);
    const rank = x.dims.length;
    const mode = op.string('mode', 'constant');
    if (mode !== 'constant') op.refuse(`mode ${mode} is not supported`);
    const axes = op.optional(3) === undefined ? x.dims.map((_, i) => i) : axesOf(op, op.constantInts(3), rank);
    const given = op.constantInts(1);
    if (given.length !== 2 * axes.length) op.invalid(`pads [${given}] for ${axes.length} axes`);
    if (given.some((v) => v < 0)) op.refuse(`pads [${given}]: negative padding is not supported`);
    const value = op.optional(2) === undefined ? 0 : (op.constantFloats(2)[0] ?? 0);
    const before = new Array<number>(rank).fill(0);
    const dims = [...x.dims];
    axes.forEach((axis, i) => {
      before[axis] = given[i] ?? 0;
      dims[axis] = (dims[axis] ?? 0) + (given[i] ?? 0) + (given[i + axes.length] ?? 0);
    });
    const y = op.result(dims);
    op.plan.emit(OPCODE.fill, address(y.buffer), elements(dims), float(value));
    const strides = stridesOf(dims);
    const start = before.reduce((sum, v, i) => sum + v * (strides[i] ?? 0), 0);
    copy(op, x, stridesOf(x.dims), 0, y, strides, start, x.dims);
    return [y];
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
