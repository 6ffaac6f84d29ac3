// What happens to the sums of a product before they are stored, while they are in the first cache.
// Operands: c (0: none), its row and column stride, kind of activation (0: none; else `unaryOf`), its two parameters, whether
// there are alpha and beta (else both are 1), these, at 13 to 21; Of integers also: what is stored (0 the sums of 32 bits; 1 f32; 2 u8, 3 i8), where the scales stand, the
// row and the column stride of those, where y's zero point stands (0: none), at 37 to 41.
import { isPacked, packedUnary, unaryOf } from './elementwise';
import { operand, optional, optionalF32 } from './header';

/** y = activation(alpha * sum + beta * c), from a tile of eight columns whose first element belongs to y[i, j]. */
export function finishF32(step: usize, tile: usize, i: u32, j: u32, rows: u32): void {
  const n = operand(step, 5);
  const columns = min<u32>(8, n - j);
  const stepC: usize = optional(step, 15);
  let c: usize = optional(step, 13);
  if (c != 0) c += <usize>i * optional(step, 14) + <usize>j * stepC;
  let y = <usize>operand(step, 2) + ((<usize>i * n + j) << 2);
  for (let r: u32 = 0; r < rows; r++) {
    finishRow(step, tile, c, stepC, y, columns);
    if (c != 0) c += optional(step, 14);
    tile += 32;
    y += (<usize>n) << 2;
  }
}

function finishRow(step: usize, tile: usize, c: usize, stepC: usize, y: usize, columns: u32): void {
  const scaled = optional(step, 19) != 0;
  const alpha: f32 = scaled ? optionalF32(step, 20) : 1;
  const beta: f32 = scaled ? optionalF32(step, 21) : 1;
  const kind = optional(step, 16);
  if (columns == 8 && (c == 0 || stepC == 0 || stepC == 4)) {
    let u = f32x4.mul(v128.load(tile), f32x4.splat(alpha));
    let v = f32x4.mul(v128.load(tile, 16), f32x4.splat(alpha));
    if (c != 0) {
      const p = stepC == 4 ? v128.load(c) : v128.load_splat<f32>(c);
      const q = stepC == 4 ? v128.load(c, 16) : p;
      u = f32x4.add(u, f32x4.mul(p, f32x4.splat(beta)));
      v = f32x4.add(v, f32x4.mul(q, f32x4.splat(beta)));
    }
    if (isPacked(kind)) {
      u = packedUnary(kind, u, optionalF32(step, 17), optionalF32(step, 18));
      v = packedUnary(kind, v, optionalF32(step, 17), optionalF32(step, 18));
    }
    v128.store(y, u);
    v128.store(y, v, 16);
    if (kind == 0 || isPacked(kind)) return;
  } else {
    for (let x: u32 = 0; x < columns; x++) {
      let v = load<f32>(tile + ((<usize>x) << 2)) * alpha;
      if (c != 0) v += load<f32>(c + <usize>x * stepC) * beta;
      store<f32>(y + ((<usize>x) << 2), v);
    }
    if (kind == 0) return;
  }
  const p = optionalF32(step, 17);
  const q = optionalF32(step, 18);
  const end = y + ((<usize>columns) << 2);
  for (; y < end; y += 4) store<f32>(y, unaryOf(kind, load<f32>(y), p, q));
}

/** Sums of integers: as they are; or times their scale, then as above; or scaled, rounded half to even and saturated. */
export function finishI32(step: usize, tile: usize, i: u32, j: u32, rows: u32): void {
  const n = operand(step, 5);
  const columns = min<u32>(8, n - j);
  const kind = optional(step, 37);
  for (let r: u32 = 0; r < rows; r++) {
    if (kind == 0) memory.copy(<usize>operand(step, 2) + ((<usize>i * n + j) << 2), tile, (<usize>columns) << 2);
    else if (kind == 1) scaleRow(step, tile, i, j, columns);
    else quantizeRow(step, tile, i, j, columns);
    tile += 32;
    i++;
  }
  if (kind == 1) finishF32(step, tile - ((<usize>rows) << 5), i - rows, j, rows);
}

/** In place. Columns that y does not have are scaled by what is there: they are never stored. */
function scaleRow(step: usize, tile: usize, i: u32, j: u32, columns: u32): void {
  const stepS: usize = optional(step, 40);
  const s = <usize>optional(step, 38) + <usize>i * optional(step, 39) + <usize>j * stepS;
  if (columns == 8 && (stepS == 0 || stepS == 4)) {
    const p = stepS == 4 ? v128.load(s) : v128.load_splat<f32>(s);
    const q = stepS == 4 ? v128.load(s, 16) : p;
    v128.store(tile, f32x4.mul(f32x4.convert_i32x4_s(v128.load(tile)), p));
    v128.store(tile, f32x4.mul(f32x4.convert_i32x4_s(v128.load(tile, 16)), q), 16);
    return;
  }
  for (let x: u32 = 0; x < columns; x++) {
    const at = tile + ((<usize>x) << 2);
    store<f32>(at, <f32>load<i32>(at) * load<f32>(s + <usize>x * stepS));
  }
}

/** c is of 32-bit integers here, and added before the scale. */
function quantizeRow(step: usize, tile: usize, i: u32, j: u32, columns: u32): void {
  const n = operand(step, 5);
  const signed = optional(step, 37) == 3;
  const zero: usize = optional(step, 41);
  const shift: f32 = zero == 0 ? 0 : signed ? <f32>load<i8>(zero) : <f32>load<u8>(zero);
  const least: f32 = signed ? -128 : 0;
  const most: f32 = signed ? 127 : 255;
  const c: usize = optional(step, 13);
  let y = <usize>operand(step, 2) + <usize>i * n + j;
  for (let x: u32 = 0; x < columns; x++) {
    let sum = load<i32>(tile + ((<usize>x) << 2));
    if (c != 0) sum += load<i32>(c + <usize>i * optional(step, 14) + <usize>(j + x) * optional(step, 15));
    const scale = load<f32>(
      <usize>optional(step, 38) + <usize>i * optional(step, 39) + <usize>(j + x) * optional(step, 40),
    );
    const v = min<f32>(max<f32>(nearest<f32>(<f32>sum * scale) + shift, least), most);
    store<u8>(y, <u8>(<i32>v));
    y++;
  }
}
