/** Einsum: operand after operand, each pair by one matrix product for each index of what both keep. */
import { BINARY, REDUCE } from '../opcodes.ts';
import type { Lowering, Operator } from '../operator.ts';
import { elements, type Value } from '../plan.ts';
import { emitCopy, emitTranspose, look, strides } from './copy.ts';
import { emitBinary } from './elementwise.ts';
import { emitProduct } from './matrix.ts';
import { emitReduce } from './reduce.ts';

/** A tensor whose dimensions have names, none of them twice. */
interface Named {
  readonly value: Value;
  readonly labels: readonly string[];
}

interface Equation {
  readonly terms: readonly (readonly string[])[];
  readonly result: readonly string[];
}

/** Labels of a term; what the dots stand for is numbered from its last dimension, as broadcasting goes. */
function labelsOf(op: Operator, term: string, rank: number): readonly string[] {
  if (!/^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/.test(term)) op.invalid(`term ${JSON.stringify(term)} of the equation`);
  const [before = '', behind] = term.split('...');
  const named = before.length + (behind?.length ?? 0);
  const rest = behind === undefined ? 0 : rank - named;
  if (rest < 0 || named + rest !== rank) op.invalid(`term ${JSON.stringify(term)} for ${rank} dimensions`);
  return [...before, ...Array.from({ length: rest }, (_, i) => `.${rest - 1 - i}`), ...(behind ?? '')];
}

function equationOf(op: Operator, inputs: readonly Value[]): Equation {
  const [left = '', right] = op.string('equation', '').replaceAll(' ', '').split('->');
  const texts = left.split(',');
  if (texts.length !== inputs.length) op.invalid(`an equation of ${texts.length} terms for ${inputs.length} inputs`);
  const terms = texts.map((term, i) => labelsOf(op, term, inputs[i]?.dims.length ?? 0));
  const all = terms.flat();
  const dots = [...new Set(all.filter((label) => label.startsWith('.')))].sort(
    (a, b) => Number(b.slice(1)) - Number(a.slice(1)),
  );
  if (right === undefined) {
    const once = [...new Set(all)].filter(
      (label) => !label.startsWith('.') && all.indexOf(label) === all.lastIndexOf(label),
    );
    return { terms, result: [...dots, ...once.sort((a, b) => (a < b ? -1 : 1))] };
  }
  if (!/^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/.test(right)) op.invalid(`result ${JSON.stringify(right)} of the equation`);
  const [before = '', behind] = right.split('...');
  const result = [...before, ...(behind === undefined ? [] : dots), ...(behind ?? '')];
  if (new Set(result).size !== result.length || result.some((label) => !all.includes(label)))
    op.invalid(`result ${JSON.stringify(right)} of the equation`);
  return { terms, result };
}

/** Repeated labels become the diagonal; of dots, dimensions of 1 go: they are repeated as they are needed. */
function emitDiagonal(op: Operator, x: Value, labels: readonly string[]): Named {
  const own = strides(x);
  const kept = [...new Set(labels)].filter((label) => !(label.startsWith('.') && x.dims[labels.indexOf(label)] === 1));
  const dims = kept.map((label) => x.dims[labels.indexOf(label)] ?? 1);
  labels.forEach((label, i) => {
    if (x.dims[i] !== x.dims[labels.indexOf(label)]) op.invalid(`label ${label} has two sizes`);
  });
  if (kept.length === labels.length) return { value: x, labels };
  const steps = kept.map((label) => labels.reduce((sum, other, i) => (other === label ? sum + (own[i] ?? 0) : sum), 0));
  const y = op.result(dims, x.dtype);
  emitCopy(op, x, steps, 0, y, strides(y), 0, dims);
  return { value: y, labels: kept };
}

/** Adds up what nobody else needs. */
function emitSum(op: Operator, { value, labels }: Named, needed: ReadonlySet<string>): Named {
  const gone = labels.flatMap((label, i) => (needed.has(label) ? [] : [i]));
  if (gone.length === 0) return { value, labels };
  return { value: emitReduce(op, REDUCE.sum, value, gone, false), labels: labels.filter((label) => needed.has(label)) };
}

