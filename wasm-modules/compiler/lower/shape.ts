import { OPCODE } from '../opcodes.ts';
import { axisOf, type Lowering, type Operator } from '../operator.ts';
import { address, elements, stridesOf, type Value } from '../plan.ts';

/** The same numbers under another shape: no step at all. */
function look(op: Operator, x: Value, dims: readonly number[]): Value {
  if (elements(dims) !== elements(x.dims)) return op.invalid(`shape [${x.dims}] cannot become [${dims}]`);
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
    const axes = op.optional(1) === undefined ? undefined : op.constantInts(1).map((a) => axisOf(op, a, x.dims.length));
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
    const axes = new Set(given.map((a) => axisOf(op, a, rank)));
    if (axes.size !== given.length) op.invalid(`axes [${given}] name a dimension twice`);
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
    const axes = op.optional(3) === undefined ? starts.map((_, i) => i) : op.constantInts(3);
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

export const SHAPE: Readonly<Record<string, Lowering>> = {
  Reshape: reshape,
  Flatten: flatten,
  Identity: identity,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Transpose: transpose,
  Slice: slice,
};
