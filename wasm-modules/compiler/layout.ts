import { Refusal } from '../onnx/refusal.ts';
import { MAX_MEMORY_BYTES } from './limits.ts';
import { placeBuffers, roundUp } from './memory.ts';
import type { Buffer, Operand, Step } from './plan.ts';

/** Everything that tells one compiled model from another. */
export interface Image {
  /** Goes to address {@link DATA_START} as one data segment. */
  readonly data: Uint8Array;
  /** Memory that the plan needs, in bytes from address 0. */
  readonly memoryBytes: number;
}

/** The header of `kernels/assembly/header.ts` begins here. */
export const DATA_START = 16;
const PLAN_START = 128;
const ALIGN = 16;

interface Program {
  readonly steps: readonly Step[];
  readonly describe: string;
  readonly requestBytes: number;
  readonly answerBytes: number;
  readonly lengthError: string;
}

/** Header, plan, texts, constants; after them the working memory, the answer, and the heap. */
export function layOut(program: Program): Image {
  const { steps, describe, requestBytes, answerBytes, lengthError } = program;
  const planEnd = PLAN_START + steps.reduce((words, step) => words + 2 + step.operands.length, 0) * 4;
  const chunks: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  let next = planEnd;
  const place = (bytes: Uint8Array, align: number): number => {
    const at = roundUp(next, align);
    chunks.push({ at, bytes });
    next = at + bytes.length;
    return at;
  };
  const texts = new Map<string, { readonly at: number; readonly length: number }>();
  const text = (value: string): { readonly at: number; readonly length: number } => {
    const known = texts.get(value);
    if (known !== undefined) return known;
    const bytes = new TextEncoder().encode(value);
    const placed = { at: place(bytes, 1), length: bytes.length };
    texts.set(value, placed);
    return placed;
  };
  const description = text(describe);
  const error = text(lengthError);
  const addresses = new Map<Buffer, number>();
  for (const operand of steps.flatMap((step) => step.operands)) {
    if (typeof operand === 'number') continue;
    if (operand.kind === 'message') text(operand.text);
    if (operand.kind === 'address' && operand.buffer.data !== undefined && !addresses.has(operand.buffer)) {
      addresses.set(operand.buffer, place(operand.buffer.data, ALIGN));
    }
  }
  const dataEnd = next;
  const work = placeBuffers(steps);
  const workStart = roundUp(dataEnd, 64);
  for (const [buffer, offset] of work.offsets) addresses.set(buffer, workStart + offset);
  const answer = workStart + work.bytes;
  const heap = roundUp(answer + answerBytes, ALIGN);
  if (heap + requestBytes > MAX_MEMORY_BYTES) {
    throw new Refusal(
      'too-large',
      `the model needs ${heap + requestBytes} bytes of memory; at most ${MAX_MEMORY_BYTES} are supported`,
    );
  }
  const data = new Uint8Array(dataEnd - DATA_START);
  const view = new DataView(data.buffer);
  const header = [
    description.at,
    description.length,
    PLAN_START,
    planEnd,
    requestBytes,
    error.at,
    error.length,
    answer,
    answerBytes,
    heap,
  ];
  header.forEach((word, i) => {
    view.setUint32(i * 4, word, true);
  });
  writePlan(view, steps, (operand) => {
    if (operand.kind === 'address') return (addresses.get(operand.buffer) ?? 0) + operand.offset;
    const placed = text(operand.text);
    return operand.part === 'pointer' ? placed.at : placed.length;
  });
  for (const { at, bytes } of chunks) data.set(bytes, at - DATA_START);
  return { data, memoryBytes: heap + requestBytes };
}

function writePlan(
  view: DataView,
  steps: readonly Step[],
  resolve: (operand: Exclude<Operand, number | { readonly kind: 'float' }>) => number,
): void {
  let at = PLAN_START - DATA_START;
  const word = (value: number): void => {
    view.setUint32(at, value, true);
    at += 4;
  };
  for (const { opcode, operands } of steps) {
    word(opcode);
    word(2 + operands.length);
    for (const operand of operands) {
      if (typeof operand === 'number') word(operand);
      else if (operand.kind === 'float') {
        view.setFloat32(at, operand.value, true);
        at += 4;
      } else word(resolve(operand));
    }
  }
}
