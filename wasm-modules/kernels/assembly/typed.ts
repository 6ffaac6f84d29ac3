// Steps over elements of any type. They are plain: each element goes through i64 (integers, bool) or f64 (floats, exact
// for f32). What models spend their time in has its own f32 steps elsewhere. Type codes are those of onnx.proto.
import { offset, outer } from './elementwise';
import { operand } from './header';
import { refuseWith } from './io';

const F32: u32 = 1;
const U8: u32 = 2;
const I8: u32 = 3;
const U16: u32 = 4;
const I16: u32 = 5;
const I32: u32 = 6;
const I64: u32 = 7;
const BOOL: u32 = 9;
const F64: u32 = 11;
const U32: u32 = 12;
const U64: u32 = 13;

function isFloat(type: u32): bool {
  return type == F32 || type == F64;
}

export function widthOf(type: u32): usize {
  switch (type) {
    case U8:
    case I8:
    case BOOL:
      return 1;
    case U16:
    case I16:
      return 2;
    case I64:
    case F64:
    case U64:
      return 8;
    default:
      return 4;
  }
}

/** An integer; u64 by its bits, a bool as 0 or 1 whatever its byte is. */
export function loadInt(type: u32, at: usize): i64 {
  switch (type) {
    case U8:
      return <i64>load<u8>(at);
    case BOOL:
      return <i64>(load<u8>(at) != 0);
    case I8:
      return <i64>load<i8>(at);
    case U16:
      return <i64>load<u16>(at);
    case I16:
      return <i64>load<i16>(at);
    case I32:
      return <i64>load<i32>(at);
    case U32:
      return <i64>load<u32>(at);
    default:
      return load<i64>(at);
  }
}

/** The low bits; a bool is whether there are any. */
export function storeInt(type: u32, at: usize, v: i64): void {
  switch (widthOf(type)) {
    case 1:
      store<u8>(at, type == BOOL ? <u8>(v != 0) : <u8>v);
      return;
    case 2:
      store<u16>(at, <u16>v);
      return;
    case 4:
      store<u32>(at, <u32>v);
      return;
    default:
      store<i64>(at, v);
  }
}

function loadFloat(type: u32, at: usize): f64 {
  return type == F32 ? <f64>load<f32>(at) : load<f64>(at);
}

function storeFloat(type: u32, at: usize, v: f64): void {
  if (type == F32) store<f32>(at, <f32>v);
  else store<f64>(at, v);
}

/**
 * Operands: from, to, x, y, n. Floats become integers towards zero, at the ends of 64 bits where they are beyond, and then
 * lose their high bits; NaN becomes 0, and true.
 */
export function cast(step: usize): void {
  const from = operand(step, 0);
  const to = operand(step, 1);
  let x: usize = operand(step, 2);
  let y: usize = operand(step, 3);
  const n = operand(step, 4);
  const widthX = widthOf(from);
  const widthY = widthOf(to);
  for (let i: u32 = 0; i < n; i++) {
    if (isFloat(from)) {
      const v = loadFloat(from, x);
      if (isFloat(to)) storeFloat(to, y, v);
      else if (to == BOOL) store<u8>(y, <u8>(v != 0));
      else if (to == U64) store<u64>(y, <u64>v);
      else storeInt(to, y, <i64>v);
    } else {
      const v = loadInt(from, x);
      // Straight to f32: by way of f64 a number could be rounded twice.
      if (to == F32) store<f32>(y, from == U64 ? <f32>(<u64>v) : <f32>v);
      else if (to == F64) store<f64>(y, from == U64 ? <f64>(<u64>v) : <f64>v);
      else storeInt(to, y, v);
    }
    x += widthX;
    y += widthY;
  }
}

/** Operands: kind, type, x, y, n. `TYPED_UNARY` of `compiler/opcodes.ts`. */
export function typedUnary(step: usize): void {
  const kind = operand(step, 0);
  const type = operand(step, 1);
  let x: usize = operand(step, 2);
  let y: usize = operand(step, 3);
  const n = operand(step, 4);
  const width = widthOf(type);
  for (let i: u32 = 0; i < n; i++) {
    const v = loadInt(type, x);
    storeInt(type, y, unaryInt(kind, v));
    x += width;
    y += width;
  }
}

