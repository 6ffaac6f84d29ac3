import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compare, normal, singles } from '#test/onnx/compare.ts';
import { describeError } from '../../onnx/refusal.ts';
import { float, int, ints, singleNode } from '../../testing/graph.ts';
import { compileOnnx } from '../compile.ts';
import { openCore } from '../harness.ts';

const RUNS = 20;
const size = fc.integer({ min: 1, max: 5 });
const seeds = fc.integer({ min: 0, max: 1 << 30 });

test('LayerNormalization from any axis on, with and without bias, agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      size,
      size,
      size,
      fc.integer({ min: -3, max: 2 }),
      fc.boolean(),
      seeds,
      async (a, b, c, axis, bias, seed) => {
        const dims = [a, b, c + 1];
        const behind = dims.slice(axis < 0 ? axis + 3 : axis);
        const inputs = [normal(dims, seed), normal(behind, seed + 1), ...(bias ? [normal(behind, seed + 2)] : [])];
        const attributes = { axis: int(axis), epsilon: float(0.01) };
        await compare({ op: 'LayerNormalization', inputs, attributes, outputs: ['float32', 'float32', 'float32'] });
      },
    ),
    { numRuns: RUNS },
  );
});

test('InstanceNormalization and GroupNormalization agree with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(size, size, size, size, seeds, async (batch, groups, each, side, seed) => {
      const channels = groups * each;
      const x = normal([batch, channels, side, side + 1], seed);
      const [scale, bias] = [normal([channels], seed + 1), normal([channels], seed + 2)];
      await compare({ op: 'InstanceNormalization', inputs: [x, scale, bias], attributes: { epsilon: float(0.01) } });
      const attributes = { num_groups: int(groups), epsilon: float(0.01) };
      await compare({ op: 'GroupNormalization', inputs: [x, scale, bias], attributes, opset: 21 });
    }),
    { numRuns: RUNS },
  );
});

test('LpNormalization, MeanVarianceNormalization, RMSNormalization and LRN agree with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      size,
      size,
      fc.integer({ min: 1, max: 2 }),
      fc.integer({ min: 0, max: 2 }),
      seeds,
      async (m, n, p, axis, seed) => {
        const x = normal([m, n, 3], seed);
        await compare({ op: 'LpNormalization', inputs: [x], attributes: { p: int(p), axis: int(axis) } });
        const attributes = { axes: ints(...[0, 1, 2].filter((i) => i !== axis)) };
        await compare({ op: 'MeanVarianceNormalization', inputs: [normal([m + 1, n + 1, 3], seed)], attributes });
        await compare({ op: 'RMSNormalization', inputs: [x, normal([3], seed + 1)], opset: 23 });
        const response = { size: int(2 * m - 1), alpha: float(0.3), beta: float(0.6), bias: float(1.5) };
        await compare({ op: 'LRN', inputs: [normal([2, n, 3, 2], seed)], attributes: response });
      },
    ),
    { numRuns: RUNS },
  );
});

test('what has length 0 stays 0', () => {
  const compiled = compileOnnx(singleNode({ op: 'LpNormalization', inputs: [{ dims: [2] }] }));
  if (!compiled.ok) throw new Error(describeError(compiled.error));
  const answer = openCore(compiled.value.module).infer(new Uint8Array(8), 0n);
  expect(answer).toEqual({ ok: true, value: new Uint8Array(8) });
});

test('activations agree with ONNX Runtime', async () => {
  const x = normal([3, 40], 7);
  await compare({ op: 'Celu', inputs: [x], attributes: { alpha: float(1.7) } });
  await compare({ op: 'ThresholdedRelu', inputs: [x], attributes: { alpha: float(0.4) } });
  await compare({ op: 'Mish', inputs: [x] });
  await compare({ op: 'Shrink', inputs: [x], attributes: { lambd: float(0.6), bias: float(0.25) } });
  await compare({ op: 'Gelu', inputs: [x], attributes: { approximate: { kind: 'string', value: 'tanh' } }, opset: 20 });
  for (const [axis, opset] of [
    [0, 13],
    [1, 13],
    [-1, 18],
    [1, 11],
  ] as const) {
    await compare({ op: 'Hardmax', inputs: [normal([3, 4, 5], axis + opset)], attributes: { axis: int(axis) }, opset });
    await compare({ op: 'Softmax', inputs: [normal([3, 4, 5], opset)], attributes: { axis: int(axis) }, opset });
  }
});

test('tests for what is no number, and a sum of powers with infinite values, agree with ONNX Runtime', async () => {
  const odd = Float32Array.of(0, Number.NaN, 1 / 0, -1 / 0, 3, -0);
  const x = { dtype: 'float32', dims: [2, 3], data: odd } as const;
  await compare({ op: 'IsNaN', inputs: [x], outputs: ['bool'] });
  for (const [negative, positive] of [
    [0, 1],
    [1, 0],
    [1, 1],
    [0, 0],
  ] as const) {
    const attributes = { detect_negative: int(negative), detect_positive: int(positive) };
    await compare({ op: 'IsInf', inputs: [x], attributes, opset: 10, outputs: ['bool'] });
  }
  await compare({
    op: 'ReduceLogSumExp',
    inputs: [normal([2, 3, 4], 3)],
    attributes: { axes: ints(1), keepdims: int(0) },
    opset: 13,
  });
  const ends = { ...singles(1 / 0, 1, -1 / 0, -1 / 0), dims: [2, 2], constant: false };
  await compare({ op: 'ReduceLogSumExp', inputs: [ends], attributes: { axes: ints(1) }, opset: 13 });
});
