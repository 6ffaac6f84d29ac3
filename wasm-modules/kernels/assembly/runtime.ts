// The kernel runtime: the code of every compiled model. It reads a plan (steps with addresses, shapes and constants, made
// by the compiler) and runs it step by step; nothing here depends on a particular model.
import { binary, reduce, unary } from './elementwise';
import {
  DESCRIBE_RESULT,
  describeLength,
  describePointer,
  heapBase,
  INFER_RESULT,
  inputLength,
  lengthErrorLength,
  lengthErrorPointer,
  outputLength,
  outputPointer,
  planEnd,
  planPointer,
} from './header';
import {
  errorLength,
  errorPointer,
  inputBytes,
  inputNormal,
  inputOneHot,
  inputScaledBytes,
  outputBytes,
  outputImage,
} from './io';
import { frame } from './patches';
import { product } from './product';
import { dequantize, dynamicQuantize, quantize } from './quantize';
import { argument, cast, copy, gather, reduceInts, typedBinary, typedFill, typedUnary, where } from './typed';
import { columnsToImage, imageToColumns, pool } from './window';

let next: usize = 0;

/** A bump allocator: a call runs in a fresh instance, so nothing is ever freed. */
export function cabi_realloc(old: usize, oldSize: u32, align: u32, size: u32): usize {
  if (next == 0) next = heapBase();
  const mask = <usize>(align - 1);
  const at = (next + mask) & ~mask;
  const end = <u64>at + <u64>size;
  const pages = <i32>((end + 65535) >> 16);
  const missing = pages - memory.size();
  if (missing > 0 && memory.grow(missing) < 0) unreachable();
  next = <usize>end;
  if (oldSize > 0) memory.copy(at, old, min(oldSize, size));
  return at;
}

export function describe(): usize {
  store<u32>(DESCRIBE_RESULT, describePointer());
  store<u32>(DESCRIBE_RESULT, describeLength(), 4);
  return DESCRIBE_RESULT;
}

export function infer(input: usize, length: u32, seed: u64): usize {
  if (length != inputLength()) return refuse(lengthErrorPointer(), lengthErrorLength());
  const end = planEnd();
  for (let step = planPointer(); step < end; step += (<usize>load<u32>(step, 4)) << 2) {
    run(step, input, seed);
    if (errorPointer != 0) return refuse(errorPointer, errorLength);
  }
  return result(0, outputPointer(), outputLength());
}

/** Opcodes: `compiler/opcodes.ts` has the same numbers and each step's operands. */
function run(step: usize, input: usize, seed: u64): void {
  switch (load<u32>(step)) {
    case 1:
      return inputBytes(step, input);
    case 2:
      return inputScaledBytes(step, input);
    case 3:
      return inputOneHot(step, input);
    case 4:
      return inputNormal(step, seed);
    case 5:
      return outputBytes(step);
    case 6:
      return outputImage(step);
    case 8:
      return columnsToImage(step);
    case 9:
      return imageToColumns(step);
    case 10:
      return unary(step);
    case 11:
      return binary(step);
    case 13:
      return reduce(step);
    case 14:
      return pool(step);
    case 16:
      return cast(step);
    case 17:
      return typedUnary(step);
    case 18:
      return typedBinary(step);
    case 19:
      return copy(step);
    case 20:
      return typedFill(step);
    case 21:
      return where(step);
    case 22:
      return gather(step);
    case 23:
      return argument(step);
    case 24:
      return reduceInts(step);
    case 25:
      return product<f32>(step);
    case 26:
      return product<i32>(step);
    case 27:
      return frame(step);
    case 28:
      return quantize(step);
    case 29:
      return dequantize(step);
    case 30:
      return dynamicQuantize(step);
    default:
      unreachable();
  }
}

function refuse(message: u32, length: u32): usize {
  return result(1, message, length);
}

function result(tag: u8, pointer: u32, length: u32): usize {
  store<u32>(INFER_RESULT, tag);
  store<u32>(INFER_RESULT, pointer, 4);
  store<u32>(INFER_RESULT, length, 8);
  return INFER_RESULT;
}
