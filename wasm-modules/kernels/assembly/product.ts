// Matrix products. Both kinds run alike: f32, where one unit along k is one number; and int8, where it is two numbers of 16
// bits (what was read, less its zero point), whose products are summed exactly in 32 bits. A unit has 4 bytes either way.
import { finishF32, finishI32 } from './epilogue';
import { operand, optional } from './header';
import { packA, packB, widthOfElement } from './pack';
import { offsetTable } from './patches';

/** A tile of y, four rows of eight, stays in eight registers while k runs; one step of k to a loop, or V8 spills. */
const TILE_ROWS: u32 = 4;
const TILE_COLUMNS: u32 = 8;
/** So much of b is packed at a time: it stays in the second cache while the rows of a pass by. */
const BLOCK_K: u32 = 256;
const BLOCK_N: u32 = 128;

/** Forms of an operand. `compiler/prepack.ts` writes the packed one. */
const PACKED: u32 = 1;
const PATCHES: u32 = 2;

/** The room of a step: a tile, as many zeros, eight positions; then a table of patches, the block of b, and packed a. */
const ZEROS: usize = 128;
const ROOM: usize = 320;

/**
 * y[m,n] = sum over k of a[m,k] * b[k,n], in the order of k whatever the tiles are; then the epilogue. y is dense.
 * Operands: a, b, y, room, m, n, k, a's row and column stride, b's row and column stride (bytes; 0 repeats), form of a (0
 * strides, 1 packed), form of b (0 strides, 1 packed, 2 patches of an image); the epilogue's (`epilogue.ts`); from 22 on of
 * patches: kernel (2), width of the grid, stride (2), dilation (2), height and width of the framed image; the integers' from
 * 31 on (`pack.ts`).
 */
export function product<T>(step: usize): void {
  const m = operand(step, 4);
  const n = operand(step, 5);
  const k = units<T>(operand(step, 6));
  const form = optional(step, 12);
  let next = <usize>operand(step, 3) + ROOM;
  const table = next;
  if (form == PATCHES) {
    offsetTable(step, table, widthOfElement<T>());
    next += (<usize>operand(step, 6) * 4 + 15) & ~15;
  }
  const rowwise = m < TILE_ROWS && (form == PACKED || (isFloat<T>() && form == 0 && operand(step, 10) == 4));
  const block = next;
  if (!rowwise && (form != PACKED || isInteger<T>())) {
    next += (<usize>(min(k, deepestBlock<T>(step, k)) * min((n + 7) & ~7, BLOCK_N))) << 2;
  }
  let a: usize = operand(step, 0);
  if (optional(step, 11) != PACKED) {
    packA<T>(step, next);
    a = next;
  }
  if (rowwise) byRows<T>(step, a, k);
  else blocked<T>(step, a, k, table, block);
}

function units<T>(k: u32): u32 {
  return isFloat<T>() ? k : (k + 1) >> 1;
}

/** Bytes of a unit of packed b in the model's data: 16-bit numbers are kept there as 8. */
function packedUnit<T>(): usize {
  return isFloat<T>() ? 4 : 2;
}

/** Sums wait in y from one block of k to the next; where y has bytes, all of k is one block. */
function deepestBlock<T>(step: usize, k: u32): u32 {
  return isInteger<T>() && optional(step, 37) > 1 ? k : BLOCK_K;
}

function blocked<T>(step: usize, a: usize, k: u32, table: usize, block: usize): void {
  const m = operand(step, 4);
  const n = operand(step, 5);
  const tile: usize = operand(step, 3);
  memory.fill(tile + ZEROS, 0, 128);
  const direct = isFloat<T>() && optional(step, 12) == PACKED;
  const deepest = deepestBlock<T>(step, k);
  for (let jb: u32 = 0; jb < n; jb += BLOCK_N) {
    const columns = min(BLOCK_N, n - jb);
    let kb: u32 = 0;
    do {
      const depth = min(deepest, k - kb);
      const from = kb == 0 ? tile + ZEROS : tile;
      const last = kb + depth == k;
      let panels = block;
      let stride = (<usize>depth) << 5;
      if (direct) {
        panels = <usize>operand(step, 1) + ((<usize>(jb >> 3) * k + kb) << 5);
        stride = (<usize>k) << 5;
      } else packB<T>(step, block, jb, columns, kb, depth, table);
      let row = a + ((<usize>kb) << 4);
      let i: u32 = 0;
      for (; i + TILE_ROWS <= m; i += TILE_ROWS) {
        let panel = panels;
        for (let j: u32 = 0; j < columns; j += TILE_COLUMNS) {
          if (kb != 0) takeBack(step, tile, i, jb + j, TILE_ROWS);
          tile4<T>(tile, from, row, panel, depth);
          finish<T>(step, tile, i, jb + j, TILE_ROWS, last);
          panel += stride;
        }
        row += (<usize>k) << 4;
      }
      row -= <usize>kb * 12;
      for (; i < m; i++) {
        let panel = panels;
        for (let j: u32 = 0; j < columns; j += TILE_COLUMNS) {
          if (kb != 0) takeBack(step, tile, i, jb + j, 1);
          tile1<T>(tile, from, row, panel, 32, depth);
          finish<T>(step, tile, i, jb + j, 1, last);
          panel += stride;
        }
        row += (<usize>k) << 2;
      }
      kb += depth;
    } while (kb < k);
  }
}

