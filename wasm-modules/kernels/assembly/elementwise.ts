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
  if (isPacked(kind)) {
    for (; x + 16 <= end; x += 16) {
      v128.store(y, packedUnary(kind, v128.load(x), p, q));
      y += 16;
    }
  }
  for (; x < end; x += 4) {
    store<f32>(y, unaryOf(kind, load<f32>(x), p, q));
    y += 4;
  }
}

const RELU: u32 = 1;
const LEAKY_RELU: u32 = 4;
const CLIP: u32 = 13;

export function isPacked(kind: u32): bool {
  return kind == RELU || kind == LEAKY_RELU || kind == CLIP;
}

/** Four numbers at once, with the bits that `unaryOf` gives each; only where {@link isPacked}. */
export function packedUnary(kind: u32, v: v128, p: f32, q: f32): v128 {
  if (kind == RELU) return f32x4.max(v, f32x4.splat(0));
  if (kind == CLIP) return f32x4.min(f32x4.max(v, f32x4.splat(p)), f32x4.splat(q));
  return v128.bitselect(f32x4.mul(v, f32x4.splat(p)), v, f32x4.lt(v, f32x4.splat(0)));
}

export function unaryOf(kind: u32, x: f32, p: f32, q: f32): f32 {
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
    let i: u32 = 0;
    if (kind <= 6 && (stepA == 0 || stepA == 4) && (stepB == 0 || stepB == 4)) {
      for (; i + 4 <= n; i += 4) {
        v128.store(y, packedBinary(kind, fourAt(a, stepA), fourAt(b, stepB)));
        a += stepA << 2;
        b += stepB << 2;
        y += 16;
      }
    }
    for (; i < n; i++) {
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

function fourAt(at: usize, stride: usize): v128 {
  return stride == 0 ? v128.load_splat<f32>(at) : v128.load(at);
}

function packedBinary(kind: u32, a: v128, b: v128): v128 {
  switch (kind) {
    case 1:
      return f32x4.add(a, b);
    case 2:
      return f32x4.sub(a, b);
    case 3:
      return f32x4.mul(a, b);
    case 4:
      return f32x4.div(a, b);
    case 5:
      return f32x4.max(a, b);
    default:
      return f32x4.min(a, b);
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
