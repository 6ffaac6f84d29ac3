// Operands of a product, put in the order in which its tiles read them. Integers lose their zero points here.
// Operands: type of a and of b (2 u8, 3 i8) at 31 and 32; where a's zero points stand (0: none) and the bytes from one row's
// to the next at 33 and 34; b's, and the bytes from one column's to the next, at 35 and 36.
import { operand, optional } from './header';
import { positions } from './patches';

const U8: u32 = 2;
const POSITIONS: usize = 256;

/** Bytes of an element of an image whose patches are packed. */
export function widthOfElement<T>(): usize {
  return isFloat<T>() ? 4 : 1;
}

/** Four rows at a time side by side, unit by unit; what is left of the rows one after the other. */
export function packA<T>(step: usize, to: usize): void {
  const m = operand(step, 4);
  const rowA: usize = operand(step, 7);
  let a: usize = operand(step, 0);
  let i: u32 = 0;
  for (; i + 4 <= m; i += 4) {
    if (isFloat<T>()) to = fourRows(step, a, to);
    else {
      for (let r: u32 = 0; r < 4; r++) pairsOfRow(step, a + <usize>r * rowA, i + r, to + ((<usize>r) << 2), 16);
      to += (<usize>((operand(step, 6) + 1) >> 1)) << 4;
    }
    a += rowA << 2;
  }
  for (; i < m; i++) {
    if (isFloat<T>()) to = oneRow(step, a, to);
    else {
      pairsOfRow(step, a, i, to, 4);
      to += (<usize>((operand(step, 6) + 1) >> 1)) << 2;
    }
    a += rowA;
  }
}

function fourRows(step: usize, a: usize, to: usize): usize {
  const rowA: usize = operand(step, 7);
  const colA: usize = operand(step, 8);
  let k = operand(step, 6);
  let a1 = a + rowA;
  let a2 = a1 + rowA;
  let a3 = a2 + rowA;
  if (colA == 4) {
    for (; k >= 4; k -= 4) {
      transpose4(to, 16, v128.load(a), v128.load(a1), v128.load(a2), v128.load(a3));
      a += 16;
      a1 += 16;
      a2 += 16;
      a3 += 16;
      to += 64;
    }
  }
  for (; k > 0; k--) {
    store<f32>(to, load<f32>(a));
    store<f32>(to, load<f32>(a1), 4);
    store<f32>(to, load<f32>(a2), 8);
    store<f32>(to, load<f32>(a3), 12);
    a += colA;
    a1 += colA;
    a2 += colA;
    a3 += colA;
    to += 16;
  }
  return to;
}

/** Four vectors of four, their columns stored `stride` bytes apart. */
function transpose4(to: usize, stride: usize, p: v128, q: v128, r: v128, s: v128): void {
  const pq = v128.shuffle<i32>(p, q, 0, 4, 1, 5);
  const rs = v128.shuffle<i32>(r, s, 0, 4, 1, 5);
  v128.store(to, v128.shuffle<i64>(pq, rs, 0, 2));
  v128.store(to + stride, v128.shuffle<i64>(pq, rs, 1, 3));
  const pq2 = v128.shuffle<i32>(p, q, 2, 6, 3, 7);
  const rs2 = v128.shuffle<i32>(r, s, 2, 6, 3, 7);
  v128.store(to + (stride << 1), v128.shuffle<i64>(pq2, rs2, 0, 2));
  v128.store(to + stride * 3, v128.shuffle<i64>(pq2, rs2, 1, 3));
}

function oneRow(step: usize, a: usize, to: usize): usize {
  const colA: usize = operand(step, 8);
  for (let k = operand(step, 6); k > 0; k--) {
    store<f32>(to, load<f32>(a));
    a += colA;
    to += 4;
  }
  return to;
}

function number(type: u32, at: usize): i16 {
  return type == U8 ? <i16>load<u8>(at) : <i16>load<i8>(at);
}

