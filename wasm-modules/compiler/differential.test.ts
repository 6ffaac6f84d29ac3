import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type RuntimeTensor, runWithOnnxRuntime } from '#test/onnx/onnxruntime.ts';
import type { Attribute } from '../onnx/model.ts';
import { describeError } from '../onnx/refusal.ts';
import { int, ints, type NodeCase, singleNode } from '../testing/graph.ts';
import { createRandom } from '../training/random.ts';
import { compileOnnx } from './compile.ts';
import { openCore } from './harness.ts';

/** Largest difference from the other runtime, relative to the largest value of 1 and the result. */
const TOLERANCE = 1e-5;
const RUNS = 40;

function fill(dims: readonly number[], seed: number): RuntimeTensor {
  const random = createRandom(seed);
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
  return { dims, data: data.map(() => random.normal()) };
}

/** Compiles and runs a case here and in ONNX Runtime; both must give the same shape and nearly the same numbers. */
async function compare(given: NodeCase, seed: number, positive = false): Promise<void> {
  const bytes = singleNode(given);
  const inputs: Record<string, RuntimeTensor> = {};
  given.inputs.forEach((input, i) => {
    if (!('dims' in input)) return;
    const tensor = fill(input.dims, seed + i);
    inputs[`x${i}`] = positive ? { ...tensor, data: tensor.data.map((v) => Math.abs(v) + 0.01) } : tensor;
  });
  const compiled = compileOnnx(bytes);
  if (!compiled.ok) throw new Error(describeError(compiled.error));
  const request = new Uint8Array(compiled.value.requestBytes);
  let at = 0;
  for (const { data } of Object.values(inputs)) {
    request.set(new Uint8Array(data.buffer, 0, data.byteLength), at);
    at += data.byteLength;
  }
  const answer = openCore(compiled.value.module).infer(request, 0n);
  if (!answer.ok) throw new Error(answer.error);
  const got = new Float32Array(answer.value.buffer);
  const [expected] = await runWithOnnxRuntime(bytes, inputs);
  expect(compiled.value.outputs[0]?.shape).toEqual(expected?.dims);
  const worst = got.reduce((most, v, i) => {
    const e = expected?.data[i] ?? Number.NaN;
    return Math.max(most, Math.abs(v - e) / Math.max(1, Math.abs(e)));
  }, 0);
  expect(
    worst,
    JSON.stringify(given, (_, v) => (typeof v === 'bigint' ? Number(v) : v)),
  ).toBeLessThanOrEqual(TOLERANCE);
}

const small = fc.integer({ min: 1, max: 5 });
const seeds = fc.integer({ min: 0, max: 1 << 30 });
const flag = fc.boolean();

test('Gemm of any shape, transposition, scale and bias agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      small,
      fc.integer({ min: 1, max: 9 }),
      small,
      flag,
      flag,
      fc.constantFrom(0, 1, 2, 3, 4),
      seeds,
      async (m, n, k, ta, tb, bias, seed) => {
        const c = [[], [{ dims: [n] }], [{ dims: [m, 1] }], [{ dims: [m, n] }], [{ dims: [] }]][bias] ?? [];
        const attributes: Record<string, Attribute> = {
          transA: int(Number(ta)),
          transB: int(Number(tb)),
          alpha: { kind: 'float', value: bias % 2 === 0 ? 1 : 0.5 },
          beta: { kind: 'float', value: bias % 3 === 0 ? 1 : -2 },
        };
        await compare(
          { op: 'Gemm', inputs: [{ dims: ta ? [k, m] : [m, k] }, { dims: tb ? [n, k] : [k, n] }, ...c], attributes },
          seed,
        );
      },
    ),
    { numRuns: RUNS },
  );
});

test('MatMul with broadcast batches agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(small, small, small, flag, flag, seeds, async (m, n, k, first, second, seed) => {
      const a = first ? [2, 1, m, k] : [m, k];
      const b = second ? [3, k, n] : [k];
      await compare({ op: 'MatMul', inputs: [{ dims: a }, { dims: b }] }, seed);
    }),
    { numRuns: RUNS },
  );
});