function unaryInt(kind: u32, v: i64): i64 {
  switch (kind) {
    case 1: // Neg
      return -v;
    case 2: // Abs
      return v < 0 ? -v : v;
    case 3: // Sign
      return v > 0 ? 1 : v < 0 ? -1 : 0;
    case 4: // Not
      return v == 0 ? 1 : 0;
    default:
      return unreachable();
  }
}

/**
 * Operands: kind, type of a and b, type of y, a, b, y, message pointer, message length, rank (at least 1), then the
 * dimensions, a's strides and b's strides, `rank` words each; strides in bytes, 0 where the operand is repeated. y is
 * dense. Refuses a division of integers by zero with the message.
 */
export function typedBinary(step: usize): void {
  const kind = operand(step, 0);
  const type = operand(step, 1);
  const typeY = operand(step, 2);
  const rank = operand(step, 8);
  const dims = step + 44;
  const stridesA = dims + ((<usize>rank) << 2);
  const stridesB = stridesA + ((<usize>rank) << 2);
  const inner = (<usize>rank - 1) << 2;
  const n = load<u32>(dims + inner);
  const stepA: usize = load<u32>(stridesA + inner);
  const stepB: usize = load<u32>(stridesB + inner);
  const rows = outer(dims, rank);
  const width = widthOf(typeY);
  const floats = isFloat(type);
  let y: usize = operand(step, 5);
  for (let row: u32 = 0; row < rows; row++) {
    let a = <usize>operand(step, 3) + offset(row, dims, stridesA, rank);
    let b = <usize>operand(step, 4) + offset(row, dims, stridesB, rank);
    for (let i: u32 = 0; i < n; i++) {
      if (floats) {
        const v = binaryFloat(kind, loadFloat(type, a), loadFloat(type, b));
        if (isFloat(typeY)) storeFloat(typeY, y, v);
        else store<u8>(y, <u8>(v != 0));
      } else {
        const p = loadInt(type, a);
        const q = loadInt(type, b);
        if (q == 0 && (kind == 4 || kind == 9 || kind == 10)) return refuseWith(operand(step, 6), operand(step, 7));
        storeInt(typeY, y, binaryInt(kind, type == U64, p, q));
      }
      a += stepA;
      b += stepB;
      y += width;
    }
  }
}

/** 1 for true. Arithmetic of f32 is exact in f64 before its one rounding, for +, -, * and /. */
function binaryFloat(kind: u32, a: f64, b: f64): f64 {
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
      return max<f64>(a, b);
    case 6:
      return min<f64>(a, b);
    case 20:
      return <f64>(a == b);
    case 21:
      return <f64>(a < b);
    case 22:
      return <f64>(a > b);
    case 23:
      return <f64>(a <= b);
    case 24:
      return <f64>(a >= b);
    default:
      return unreachable();
  }
}

function binaryInt(kind: u32, unsigned: bool, a: i64, b: i64): i64 {
  switch (kind) {
    case 1:
      return a + b;
    case 2:
      return a - b;
    case 3:
      return a * b;
    case 4:
      // The one quotient that does not fit traps in WebAssembly; here it wraps, as the rest does.
      if (unsigned) return <i64>(<u64>a / <u64>b);
      return b == -1 ? -a : a / b;
    case 5:
      return less(unsigned, a, b) ? b : a;
    case 6:
      return less(unsigned, a, b) ? a : b;
    case 7:
      return power(a, b);
    case 9: {
      // Mod: the sign of the divisor.
      if (unsigned) return <i64>(<u64>a % <u64>b);
      const r = b == -1 ? 0 : a % b;
      return r != 0 && r < 0 != b < 0 ? r + b : r;
    }
    case 10: // Mod with fmod: the sign of the dividend.
      if (unsigned) return <i64>(<u64>a % <u64>b);
      return b == -1 ? 0 : a % b;
    case 16:
      return a & b;
    case 17:
      return a | b;
    case 18:
      return a ^ b;
    case 20:
      return <i64>(a == b);
    case 21:
      return <i64>less(unsigned, a, b);
    case 22:
      return <i64>less(unsigned, b, a);
    case 23:
      return <i64>!less(unsigned, b, a);
    case 24:
      return <i64>!less(unsigned, a, b);
    default:
      return unreachable();
  }
}

function less(unsigned: bool, a: i64, b: i64): bool {
  return unsigned ? <u64>a < <u64>b : a < b;
}

