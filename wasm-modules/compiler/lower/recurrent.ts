/** What LSTM, GRU and RNN share: inputs, directions and layouts. The time steps stand in the plan one after the other. */
import { MAX_INDICES } from '../limits.ts';
import { BINARY, TYPED_BINARY, UNARY } from '../opcodes.ts';
import type { Operator } from '../operator.ts';
import type { Value } from '../plan.ts';
import { counting, emitCopy, emitPart, emitTranspose, look, strides } from './copy.ts';
import { constantScalar, emitBinary, emitUnary } from './elementwise.ts';
import { emitProduct } from './matrix.ts';
import { emitTypedBinary, emitWhere } from './typed.ts';

/** Activations without parameters; the others of ONNX are refused. */
const FUNCTIONS: ReadonlyMap<string, number> = new Map(
  (['Sigmoid', 'Tanh', 'Relu', 'Softsign', 'Softplus'] as const).map((name) => [name, UNARY[name]]),
);

/** A node of this family, its shapes checked. */
export interface Layer {
  readonly op: Operator;
  readonly gates: number;
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  readonly directions: number;
  /** [steps * batch, inputs]. */
  readonly x: Value;
  /** [steps, batch, 1]: whether a sequence still runs; undefined where all run to the end. */
  readonly running: Value | undefined;
  readonly clip: number | undefined;
}

/** What a cell carries from step to step: [batch, hidden] each. */
export interface State {
  readonly h: Value;
  readonly c: Value | undefined;
}

/** One direction of a layer. */
export interface Direction {
  readonly layer: Layer;
  readonly index: number;
  /** Kinds of unary functions, in ONNX's order. */
  readonly functions: readonly number[];
}

export const ATTRIBUTES = [
  'activation_alpha',
  'activation_beta',
  'activations',
  'clip',
  'direction',
  'hidden_size',
  'layout',
];

export function layerOf(op: Operator, gates: number): Layer {
  const transposed = op.int('layout', 0) !== 0;
  const given = op.floats(0);
  if (given.dims.length !== 3) op.invalid(`input 0 has the shape [${given.dims}]; expected three dimensions`);
  const ordered = transposed ? emitTranspose(op, given, [1, 0, 2]) : given;
  const [steps = 0, batch = 0, inputs = 0] = ordered.dims;
  const directions = op.string('direction', 'forward') === 'bidirectional' ? 2 : 1;
  const [weights, recurrent] = [op.floats(1), op.floats(2)];
  const hidden = recurrent.dims[2] ?? 0;
  if (op.int('hidden_size', hidden) !== hidden) op.invalid(`hidden_size is not ${hidden}, as the weights have it`);
  checkShape(op, 1, weights, [directions, gates * hidden, inputs]);
  checkShape(op, 2, recurrent, [directions, gates * hidden, hidden]);
  if (op.optional(3) !== undefined) checkShape(op, 3, op.floats(3), [directions, 2 * gates * hidden]);
  const clip = op.float('clip', 0);
  return {
    op,
    gates,
    steps,
    batch,
    hidden,
    directions,
    x: look(op, ordered, [steps * batch, inputs]),
    running: runningOf(op, steps, batch),
    clip: clip === 0 ? undefined : clip,
  };
}

export function checkShape(op: Operator, i: number, value: Value, dims: readonly number[]): void {
  if (value.dims.join() !== dims.join()) op.invalid(`input ${i} has the shape [${value.dims}]; expected [${dims}]`);
}

function runningOf(op: Operator, steps: number, batch: number): Value | undefined {
  const lengths = op.optional(4);
  if (lengths === undefined) return undefined;
  checkShape(op, 4, lengths, [batch]);
  if (lengths.dtype !== 'int32') op.invalid(`input 4 is ${lengths.dtype}; expected int32`);
  if (lengths.buffer.data !== undefined) {
    const known = op.constantInts(4);
    if (known.some((v) => v < 1 || v > steps)) op.refuse(`sequence_lens [${known}]; 1 to ${steps} are supported`);
    if (known.every((v) => v === steps)) return undefined;
  }
  return emitTypedBinary(op, TYPED_BINARY.Less, counting(op, steps, 0, 3), look(op, lengths, [1, batch, 1]));
}

/** Input `i` in the shape [directions, batch, hidden], or zeros where it is left out. */
function initial(layer: Layer, i: number, direction: number): Value {
  const { op, batch, hidden, directions } = layer;
  if (op.optional(i) === undefined) {
    if (batch * hidden > MAX_INDICES)
      op.refuse(`a state of ${batch} times ${hidden} numbers; at most ${MAX_INDICES} are supported`);
    const zeros = new Uint8Array(batch * hidden * 4);
    return { dtype: 'float32', dims: [batch, hidden], buffer: op.plan.constant(zeros) };
  }
  const given = op.floats(i);
  const transposed = op.int('layout', 0) !== 0;
  checkShape(op, i, given, transposed ? [batch, directions, hidden] : [directions, batch, hidden]);
  return look(op, emitPart(op, given, transposed ? 1 : 0, direction, 1), [batch, hidden]);
}

/** The part of bias or peephole input `i` that is of one direction and gate: [hidden]. */
export function vectorOf(d: Direction, i: number, gate: number): Value {
  const { op, hidden } = d.layer;
  const row = emitPart(op, op.floats(i), 0, d.index, 1);
  return look(op, emitPart(op, row, 1, gate * hidden, hidden), [hidden]);
}