function emitOrder(op: Operator, { value, labels }: Named, order: readonly string[]): Value {
  return emitTranspose(
    op,
    value,
    order.map((label) => labels.indexOf(label)),
  );
}

function emitPair(op: Operator, a: Named, b: Named, needed: ReadonlySet<string>): Named {
  const common = a.labels.filter((label) => b.labels.includes(label));
  const batch = common.filter((label) => needed.has(label));
  const inner = common.filter((label) => !needed.has(label));
  const [left, right] = [a, b].map(({ labels }) => labels.filter((label) => !common.includes(label))) as [
    string[],
    string[],
  ];
  const x = emitOrder(op, a, [...batch, ...left, ...inner]);
  const y = emitOrder(op, b, [...batch, ...inner, ...right]);
  const sizes = (value: Value, from: number, count: number): number => elements(value.dims.slice(from, from + count));
  const [n, m, k] = [
    sizes(x, 0, batch.length),
    sizes(x, batch.length, left.length),
    sizes(y, batch.length, inner.length),
  ];
  const w = sizes(y, batch.length + inner.length, right.length);
  const dims = [...x.dims.slice(0, batch.length + left.length), ...y.dims.slice(batch.length + inner.length)];
  const labels = [...batch, ...left, ...right];
  if (inner.length === 0) {
    const outer = emitBinary(op, BINARY.Mul, look(op, x, [n, m, 1]), look(op, y, [n, 1, w]));
    return { value: look(op, outer, dims), labels };
  }
  if (m === 1 && w === 1) {
    const both = emitBinary(op, BINARY.Mul, look(op, x, [n, k]), look(op, y, [n, k]));
    return { value: look(op, emitReduce(op, REDUCE.sum, both, [1], false), dims), labels };
  }
  const value = op.result(dims);
  for (let i = 0; i < n; i++) {
    emitProduct(op, {
      a: { buffer: x.buffer, offset: i * m * k * 4, row: k * 4, column: 4 },
      b: { buffer: y.buffer, offset: i * k * w * 4, row: w * 4, column: 4 },
      y: value.buffer,
      yOffset: i * m * w * 4,
      m,
      n: w,
      k,
    });
  }
  return { value, labels };
}

function checkSizes(op: Operator, operands: readonly Named[]): void {
  const sizes = new Map<string, number>();
  for (const { value, labels } of operands) {
    labels.forEach((label, i) => {
      const size = value.dims[i] ?? 1;
      if ((sizes.get(label) ?? size) !== size)
        op.invalid(`label ${label} has two sizes: ${sizes.get(label)} and ${size}`);
      sizes.set(label, size);
    });
  }
}

const einsum: Lowering = {
  attributes: ['equation'],
  inputs: [1, 32],
  lower(op) {
    const inputs = Array.from({ length: op.inputs }, (_, i) => op.floats(i));
    const { terms, result } = equationOf(op, inputs);
    const operands = inputs.map((value, i) => emitDiagonal(op, value, terms[i] ?? []));
    checkSizes(op, operands);
    const [first, ...others] = operands;
    if (first === undefined) return op.invalid('there is no operand');
    const neededAfter = (i: number): ReadonlySet<string> =>
      new Set([...result, ...operands.slice(i + 1).flatMap(({ labels }) => labels)]);
    const whole = others.reduce((sum, next, i) => {
      const joint = new Set([...neededAfter(i + 1), ...sum.labels]);
      const pair = emitPair(op, emitSum(op, sum, neededAfter(i)), emitSum(op, next, joint), neededAfter(i + 1));
      return pair;
    }, first);
    const reduced = emitSum(op, whole, new Set(result));
    // Dots that every operand has as 1 are left in the result.
    const present = result.filter((label) => reduced.labels.includes(label));
    const ordered = emitOrder(op, reduced, present);
    return [
      look(
        op,
        ordered,
        result.map((label) => ordered.dims[present.indexOf(label)] ?? 1),
      ),
    ];
  },
};

export const EINSUM: Readonly<Record<string, Lowering>> = { Einsum: einsum };
