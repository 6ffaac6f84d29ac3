import type { DataType } from '../onnx/model.ts';
import { Refusal } from '../onnx/refusal.ts';
import { MAX_CONSTANT_BYTES, MAX_PLAN_STEPS } from './limits.ts';
import type { OPCODE } from './opcodes.ts';

/** A piece of the model's memory: a constant (`data`), or room for an intermediate tensor. */
export interface Buffer {
  readonly id: number;
  readonly bytes: number;
  readonly data: Uint8Array | undefined;
}

/** A tensor at compile time. Two values may share a buffer (a reshape is only a new look at it). */
export interface Value {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly buffer: Buffer;
}

/** One 32-bit word of a step: a number, or what becomes one when addresses are known. */
export type Operand =
  | number
  | { readonly kind: 'address'; readonly buffer: Buffer; readonly offset: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'message'; readonly text: string; readonly part: 'pointer' | 'length' };

export interface Step {
  readonly opcode: (typeof OPCODE)[keyof typeof OPCODE];
  readonly operands: readonly Operand[];
}

/** Collects the steps in the order in which they run. */
export interface PlanBuilder {
  readonly steps: readonly Step[];
  room(bytes: number): Buffer;
  constant(data: Uint8Array): Buffer;
  emit(opcode: Step['opcode'], ...operands: readonly Operand[]): void;
  /** Takes the steps from the `from`th on out of the plan. */
  take(from: number): readonly Step[];
}

export function createPlan(): PlanBuilder {
  const steps: Step[] = [];
  let next = 0;
  let constantBytes = 0;
  return {
    steps,
    room: (bytes) => ({ id: next++, bytes, data: undefined }),
    constant(data) {
      constantBytes += data.length;
      if (constantBytes > MAX_CONSTANT_BYTES)
        throw new Refusal('too-large', `the constants have more than ${MAX_CONSTANT_BYTES} bytes`);
      return { id: next++, bytes: data.length, data };
    },
    emit(opcode, ...operands) {
      if (steps.length >= MAX_PLAN_STEPS)
        throw new Refusal('too-large', `the plan has more than ${MAX_PLAN_STEPS} steps`);
      steps.push({ opcode, operands });
    },
    take: (from) => steps.splice(from),
  };
}

export function address(buffer: Buffer, offset = 0): Operand {
  return { kind: 'address', buffer, offset };
}

/** The two words of a text that the model answers when a step refuses its input. */
export function message(text: string): readonly [Operand, Operand] {
  return [
    { kind: 'message', text, part: 'pointer' },
    { kind: 'message', text, part: 'length' },
  ];
}

export function float(value: number): Operand {
  return { kind: 'float', value };
}

export function elements(dims: readonly number[]): number {
  return dims.reduce((product, d) => product * d, 1);
}

/** Row-major strides, in bytes, of elements of `width` bytes. */
export function stridesOf(dims: readonly number[], width = 4): number[] {
  const strides = new Array<number>(dims.length).fill(width);
  for (let i = dims.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] ?? width) * (dims[i + 1] ?? 1);
  return strides;
}
