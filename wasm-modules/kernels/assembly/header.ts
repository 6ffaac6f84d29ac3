// Where a compiled model differs from another one: these words, written by the compiler as a data segment, and what they
// point to. Everything is little-endian and aligned to 4 bytes. `compiler/layout.ts` writes what is read here.

const DESCRIBE_POINTER: usize = 16;
const DESCRIBE_LENGTH: usize = 20;
const PLAN_POINTER: usize = 24;
const PLAN_END: usize = 28;
const INPUT_LENGTH: usize = 32;
const LENGTH_ERROR_POINTER: usize = 36;
const LENGTH_ERROR_LENGTH: usize = 40;
const OUTPUT_POINTER: usize = 44;
const OUTPUT_LENGTH: usize = 48;
const HEAP_BASE: usize = 52;

/** Result areas of `describe` (8 bytes) and `infer` (12 bytes). */
export const DESCRIBE_RESULT: usize = 64;
export const INFER_RESULT: usize = 72;

export function describePointer(): u32 {
  return load<u32>(DESCRIBE_POINTER);
}
export function describeLength(): u32 {
  return load<u32>(DESCRIBE_LENGTH);
}
export function planPointer(): usize {
  return load<u32>(PLAN_POINTER);
}
export function planEnd(): usize {
  return load<u32>(PLAN_END);
}
/** The only input length the model takes, in bytes: shapes are static. */
export function inputLength(): u32 {
  return load<u32>(INPUT_LENGTH);
}
export function lengthErrorPointer(): u32 {
  return load<u32>(LENGTH_ERROR_POINTER);
}
export function lengthErrorLength(): u32 {
  return load<u32>(LENGTH_ERROR_LENGTH);
}
export function outputPointer(): u32 {
  return load<u32>(OUTPUT_POINTER);
}
export function outputLength(): u32 {
  return load<u32>(OUTPUT_LENGTH);
}
/** The first address that neither data nor planned memory uses. */
export function heapBase(): usize {
  return load<u32>(HEAP_BASE);
}

/** Operand `i` of the step at `step`: the words after opcode and length. */
export function operand(step: usize, i: i32): u32 {
  return load<u32>(step + 8 + ((<usize>i) << 2));
}
export function operandF32(step: usize, i: i32): f32 {
  return load<f32>(step + 8 + ((<usize>i) << 2));
}

/** An operand that the compiler leaves out where it, and all behind it, are 0. */
export function optional(step: usize, i: i32): u32 {
  return <u32>i + 2 < load<u32>(step, 4) ? operand(step, i) : 0;
}
export function optionalF32(step: usize, i: i32): f32 {
  return reinterpret<f32>(optional(step, i));
}