/** Few rows of a: b is read once, where it lies, 32 columns at a time. */
function byRows<T>(step: usize, a: usize, k: u32): void {
  const m = operand(step, 4);
  const n = operand(step, 5);
  const tile: usize = operand(step, 3);
  const b: usize = operand(step, 1);
  const packed = optional(step, 12) == PACKED;
  // From one unit of k to the next, and from eight columns to the next eight.
  const down: usize = packed ? packedUnit<T>() << 3 : operand(step, 9);
  const across: usize = packed ? (<usize>k * packedUnit<T>()) << 3 : 32;
  memory.fill(tile + ZEROS, 0, 128);
  for (let i: u32 = 0; i < m; i++) {
    let panel = b;
    let j: u32 = 0;
    for (; j + 32 <= n; j += 32) {
      row32<T>(tile, a, panel, across, down, k);
      for (let c: u32 = 0; c < 4; c++) finish<T>(step, tile + ((<usize>c) << 5), i, j + (c << 3), 1, true);
      panel += across << 2;
    }
    for (; j < n; j += TILE_COLUMNS) {
      if (packed || j + TILE_COLUMNS <= n) {
        if (isFloat<T>()) tile1<T>(tile, tile + ZEROS, a, panel, down, k);
        else row8(tile, a, panel, k);
      } else {
        for (let c: u32 = 0; c < n - j; c++) dot1(tile + ((<usize>c) << 2), a, panel + ((<usize>c) << 2), down, k);
      }
      finish<T>(step, tile, i, j, 1, true);
      panel += across;
    }
    a += (<usize>k) << 2;
  }
}

function finish<T>(step: usize, tile: usize, i: u32, j: u32, rows: u32, last: bool): void {
  if (!last) putAside(step, tile, i, j, rows);
  else if (isFloat<T>()) finishF32(step, tile, i, j, rows);
  else finishI32(step, tile, i, j, rows);
}

function putAside(step: usize, tile: usize, i: u32, j: u32, rows: u32): void {
  const n = operand(step, 5);
  const bytes = (<usize>min(TILE_COLUMNS, n - j)) << 2;
  let y = <usize>operand(step, 2) + ((<usize>i * n + j) << 2);
  for (let r: u32 = 0; r < rows; r++) {
    if (bytes == 32) {
      v128.store(y, v128.load(tile));
      v128.store(y, v128.load(tile, 16), 16);
    } else memory.copy(y, tile, bytes);
    tile += 32;
    y += (<usize>n) << 2;
  }
}

function takeBack(step: usize, tile: usize, i: u32, j: u32, rows: u32): void {
  const n = operand(step, 5);
  const bytes = (<usize>min(TILE_COLUMNS, n - j)) << 2;
  let y = <usize>operand(step, 2) + ((<usize>i * n + j) << 2);
  for (let r: u32 = 0; r < rows; r++) {
    if (bytes == 32) {
      v128.store(tile, v128.load(y));
      v128.store(tile, v128.load(y, 16), 16);
    } else memory.copy(tile, y, bytes);
    tile += 32;
    y += (<usize>n) << 2;
  }
}

/** The compiler puts the small functions below into the loops; the rewriter would look for NaNs at each call. */
function madd<T>(x: v128, s: v128, u: v128): v128 {
  if (isFloat<T>()) return f32x4.add(x, f32x4.mul(s, u));
  return i32x4.add(x, i32x4.dot_i16x8_s(s, u));
}

/**
 * Sums so far, to go on with. Adding −0 changes no number; but it tells the rewriter that they come from arithmetic, as all
 * that the loop makes of them, so that it need not look for NaNs at every step.
 */
function sumsAt<T>(at: usize): v128 {
  return isFloat<T>() ? f32x4.add(v128.load(at), f32x4.splat(-0.0)) : v128.load(at);
}

