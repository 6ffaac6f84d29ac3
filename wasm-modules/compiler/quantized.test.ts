import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runTyped, type TypedTensor } from '#test/onnx/onnxruntime.ts';
import { type Attribute, codeOf, type DataType, type Tensor } from '../onnx/model.ts';
import { describeError } from '../onnx/refusal.ts';
import { int, ints, modelOf, node } from '../testing/graph.ts';
import { createRandom } from '../training/random.ts';
import { compileOnnx } from './compile.ts';
import { openCore } from './harness.ts';

const RUNS = 50;

type Bytes = 'uint8' | 'int8';

const VIEWS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array, int8: Int8Array } as const;
type Numbers = keyof typeof VIEWS;

function numbers(dtype: Numbers, dims: readonly number[], make: () => number): TypedTensor {
  const length = dims.reduce((product, d) => product * d, 1);
  return { dtype, dims, data: VIEWS[dtype].from(Array.from({ length }, make)) };
}

/** Bytes of the whole range, the ends often. */
function bytes(dtype: Bytes, dims: readonly number[], seed: number): TypedTensor {
  const random = createRandom(seed);
  const least = dtype === 'uint8' ? 0 : -128;
  return numbers(dtype, dims, () => least + Math.min(255, Math.max(0, Math.round(128 + random.normal() * 90))));
}

function scales(dims: readonly number[], seed: number): TypedTensor {
  const random = createRandom(seed);
  return numbers('float32', dims, () => 0.01 + Math.abs(random.normal()) * 0.02);
}

interface Case {
  readonly op: string;
  /** An input that is left out is undefined. */
  readonly inputs: readonly (TypedTensor | undefined)[];
  /** Inputs that are constants of the graph. */
  readonly fixed?: readonly number[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly results: readonly Numbers[];
}

async function compare({ op, inputs, fixed = [], attributes, results }: Case): Promise<void> {
  const names = inputs.map((input, i) => (input === undefined ? '' : `x${i}`));
  const outputs = results.map((_, i) => `y${i}`);
  const given = inputs.flatMap((input, i) => (input === undefined ? [] : [{ ...input, name: `x${i}`, i }]));
  const asked = given.filter(({ i }) => !fixed.includes(i));
  const constants = given
    .filter(({ i }) => fixed.includes(i))
    .map(
      ({ name, dtype, dims, data }): Tensor => ({
        name,
        dtype,
        dims,
        data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      }),
    );
  const model = modelOf([node(op, 'the-node', names, outputs, attributes)], {
    opset: 19,
    constants,
    inputs: asked.map(({ name, dtype, dims }) => ({ name, dtype: codeOf(dtype), dims })),
    outputs: results.map((dtype, i) => ({ name: `y${i}`, dtype: codeOf(dtype), dims: undefined })),
  });
  const compiled = compileOnnx(model);
  if (!compiled.ok) throw new Error(describeError(compiled.error));
  const request = new Uint8Array(compiled.value.requestBytes);
  let at = 0;
  for (const { data } of asked) {
    request.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  const answer = openCore(compiled.value.module).infer(request, 0n);
  if (!answer.ok) throw new Error(answer.error);
  const expected = await runTyped(model, Object.fromEntries(asked.map(({ name, ...tensor }) => [name, tensor])));
  let from = 0;
  results.forEach((dtype, i) => {
    const { dims = [], data = [] } = expected[i] ?? {};
    expect(compiled.value.outputs[i]).toMatchObject({ dtype, shape: [...dims] });
    const own = [
      ...new VIEWS[dtype](answer.value.slice(from, from + data.length * VIEWS[dtype].BYTES_PER_ELEMENT).buffer),
    ];
    from += data.length * VIEWS[dtype].BYTES_PER_ELEMENT;
    expect(own).toEqual([...data]);
  });
}

const size = fc.integer({ min: 1, max: 20 });
const seeds = fc.integer({ min: 0, max: 1 << 30 });
const kinds = fc.constantFrom<Bytes>('uint8', 'int8');

test('QuantizeLinear and DequantizeLinear, by tensor and by channel, agree with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      kinds,
      size,
      size,
      seeds,
      fc.boolean(),
      fc.boolean(),
      async (dtype, m, n, seed, channels, zero) => {
        const random = createRandom(seed);
        const count = channels ? [m] : [];
        const scale = scales(count, seed + 1);
        // Halves of steps often, so that ties are met.
        const [step = 1] = scale.data as Float32Array;
        const x = numbers('float32', [2, m, n], () => Math.round(random.normal() * 200) * 0.5 * step);
        const point = zero || dtype === 'int8' ? bytes(dtype, count, seed + 2) : undefined;
        const attributes = { axis: int(1) };
        await compare({ op: 'QuantizeLinear', inputs: [x, scale, point], attributes, results: [dtype] });
        const y = bytes(dtype, [2, m, n], seed + 3);
        await compare({ op: 'DequantizeLinear', inputs: [y, scale, point], attributes, results: ['float32'] });
      },
    ),
    { numRuns: RUNS },
  );
});

