import fc from 'fast-check';
import { test } from 'vitest';
import { compare, normal, whole } from '#test/onnx/compare.ts';
import type { Attribute } from '../../onnx/model.ts';
import { int, ints } from '../../testing/graph.ts';

const RUNS = 25;
const seeds = fc.integer({ min: 0, max: 1 << 30 });
const three = (min: number, max: number): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min, max }), { minLength: 3, maxLength: 3 });

test.each(['MaxPool', 'AveragePool', 'LpPool'])(
  '%s over three dimensions, of one and of two agrees with ONNX Runtime',
  async (op) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        three(4, 6),
        three(1, 3),
        three(1, 3),
        three(0, 1),
        three(0, 1),
        fc.integer({ min: 0, max: 1 }),
        fc.integer({ min: 1, max: 3 }),
        seeds,
        async (rank, size, kernel, strides, before, after, include, p, seed) => {
          const cut = (v: readonly number[]): number[] => v.slice(0, rank);
          const pads = [before, after].flatMap((own) => cut(own).map((v, i) => Math.min(v, (kernel[i] ?? 1) - 1)));
          const attributes = {
            kernel_shape: ints(...cut(kernel)),
            strides: ints(...cut(strides)),
            pads: ints(...pads),
            ...(op === 'AveragePool' ? { count_include_pad: int(include) } : {}),
            ceil_mode: int(seed % 2),
            ...(op === 'LpPool' ? { p: int(p) } : {}),
          };
          await compare({ op, inputs: [normal([1, 2, ...cut(size)], seed)], attributes });
        },
      ),
      { numRuns: RUNS },
    );
  },
);

test('MaxPool of bytes and GlobalLpPool agree with ONNX Runtime', async () => {
  const bytes = whole('uint8', [1, 2, 5, 5], 0, 255, 3);
  await compare({ op: 'MaxPool', inputs: [bytes], attributes: { kernel_shape: ints(2, 3) }, outputs: ['uint8'] });
  for (const p of [1, 2, 3])
    await compare({ op: 'GlobalLpPool', inputs: [normal([2, 3, 4, 2], p)], attributes: { p: int(p) } });
});

test('ConvTranspose to a size that is asked for agrees with ONNX Runtime', async () => {
  const side = fc.integer({ min: 2, max: 5 });
  const step = fc.integer({ min: 1, max: 3 });
  await fc.assert(
    fc.asyncProperty(
      side,
      side,
      step,
      step,
      fc.constantFrom('SAME_UPPER', 'SAME_LOWER', 'NOTSET'),
      seeds,
      async (h, w, stride, more, auto, seed) => {
        const kernel = stride + more - 1;
        const sizes = [h, w].map((v) => v * stride - (auto === 'NOTSET' ? seed % 2 : 0));
        fc.pre(sizes.every((v) => v > 0));
        const attributes: Record<string, Attribute> = {
          strides: ints(stride, stride),
          auto_pad: { kind: 'string', value: auto },
          ...(auto === 'NOTSET' ? { output_shape: ints(...sizes) } : {}),
        };
        const inputs = [normal([1, 2, h, w], seed), normal([2, 3, kernel, kernel], seed + 1)];
        await compare({ op: 'ConvTranspose', inputs, attributes });
      },
    ),
    { numRuns: RUNS },
  );
});
