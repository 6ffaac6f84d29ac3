/**
 * What follows a product is done while its sums are in the first cache: the cast and the scale of integers' sums, a bias or
 * another tensor added, an activation. Each is the same arithmetic in the same order as the step that it replaces, so that
 * no bit of a result changes; only passes over memory go.
 */
import { BINARY, OPCODE } from './opcodes.ts';
import { address, type Buffer, elements, float, type Operand, type PlanBuilder, type Step, stridesOf } from './plan.ts';
import { AT, STORED } from './product.ts';

/** Codes of element types (TensorProto.DataType). */
const FLOAT32 = 1;
const INT32 = 6;

interface Plan {
  readonly steps: (Step | undefined)[];
  /** The steps that name a buffer. */
  readonly uses: Map<Buffer, Set<number>>;
  /** A scale that changes nothing, until the graph's own is found. */
  readonly one: Buffer;
}

/** All products that write one buffer, and the only step that reads it. */
interface Group {
  readonly y: Buffer;
  readonly products: readonly number[];
  readonly reader: number;
}

export function fuse(plan: PlanBuilder): readonly Step[] {
  const state: Plan = {
    steps: [...plan.steps],
    uses: new Map(),
    one: plan.constant(new Uint8Array(Float32Array.of(1).buffer)),
  };
  plan.steps.forEach((step, i) => {
    note(state, step, i);
  });
  const written = plan.steps.flatMap((step) => (isProduct(step) ? [bufferAt(step, AT.y)] : []));
  for (const first of new Set(written)) {
    for (let y = first; y !== undefined; ) {
      const group = groupOf(state, y);
      y = group === undefined ? undefined : merge(state, group);
    }
  }
  return state.steps.filter((step) => step !== undefined);
}

const isProduct = (step: Step | undefined): boolean =>
  step?.opcode === OPCODE.product || step?.opcode === OPCODE.integerProduct;

function bufferAt(step: Step | undefined, i: number): Buffer | undefined {
  const operand = step?.operands[i];
  return typeof operand === 'object' && operand.kind === 'address' ? operand.buffer : undefined;
}

/** Whether operand `i` is the whole of a buffer. */
function startsAt(step: Step, i: number, buffer: Buffer): boolean {
  const operand = step.operands[i];
  return typeof operand === 'object' && operand.kind === 'address' && operand.buffer === buffer && operand.offset === 0;
}

function note({ uses }: Plan, step: Step, index: number): void {
  for (const operand of step.operands) {
    if (typeof operand !== 'object' || operand.kind !== 'address') continue;
    const known = uses.get(operand.buffer) ?? new Set();
    uses.set(operand.buffer, known.add(index));
  }
}

function groupOf({ steps, uses }: Plan, y: Buffer): Group | undefined {
  const products: number[] = [];
  let reader: number | undefined;
  for (const i of [...(uses.get(y) ?? [])].sort((a, b) => a - b)) {
    const step = steps[i];
    const operands = step?.operands ?? [];
    const times = operands.filter((_, k) => bufferAt(step, k) === y).length;
    if (isProduct(step) && bufferAt(step, AT.y) === y && times === 1 && reader === undefined) products.push(i);
    else if (reader === undefined && times === 1) reader = i;
    else return undefined;
  }
  return products.length === 0 || reader === undefined ? undefined : { y, products, reader };
}

/** What the reader turns each product into: other operands, by their places. */
type Changes = (product: Step) => ReadonlyMap<number, Operand> | undefined;

/** Takes the reader into the products; answers the buffer that they write then, or undefined where it cannot be. */
function merge(plan: Plan, { y, products, reader }: Group): Buffer | undefined {
  const step = plan.steps[reader];
  if (step === undefined) return undefined;
  const found = changesOf(plan, step, y, products, reader);
  const target = found?.target;
  if (found === undefined || target === undefined || target.bytes !== y.bytes) return undefined;
  if ([...(plan.uses.get(target) ?? [])].some((i) => i < reader)) return undefined;
  const changed = products.map((i) => {
    const product = plan.steps[i];
    const changes = product === undefined ? undefined : found.changes(product);
    if (product === undefined || changes === undefined) return undefined;
    const operands = product.operands.map((operand, k) => {
      if (k !== AT.y) return changes.get(k) ?? operand;
      return typeof operand === 'object' && operand.kind === 'address' ? address(target, operand.offset) : operand;
    });
    return { ...product, operands };
  });
  if (changed.some((product) => product === undefined)) return undefined;
  plan.steps[reader] = undefined;
  step.operands.forEach((_, k) => {
    const buffer = bufferAt(step, k);
    if (buffer !== undefined) plan.uses.get(buffer)?.delete(reader);
  });
  plan.uses.delete(y);
  changed.forEach((product, k) => {
    const index = products[k];
    if (product === undefined || index === undefined) return;
    plan.steps[index] = product;
    note(plan, product, index);
  });
  return target;
}

interface Found {
  readonly target: Buffer | undefined;
  readonly changes: Changes;
}

function changesOf(plan: Plan, step: Step, y: Buffer, products: readonly number[], reader: number): Found | undefined {
  switch (step.opcode) {
    case OPCODE.unary:
      return activation(step, y);
    case OPCODE.cast:
      return castOf(plan, step, y);
    case OPCODE.binary:
      return secondOperand(plan, step, y, products, reader);
    default:
      return undefined;
  }
}