function tile4<T>(tile: usize, from: usize, a: usize, panel: usize, k: u32): void {
  let x0 = sumsAt<T>(from);
  let x1 = sumsAt<T>(from + 16);
  let x2 = sumsAt<T>(from + 32);
  let x3 = sumsAt<T>(from + 48);
  let x4 = sumsAt<T>(from + 64);
  let x5 = sumsAt<T>(from + 80);
  let x6 = sumsAt<T>(from + 96);
  let x7 = sumsAt<T>(from + 112);
  const end = a + ((<usize>k) << 4);
  while (a != end) {
    const u = v128.load(panel);
    const v = v128.load(panel, 16);
    let s = v128.load_splat<u32>(a);
    x0 = madd<T>(x0, s, u);
    x1 = madd<T>(x1, s, v);
    s = v128.load_splat<u32>(a, 4);
    x2 = madd<T>(x2, s, u);
    x3 = madd<T>(x3, s, v);
    s = v128.load_splat<u32>(a, 8);
    x4 = madd<T>(x4, s, u);
    x5 = madd<T>(x5, s, v);
    s = v128.load_splat<u32>(a, 12);
    x6 = madd<T>(x6, s, u);
    x7 = madd<T>(x7, s, v);
    panel += 32;
    a += 16;
  }
  v128.store(tile, x0);
  v128.store(tile, x1, 16);
  v128.store(tile, x2, 32);
  v128.store(tile, x3, 48);
  v128.store(tile, x4, 64);
  v128.store(tile, x5, 80);
  v128.store(tile, x6, 96);
  v128.store(tile, x7, 112);
}

function tile1<T>(tile: usize, from: usize, a: usize, panel: usize, down: usize, k: u32): void {
  let x0 = sumsAt<T>(from);
  let x1 = sumsAt<T>(from + 16);
  const end = a + ((<usize>k) << 2);
  while (a != end) {
    const s = v128.load_splat<u32>(a);
    x0 = madd<T>(x0, s, v128.load(panel));
    x1 = madd<T>(x1, s, v128.load(panel, 16));
    panel += down;
    a += 4;
  }
  v128.store(tile, x0);
  v128.store(tile, x1, 16);
}

/** Eight columns of b that is kept as 8-bit numbers. */
function row8(tile: usize, a: usize, panel: usize, k: u32): void {
  let x0 = i32x4.splat(0);
  let x1 = x0;
  const end = a + ((<usize>k) << 2);
  while (a != end) {
    const s = v128.load_splat<u32>(a);
    x0 = madd<i32>(x0, s, v128.load_ext<i8>(panel));
    x1 = madd<i32>(x1, s, v128.load_ext<i8>(panel, 8));
    panel += 16;
    a += 4;
  }
  v128.store(tile, x0);
  v128.store(tile, x1, 16);
}

function eight<T>(at: usize, second: usize): v128 {
  if (isFloat<T>()) return v128.load(at + (second << 4));
  return v128.load_ext<i8>(at + (second << 3));
}

function row32<T>(tile: usize, a: usize, p0: usize, across: usize, down: usize, k: u32): void {
  let x0 = f32x4.splat(0);
  let x1 = x0;
  let x2 = x0;
  let x3 = x0;
  let x4 = x0;
  let x5 = x0;
  let x6 = x0;
  let x7 = x0;
  let p1 = p0 + across;
  let p2 = p1 + across;
  let p3 = p2 + across;
  const end = a + ((<usize>k) << 2);
  while (a != end) {
    const s = v128.load_splat<u32>(a);
    x0 = madd<T>(x0, s, eight<T>(p0, 0));
    x1 = madd<T>(x1, s, eight<T>(p0, 1));
    x2 = madd<T>(x2, s, eight<T>(p1, 0));
    x3 = madd<T>(x3, s, eight<T>(p1, 1));
    x4 = madd<T>(x4, s, eight<T>(p2, 0));
    x5 = madd<T>(x5, s, eight<T>(p2, 1));
    x6 = madd<T>(x6, s, eight<T>(p3, 0));
    x7 = madd<T>(x7, s, eight<T>(p3, 1));
    p0 += down;
    p1 += down;
    p2 += down;
    p3 += down;
    a += 4;
  }
  v128.store(tile, x0);
  v128.store(tile, x1, 16);
  v128.store(tile, x2, 32);
  v128.store(tile, x3, 48);
  v128.store(tile, x4, 64);
  v128.store(tile, x5, 80);
  v128.store(tile, x6, 96);
  v128.store(tile, x7, 112);
}

function dot1(y: usize, a: usize, b: usize, down: usize, k: u32): void {
  let x: f32 = 0;
  const end = a + ((<usize>k) << 2);
  while (a != end) {
    x += load<f32>(a) * load<f32>(b);
    a += 4;
    b += down;
  }
  store<f32>(y, x);
}