/** Geometry of a convolution: everything that may be combined. */
const geometry = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  groups: fc.integer({ min: 1, max: 3 }),
  inputs: fc.integer({ min: 1, max: 3 }),
  outputs: fc.integer({ min: 1, max: 3 }),
  size: fc.tuple(fc.integer({ min: 3, max: 6 }), fc.integer({ min: 3, max: 6 })),
  kernel: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
  stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  dilation: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  pads: fc.tuple(...[0, 1, 2, 3].map(() => fc.integer({ min: 0, max: 1 }))),
  bias: flag,
  flat: flag,
  seed: seeds,
});

test('ConvTranspose agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      geometry,
      fc.tuple(fc.integer({ min: 0, max: 1 }), fc.integer({ min: 0, max: 1 })),
      async (g, more) => {
        const spatial = (v: readonly number[]): number[] => (g.flat ? v.slice(1) : [...v]);
        const pads = g.flat ? g.pads.slice(0, 2) : g.pads;
        // ONNX Runtime wants less output padding than stride.
        const extra = [0, 1].map((i) => Math.min(more[i] ?? 0, (g.stride[i] ?? 1) - 1));
        const out = [0, 1].map(
          (i) => ((g.size[i] ?? 1) - 1) * (g.stride[i] ?? 1) + ((g.kernel[i] ?? 1) - 1) * (g.dilation[i] ?? 1) + 1,
        );
        fc.pre(out.every((v) => v > 2));
        await compare(
          {
            op: 'ConvTranspose',
            inputs: [
              { dims: [g.batch, g.inputs * g.groups, ...spatial(g.size)] },
              { dims: [g.inputs * g.groups, g.outputs, ...spatial(g.kernel)] },
              ...(g.bias ? [{ dims: [g.outputs * g.groups] }] : []),
            ],
            attributes: {
              strides: ints(...spatial(g.stride)),
              dilations: ints(...spatial(g.dilation)),
              pads: ints(...pads),
              output_padding: ints(...spatial(extra)),
              group: int(g.groups),
            },
          },
          g.seed,
        );
      },
    ),
    { numRuns: RUNS },
  );
});

test('Conv agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(geometry, async (g) => {
      const spatial = (v: readonly number[]): number[] => (g.flat ? v.slice(1) : [...v]);
      fc.pre([0, 1].every((i) => ((g.kernel[i] ?? 1) - 1) * (g.dilation[i] ?? 1) + 1 <= (g.size[i] ?? 1)));
      await compare(
        {
          op: 'Conv',
          inputs: [
            { dims: [g.batch, g.inputs * g.groups, ...spatial(g.size)] },
            { dims: [g.outputs * g.groups, g.inputs, ...spatial(g.kernel)] },
            ...(g.bias ? [{ dims: [g.outputs * g.groups] }] : []),
          ],
          attributes: {
            strides: ints(...spatial(g.stride)),
            dilations: ints(...spatial(g.dilation)),
            pads: ints(...(g.flat ? g.pads.slice(0, 2) : g.pads)),
            group: int(g.groups),
          },
        },
        g.seed,
      );
    }),
    { numRuns: RUNS },
  );
});

test.each([
  'Relu',
  'Sigmoid',
  'Tanh',
  'Exp',
  'Neg',
  'Abs',
  'Floor',
  'Ceil',
  'Round',
  'Sign',
  'LeakyRelu',
  'Elu',
  'Selu',
  'HardSigmoid',
  'Softplus',
  'Softsign',
  'Erf',
])('%s agrees with ONNX Runtime', async (op) => {
  await compare({ op, inputs: [{ dims: [3, 50] }] }, 3);
});

test.each(['Sqrt', 'Reciprocal', 'Log'])('%s of positive numbers agrees with ONNX Runtime', async (op) => {
  await compare({ op, inputs: [{ dims: [3, 50] }] }, 4, true);
});