/** Whether a product gives f32 and nothing has been done to its sums that would come after `what`. */
function open(product: Step, what: 'scale' | 'c' | 'activation', { one }: Plan): boolean {
  const { operands, opcode } = product;
  if (operands[AT.activation] !== 0) return false;
  const integer = opcode === OPCODE.integerProduct;
  if (integer && operands[AT.stored] !== STORED.float32) return false;
  if (what === 'activation') return true;
  if (operands[AT.c] !== 0) return false;
  return what === 'c' || (integer && bufferAt(product, AT.scale) === one);
}

function activation(step: Step, y: Buffer): Found | undefined {
  const [kind = 0, , , n, p = 0, q = 0] = step.operands;
  if (!startsAt(step, 1, y) || typeof n !== 'number' || n * 4 !== y.bytes) return undefined;
  const changes: Changes = (product) => {
    const integer = product.opcode === OPCODE.integerProduct;
    if (product.operands[AT.activation] !== 0 || (integer && product.operands[AT.stored] !== STORED.float32))
      return undefined;
    return new Map([
      [AT.activation, kind],
      [AT.p, p],
      [AT.q, q],
    ]);
  };
  return { target: bufferAt(step, 2), changes };
}

/** Sums of integers as f32. */
function castOf({ one }: Plan, step: Step, y: Buffer): Found | undefined {
  const [from, to, , , n] = step.operands;
  if (from !== INT32 || to !== FLOAT32 || !startsAt(step, 2, y) || n !== y.bytes / 4) return undefined;
  const changes: Changes = ({ opcode, operands }) =>
    opcode === OPCODE.integerProduct && operands[AT.stored] === STORED.sums
      ? new Map<number, Operand>([
          [AT.stored, STORED.float32],
          [AT.scale, address(one)],
        ])
      : undefined;
  return { target: bufferAt(step, 3), changes };
}

/** A sum with another tensor, or of integers a product with a scale. */
function secondOperand(
  plan: Plan,
  step: Step,
  y: Buffer,
  products: readonly number[],
  reader: number,
): Found | undefined {
  const [kind, , , , rank] = step.operands;
  if (typeof rank !== 'number' || (kind !== BINARY.Add && kind !== BINARY.Mul)) return undefined;
  const words = step.operands.slice(5).filter((word) => typeof word === 'number');
  const dims = words.slice(0, rank);
  const [own, other] = startsAt(step, 1, y) ? [1, 2] : [2, 1];
  const stridesAt = (i: number): number[] => words.slice(rank * i, rank * (i + 1));
  const dense = stridesOf(dims);
  const whole = dims.every((d, i) => d === 1 || stridesAt(own)[i] === dense[i]);
  if (!startsAt(step, own, y) || !whole || elements(dims) * 4 !== y.bytes) return undefined;
  const operand = step.operands[other];
  if (typeof operand !== 'object' || operand.kind !== 'address') return undefined;
  if (!known(plan, operand.buffer, products, reader)) return undefined;
  const strides = stridesAt(other);
  const changes: Changes = (product) => {
    if (!open(product, kind === BINARY.Add ? 'c' : 'scale', plan)) return undefined;
    const at = alongside(product, dims, strides);
    if (at === undefined) return undefined;
    const place = address(operand.buffer, operand.offset + at.offset);
    // The beta of a c that there was not counts no more.
    const beta: readonly [number, Operand][] = product.operands[AT.scaled] === 0 ? [] : [[AT.beta, float(1)]];
    return kind === BINARY.Add
      ? new Map<number, Operand>([[AT.c, place], [AT.rowC, at.row], [AT.columnC, at.column], ...beta])
      : new Map<number, Operand>([
          [AT.scale, place],
          [AT.rowScale, at.row],
          [AT.columnScale, at.column],
        ]);
  };
  return { target: bufferAt(step, 3), changes };
}

/** Whether a buffer has its numbers before the first product runs, and nobody but the products names it until the reader. */
function known({ uses }: Plan, buffer: Buffer, products: readonly number[], reader: number): boolean {
  if (buffer.data !== undefined) return true;
  const [first = 0] = products;
  const all = [...(uses.get(buffer) ?? [])];
  return all.some((i) => i < first) && all.every((i) => i < first || i >= reader || products.includes(i));
}

/** The strides of an operand seen as the matrix that a product writes; undefined where it is none. */
function alongside(
  product: Step,
  dims: readonly number[],
  strides: readonly number[],
): { readonly row: number; readonly column: number; readonly offset: number } | undefined {
  const [y, m, n] = [AT.y, AT.m, AT.n].map((i) => product.operands[i]);
  if (typeof m !== 'number' || typeof n !== 'number' || typeof y !== 'object' || y.kind !== 'address') return undefined;
  const axes = dims.flatMap((size, i) => (size === 1 ? [] : [{ size, stride: strides[i] ?? 0 }]));
  const column = takeAxes(axes, n);
  const row = takeAxes(axes, m);
  const start = y.offset / 4;
  if (column === undefined || row === undefined || start % (m * n) !== 0) return undefined;
  let rest = start / (m * n);
  let offset = 0;
  for (const { size, stride } of axes.toReversed()) {
    offset += (rest % size) * stride;
    rest = Math.floor(rest / size);
  }
  return { row, column, offset };
}

/** Takes the last axes that make up `count` and answers the one stride by which they are walked. */
function takeAxes(axes: { readonly size: number; readonly stride: number }[], count: number): number | undefined {
  let product = 1;
  let stride: number | undefined;
  let next = 0;
  while (product < count) {
    const axis = axes.pop();
    if (axis === undefined) return undefined;
    if (stride === undefined) stride = axis.stride;
    else if (axis.stride !== next) return undefined;
    next = axis.stride * axis.size;
    product *= axis.size;
  }
  return product === count ? (stride ?? 0) : undefined;
}
