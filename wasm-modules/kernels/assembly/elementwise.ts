import { operand, operandF32 } from './header';
import { expf, sigmoidf, tanhf } from './math';

/** Operands: kind, x, y, n, two parameters. The kinds stand in `compiler/opcodes.ts`. */
export function unary(step: usize): void {
  const kind = operand(step, 0);
  let x: usize = operand(step, 1);
  let y: usize = operand(step, 2);
  const end = x + ((<usize>operand(step, 3)) << 2);
  const p = operandF32(step, 4);
  const q = operandF32(step, 5);
  for (; x < end; x += 4) {
    store<f32>(y, unaryOf(kind, load<f32>(x), p, q));
    y += 4;
  }
}

function unaryOf(kind: u32, x: f32, p: f32, q: f32): f32 {
  switch (kind) {
    case 1:
      return max<f32>(x, 0);
    case 2:
      return sigmoidf(x);
    case 3:
      return tanhf(x);
    case 4:
      return x < 0 ? x * p : x;
    case 5:
      return expf(x);
    case 6:
      return -x;
    case 7:
      return abs(x);
    case 8:
      return sqrt(x);
    case 9:
      return <f32>1 / x;
    case 10:
      return floor(x);
    case 11:
      return ceil(x);
    case 12:
      return nearest(x);
    case 13:
      return min<f32>(max<f32>(x, p), q);
    case 14:
      return x > 0 ? <f32>1 : x < 0 ? <f32>-1 : x;
    default:
      return unreachable();
  }
}

/**
 * Operands: kind, a, b, y, rank (at least 1), then the dimensions, a's strides and b's strides, `rank` words each; strides
 * in bytes, 0 where the operand is repeated. y is dense.
 */
export function binary(step: usize): void {
  const kind = operand(step, 0);
  const rank = operand(step, 4);
  const dims = step + 28;
  const stridesA = dims + ((<usize>rank) << 2);
  const stridesB = stridesA + ((<usize>rank) << 2);
  const inner = (<usize>rank - 1) << 2;
  const n = load<u32>(dims + inner);
  const stepA: usize = load<u32>(stridesA + inner);
  const stepB: usize = load<u32>(stridesB + inner);
  const rows = outer(dims, rank);
  let y: usize = operand(step, 3);
  for (let row: u32 = 0; row < rows; row++) {
    let a = <usize>operand(step, 1) + offset(row, dims, stridesA, rank);
    let b = <usize>operand(step, 2) + offset(row, dims, stridesB, rank);
    for (let i: u32 = 0; i < n; i++) {
      store<f32>(y, binaryOf(kind, load<f32>(a), load<f32>(b)));
      a += stepA;
      b += stepB;
      y += 4;
    }
  }
}

function binaryOf(kind: u32, a: f32, b: f32): f32 {
  switch (kind) {
    case 1:
      return a + b;
    case 2:
      return a - b;
    case 3:
      return a * b;
    case 4:
      return a / b;
    case 5:
      return max<f32>(a, b);
    case 6:
      return min<f32>(a, b);
    default:
      return unreachable();
  }
}

/**
 * Operands: x, y, rank (at least 1), then the dimensions, x's strides and y's strides, `rank` words each, in bytes;
 * elements of 4 bytes. Transpositions, slices, joins and repetitions are all this.
 */
export function stridedCopy(step: usize): void {
  const rank = operand(step, 2);
  const dims = step + 20;
  const stridesX = dims + ((<usize>rank) << 2);
  const stridesY = stridesX + ((<usize>rank) << 2);
  const inner = (<usize>rank - 1) << 2;
  const n = load<u32>(dims + inner);
  const stepX: usize = load<u32>(stridesX + inner);
  const stepY: usize = load<u32>(stridesY + inner);
  const rows = outer(dims, rank);
  for (let row: u32 = 0; row < rows; row++) {
    let x = <usize>operand(step, 0) + offset(row, dims, stridesX, rank);
    let y = <usize>operand(step, 1) + offset(row, dims, stridesY, rank);
    for (let i: u32 = 0; i < n; i++) {
      store<u32>(y, load<u32>(x));
      x += stepX;
      y += stepY;
    }
  }
}

/** The product of all dimensions but the last. */
function outer(dims: usize, rank: u32): u32 {
  let rows: u32 = 1;
  for (let d: u32 = 0; d + 1 < rank; d++) rows *= load<u32>(dims + ((<usize>d) << 2));
  return rows;
}

/** Where row `row` begins, rows counted over all dimensions but the last. Negative strides wrap, as addresses do. */
function offset(row: u32, dims: usize, strides: usize, rank: u32): usize {
  let at: usize = 0;
  for (let d = <i32>rank - 2; d >= 0; d--) {
    const size = load<u32>(dims + ((<usize>d) << 2));
    at += <usize>((row % size) * load<u32>(strides + ((<usize>d) << 2)));
    row /= size;
  }
  return at;
}
