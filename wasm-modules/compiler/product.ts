/** Steps of `kernels/assembly/product.ts`: matrix products of f32, and of 8-bit integers with exact 32-bit sums. */
import { type DataType, widthOf } from '../onnx/model.ts';
import { OPCODE } from './opcodes.ts';
import { address, type Buffer, float, type Operand, type PlanBuilder } from './plan.ts';

/** A matrix in memory; strides in bytes, 0 where it is repeated. */
export interface Matrix {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly row: number;
  readonly column: number;
}

/** The patches of an image of channels in a frame of padding, one column each, as a matrix that is never written out. */
export interface Patches {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly kernel: readonly [number, number];
  /** Positions in a row of the result. */
  readonly gridWidth: number;
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Height and width of the image with its padding. */
  readonly framed: readonly [number, number];
}

/** y[m,n] = alpha * a[m,k] b[k,n] + beta * c[m,n]; y is dense. */
export interface Product {
  readonly a: Matrix;
  readonly b: Matrix | Patches;
  readonly c?: Matrix;
  readonly y: Buffer;
  readonly yOffset: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly alpha?: number;
  readonly beta?: number;
}

/** What integers have besides. Zero points: one, or one for each row of a or column of b. */
export interface IntegerProduct extends Omit<Product, 'alpha' | 'beta'> {
  readonly typeA: DataType;
  readonly typeB: DataType;
  readonly zeroA?: Points;
  readonly zeroB?: Points;
  /** What is stored: the sums, or numbers of eight bits: round((sum + c) * scale) + zeroY. */
  readonly scaled?: { readonly type: 'uint8' | 'int8'; readonly scale: Matrix; readonly zeroY?: Points };
}

/** Numbers in memory, `stride` bytes from one to the next (0: one for all). */
export interface Points {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly stride: number;
}

/** Where the operands of a product stand in its step. What is 0 at its end is left out at last. */
export const AT = {
  a: 0,
  b: 1,
  y: 2,
  room: 3,
  m: 4,
  n: 5,
  k: 6,
  rowA: 7,
  columnA: 8,
  rowB: 9,
  columnB: 10,
  formA: 11,
  formB: 12,
  c: 13,
  rowC: 14,
  columnC: 15,
  activation: 16,
  p: 17,
  q: 18,
  scaled: 19,
  alpha: 20,
  beta: 21,
  typeA: 31,
  typeB: 32,
  zeroA: 33,
  zeroB: 35,
  stored: 37,
  scale: 38,
  rowScale: 39,
  columnScale: 40,
  zeroY: 41,
} as const;

export const FORM = { strides: 0, packed: 1, patches: 2 } as const;
/** What a product of integers stores. */
export const STORED = { sums: 0, float32: 1, uint8: 2, int8: 3 } as const;
/** The codes of element types that a product of integers reads (TensorProto.DataType). */
const TYPE_CODE: Partial<Record<DataType, number>> = { uint8: 2, int8: 3 };

export const TILE = { rows: 4, columns: 8 } as const;
const BLOCK = { k: 256, n: 128 } as const;
const FIXED_ROOM = 320;

/** Bytes that a step needs besides its operands: as `product` in the kernel counts them. */
export function roomOf(shape: {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly formA: number;
  readonly formB: number;
  readonly columnB: number;
  readonly integer: boolean;
  /** Whether y has bytes, so that no partial sums can wait in it. */
  readonly narrow: boolean;
}): number {
  const { m, n, k, formA, formB, columnB, integer, narrow } = shape;
  const units = integer ? Math.ceil(k / 2) : k;
  const table = formB === FORM.patches ? Math.ceil((k * 4) / 16) * 16 : 0;
  const depth = narrow ? units : Math.min(units, BLOCK.k);
  const columns = Math.min(Math.ceil(n / TILE.columns) * TILE.columns, BLOCK.n);
  const rowwise = m < TILE.rows && (formB === FORM.packed || (!integer && formB === FORM.strides && columnB === 4));
  const block = rowwise || (formB === FORM.packed && !integer) ? 0 : depth * columns * 4;
  return FIXED_ROOM + table + block + (formA === FORM.packed ? 0 : m * units * 4);
}

