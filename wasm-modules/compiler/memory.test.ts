import fc from 'fast-check';
import { expect, test } from 'vitest';
import { placeBuffers } from './memory.ts';
import { OPCODE } from './opcodes.ts';
import { address, createPlan } from './plan.ts';

test('buffers that are alive at the same step never overlap, and a chain reuses its memory', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 2, maxLength: 12 }),
      fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { minLength: 1, maxLength: 20 }),
      (sizes, uses) => {
        const plan = createPlan();
        const buffers = sizes.map((size) => plan.room(size));
        const pick = (i: number) => buffers[i % buffers.length] ?? plan.room(1);
        for (const [a, b] of uses) plan.emit(OPCODE.unary, address(pick(a)), address(pick(b)));
        const { offsets, bytes } = placeBuffers(plan.steps);
        const life = (i: number): number[] =>
          uses.flatMap(([a, b], step) => ([a, b].some((u) => pick(u) === buffers[i]) ? [step] : []));
        buffers.forEach((one, i) => {
          const at = offsets.get(one);
          if (at === undefined) return;
          expect(at % 16).toBe(0);
          expect(at + one.bytes).toBeLessThanOrEqual(bytes);
          buffers.slice(i + 1).forEach((other, k) => {
            const to = offsets.get(other);
            if (to === undefined) return;
            const [mine, theirs] = [life(i), life(i + 1 + k)];
            const together = Math.max(mine[0] ?? 0, theirs[0] ?? 0) <= Math.min(mine.at(-1) ?? 0, theirs.at(-1) ?? 0);
            if (together) expect(at + one.bytes <= to || to + other.bytes <= at).toBe(true);
          });
        });
      },
    ),
  );
  const plan = createPlan();
  const chain = Array.from({ length: 10 }, () => plan.room(64));
  chain.slice(1).forEach((buffer, i) => {
    plan.emit(OPCODE.unary, address(chain[i] ?? buffer), address(buffer));
  });
  expect(placeBuffers(plan.steps).bytes).toBe(128);
});
