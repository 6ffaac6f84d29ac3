import { operand, operandF32 } from './header';
import { erf64, exp64, expf, log64, logf, powf, sigmoidf, tanhf } from './math';

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
    case 15:
      return logf(x);
    case 16:
      return <f32>erf64(<f64>x);
    case 17: // Elu
      return x < 0 ? <f32>(<f64>p * (exp64(<f64>x) - 1.0)) : x;
    case 18: // HardSigmoid
      return min<f32>(max<f32>(x * p + q, 0), 1);
    case 19: // HardSwish
      return x * min<f32>(max<f32>(x * p + q, 0), 1);
    case 20: // Softplus, without overflow
      return <f32>(<f64>max<f32>(x, 0) + log64(1.0 + exp64(-abs(<f64>x))));
    case 21: // Softsign
      return x / (<f32>1 + abs(x));
    case 22: // Gelu
      return <f32>(0.5 * <f64>x * (1.0 + erf64(<f64>x * 0.7071067811865476)));
    case 23: // Selu
      return q * (x < 0 ? <f32>(<f64>p * (exp64(<f64>x) - 1.0)) : x);
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
    case 7:
      return powf(a, b);
    case 8: // PRelu
      return a < 0 ? a * b : a;
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

/**
 * Operands: kind, x, y, count of results, rank of what stays, rank of what goes (both at least 1), then dimensions and
 * x's strides of what stays, dimensions and x's strides of what goes. Sums run in f64, in the order of memory.
 */
export function reduce(step: usize): void {
  const kind = operand(step, 0);
  const kept = operand(step, 4);
  const gone = operand(step, 5);
  const keptDims = step + 32;
  const keptStrides = keptDims + ((<usize>kept) << 2);
  const goneDims = keptStrides + ((<usize>kept) << 2);
  const goneStrides = goneDims + ((<usize>gone) << 2);
  const inner = (<usize>gone - 1) << 2;
  const n = load<u32>(goneDims + inner);
  const stride: usize = load<u32>(goneStrides + inner);
  const rows = outer(goneDims, gone);
  const results = operand(step, 3);
  const last = (<usize>kept - 1) << 2;
  const lastDim = load<u32>(keptDims + last);
  const lastStride: usize = load<u32>(keptStrides + last);
  let y: usize = operand(step, 2);
  for (let i: u32 = 0; i < results; i++) {
    const base =
      <usize>operand(step, 1) + offset(i / lastDim, keptDims, keptStrides, kept) + (i % lastDim) * lastStride;
    let sum: f64 = kind == 3 ? -Infinity : kind == 4 ? Infinity : kind == 5 ? 1 : 0;
    for (let row: u32 = 0; row < rows; row++) {
      let x = base + offset(row, goneDims, goneStrides, gone);
      for (let k: u32 = 0; k < n; k++) {
        sum = gather(kind, sum, <f64>load<f32>(x));
        x += stride;
      }
    }
    store<f32>(y, <f32>(kind == 2 ? sum / <f64>(rows * n) : sum));
    y += 4;
  }
}

function gather(kind: u32, sum: f64, v: f64): f64 {
  switch (kind) {
    case 3:
      return max<f64>(sum, v);
    case 4:
      return min<f64>(sum, v);
    case 5:
      return sum * v;
    case 6:
      return sum + v * v;
    case 7:
      return sum + abs(v);
    default:
      return sum + v;
  }
}

/** The product of all dimensions but the last. */
export function outer(dims: usize, rank: u32): u32 {
  let rows: u32 = 1;
  for (let d: u32 = 0; d + 1 < rank; d++) rows *= load<u32>(dims + ((<usize>d) << 2));
  return rows;
}

/** Where row `row` begins, rows counted over all dimensions but the last. Negative strides wrap, as addresses do. */
export function offset(row: u32, dims: usize, strides: usize, rank: u32): usize {
  let at: usize = 0;
  for (let d = <i32>rank - 2; d >= 0; d--) {
    const size = load<u32>(dims + ((<usize>d) << 2));
    at += <usize>((row % size) * load<u32>(strides + ((<usize>d) << 2)));
    row /= size;
  }
  return at;
}
