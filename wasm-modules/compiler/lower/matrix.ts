import type { Lowering, Operator } from '../operator.ts';
import { elements, type Value } from '../plan.ts';
import { emitFloatProduct, type Matrix, type Product } from '../product.ts';
import { broadcast, broadcastStrides } from './broadcast.ts';

/** y[m,n] = alpha * a[m,k] b[k,n] + beta * c[m,n]; y is dense. */
export function emitProduct(op: Operator, product: Product): void {
  emitFloatProduct(op.plan, product);
}

function matrixOf(
  op: Operator,
  value: Value,
  transposed: boolean,
): { readonly matrix: Matrix; readonly dims: readonly [number, number] } {
  const [rows, columns] = value.dims;
  if (value.dims.length !== 2 || rows === undefined || columns === undefined) {
    return op.invalid(`an operand has the shape [${value.dims}]; expected two dimensions`);
  }
  const plain = { buffer: value.buffer, offset: 0 };
  return transposed
    ? { matrix: { ...plain, row: 4, column: columns * 4 }, dims: [columns, rows] }
    : { matrix: { ...plain, row: columns * 4, column: 4 }, dims: [rows, columns] };
}

const gemm: Lowering = {
  attributes: ['alpha', 'beta', 'transA', 'transB'],
  inputs: [2, 3],
  lower(op) {
    const a = matrixOf(op, op.floats(0), op.int('transA', 0) !== 0);
    const b = matrixOf(op, op.floats(1), op.int('transB', 0) !== 0);
    const [m, k] = a.dims;
    const [rows, n] = b.dims;
    if (k !== rows) op.invalid(`[${m},${k}] times [${rows},${n}] is not a product`);
    const y = op.result([m, n]);
    const product = {
      a: a.matrix,
      b: b.matrix,
      y: y.buffer,
      yOffset: 0,
      m,
      n,
      k,
      alpha: op.float('alpha', 1),
      beta: op.float('beta', 1),
    };
    if (op.optional(2) === undefined) {
      emitProduct(op, product);
      return [y];
    }
    const c = op.floats(2);
    if (c.dims.length > 2 || broadcast(op, c.dims, y.dims).some((d, i) => d !== y.dims[i])) {
      op.invalid(`c of shape [${c.dims}] does not broadcast to [${y.dims}]`);
    }
    const [row = 0, column = 0] = broadcastStrides(c.dims, y.dims);
    emitProduct(op, { ...product, c: { buffer: c.buffer, offset: 0, row, column } });
    return [y];
  },
};

const matMul: Lowering = {
  attributes: [],
  inputs: [2, 2],
  lower(op) {
    const a = op.floats(0);
    const b = op.floats(1);
    const { n, k, dims, products } = matrixProducts(op, a, b);
    const y = op.result(dims);
    for (const { offsetA, offsetB, rows, at } of products) {
      emitProduct(op, {
        a: { buffer: a.buffer, offset: offsetA * 4, row: k * 4, column: 4 },
        b: { buffer: b.buffer, offset: offsetB * 4, row: n * 4, column: 4 },
        y: y.buffer,
        yOffset: at * 4,
        m: rows,
        n,
        k,
      });
    }
    return [y];
  },
};

/** One of the matrix products of a batch: where its operands and its result begin, in elements. */
export interface BatchedProduct {
  readonly offsetA: number;
  readonly offsetB: number;
  readonly rows: number;
  readonly at: number;
}

/**
 * The products of [..., m, k] and [..., k, n], and the shape of them all. One-dimensional operands count as a row or a column,
 * which the result then lacks.
 */
export function matrixProducts(op: Operator, a: Value, b: Value) {
  if (a.dims.length === 0 || b.dims.length === 0) op.invalid('an operand is a scalar');
  const da = a.dims.length === 1 ? [1, ...a.dims] : a.dims;
  const db = b.dims.length === 1 ? [...b.dims, 1] : b.dims;
  const [m = 0, k = 0] = da.slice(-2);
  const [rows = 0, n = 0] = db.slice(-2);
  if (k !== rows) op.invalid(`[${da}] times [${db}] is not a product`);
  const batch = broadcast(op, da.slice(0, -2), db.slice(0, -2));
  const dims = [...batch, ...(a.dims.length === 1 ? [] : [m]), ...(b.dims.length === 1 ? [] : [n])];
  return { m, n, k, dims, products: eachProduct(da, db, batch) };
}

/** One alone where all of a meets the same b. */
function eachProduct(
  da: readonly number[],
  db: readonly number[],
  batch: readonly number[],
): readonly BatchedProduct[] {
  const [m = 0, k = 0] = da.slice(-2);
  const n = db.at(-1) ?? 0;
  const count = elements(batch);
  if (elements(db.slice(0, -2)) === 1 && elements(da.slice(0, -2)) === count)
    return [{ offsetA: 0, offsetB: 0, rows: m * count, at: 0 }];
  const sa = broadcastStrides(da.slice(0, -2), batch, 1).map((s) => s * m * k);
  const sb = broadcastStrides(db.slice(0, -2), batch, 1).map((s) => s * k * n);
  return Array.from({ length: count }, (_, i) => {
    const at = indexOf(i, batch);
    return { offsetA: dot(at, sa), offsetB: dot(at, sb), rows: m, at: i * m * n };
  });
}

function indexOf(i: number, dims: readonly number[]): number[] {
  const out = new Array<number>(dims.length).fill(0);
  let rest = i;
  for (let d = dims.length - 1; d >= 0; d--) {
    const size = dims[d] ?? 1;
    out[d] = rest % size;
    rest = Math.floor(rest / size);
  }
  return out;
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, v, i) => sum + v * (b[i] ?? 0), 0);
}

export const MATRIX: Readonly<Record<string, Lowering>> = { Gemm: gemm, MatMul: matMul };