/** The sum of a gate's two biases, or the one of the input alone. */
export function biasOf(d: Direction, gate: number, both: boolean): Value | undefined {
  const { op, gates } = d.layer;
  if (op.optional(3) === undefined) return undefined;
  const own = vectorOf(d, 3, gate);
  return both ? emitBinary(op, BINARY.Add, own, vectorOf(d, 3, gates + gate)) : own;
}

/** What the inputs of all steps give to a gate: [steps * batch, hidden]. */
export function emitGiven(d: Direction, gate: number, bias: Value | undefined): Value {
  const { op, x, gates, hidden } = d.layer;
  const [rows = 0, inputs = 0] = x.dims;
  const y = op.result([rows, hidden]);
  emitProduct(op, {
    a: { buffer: x.buffer, offset: 0, row: inputs * 4, column: 4 },
    b: {
      buffer: op.floats(1).buffer,
      offset: (d.index * gates + gate) * hidden * inputs * 4,
      row: 4,
      column: inputs * 4,
    },
    ...(bias === undefined ? {} : { c: { buffer: bias.buffer, offset: 0, row: 0, column: 4 } }),
    y: y.buffer,
    yOffset: 0,
    m: rows,
    n: hidden,
    k: inputs,
  });
  return y;
}

/** h times a gate's recurrent weights, plus `term` at the row where step `t` begins: [batch, hidden]. */
export function emitRecurrent(d: Direction, gate: number, h: Value, term: Value | undefined, t: number): Value {
  const { op, batch, gates, hidden } = d.layer;
  const y = op.result([batch, hidden]);
  const single = term?.dims.length === 1;
  const c =
    term === undefined
      ? undefined
      : { buffer: term.buffer, offset: single ? 0 : t * batch * hidden * 4, row: single ? 0 : hidden * 4, column: 4 };
  emitProduct(op, {
    a: { buffer: h.buffer, offset: 0, row: hidden * 4, column: 4 },
    b: {
      buffer: op.floats(2).buffer,
      offset: (d.index * gates + gate) * hidden * hidden * 4,
      row: 4,
      column: hidden * 4,
    },
    ...(c === undefined ? {} : { c }),
    y: y.buffer,
    yOffset: 0,
    m: batch,
    n: hidden,
    k: hidden,
  });
  return y;
}

/** Function `which` of the cell, of what is cut to the clip first. */
export function activate(d: Direction, which: number, x: Value): Value {
  const { op, clip } = d.layer;
  const cut = clip === undefined ? x : emitUnary(op, UNARY.Clip, x, -clip, clip);
  return emitUnary(op, d.functions[which] ?? op.invalid(`function ${which} is missing`), cut, 0, 0);
}

function functionsOf(layer: Layer, defaults: readonly string[], index: number): readonly number[] {
  const { op, directions } = layer;
  const names = op.strings('activations') ?? Array.from({ length: directions }, () => defaults).flat();
  if (names.length !== defaults.length * directions)
    op.invalid(`${names.length} activations; expected ${defaults.length * directions}`);
  return names
    .slice(index * defaults.length, (index + 1) * defaults.length)
    .map((name) => FUNCTIONS.get(name) ?? op.refuse(`activation ${name} is not supported`));
}

/** Makes the step of a direction from what stays the same for all of its steps. */
export type Cell = (d: Direction) => (state: State, t: number) => State;

/** All steps of all directions: Y, Y_h and, where the cell has one, Y_c. */
export function unroll(layer: Layer, defaults: readonly string[], cell: Cell, carries: boolean): readonly Value[] {
  const { op, steps, batch, hidden, directions } = layer;
  const direction = op.string('direction', 'forward');
  if (!['forward', 'reverse', 'bidirectional'].includes(direction)) op.invalid(`direction ${direction}`);
  const y = op.wants(0) ? op.result([steps, directions, batch, hidden]) : undefined;
  const last = op.result([directions, batch, hidden]);
  const lastC = carries ? op.result([directions, batch, hidden]) : undefined;
  const zero = constantScalar(op, 0);
  const put = (from: Value, to: Value, at: number): void => {
    const own = strides(from);
    emitCopy(op, from, own, 0, to, own, at * batch * hidden * 4, from.dims);
  };
  for (let index = 0; index < directions; index++) {
    const d: Direction = { layer, index, functions: functionsOf(layer, defaults, index) };
    const backwards = direction === 'reverse' || index === 1;
    const step = cell(d);
    let state: State = { h: initial(layer, 5, index), c: carries ? initial(layer, 6, index) : undefined };
    for (let i = 0; i < steps; i++) {
      const t = backwards ? steps - 1 - i : i;
      const next = step(state, t);
      const running = layer.running && look(op, emitPart(op, layer.running, 0, t, 1), [batch, 1]);
      const kept = (now: Value, before: Value): Value =>
        running === undefined ? now : emitWhere(op, running, now, before);
      if (y !== undefined) put(kept(next.h, zero), y, t * directions + index);
      state = { h: kept(next.h, state.h), c: next.c && state.c && kept(next.c, state.c) };
    }
    put(state.h, last, index);
    if (lastC !== undefined && state.c !== undefined) put(state.c, lastC, index);
  }
  const turned = op.int('layout', 0) !== 0;
  const all = y === undefined ? last : turned ? emitTranspose(op, y, [2, 0, 1, 3]) : y;
  const ends = [last, ...(lastC === undefined ? [] : [lastC])];
  return [all, ...ends.map((value) => (turned ? emitTranspose(op, value, [1, 0, 2]) : value))];
}