/** Modulo 2^64; of a negative exponent what is left of the fraction towards zero. */
function power(a: i64, b: i64): i64 {
  if (b < 0) return a == 1 ? 1 : a == -1 ? ((b & 1) == 0 ? 1 : -1) : 0;
  let result: i64 = 1;
  for (let rest = b; rest != 0; rest >>= 1) {
    if ((rest & 1) != 0) result *= a;
    a *= a;
  }
  return result;
}

/**
 * Operands: x, y, width in bytes, rank (at least 1), then the dimensions, x's strides and y's strides, `rank` words each, in
 * bytes. Transpositions, slices, joins and repetitions are all this.
 */
export function copy(step: usize): void {
  const width = operand(step, 2);
  const rank = operand(step, 3);
  const dims = step + 24;
  const stridesX = dims + ((<usize>rank) << 2);
  const stridesY = stridesX + ((<usize>rank) << 2);
  const inner = (<usize>rank - 1) << 2;
  const n = load<u32>(dims + inner);
  const stepX: usize = load<u32>(stridesX + inner);
  const stepY: usize = load<u32>(stridesY + inner);
  const rows = outer(dims, rank);
  for (let row: u32 = 0; row < rows; row++) {
    const x = <usize>operand(step, 0) + offset(row, dims, stridesX, rank);
    const y = <usize>operand(step, 1) + offset(row, dims, stridesY, rank);
    if (stepX == width && stepY == width) memory.copy(y, x, <usize>n * width);
    else if (width == 4) copyRow<u32>(x, y, stepX, stepY, n);
    else if (width == 1) copyRow<u8>(x, y, stepX, stepY, n);
    else if (width == 2) copyRow<u16>(x, y, stepX, stepY, n);
    else copyRow<u64>(x, y, stepX, stepY, n);
  }
}

function copyRow<T>(x: usize, y: usize, stepX: usize, stepY: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    store<T>(y, load<T>(x));
    x += stepX;
    y += stepY;
  }
}

function copyElement(to: usize, from: usize, width: u32): void {
  if (width == 1) store<u8>(to, load<u8>(from));
  else if (width == 2) store<u16>(to, load<u16>(from));
  else if (width == 4) store<u32>(to, load<u32>(from));
  else store<u64>(to, load<u64>(from));
}

/** Operands: y, n, width in bytes, low word, high word of the element. */
export function typedFill(step: usize): void {
  let y: usize = operand(step, 0);
  const n = operand(step, 1);
  const width = operand(step, 2);
  for (let i: u32 = 0; i < n; i++) {
    copyElement(y, step + 20, width);
    y += width;
  }
}

/**
 * Operands: condition (bytes), a, b, y, width, rank (at least 1), then the dimensions, and the strides of condition, a and
 * b, `rank` words each; strides in bytes, 0 where the operand is repeated. y is dense.
 */
export function where(step: usize): void {
  const width = operand(step, 4);
  const rank = operand(step, 5);
  const words = (<usize>rank) << 2;
  const dims = step + 32;
  const stridesC = dims + words;
  const stridesA = stridesC + words;
  const stridesB = stridesA + words;
  const inner = (<usize>rank - 1) << 2;
  const n = load<u32>(dims + inner);
  const rows = outer(dims, rank);
  let y: usize = operand(step, 3);
  for (let row: u32 = 0; row < rows; row++) {
    let c = <usize>operand(step, 0) + offset(row, dims, stridesC, rank);
    let a = <usize>operand(step, 1) + offset(row, dims, stridesA, rank);
    let b = <usize>operand(step, 2) + offset(row, dims, stridesB, rank);
    for (let i: u32 = 0; i < n; i++) {
      copyElement(y, load<u8>(c) != 0 ? a : b, width);
      c += load<u32>(stridesC + inner);
      a += load<u32>(stridesA + inner);
      b += load<u32>(stridesB + inner);
      y += width;
    }
  }
}

/**
 * Operands: x, indices, y, type of the indices, rows before the axis, size of the axis, bytes behind one index, count of
 * indices, message pointer, message length. An index counts from the end when negative; one that is outside is refused.
 */
