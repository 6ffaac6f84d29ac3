import { operand, operandF32 } from './header';

/**
 * y[m,n] = alpha * sum over k of a[m,k] * b[k,n] + beta * c[m,n], summed in the order of k.
 * Operands: a, b, c (0: none), y, m, n, k, a's row and column stride, b's row and column stride, c's row and column
 * stride, alpha, beta. Strides in bytes (0 repeats); y is dense.
 */
export function gemm(step: usize): void {
  const m = operand(step, 4);
  const n = operand(step, 5);
  const k = operand(step, 6);
  const rowA: usize = operand(step, 7);
  const colA: usize = operand(step, 8);
  const rowB: usize = operand(step, 9);
  const colB: usize = operand(step, 10);
  let a: usize = operand(step, 0);
  let y: usize = operand(step, 3);
  for (let i: u32 = 0; i < m; i++) {
    let b: usize = operand(step, 1);
    let j: u32 = 0;
    for (; j + 4 <= n; j += 4) {
      dot4(y, a, b, k, colA, rowB, colB);
      b += colB << 2;
      y += 16;
    }
    for (; j < n; j++) {
      dot1(y, a, b, k, colA, rowB);
      b += colB;
      y += 4;
    }
    a += rowA;
  }
  finish(step);
}

function dot4(y: usize, a: usize, b: usize, k: u32, colA: usize, rowB: usize, colB: usize): void {
  let x0: f32 = 0;
  let x1: f32 = 0;
  let x2: f32 = 0;
  let x3: f32 = 0;
  const colB2 = colB << 1;
  const colB3 = colB2 + colB;
  for (; k > 0; k--) {
    const v = load<f32>(a);
    x0 += v * load<f32>(b);
    x1 += v * load<f32>(b + colB);
    x2 += v * load<f32>(b + colB2);
    x3 += v * load<f32>(b + colB3);
    a += colA;
    b += rowB;
  }
  store<f32>(y, x0);
  store<f32>(y, x1, 4);
  store<f32>(y, x2, 8);
  store<f32>(y, x3, 12);
}

function dot1(y: usize, a: usize, b: usize, k: u32, colA: usize, rowB: usize): void {
  let x: f32 = 0;
  for (; k > 0; k--) {
    x += load<f32>(a) * load<f32>(b);
    a += colA;
    b += rowB;
  }
  store<f32>(y, x);
}

/** Applies alpha, beta and c. */
function finish(step: usize): void {
  const alpha = operandF32(step, 13);
  const beta = operandF32(step, 14);
  let c: usize = operand(step, 2);
  if (c == 0 && alpha == 1) return;
  const m = operand(step, 4);
  const n = operand(step, 5);
  const rowC: usize = operand(step, 11);
  const colC: usize = operand(step, 12);
  let y: usize = operand(step, 3);
  for (let i: u32 = 0; i < m; i++) {
    let at = c;
    for (let j: u32 = 0; j < n; j++) {
      let v = load<f32>(y) * alpha;
      if (c != 0) v += load<f32>(at) * beta;
      store<f32>(y, v);
      at += colC;
      y += 4;
    }
    c += rowC;
  }
}