function eight(type: u32, at: usize): v128 {
  return type == U8 ? v128.load_ext<u8>(at) : v128.load_ext<i8>(at);
}

/** The zero point of a row of a or a column of b. */
function zeroAt(step: usize, i: i32, type: u32, index: u32): i16 {
  const zero: usize = optional(step, i);
  return zero == 0 ? 0 : number(type, zero + <usize>index * optional(step, i + 1));
}

/** One row of a as pairs of 16-bit numbers, `stride` bytes from one pair to the next; an odd end is filled with 0. */
function pairsOfRow(step: usize, a: usize, row: u32, to: usize, stride: usize): void {
  const colA: usize = operand(step, 8);
  const type = optional(step, 31);
  const zero = zeroAt(step, 33, type, row);
  let k = operand(step, 6);
  if (colA == 1) {
    const zeros = i16x8.splat(zero);
    for (; k >= 8; k -= 8) {
      const v = i16x8.sub(eight(type, a), zeros);
      v128.store_lane<u32>(to, v, 0);
      v128.store_lane<u32>(to + stride, v, 1);
      v128.store_lane<u32>(to + (stride << 1), v, 2);
      v128.store_lane<u32>(to + stride * 3, v, 3);
      a += 8;
      to += stride << 2;
    }
  }
  for (; k > 0; k = k > 2 ? k - 2 : 0) {
    store<i16>(to, number(type, a) - zero);
    store<i16>(to, k > 1 ? number(type, a + colA) - zero : 0, 2);
    a += colA << 1;
    to += stride;
  }
}

/** The columns from `j` on, eight at a time side by side, of the units from `from` on. What is not there is 0. */
export function packB<T>(step: usize, to: usize, j: u32, columns: u32, from: u32, depth: u32, table: usize): void {
  const form = optional(step, 12);
  for (; columns > 0; columns = columns > 8 ? columns - 8 : 0) {
    if (isFloat<T>()) {
      if (form == 2) patchesF32(step, to, j, table + ((<usize>from) << 2), depth);
      else panelF32(step, to, j, min<u32>(columns, 8), from, depth);
    } else if (form == 2) patchesI16(step, to, j, table, from, depth);
    else if (form == 1) widen(step, to, j, from, depth);
    else panelI16(step, to, j, min<u32>(columns, 8), from, depth);
    j += 8;
    to += (<usize>depth) << 5;
  }
}

function panelF32(step: usize, to: usize, j: u32, columns: u32, from: u32, depth: u32): void {
  const rowB: usize = operand(step, 9);
  const colB: usize = operand(step, 10);
  let b = <usize>operand(step, 1) + <usize>j * colB + <usize>from * rowB;
  if (columns < 8) memory.fill(to, 0, (<usize>depth) << 5);
  else if (colB == 4) {
    for (; depth > 0; depth--) {
      v128.store(to, v128.load(b));
      v128.store(to, v128.load(b, 16), 16);
      to += 32;
      b += rowB;
    }
  } else if (rowB == 4) {
    for (; depth >= 4; depth -= 4) {
      const c = b + (colB << 2);
      transpose4(to, 32, v128.load(b), v128.load(b + colB), v128.load(b + (colB << 1)), v128.load(b + colB * 3));
      transpose4(to + 16, 32, v128.load(c), v128.load(c + colB), v128.load(c + (colB << 1)), v128.load(c + colB * 3));
      to += 128;
      b += 16;
    }
  }
  for (; depth > 0; depth--) {
    let at = b;
    for (let c: u32 = 0; c < columns; c++) {
      store<f32>(to + ((<usize>c) << 2), load<f32>(at));
      at += colB;
    }
    to += 32;
    b += rowB;
  }
}

