import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compare, longs, normal, whole } from '#test/onnx/compare.ts';
import type { Attribute } from '../../onnx/model.ts';
import { int, singleNode } from '../../testing/graph.ts';
import { compileOnnx } from '../compile.ts';

const RUNS = 25;
const text = (value: string): Attribute => ({ kind: 'string', value });
const size = fc.integer({ min: 1, max: 5 });
const seeds = fc.integer({ min: 0, max: 1 << 30 });

test('DepthToSpace and SpaceToDepth agree with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      size,
      size,
      size,
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom('DCR', 'CRD'),
      seeds,
      async (c, h, w, block, mode, seed) => {
        const deep = normal([2, c * block * block, h, w], seed);
        await compare({ op: 'DepthToSpace', inputs: [deep], attributes: { blocksize: int(block), mode: text(mode) } });
        const wide = normal([2, c, h * block, w * block], seed);
        await compare({ op: 'SpaceToDepth', inputs: [wide], attributes: { blocksize: int(block) } });
      },
    ),
    { numRuns: RUNS },
  );
});

test('Trilu, EyeLike and CenterCropPad agree with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      size,
      size,
      fc.integer({ min: -9, max: 9 }),
      fc.integer({ min: 0, max: 1 }),
      seeds,
      async (m, n, k, upper, seed) => {
        const x = whole('int64', [2, m, n], 1, 9, seed);
        const attributes = { upper: int(upper) };
        await compare({ op: 'Trilu', inputs: [x, longs(k)], attributes, outputs: ['int64'] });
        const plane = normal([m, n], seed);
        await compare({ op: 'EyeLike', inputs: [plane], attributes: { k: int(k), dtype: int(7) }, outputs: ['int64'] });
        await compare({ op: 'CenterCropPad', inputs: [plane, longs(1 + (seed % 6), 3)] });
      },
    ),
    { numRuns: RUNS },
  );
});

test('CumSum of floats and integers agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      size,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 2 }),
      fc.boolean(),
      fc.boolean(),
      seeds,
      async (m, n, axis, exclusive, reverse, seed) => {
        const attributes = { exclusive: int(Number(exclusive)), reverse: int(Number(reverse)) };
        const at = { ...longs(axis), dims: [] };
        await compare({ op: 'CumSum', inputs: [normal([m, n, 2], seed), at], attributes });
        const integers = whole('int64', [m, n, 2], -9, 9, seed);
        await compare({ op: 'CumSum', inputs: [integers, at], attributes, outputs: ['int64'] });
      },
    ),
    { numRuns: RUNS },
  );
});

test('TopK, the greatest or the least, with equal elements, agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      size,
      size,
      fc.integer({ min: 0, max: 2 }),
      fc.boolean(),
      fc.boolean(),
      seeds,
      async (m, n, axis, greatest, floats, seed) => {
        const dims = [m, n, 3];
        const k = 1 + (seed % (dims[axis] ?? 1));
        const x = floats ? normal(dims, seed) : whole('int64', dims, -2, 2, seed);
        if (floats) x.data[0] = greatest ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
        const attributes = { axis: int(axis), largest: int(Number(greatest)) };
        await compare({ op: 'TopK', inputs: [x, longs(k)], attributes, outputs: [x.dtype, 'int64'] });
      },
    ),
    { numRuns: RUNS },
  );
});

test('Range, NonZero and Dropout agree with ONNX Runtime', async () => {
  const one = (value: number) => ({ ...longs(value), dims: [] });
  for (const [start, limit, step] of [
    [0, 5, 1],
    [5, -3, -2],
    [2, 2, 1],
    [1, 10, 4],
  ] as const) {
    if (start !== limit)
      await compare({ op: 'Range', inputs: [one(start), one(limit), one(step)], outputs: ['int64'] });
  }
  const mask = { ...whole('int64', [3, 4], 0, 1, 5), constant: true };
  await compare({ op: 'NonZero', inputs: [mask], outputs: ['int64'] });
  await compare({ op: 'Dropout', inputs: [normal([2, 3], 1)], outputs: ['float32', 'bool'] });
});

test('operations on bits agree with ONNX Runtime', async () => {
  const [a, b] = [whole('int32', [2, 3], -99, 99, 1), whole('int32', [3], -99, 99, 2)];
  for (const op of ['BitwiseAnd', 'BitwiseOr', 'BitwiseXor']) await compare({ op, inputs: [a, b], outputs: ['int32'] });
  await compare({ op: 'BitwiseNot', inputs: [a], outputs: ['int32'] });
  const [bytes, by] = [whole('uint8', [2, 4], 0, 255, 3), whole('uint8', [4], 0, 7, 4)];
  for (const way of ['LEFT', 'RIGHT'])
    await compare({ op: 'BitShift', inputs: [bytes, by], attributes: { direction: text(way) }, outputs: ['uint8'] });
});

test('what TopK does not take is refused with its node', () => {
  const compiled = compileOnnx(singleNode({ op: 'TopK', inputs: [{ dims: [600] }, { ints: [513] }] }));
  const reason = 'k = 513; 1 to 512 are supported';
  expect(compiled).toMatchObject({ ok: false, error: { kind: 'unsupported', node: 'the-node', op: 'TopK', reason } });
});