export function gather(step: usize): void {
  const type = operand(step, 3);
  const width = widthOf(type);
  const rows = operand(step, 4);
  const size = operand(step, 5);
  const block: usize = operand(step, 6);
  const count = operand(step, 7);
  let x: usize = operand(step, 0);
  let y: usize = operand(step, 2);
  for (let row: u32 = 0; row < rows; row++) {
    let indices: usize = operand(step, 1);
    for (let i: u32 = 0; i < count; i++) {
      let index = loadInt(type, indices);
      if (index < 0) index += <i64>size;
      if (index < 0 || index >= <i64>size) return refuseWith(operand(step, 8), operand(step, 9));
      memory.copy(y, x + <usize>index * block, block);
      y += block;
      indices += width;
    }
    x += <usize>size * block;
  }
}

/**
 * Operands: least or greatest (0, 1), first or last of equals (0, 1), type, x, y (i64), rows before the axis, size of the
 * axis, elements behind one index.
 */
export function argument(step: usize): void {
  const greatest = operand(step, 0) != 0;
  const last = operand(step, 1) != 0;
  const type = operand(step, 2);
  const x: usize = operand(step, 3);
  let y: usize = operand(step, 4);
  const rows = operand(step, 5);
  const size = operand(step, 6);
  const block = operand(step, 7);
  const width = widthOf(type);
  for (let row: u32 = 0; row < rows; row++) {
    for (let i: u32 = 0; i < block; i++) {
      let best: u32 = 0;
      for (let k: u32 = 1; k < size; k++) {
        const order = compare(
          type,
          x + <usize>((row * size + k) * block + i) * width,
          x + <usize>((row * size + best) * block + i) * width,
        );
        if (order == 0 ? last : order > 0 == greatest) best = k;
      }
      store<i64>(y, <i64>best);
      y += 8;
    }
  }
}

/** -1, 0 or 1. A NaN is equal to all. */
function compare(type: u32, a: usize, b: usize): i32 {
  if (isFloat(type)) {
    const p = loadFloat(type, a);
    const q = loadFloat(type, b);
    return p < q ? -1 : p > q ? 1 : 0;
  }
  const p = loadInt(type, a);
  const q = loadInt(type, b);
  return less(type == U64, p, q) ? -1 : p == q ? 0 : 1;
}

/** Operands as of `reduce`, with the element type before the dimensions. Integers, modulo 2^64. */
export function reduceInts(step: usize): void {
  const kind = operand(step, 0);
  const kept = operand(step, 4);
  const gone = operand(step, 5);
  const type = operand(step, 6);
  const keptDims = step + 36;
  const keptStrides = keptDims + ((<usize>kept) << 2);
  const goneDims = keptStrides + ((<usize>kept) << 2);
  const goneStrides = goneDims + ((<usize>gone) << 2);
  const inner = (<usize>gone - 1) << 2;
  const n = load<u32>(goneDims + inner);
  const stride: usize = load<u32>(goneStrides + inner);
  const rows = outer(goneDims, gone);
  const last = (<usize>kept - 1) << 2;
  const lastDim = load<u32>(keptDims + last);
  const lastStride: usize = load<u32>(keptStrides + last);
  const results = operand(step, 3);
  const width = widthOf(type);
  let y: usize = operand(step, 2);
  for (let i: u32 = 0; i < results; i++) {
    const base =
      <usize>operand(step, 1) + offset(i / lastDim, keptDims, keptStrides, kept) + (i % lastDim) * lastStride;
    let sum: i64 = 0;
    for (let row: u32 = 0; row < rows; row++) {
      let x = base + offset(row, goneDims, goneStrides, gone);
      for (let k: u32 = 0; k < n; k++) {
        const v = loadInt(type, x);
        sum = row == 0 && k == 0 ? first(kind, v) : gatherInt(kind, type == U64, sum, v);
        x += stride;
      }
    }
    storeInt(type, y, sum);
    y += width;
  }
}

function first(kind: u32, v: i64): i64 {
  return kind == 6 ? v * v : kind == 7 && v < 0 ? -v : v;
}

function gatherInt(kind: u32, unsigned: bool, sum: i64, v: i64): i64 {
  switch (kind) {
    case 3:
      return less(unsigned, sum, v) ? v : sum;
    case 4:
      return less(unsigned, sum, v) ? sum : v;
    case 5:
      return sum * v;
    default:
      return sum + first(kind, v);
  }
}