test('a scale and a zero point of one number each may be a scalar and a list of one, as ONNX Runtime has it', async () => {
  const x = numbers('float32', [2, 3], () => 0.75);
  const y = bytes('int8', [2, 3], 1);
  for (const [ofScale, ofPoint] of [
    [[], [1]],
    [[1], []],
  ] as const) {
    const [scale, point] = [scales(ofScale, 2), bytes('int8', ofPoint, 3)];
    await compare({ op: 'QuantizeLinear', inputs: [x, scale, point], results: ['int8'] });
    await compare({ op: 'DequantizeLinear', inputs: [y, scale, point], results: ['float32'] });
  }
});

test('DynamicQuantizeLinear agrees with ONNX Runtime: numbers, scale and zero point', async () => {
  await fc.assert(
    fc.asyncProperty(size, size, seeds, fc.constantFrom(-3, 0, 3), async (m, n, seed, centre) => {
      const random = createRandom(seed);
      const x = numbers('float32', [m, n], () => random.normal() + centre);
      await compare({ op: 'DynamicQuantizeLinear', inputs: [x], results: ['uint8', 'float32', 'uint8'] });
    }),
    { numRuns: RUNS },
  );
  const zeros = numbers('float32', [3], () => 0);
  await compare({ op: 'DynamicQuantizeLinear', inputs: [zeros], results: ['uint8', 'float32', 'uint8'] });
});

test('MatMulInteger of any shape, weights known or not, agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      kinds,
      fc.tuple(size, fc.integer({ min: 1, max: 45 }), fc.integer({ min: 1, max: 600 })),
      seeds,
      fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
      fc.constantFrom([], [2], [1, 2]),
      async (type, [m, n, k], seed, [known, zeros, columns], batch) => {
        const a = bytes('uint8', [...batch, m, k], seed);
        const inputs = [
          a,
          bytes(type, [k, n], seed + 1),
          zeros ? bytes('uint8', [], seed + 2) : undefined,
          zeros ? bytes(type, columns ? [n] : [], seed + 3) : undefined,
        ];
        await compare({ op: 'MatMulInteger', inputs, fixed: known ? [1, 3] : [], results: ['int32'] });
      },
    ),
    { numRuns: RUNS },
  );
});

const convolution = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  channels: fc.integer({ min: 1, max: 4 }),
  filters: fc.integer({ min: 1, max: 9 }),
  side: fc.integer({ min: 5, max: 12 }),
  kernel: fc.integer({ min: 1, max: 3 }),
  stride: fc.integer({ min: 1, max: 2 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  pad: fc.integer({ min: 0, max: 1 }),
  grouped: fc.boolean(),
  seed: seeds,
});

type Convolution = typeof convolution extends fc.Arbitrary<infer T> ? T : never;

function geometry(c: Convolution): { x: number[]; w: number[]; attributes: Record<string, Attribute> } {
  const groups = c.grouped ? c.channels : 1;
  return {
    x: [c.batch, c.channels, c.side, c.side + 1],
    w: [c.filters * groups, c.channels / groups, c.kernel, c.kernel],
    attributes: {
      group: int(groups),
      strides: ints(c.stride, c.stride),
      dilations: ints(c.dilation, c.dilation),
      pads: ints(c.pad, 0, c.pad, c.pad),
    },
  };
}

test('ConvInteger agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(convolution, fc.boolean(), async (c, known) => {
      const { x, w, attributes } = geometry(c);
      const inputs = [
        bytes('uint8', x, c.seed),
        bytes('uint8', w, c.seed + 1),
        bytes('uint8', [], c.seed + 2),
        bytes('uint8', [], c.seed + 3),
      ];
      await compare({ op: 'ConvInteger', inputs, attributes, fixed: known ? [1, 3] : [], results: ['int32'] });
    }),
    { numRuns: RUNS },
  );
});