test.each(['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Pow', 'PRelu'])(
  '%s broadcasts as in ONNX Runtime',
  async (op) => {
    for (const [a, b] of [
      [
        [2, 3, 4],
        [2, 3, 4],
      ],
      [[2, 3, 4], [4]],
      [
        [3, 1],
        [2, 1, 5],
      ],
      [[], [2, 2]],
      [[1, 1], [1]],
    ] as const) {
      await compare({ op, inputs: [{ dims: a }, { dims: b }] }, 5, op === 'Div' || op === 'Pow');
    }
  },
);

test('Clip and variadic Sum agree with ONNX Runtime', async () => {
  await compare({ op: 'Clip', inputs: [{ dims: [40] }, { floats: [-0.5] }, { floats: [0.75] }] }, 6);
  await compare({ op: 'Sum', inputs: [{ dims: [2, 3] }, { dims: [3] }, { dims: [1] }] }, 6);
});

test('Concat, Transpose, Reshape, Flatten, Squeeze and Unsqueeze agree with ONNX Runtime', async () => {
  await compare({ op: 'Concat', inputs: [{ dims: [2, 3, 4] }, { dims: [2, 1, 4] }], attributes: { axis: int(1) } }, 7);
  await compare({ op: 'Concat', inputs: [{ dims: [2, 3] }, { dims: [2, 5] }], attributes: { axis: int(-1) } }, 7);
  await compare({ op: 'Transpose', inputs: [{ dims: [2, 3, 4] }], attributes: { perm: ints(2, 0, 1) } }, 8);
  await compare({ op: 'Transpose', inputs: [{ dims: [2, 3, 4] }] }, 8);
  await compare({ op: 'Reshape', inputs: [{ dims: [2, 3, 4] }, { ints: [0, -1, 2] }] }, 9);
  await compare({ op: 'Flatten', inputs: [{ dims: [2, 3, 4] }], attributes: { axis: int(2) } }, 9);
  await compare({ op: 'Squeeze', inputs: [{ dims: [1, 3, 1] }, { ints: [-1] }] }, 9);
  await compare({ op: 'Unsqueeze', inputs: [{ dims: [3] }, { ints: [0, 2] }] }, 9);
});

test('Slice with any start, end and step agrees with ONNX Runtime', async () => {
  const bound = fc.integer({ min: -8, max: 8 });
  await fc.assert(
    fc.asyncProperty(bound, bound, fc.constantFrom(-2, -1, 1, 2, 3), seeds, async (start, end, step, seed) => {
      const kept = Array.from({ length: 6 }, (_, i) => i).slice(0, 6);
      const from = Math.min(Math.max(start < 0 ? start + 6 : start, step > 0 ? 0 : 0), step > 0 ? 6 : 5);
      const to = Math.min(Math.max(end < 0 ? end + 6 : end, step > 0 ? 0 : -1), 6);
      fc.pre(kept.some((i) => (step > 0 ? i >= from && i < to : i <= from && i > to)));
      await compare(
        {
          op: 'Slice',
          inputs: [{ dims: [2, 6] }, { ints: [start] }, { ints: [end] }, { ints: [1] }, { ints: [step] }],
        },
        seed,
      );
    }),
    { numRuns: RUNS },
  );
});

test('HardSwish, Gelu and Mean agree with ONNX Runtime', async () => {
  await compare({ op: 'HardSwish', inputs: [{ dims: [50] }], opset: 14 }, 10);
  await compare({ op: 'Gelu', inputs: [{ dims: [50] }], opset: 20 }, 10);
  await compare({ op: 'Mean', inputs: [{ dims: [2, 3] }, { dims: [3] }, { dims: [2, 1] }] }, 10);
});

