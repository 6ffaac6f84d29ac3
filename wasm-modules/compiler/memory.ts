import type { Buffer, Step } from './plan.ts';

/** Where a buffer lives in the working memory, in bytes from its start. */
export interface Placement {
  readonly offsets: ReadonlyMap<Buffer, number>;
  readonly bytes: number;
}

interface Life {
  readonly buffer: Buffer;
  readonly first: number;
  last: number;
}

const ALIGN = 16;

/**
 * Places every intermediate buffer so that no two that are alive at the same step overlap: the largest first, each at the
 * lowest address that is free for its whole life. A buffer lives from the first to the last step that names it.
 */
export function placeBuffers(steps: readonly Step[]): Placement {
  const placed: { readonly life: Life; readonly at: number; readonly end: number }[] = [];
  const offsets = new Map<Buffer, number>();
  let bytes = 0;
  for (const life of livesOf(steps)) {
    let at = 0;
    for (const other of placed) {
      if (other.life.last < life.first || life.last < other.life.first) continue;
      if (other.at < at + life.buffer.bytes && at < other.end) at = other.end;
    }
    const end = roundUp(at + life.buffer.bytes, ALIGN);
    // Kept in order of address, so that one pass finds the lowest gap.
    const index = placed.findIndex((other) => other.at > at);
    placed.splice(index < 0 ? placed.length : index, 0, { life, at, end });
    offsets.set(life.buffer, at);
    bytes = Math.max(bytes, end);
  }
  return { offsets, bytes };
}

function livesOf(steps: readonly Step[]): readonly Life[] {
  const lives = new Map<Buffer, Life>();
  steps.forEach((step, index) => {
    for (const operand of step.operands) {
      if (typeof operand === 'number' || operand.kind !== 'address' || operand.buffer.data !== undefined) continue;
      const life = lives.get(operand.buffer);
      if (life === undefined) lives.set(operand.buffer, { buffer: operand.buffer, first: index, last: index });
      else life.last = index;
    }
  });
  return [...lives.values()].sort((a, b) => b.buffer.bytes - a.buffer.bytes || a.buffer.id - b.buffer.id);
}

export function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