function patchesF32(step: usize, to: usize, j: u32, table: usize, depth: u32): void {
  const at = <usize>operand(step, 3) + POSITIONS;
  const end = table + ((<usize>depth) << 2);
  if (positions(step, at, j, 4)) {
    const first: usize = load<u32>(at);
    for (; table != end; table += 4) {
      const x = first + load<u32>(table);
      v128.store(to, v128.load(x));
      v128.store(to, v128.load(x, 16), 16);
      to += 32;
    }
    return;
  }
  for (; table != end; table += 4) {
    const offset: usize = load<u32>(table);
    for (let i: usize = 0; i < 32; i += 4) {
      store<f32>(to, load<f32>(<usize>load<u32>(at + i) + offset));
      to += 4;
    }
  }
}

/** Rows p and q of eight, as pairs. */
function interleave(to: usize, p: v128, q: v128): void {
  v128.store(to, v128.shuffle<i16>(p, q, 0, 8, 1, 9, 2, 10, 3, 11));
  v128.store(to, v128.shuffle<i16>(p, q, 4, 12, 5, 13, 6, 14, 7, 15), 16);
}

/** Widens what the compiler packed: the zero points are already gone. */
function widen(step: usize, to: usize, j: u32, from: u32, depth: u32): void {
  const k = (operand(step, 6) + 1) >> 1;
  let b = <usize>operand(step, 1) + ((<usize>(j >> 3) * k + from) << 4);
  for (; depth > 0; depth--) {
    v128.store(to, v128.load_ext<i8>(b));
    v128.store(to, v128.load_ext<i8>(b, 8), 16);
    b += 16;
    to += 32;
  }
}

function panelI16(step: usize, to: usize, j: u32, columns: u32, from: u32, depth: u32): void {
  const rowB: usize = operand(step, 9);
  const colB: usize = operand(step, 10);
  const type = optional(step, 32);
  let left = operand(step, 6) - (from << 1);
  let b = <usize>operand(step, 1) + <usize>j * colB + ((<usize>from) << 1) * rowB;
  if (columns < 8) memory.fill(to, 0, (<usize>depth) << 5);
  else if (colB == 1 && optional(step, 36) == 0) {
    const zeros = i16x8.splat(zeroAt(step, 35, type, 0));
    for (; depth > 0 && left >= 2; depth--) {
      interleave(to, i16x8.sub(eight(type, b), zeros), i16x8.sub(eight(type, b + rowB), zeros));
      to += 32;
      b += rowB << 1;
      left -= 2;
    }
  }
  for (; depth > 0; depth--) {
    let at = b;
    for (let c: u32 = 0; c < columns; c++) {
      const zero = zeroAt(step, 35, type, j + c);
      store<i16>(to + ((<usize>c) << 2), number(type, at) - zero);
      store<i16>(to + ((<usize>c) << 2), left > 1 ? number(type, at + rowB) - zero : 0, 2);
      at += colB;
    }
    to += 32;
    b += rowB << 1;
    left -= 2;
  }
}

function patchesI16(step: usize, to: usize, j: u32, table: usize, from: u32, depth: u32): void {
  const at = <usize>operand(step, 3) + POSITIONS;
  const type = optional(step, 32);
  const zero = zeroAt(step, 35, type, 0);
  const together = positions(step, at, j, 1);
  const first: usize = load<u32>(at);
  let left = operand(step, 6) - (from << 1);
  table += (<usize>from) << 3;
  const zeros = i16x8.splat(zero);
  for (; depth > 0; depth--) {
    const p: usize = load<u32>(table);
    const pair = left > 1;
    const q: usize = pair ? load<u32>(table, 4) : p;
    if (together) {
      const v = i16x8.sub(eight(type, first + p), zeros);
      interleave(to, v, pair ? i16x8.sub(eight(type, first + q), zeros) : i16x8.splat(0));
    } else {
      for (let i: usize = 0; i < 32; i += 4) {
        const begin: usize = load<u32>(at + i);
        store<i16>(to + i, number(type, begin + p) - zero);
        store<i16>(to + i, pair ? number(type, begin + q) - zero : 0, 2);
      }
    }
    to += 32;
    table += 8;
    left -= 2;
  }
}
