/**
 * Weights are put into the order in which the kernels read them when the model is compiled, so that no call does it: a
 * constant that nothing but products reads, in the place of the same operand. No result changes by it.
 */
import { OPCODE } from './opcodes.ts';
import { address, type Buffer, type Operand, type PlanBuilder, type Step } from './plan.ts';
import { AT, FORM, roomOf, TILE } from './product.ts';

/** The packed form of b has whole panels of eight columns; where that would make it larger than so, it stays as it is. */
const MOST_GROWTH = 1.25;

type Side = 'a' | 'b';

export function prepack(plan: PlanBuilder, steps: readonly Step[]): readonly Step[] {
  const free = onlyInProducts(steps);
  const packed = new Map<string, Buffer>();
  return steps.map((step) => {
    if (step.opcode !== OPCODE.product && step.opcode !== OPCODE.integerProduct) return step;
    const operands = [...step.operands];
    for (const side of ['a', 'b'] as const) packSide(plan, step.opcode, operands, side, free, packed);
    return { ...step, operands: trimmed(withRoom(operands, step.opcode === OPCODE.integerProduct)) };
  });
}

/** Constants that appear as a alone or as b alone, of products of one kind. */
function onlyInProducts(steps: readonly Step[]): ReadonlyMap<Buffer, string> {
  const uses = new Map<Buffer, string | undefined>();
  for (const { opcode, operands } of steps) {
    operands.forEach((operand, i) => {
      if (typeof operand === 'number' || operand.kind !== 'address' || operand.buffer.data === undefined) return;
      const product = opcode === OPCODE.product || opcode === OPCODE.integerProduct;
      const side = product && i === AT.a ? 'a' : product && i === AT.b ? 'b' : undefined;
      const use = side === undefined ? undefined : `${opcode} ${side}`;
      const known = uses.has(operand.buffer) ? uses.get(operand.buffer) : use;
      uses.set(operand.buffer, known === use ? use : undefined);
    });
  }
  return new Map([...uses].flatMap(([buffer, use]) => (use === undefined ? [] : [[buffer, use] as const])));
}

const numberAt = (operands: readonly Operand[], i: number): number => {
  const operand = operands[i];
  return typeof operand === 'number' ? operand : 0;
};

const placeOf = (operand: Operand | undefined): string =>
  typeof operand === 'object' && operand.kind === 'address' ? `${operand.buffer.id}+${operand.offset}` : 'none';

function packSide(
  plan: PlanBuilder,
  opcode: Step['opcode'],
  operands: Operand[],
  side: Side,
  free: ReadonlyMap<Buffer, string>,
  packed: Map<string, Buffer>,
): void {
  const operand = operands[AT[side]];
  const form = side === 'a' ? AT.formA : AT.formB;
  if (typeof operand !== 'object' || operand.kind !== 'address' || operands[form] !== FORM.strides) return;
  const { buffer, offset } = operand;
  if (buffer.data === undefined || !free.has(buffer)) return;
  const [m, n, k] = [AT.m, AT.n, AT.k].map((i) => numberAt(operands, i)) as [number, number, number];
  const integer = opcode === OPCODE.integerProduct;
  // Of integers only b: a is widened anyway.
  if ((integer && side === 'a') || (side === 'b' && !worthwhile(n, k, integer))) return;
  const [row, column] = (side === 'a' ? [AT.rowA, AT.columnA] : [AT.rowB, AT.columnB]).map((i) =>
    numberAt(operands, i),
  ) as [number, number];
  // Integers are packed less their zero points.
  const meaning = integer ? [numberAt(operands, AT.typeB), placeOf(operands[AT.zeroB]), operands[AT.zeroB + 1]] : [];
  const key = [buffer.id, side, offset, side === 'a' ? m : n, k, row, column, ...meaning].join();
  const source = { data: buffer.data, offset, row, column };
  const made = packed.get(key) ?? pack(plan, source, { side, rows: m, columns: n, k }, integer ? operands : undefined);
  if (made === undefined) return;
  packed.set(key, made);
  operands[AT[side]] = address(made);
  operands[form] = FORM.packed;
  if (integer) operands.splice(AT.zeroB, 2, 0, 0);
}

function worthwhile(n: number, k: number, integer: boolean): boolean {
  const padded = Math.ceil(n / TILE.columns) * TILE.columns * (integer ? Math.ceil(k / 2) * 2 : k);
  return padded <= MOST_GROWTH * n * k;
}