const isPatches = (b: Matrix | Patches): b is Patches => 'kernel' in b;

/** The operands up to those of integers. */
function operandsOf(plan: PlanBuilder, product: Product, integer: boolean, narrow: boolean) {
  const { a, b, c, y, yOffset, m, n, k, alpha = 1, beta = 1 } = product;
  const formB = isPatches(b) ? FORM.patches : FORM.strides;
  const strides = isPatches(b) ? [0, 0] : [b.row, b.column];
  const columnB = strides[1] ?? 0;
  const room = plan.room(roomOf({ m, n, k, formA: FORM.strides, formB, columnB, integer, narrow }));
  const patches = isPatches(b)
    ? [...b.kernel, b.gridWidth, ...b.stride, ...b.dilation, ...b.framed]
    : new Array<number>(9).fill(0);
  const addresses: Operand[] = [address(a.buffer, a.offset), address(b.buffer, b.offset), address(y, yOffset)];
  return [
    ...addresses,
    address(room),
    m,
    n,
    k,
    a.row,
    a.column,
    ...strides,
    FORM.strides,
    formB,
    c === undefined ? 0 : address(c.buffer, c.offset),
    c?.row ?? 0,
    c?.column ?? 0,
    0,
    0,
    0,
    ...(alpha === 1 && beta === 1 ? [0, 0, 0] : [1, float(alpha), float(beta)]),
    ...patches,
  ] satisfies Operand[];
}

/** A column is a row: its numbers then lie side by side. The terms of each sum keep their order. */
function upright(product: Product): Product {
  const { a, b, c, m, n } = product;
  if (n !== 1 || m === 1 || isPatches(b)) return product;
  const turn = (x: Matrix): Matrix => ({ ...x, row: x.column, column: x.row });
  return { ...product, a: turn(b), b: turn(a), ...(c === undefined ? {} : { c: turn(c) }), m: n, n: m };
}

export function emitFloatProduct(plan: PlanBuilder, product: Product): void {
  plan.emit(OPCODE.product, ...operandsOf(plan, upright(product), false, false));
}

export function emitIntegerProduct(plan: PlanBuilder, product: IntegerProduct): void {
  const { typeA, typeB, zeroA, zeroB, scaled } = product;
  const points = (at: Points | undefined): readonly Operand[] =>
    at === undefined ? [0, 0] : [address(at.buffer, at.offset), at.stride];
  plan.emit(
    OPCODE.integerProduct,
    ...operandsOf(plan, product, true, scaled !== undefined),
    TYPE_CODE[typeA] ?? 0,
    TYPE_CODE[typeB] ?? 0,
    ...points(zeroA),
    ...points(zeroB),
    ...(scaled === undefined
      ? [STORED.sums, 0, 0, 0, 0]
      : [
          STORED[scaled.type],
          address(scaled.scale.buffer, scaled.scale.offset),
          scaled.scale.row,
          scaled.scale.column,
          scaled.zeroY === undefined ? 0 : address(scaled.zeroY.buffer, scaled.zeroY.offset),
        ]),
  );
}

/** Puts an image into a frame of padding, if there is any. `fill`: a byte in memory that padding consists of. */
export function emitFrame(
  plan: PlanBuilder,
  image: { readonly buffer: Buffer; readonly dtype: DataType; readonly planes: number },
  size: readonly [number, number],
  before: readonly [number, number],
  after: readonly [number, number],
  fill?: Points,
): { readonly buffer: Buffer; readonly framed: readonly [number, number] } {
  const framed = [before[0] + size[0] + after[0], before[1] + size[1] + after[1]] as const;
  if (framed[0] === size[0] && framed[1] === size[1]) return { buffer: image.buffer, framed };
  const width = widthOf(image.dtype);
  const buffer = plan.room(image.planes * framed[0] * framed[1] * width);
  plan.emit(
    OPCODE.frame,
    address(image.buffer),
    address(buffer),
    width,
    image.planes,
    ...size,
    ...before,
    ...framed,
    fill === undefined ? 0 : address(fill.buffer, fill.offset),
  );
  return { buffer, framed };
}