test('QLinearConv, weights by channel or not, agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(convolution, fc.boolean(), fc.boolean(), async (c, byChannel, biased) => {
      const { x, w, attributes } = geometry(c);
      const count = byChannel ? [w[0] ?? 1] : [];
      const random = createRandom(c.seed);
      const inputs = [
        bytes('uint8', x, c.seed),
        scales([], c.seed + 1),
        bytes('uint8', [], c.seed + 2),
        bytes('int8', w, c.seed + 3),
        scales(count, c.seed + 4),
        numbers('int8', count, () => 0),
        numbers('float32', [], () => 0.05),
        bytes('uint8', [], c.seed + 5),
        biased ? numbers('int32', [w[0] ?? 1], () => Math.round(random.normal() * 1000)) : undefined,
      ];
      await compare({ op: 'QLinearConv', inputs, attributes, fixed: [3, 4, 5], results: ['uint8'] });
    }),
    { numRuns: RUNS },
  );
});

test('QLinearMatMul agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(kinds, size, size, fc.integer({ min: 1, max: 600 }), seeds, async (type, m, n, k, seed) => {
      const inputs = [
        bytes(type, [m, k], seed),
        scales([], seed + 1),
        bytes(type, [], seed + 2),
        bytes('int8', [k, n], seed + 3),
        scales([], seed + 4),
        bytes('int8', [], seed + 5),
        numbers('float32', [], () => 0.3),
        bytes(type, [], seed + 6),
      ];
      await compare({ op: 'QLinearMatMul', inputs, results: [type] });
    }),
    { numRuns: RUNS },
  );
});

test('MaxPool of bytes, and what copies them, agree with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(kinds, fc.integer({ min: 2, max: 6 }), seeds, async (dtype, side, seed) => {
      const x = bytes(dtype, [1, 2, side, side + 1], seed);
      await compare({ op: 'MaxPool', inputs: [x], attributes: { kernel_shape: ints(2, 2) }, results: [dtype] });
      await compare({ op: 'Transpose', inputs: [x], attributes: { perm: ints(0, 2, 3, 1) }, results: [dtype] });
      await compare({ op: 'Concat', inputs: [x, x], attributes: { axis: int(1) }, results: [dtype] });
    }),
    { numRuns: 15 },
  );
});

test.each<[string, Partial<Case>, string]>([
  [
    'a zero point of another type',
    { inputs: [bytes('uint8', [2, 2], 1), bytes('int8', [2, 2], 1), bytes('int8', [], 1)] },
    'input 2 is int8; expected uint8',
  ],
  [
    'floats',
    { inputs: [numbers('float32', [2, 2], () => 1), bytes('int8', [2, 2], 1)] },
    'input 0 is float32; supported are uint8, int8',
  ],
])('%s is refused by name', (_, { inputs = [] }, reason) => {
  const model = modelOf(
    [
      node(
        'MatMulInteger',
        'n',
        inputs.map((_, i) => `x${i}`),
        ['y'],
      ),
    ],
    {
      inputs: inputs.map((input, i) => ({ name: `x${i}`, dtype: codeOf(input?.dtype as DataType), dims: input?.dims })),
    },
  );
  expect(compileOnnx(model)).toMatchObject({ ok: false, error: { node: 'n', reason } });
});

test('weights that two products read with different zero points are packed for each', () => {
  const point = (name: string, value: number): Tensor => ({
    name,
    dtype: 'int8',
    dims: [],
    data: Uint8Array.of(value & 0xff),
  });
  const weights = Uint8Array.from({ length: 64 }, (_, i) => (((i * 37) % 127) - 63) & 0xff);
  const model = modelOf(
    [
      node('MatMulInteger', 'p', ['a', 'b', 'none', 'p0'], ['y']),
      node('MatMulInteger', 'q', ['a', 'b', 'none', 'p5'], ['z']),
    ],
    {
      constants: [
        { name: 'b', dtype: 'int8', dims: [8, 8], data: weights },
        point('none', 0),
        point('p0', 0),
        point('p5', 5),
      ],
      inputs: [{ name: 'a', dtype: codeOf('int8'), dims: [1, 8] }],
      outputs: ['y', 'z'].map((name) => ({ name, dtype: codeOf('int32'), dims: [1, 8] })),
    },
  );
  const compiled = compileOnnx(model);
  if (!compiled.ok) throw new Error(describeError(compiled.error));
  const answer = openCore(compiled.value.module).infer(new Uint8Array(8).fill(1), 0n);
  if (!answer.ok) throw new Error(answer.error);
  const sums = new Int32Array(answer.value.slice().buffer);
  expect([...sums.subarray(8)]).toEqual([...sums.subarray(0, 8)].map((sum) => sum - 8 * 5));
});
