// Steps at the edge of a model: from the request's bytes and seed to tensors, and from tensors to the answer's bytes.
import { operand, operandF32, outputPointer } from './header';

/** Set by a step that refuses its input: the address and length of the compiler's message. */
export let errorPointer: u32 = 0;
export let errorLength: u32 = 0;

export function refuseWith(message: u32, length: u32): void {
  errorPointer = message;
  errorLength = length;
}

/** Operands: offset in the input, y, bytes. */
export function inputBytes(step: usize, input: usize): void {
  memory.copy(operand(step, 1), input + operand(step, 0), operand(step, 2));
}

/** Operands: offset, y, n, scale, shift. y = byte * scale + shift. */
export function inputScaledBytes(step: usize, input: usize): void {
  let from = input + operand(step, 0);
  let y: usize = operand(step, 1);
  const end = y + ((<usize>operand(step, 2)) << 2);
  const scale = operandF32(step, 3);
  const shift = operandF32(step, 4);
  for (; y < end; y += 4) {
    store<f32>(y, <f32>load<u8>(from) * scale + shift);
    from++;
  }
}

/** Operands: offset, y, classes, message pointer, message length. The byte is an index below `classes`. */
export function inputOneHot(step: usize, input: usize): void {
  const index = <u32>load<u8>(input + operand(step, 0));
  const y: usize = operand(step, 1);
  const classes = operand(step, 2);
  if (index >= classes) {
    refuseWith(operand(step, 3), operand(step, 4));
    return;
  }
  memory.fill(y, 0, (<usize>classes) << 2);
  store<f32>(y + ((<usize>index) << 2), 1);
}

/**
 * Operands: y, n, stream, deviation. Approximately normal numbers from the seed: the sum of twelve uniform 16-bit integers
 * (exact; never beyond six deviations), times `deviation`. Uniform bits: splitmix64 (Steele, Lea, Flood 2014).
 */
export function inputNormal(step: usize, seed: u64): void {
  let y: usize = operand(step, 0);
  const end = y + ((<usize>operand(step, 1)) << 2);
  const unit = operandF32(step, 3) * <f32>(1.0 / 65536.0);
  let state = mix(seed + <u64>operand(step, 2) * 0xd1342543de82ef95);
  for (; y < end; y += 4) {
    let sum: i32 = 0;
    for (let i = 0; i < 3; i++) {
      state += 0x9e3779b97f4a7c15;
      const bits = mix(state);
      sum += <i32>(bits & 0xffff);
      sum += <i32>((bits >> 16) & 0xffff);
      sum += <i32>((bits >> 32) & 0xffff);
      sum += <i32>(bits >> 48);
    }
    // The mean of the sum is 12 * 65535 / 2.
    store<f32>(y, <f32>(sum - 393210) * unit);
  }
}

function mix(z: u64): u64 {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/** Operands: x, offset in the output, bytes. */
export function outputBytes(step: usize): void {
  memory.copy(<usize>outputPointer() + operand(step, 1), operand(step, 0), operand(step, 2));
}

/** Operands: x, offset in the output, channels, pixels. From channels-first numbers in [0, 1] to interleaved bytes. */
export function outputImage(step: usize): void {
  const x: usize = operand(step, 0);
  const to = <usize>outputPointer() + operand(step, 1);
  const channels = operand(step, 2);
  const pixels = operand(step, 3);
  for (let c: u32 = 0; c < channels; c++) {
    let from = x + ((<usize>(c * pixels)) << 2);
    let at = to + c;
    for (let p: u32 = 0; p < pixels; p++) {
      const v = min<f32>(max<f32>(load<f32>(from), 0), 1);
      store<u8>(at, <u32>(v * 255 + 0.5));
      from += 4;
      at += channels;
    }
  }
}
