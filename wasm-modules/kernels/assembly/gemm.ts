import { operand, operandF32 } from './header';

/** Rows and columns of a tile of y whose sums stay in registers: eight of 128 bits. */
const TILE_ROWS: u32 = 4;
const TILE_COLUMNS: u32 = 8;

/**
 * y[m,n] = alpha * sum over k of a[m,k] * b[k,n] + beta * c[m,n], summed in the order of k.
 * Operands: a, b, c (0: none), y, m, n, k, a's row and column stride, b's row and column stride, c's row and column
 * stride, alpha, beta, room for a panel of b: k * 8 elements (0: none). Strides in bytes (0 repeats); y is dense.
 * With a panel or without, every sum has the same terms in the same order, so the same bits.
 */
export function gemm(step: usize): void {
  if (operand(step, 15) != 0) tiled(step);
  else scalar(step);
  finish(step);
}

function scalar(step: usize): void {
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
}

/** Eight columns of b at a time are copied side by side; four rows of a meet them at once. */
function tiled(step: usize): void {
  const m = operand(step, 4);
  const n = operand(step, 5);
  const k = operand(step, 6);
  const rowA: usize = operand(step, 7);
  const colA: usize = operand(step, 8);
  const rowB: usize = operand(step, 9);
  const colB: usize = operand(step, 10);
  const panel: usize = operand(step, 15);
  const rowY = (<usize>n) << 2;
  for (let j: u32 = 0; j < n; j += TILE_COLUMNS) {
    const columns = min(TILE_COLUMNS, n - j);
    pack(panel, <usize>operand(step, 1) + <usize>j * colB, k, columns, rowB, colB);
    let a: usize = operand(step, 0);
    let y = <usize>operand(step, 3) + ((<usize>j) << 2);
    let i: u32 = 0;
    for (; i + TILE_ROWS <= m; i += TILE_ROWS) {
      tile4(y, rowY, a, rowA, colA, panel, k, columns);
      a += rowA << 2;
      y += rowY << 2;
    }
    for (; i < m; i++) {
      tile1(y, a, colA, panel, k, columns);
      a += rowA;
      y += rowY;
    }
  }
}

/** Columns that b does not have are 0; what they give is not stored. */
function pack(panel: usize, b: usize, k: u32, columns: u32, rowB: usize, colB: usize): void {
  if (columns < TILE_COLUMNS) memory.fill(panel, 0, (<usize>k) << 5);
  for (; k > 0; k--) {
    if (columns == TILE_COLUMNS && colB == 4) {
      v128.store(panel, v128.load(b));
      v128.store(panel, v128.load(b, 16), 16);
    } else {
      let at = b;
      for (let c: u32 = 0; c < columns; c++) {
        store<f32>(panel + ((<usize>c) << 2), load<f32>(at));
        at += colB;
      }
    }
    panel += 32;
    b += rowB;
  }
}

function tile4(y: usize, rowY: usize, a: usize, rowA: usize, colA: usize, panel: usize, k: u32, columns: u32): void {
  let x0 = f32x4.splat(0);
  let x1 = x0;
  let x2 = x0;
  let x3 = x0;
  let x4 = x0;
  let x5 = x0;
  let x6 = x0;
  let x7 = x0;
  let a1 = a + rowA;
  let a2 = a1 + rowA;
  let a3 = a2 + rowA;
  for (; k > 0; k--) {
    const u = v128.load(panel);
    const v = v128.load(panel, 16);
    let s = v128.load_splat<f32>(a);
    x0 = f32x4.add(x0, f32x4.mul(s, u));
    x1 = f32x4.add(x1, f32x4.mul(s, v));
    s = v128.load_splat<f32>(a1);
    x2 = f32x4.add(x2, f32x4.mul(s, u));
    x3 = f32x4.add(x3, f32x4.mul(s, v));
    s = v128.load_splat<f32>(a2);
    x4 = f32x4.add(x4, f32x4.mul(s, u));
    x5 = f32x4.add(x5, f32x4.mul(s, v));
    s = v128.load_splat<f32>(a3);
    x6 = f32x4.add(x6, f32x4.mul(s, u));
    x7 = f32x4.add(x7, f32x4.mul(s, v));
    panel += 32;
    a += colA;
    a1 += colA;
    a2 += colA;
    a3 += colA;
  }
  putRow(y, x0, x1, columns);
  putRow(y + rowY, x2, x3, columns);
  putRow(y + (rowY << 1), x4, x5, columns);
  putRow(y + rowY * 3, x6, x7, columns);
}

function tile1(y: usize, a: usize, colA: usize, panel: usize, k: u32, columns: u32): void {
  let x0 = f32x4.splat(0);
  let x1 = x0;
  for (; k > 0; k--) {
    const s = v128.load_splat<f32>(a);
    x0 = f32x4.add(x0, f32x4.mul(s, v128.load(panel)));
    x1 = f32x4.add(x1, f32x4.mul(s, v128.load(panel, 16)));
    panel += 32;
    a += colA;
  }
  putRow(y, x0, x1, columns);
}

function putRow(y: usize, u: v128, v: v128, columns: u32): void {
  if (columns == TILE_COLUMNS) {
    v128.store(y, u);
    v128.store(y, v, 16);
    return;
  }
  if (columns >= 4) {
    v128.store(y, u);
    y += 16;
    u = v;
    columns -= 4;
  }
  if (columns > 0) store<f32>(y, f32x4.extract_lane(u, 0));
  if (columns > 1) store<f32>(y, f32x4.extract_lane(u, 1), 4);
  if (columns > 2) store<f32>(y, f32x4.extract_lane(u, 2), 8);
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