test.each(['ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceSumSquare', 'ReduceL1', 'ReduceL2'])(
  '%s over any axes agrees with ONNX Runtime',
  async (op) => {
    for (const axes of [undefined, [0], [-1], [0, 2], [1]]) {
      for (const keep of [0, 1]) {
        const attributes = { keepdims: int(keep), ...(axes === undefined ? {} : { axes: ints(...axes) }) };
        await compare({ op, inputs: [{ dims: [2, 3, 4] }], attributes }, 11);
      }
    }
  },
);

test('ReduceSum with its axes as an input, and ReduceLogSum, agree with ONNX Runtime', async () => {
  await compare({ op: 'ReduceSum', inputs: [{ dims: [2, 3, 4] }, { ints: [1] }] }, 12);
  await compare({ op: 'ReduceLogSum', inputs: [{ dims: [2, 3] }], attributes: { axes: ints(1) } }, 12, true);
});

test.each(['Softmax', 'LogSoftmax'])('%s along any axis agrees with ONNX Runtime', async (op) => {
  for (const axis of [0, 1, -1])
    await compare({ op, inputs: [{ dims: [3, 4, 5] }], attributes: { axis: int(axis) } }, 13);
});

test('BatchNormalization agrees with ONNX Runtime', async () => {
  const channel = { dims: [3] };
  await compare(
    { op: 'BatchNormalization', inputs: [{ dims: [2, 3, 4, 4] }, channel, channel, channel, channel], opset: 15 },
    14,
    true,
  );
});

test.each(['MaxPool', 'AveragePool'])('%s agrees with ONNX Runtime', async (op) => {
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(...[0, 1].map(() => fc.integer({ min: 4, max: 7 }))),
      fc.tuple(...[0, 1].map(() => fc.integer({ min: 1, max: 3 }))),
      fc.tuple(...[0, 1].map(() => fc.integer({ min: 1, max: 3 }))),
      fc.constantFrom('NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'),
      fc.tuple(...[0, 1, 2, 3].map(() => fc.integer({ min: 0, max: 1 }))),
      flag,
      flag,
      seeds,
      async (size, kernel, strides, auto, pads, ceil, include, seed) => {
        // ONNX Runtime does not crop, which SAME would ask for where the stride is greater than the kernel.
        fc.pre(!auto.startsWith('SAME') || strides.every((v, i) => v <= (kernel[i] ?? 1)));
        const fits = pads.every((p, i) => p < (kernel[i % 2] ?? 1));
        await compare(
          {
            op,
            inputs: [{ dims: [1, 2, ...size] }],
            attributes: {
              kernel_shape: ints(...kernel),
              strides: ints(...strides),
              auto_pad: { kind: 'string', value: auto },
              ...(auto === 'NOTSET' && fits ? { pads: ints(...pads) } : {}),
              ...(auto === 'NOTSET' ? { ceil_mode: int(Number(ceil)) } : {}),
              ...(op === 'AveragePool' ? { count_include_pad: int(Number(include)) } : {}),
            },
            opset: 19,
          },
          seed,
        );
      },
    ),
    { numRuns: RUNS },
  );
});

test('global pooling, Pad, Expand and a convolution of the same size agree with ONNX Runtime', async () => {
  await compare({ op: 'GlobalAveragePool', inputs: [{ dims: [2, 3, 4, 5] }] }, 15);
  await compare({ op: 'GlobalMaxPool', inputs: [{ dims: [2, 3, 4] }] }, 15);
  await compare({ op: 'Pad', inputs: [{ dims: [2, 3] }, { ints: [1, 0, 2, 3] }, { floats: [1.5] }] }, 16);
  await compare({ op: 'Expand', inputs: [{ dims: [3, 1] }, { ints: [2, 1, 4] }] }, 16);
  const same = { auto_pad: { kind: 'string', value: 'SAME_LOWER' }, strides: ints(2, 1) } as const;
  await compare({ op: 'Conv', inputs: [{ dims: [1, 2, 5, 6] }, { dims: [3, 2, 2, 3] }], attributes: same }, 17);
});