interface Source {
  readonly data: Uint8Array;
  readonly offset: number;
  readonly row: number;
  readonly column: number;
}

function pack(
  plan: PlanBuilder,
  source: Source,
  shape: { readonly side: Side; readonly rows: number; readonly columns: number; readonly k: number },
  integers: readonly Operand[] | undefined,
): Buffer | undefined {
  if (integers !== undefined) {
    const bytes = packIntegers(source, shape.columns, shape.k, integers);
    return bytes === undefined ? undefined : plan.constant(bytes);
  }
  return plan.constant(
    shape.side === 'a' ? packRows(source, shape.rows, shape.k) : packPanels(source, shape.columns, shape.k),
  );
}

/** Four rows side by side, number by number; what is left of the rows one after the other. */
function packRows({ data, offset, row, column }: Source, m: number, k: number): Uint8Array {
  const out = new Uint8Array(m * k * 4);
  const whole = m - (m % TILE.rows);
  for (let i = 0; i < m; i++) {
    const [start, stride] = i < whole ? [(i - (i % TILE.rows)) * k + (i % TILE.rows), TILE.rows] : [i * k, 1];
    for (let p = 0; p < k; p++) {
      const at = offset + i * row + p * column;
      out.set(data.subarray(at, at + 4), (start + p * stride) * 4);
    }
  }
  return out;
}

/** Eight columns side by side, number by number; columns that are not there are 0. */
function packPanels({ data, offset, row, column }: Source, n: number, k: number): Uint8Array {
  const out = new Uint8Array(Math.ceil(n / TILE.columns) * TILE.columns * k * 4);
  for (let j = 0; j < n; j++) {
    const start = (j - (j % TILE.columns)) * k + (j % TILE.columns);
    for (let p = 0; p < k; p++) {
      const at = offset + p * row + j * column;
      out.set(data.subarray(at, at + 4), (start + p * TILE.columns) * 4);
    }
  }
  return out;
}

/** As panels of pairs along k, less their zero points; undefined where a number then has more than eight bits. */
function packIntegers(
  { data, offset, row, column }: Source,
  n: number,
  k: number,
  operands: readonly Operand[],
): Uint8Array | undefined {
  const pairs = Math.ceil(k / 2);
  const out = new Int8Array(Math.ceil(n / TILE.columns) * TILE.columns * pairs * 2);
  const signed = numberAt(operands, AT.typeB) === 3;
  const read = (bytes: Uint8Array, at: number): number => {
    const byte = bytes[at] ?? 0;
    return signed && byte > 127 ? byte - 256 : byte;
  };
  const zero = operands[AT.zeroB];
  if (typeof zero === 'object' && (zero.kind !== 'address' || zero.buffer.data === undefined)) return undefined;
  for (let j = 0; j < n; j++) {
    const point =
      typeof zero === 'object' && zero.kind === 'address' && zero.buffer.data !== undefined
        ? read(zero.buffer.data, zero.offset + j * numberAt(operands, AT.zeroB + 1))
        : 0;
    const start = (j - (j % TILE.columns)) * pairs * 2 + (j % TILE.columns) * 2;
    for (let p = 0; p < k; p++) {
      const value = read(data, offset + p * row + j * column) - point;
      if (value < -128 || value > 127) return undefined;
      out[start + (p >> 1) * TILE.columns * 2 + (p & 1)] = value;
    }
  }
  return new Uint8Array(out.buffer);
}

/** Without the zeros at the end. */
function trimmed(operands: readonly Operand[]): readonly Operand[] {
  return operands.slice(0, operands.findLastIndex((operand) => operand !== 0) + 1);
}

function withRoom(operands: readonly Operand[], integer: boolean): readonly Operand[] {
  const at = (i: number): number => numberAt(operands, i);
  const bytes = roomOf({
    m: at(AT.m),
    n: at(AT.n),
    k: at(AT.k),
    formA: at(AT.formA),
    formB: at(AT.formB),
    columnB: at(AT.columnB),
    integer,
    narrow: integer && at(AT.stored) > 1,
  });
  return operands.map((operand, i) =>
    i === AT.room && typeof operand === 'object' && operand.kind === 'address'
      ? address({ ...operand.buffer, bytes })
      : operand,
  );
}
