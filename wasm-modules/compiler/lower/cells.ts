/** The cells of the recurrent layers (ONNX Operators, LSTM, GRU and RNN). */
import { BINARY } from '../opcodes.ts';
import type { Lowering, Operator } from '../operator.ts';
import type { Value } from '../plan.ts';
import { emitPart, look } from './copy.ts';
import { constantScalar, emitBinary } from './elementwise.ts';
import {
  ATTRIBUTES,
  activate,
  biasOf,
  type Cell,
  checkShape,
  emitGiven,
  emitRecurrent,
  layerOf,
  unroll,
  vectorOf,
} from './recurrent.ts';

const sum = (op: Operator, a: Value, b: Value): Value => emitBinary(op, BINARY.Add, a, b);
const product = (op: Operator, a: Value, b: Value): Value => emitBinary(op, BINARY.Mul, a, b);

/** Ht = f(Xt W' + Ht-1 R' + b). */
const simple: Cell = (d) => {
  const given = emitGiven(d, 0, biasOf(d, 0, true));
  return ({ h }, t) => ({ h: activate(d, 0, emitRecurrent(d, 0, h, given, t)), c: undefined });
};

/** Gates: input, output, forget, cell; functions: f of the first three, g of the cell, h of the output. */
const longShort: Cell = (d) => {
  const { op } = d.layer;
  const given = [0, 1, 2, 3].map((gate) => emitGiven(d, gate, biasOf(d, gate, true)));
  const peepholes = op.optional(7) === undefined ? undefined : [0, 1, 2].map((gate) => vectorOf(d, 7, gate));
  return ({ h, c: before }, t) => {
    const old = before ?? op.invalid('a cell has no state');
    const gate = (i: number, which: number, seen?: Value): Value => {
      const plain = emitRecurrent(d, i, h, given[i], t);
      const peephole = peepholes?.[i];
      const whole = seen && peephole ? sum(op, plain, product(op, peephole, seen)) : plain;
      return activate(d, which, whole);
    };
    const candidate = product(op, gate(0, 0, old), gate(3, 1));
    const c = sum(op, product(op, gate(2, 0, old), old), candidate);
    return { h: product(op, gate(1, 0, c), activate(d, 2, c)), c };
  };
};

/** Gates: update, reset, hidden; functions: f of the first two, g of the hidden one. */
const gated =
  (linearBeforeReset: boolean): Cell =>
  (d) => {
    const { op, gates } = d.layer;
    const given = [0, 1, 2].map((gate) => emitGiven(d, gate, biasOf(d, gate, gate < 2 || !linearBeforeReset)));
    const own = op.optional(3) === undefined || !linearBeforeReset ? undefined : vectorOf(d, 3, gates + 2);
    const one = constantScalar(op, 1);
    const hidden = (h: Value, reset: Value, t: number): Value => {
      if (!linearBeforeReset) return emitRecurrent(d, 2, product(op, reset, h), given[2], t);
      const { batch, steps, hidden: width } = d.layer;
      const all = look(op, given[2] ?? op.invalid('a gate is missing'), [steps, batch, width]);
      const now = look(op, emitPart(op, all, 0, t, 1), [batch, width]);
      return sum(op, product(op, reset, emitRecurrent(d, 2, h, own, t)), now);
    };
    return ({ h }, t) => {
      const update = activate(d, 0, emitRecurrent(d, 0, h, given[0], t));
      const reset = activate(d, 0, emitRecurrent(d, 1, h, given[1], t));
      const next = activate(d, 1, hidden(h, reset, t));
      const kept = product(op, update, h);
      return { h: sum(op, product(op, emitBinary(op, BINARY.Sub, one, update), next), kept), c: undefined };
    };
  };

const lstm: Lowering = {
  attributes: [...ATTRIBUTES, 'input_forget'],
  inputs: [3, 8],
  lower(op) {
    if (op.int('input_forget', 0) !== 0) op.refuse('input_forget = 1 is not supported');
    if (op.float('clip', 0) !== 0) op.refuse('clip: implementations differ in whether it applies to the cell state');
    const layer = layerOf(op, 4);
    if (op.optional(7) !== undefined) checkShape(op, 7, op.floats(7), [layer.directions, 3 * layer.hidden]);
    return unroll(layer, ['Sigmoid', 'Tanh', 'Tanh'], longShort, true);
  },
};

const gru: Lowering = {
  attributes: [...ATTRIBUTES, 'linear_before_reset'],
  inputs: [3, 6],
  lower: (op) => unroll(layerOf(op, 3), ['Sigmoid', 'Tanh'], gated(op.int('linear_before_reset', 0) !== 0), false),
};

const rnn: Lowering = {
  attributes: ATTRIBUTES,
  inputs: [3, 6],
  lower: (op) => unroll(layerOf(op, 1), ['Tanh'], simple, false),
};

export const RECURRENT: Readonly<Record<string, Lowering>> = { LSTM: lstm, GRU: gru, RNN: rnn };
