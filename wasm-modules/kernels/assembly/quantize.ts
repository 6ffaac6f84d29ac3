// Between f32 and integers of 8, 16 or 32 bits. Everything is rounded half to even and saturated.
import { operand } from './header';
import { loadInt, storeInt, widthOf } from './typed';

const U8: u32 = 2;
const I8: u32 = 3;
const U16: u32 = 4;

/**
 * Operands: x, y, type of the integers, blocks, channels, elements of one channel in one block, scales (one, or one for each
 * channel), bytes from one scale to the next, zero points (0: none; as the scales), bytes from one to the next.
 * y = saturate(round(x / scale) + zero point).
 */
export function quantize(step: usize): void {
  const type = operand(step, 2);
  const blocks = operand(step, 3);
  const channels = operand(step, 4);
  const n = operand(step, 5);
  let x: usize = operand(step, 0);
  let y: usize = operand(step, 1);
  for (let b: u32 = 0; b < blocks; b++) {
    for (let c: u32 = 0; c < channels; c++) {
      const scale = load<f32>(<usize>operand(step, 6) + <usize>c * operand(step, 7));
      y = run(type, x, y, n, scale, <f32>zeroOf(step, type, c));
      x += (<usize>n) << 2;
    }
  }
}

function zeroOf(step: usize, type: u32, channel: u32): i32 {
  const zero: usize = operand(step, 8);
  return zero == 0 ? 0 : <i32>loadInt(type, zero + <usize>channel * operand(step, 9));
}

function run(type: u32, x: usize, y: usize, n: u32, scale: f32, zero: f32): usize {
  if (type == U8 || type == I8) {
    const s = f32x4.splat(scale);
    const z = f32x4.splat(zero);
    for (; n >= 8; n -= 8) {
      const words = i16x8.narrow_i32x4_s(rounded(x, s, z), rounded(x + 16, s, z));
      const bytes = type == U8 ? i8x16.narrow_i16x8_u(words, words) : i8x16.narrow_i16x8_s(words, words);
      v128.store_lane<u64>(y, bytes, 0);
      x += 32;
      y += 8;
    }
  }
  const least: f32 = type == U8 || type == U16 ? 0 : type == I8 ? -128 : -32768;
  const most: f32 = type == U8 ? 255 : type == I8 ? 127 : type == U16 ? 65535 : 32767;
  const width = widthOf(type);
  for (; n > 0; n--) {
    const v = min<f32>(max<f32>(nearest<f32>(load<f32>(x) / scale) + zero, least), most);
    storeInt(type, y, <i64>(<i32>v));
    x += 4;
    y += width;
  }
  return y;
}

/** NaN becomes 0. */
function rounded(x: usize, s: v128, z: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.add(f32x4.nearest(f32x4.div(v128.load(x), s)), z));
}

/** Operands as of {@link quantize}, x being the integers. y = (x - zero point) * scale. */
export function dequantize(step: usize): void {
  const type = operand(step, 2);
  const blocks = operand(step, 3);
  const channels = operand(step, 4);
  const n = operand(step, 5);
  const width = widthOf(type);
  let x: usize = operand(step, 0);
  let y: usize = operand(step, 1);
  for (let b: u32 = 0; b < blocks; b++) {
    for (let c: u32 = 0; c < channels; c++) {
      const scale = load<f32>(<usize>operand(step, 6) + <usize>c * operand(step, 7));
      const zero = <i64>zeroOf(step, type, c);
      for (let i: u32 = 0; i < n; i++) {
        store<f32>(y, <f32>(loadInt(type, x) - zero) * scale);
        x += width;
        y += 4;
      }
    }
  }
}

/** Operands: x, n, y (u8), where its scale goes, where its zero point goes. The range always contains 0. */
export function dynamicQuantize(step: usize): void {
  const x: usize = operand(step, 0);
  const n = operand(step, 1);
  let least: f32 = 0;
  let most: f32 = 0;
  const end = x + ((<usize>n) << 2);
  for (let at = x; at < end; at += 4) {
    const v = load<f32>(at);
    least = min<f32>(least, v);
    most = max<f32>(most, v);
  }
  const scale: f32 = least == most ? 1 : (most - least) / 255;
  const zero = nearest<f32>(min<f32>(max<f32>(-least / scale, 0), 255));
  store<f32>(operand(step, 3), scale);
  store<u8>(operand(step, 4), <u8>(<i32>zero));
  run(U8, x, operand(step, 2), n, scale, zero);
}
