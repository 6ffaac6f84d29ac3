import { expect, test } from 'vitest';
import { runWithOnnxRuntime } from '#test/onnx/onnxruntime.ts';
import { CLASSIFIER_OPTIONS, classifierOnnx } from '../models/classifier/build.ts';
import { CLASSIFIER_TRAINING, heldOutPhotos } from '../models/classifier/training.ts';
import { ENLARGER_OPTIONS, enlargerOnnx } from '../models/enlarger/build.ts';
import { decibels, ENLARGER_TRAINING, heldOutPairs, squaredError } from '../models/enlarger/training.ts';
import type { Tensor } from '../onnx/model.ts';
import { readModel } from '../onnx/reader.ts';
import { describeError } from '../onnx/refusal.ts';
import { floatTensor, modelOf, node } from '../testing/graph.ts';
import { createRandom } from '../training/random.ts';
import { difference } from './calibrate.ts';
import { type CompiledModel, type CompileOptions, compileOnnx } from './compile.ts';
import { openCore } from './harness.ts';
import { type Quantized, type QuantizeOptions, quantizeOnnx } from './quantize.ts';

/** Inputs that give the ranges. Those that measure are others. */
const CALIBRATION = 32;
const PHOTOS = 400;
const PICTURES = 60;

function compile(bytes: Uint8Array, options: CompileOptions): CompiledModel {
  const compiled = compileOnnx(bytes, options);
  if (!compiled.ok) throw new Error(describeError(compiled.error));
  return compiled.value;
}

function quantize(bytes: Uint8Array, options: QuantizeOptions): Quantized {
  const made = quantizeOnnx(bytes, options);
  if (!made.ok) throw new Error(describeError(made.error));
  return made.value;
}

function answer(model: ReturnType<typeof openCore>, input: Uint8Array): Uint8Array {
  const result = model.infer(input, 0n);
  if (!result.ok) throw new Error(result.error);
  return result.value.slice();
}

const requests = (inputs: readonly Uint8Array[]) => inputs.map((input) => ({ input, seed: 0n }));

test('the classifier with integers is as often right to one photo in a hundred, in a third of the bytes', () => {
  const drawn = heldOutPhotos({ ...CLASSIFIER_TRAINING, heldOut: PHOTOS + CALIBRATION });
  const photos = drawn.slice(0, PHOTOS);
  const calibration = requests(drawn.slice(PHOTOS).map(({ pixels }) => pixels));
  const right = (module: Uint8Array): number => {
    const core = openCore(module);
    return photos.filter(({ species, pixels }) => {
      const found = new Float32Array(answer(core, pixels).buffer);
      return found.indexOf(Math.max(...found)) === species;
    }).length;
  };
  const plain = compile(classifierOnnx(), CLASSIFIER_OPTIONS);
  const before = right(plain.module);
  for (const options of [{ calibration }, { calibration, range: 'percentile' } as const, {}]) {
    const made = quantize(classifierOnnx(), { ...CLASSIFIER_OPTIONS, ...options });
    const module = compile(made.model, CLASSIFIER_OPTIONS);
    expect(made.nodes.map(({ op }) => op)).toEqual(['Conv', 'Conv', 'Conv', 'Gemm', 'Gemm']);
    const [was, is] = [
      made.nodes.reduce((n, v) => n + v.bytesBefore, 0),
      made.nodes.reduce((n, v) => n + v.bytesAfter, 0),
    ];
    expect(is).toBeLessThan(was * 0.26);
    expect(module.module.length).toBeLessThan(plain.module.length / 3);
    expect(right(module.module)).toBeGreaterThanOrEqual(before - 4);
    expect(difference(plain, module, calibration).decibels).toBeGreaterThan(40);
  }
});

test('the enlarger with integers loses less than a twentieth of a decibel', () => {
  const drawn = heldOutPairs({ ...ENLARGER_TRAINING, heldOut: PICTURES + CALIBRATION });
  const pairs = drawn.slice(0, PICTURES);
  const calibration = requests(drawn.slice(PICTURES).map(({ small }) => small));
  const quality = (module: Uint8Array): number => {
    const core = openCore(module);
    const errors = pairs.map(({ small, large }) =>
      squaredError(
        Float32Array.from(answer(core, small), (v) => v / 255),
        large,
      ),
    );
    return decibels(errors.reduce((a, b) => a + b, 0) / errors.length);
  };
  const plain = compile(enlargerOnnx(), ENLARGER_OPTIONS);
  const made = quantize(enlargerOnnx(), { ...ENLARGER_OPTIONS, calibration });
  expect(made.nodes.map(({ op, activations }) => [op, activations])).toEqual([
    ['Conv', true],
    ['Conv', true],
    ['ConvTranspose', false],
    ['Conv', true],
  ]);
  const module = compile(made.model, ENLARGER_OPTIONS);
  expect(quality(module.module)).toBeGreaterThan(quality(plain.module) - 0.05);
  expect(made.nodes.reduce((n, v) => n + v.bytesAfter, 0)).toBeLessThan(
    made.nodes.reduce((n, v) => n + v.bytesBefore, 0) * 0.26,
  );
});

/** Two products, the second with its weights lying across, and a bias each. */
function perceptron(): Uint8Array {
  const random = createRandom(5);
  const weights = (name: string, dims: readonly number[]) =>
    floatTensor(
      name,
      dims,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal()),
    );
  return modelOf(
    [
      node('Gemm', 'a', ['x', 'w', 'b'], ['h']),
      node('Relu', 'r', ['h'], ['p']),
      node('Gemm', 'c', ['p', 'v', 'd'], ['y'], { transB: { kind: 'int', value: 1n } }),
    ],
    {
      constants: [weights('w', [12, 16]), weights('b', [16]), weights('v', [5, 16]), weights('d', [5])],
      inputs: [{ name: 'x', dtype: 1, dims: [3, 12] }],
      outputs: [{ name: 'y', dtype: 1, dims: [3, 5] }],
    },
  );
}

test('the quantised graph is ONNX that ONNX Runtime runs to the same numbers', async () => {
  const random = createRandom(9);
  const inputs = Array.from({ length: 8 }, () => new Float32Array(36).map(() => random.normal()));
  const calibration = requests(inputs.map((v) => new Uint8Array(v.buffer)));
  for (const options of [{ calibration }, {}]) {
    const { model } = quantize(perceptron(), options);
    const core = openCore(compile(model, {}).module);
    for (const data of inputs) {
      const got = new Float32Array(answer(core, new Uint8Array(data.buffer)).buffer);
      const [expected] = await runWithOnnxRuntime(model, { x: { dims: [3, 12], data } });
      expect([...got]).toEqual([...(expected?.data ?? [])]);
    }
  }
});

test('a model that is quantised twice gives the same bytes, and says what its graph is made of', () => {
  const { model } = quantize(perceptron(), {});
  expect(quantize(perceptron(), {}).model).toEqual(model);
  const read = readModel(model);
  expect(read.ok && read.value.nodes.map(({ op }) => op)).toEqual([
    'DynamicQuantizeLinear',
    'Mul',
    'MatMulInteger',
    'Cast',
    'Mul',
    'Add',
    'Relu',
    'DynamicQuantizeLinear',
    'Mul',
    'MatMulInteger',
    'Cast',
    'Mul',
    'Add',
  ]);
});

test('calibration data that is missing, of another length or not finite is refused', () => {
  const reason = (calibration: QuantizeOptions['calibration']) => {
    const made = quantizeOnnx(perceptron(), calibration === undefined ? {} : { calibration });
    return made.ok ? undefined : made.error.reason;
  };
  expect(reason([])).toBe('there is no calibration data');
  expect(reason(requests([new Uint8Array(3)]))).toBe('calibration data: the input must have exactly 144 bytes');
  expect(reason(requests([new Uint8Array(new Float32Array(36).fill(Number.POSITIVE_INFINITY).buffer)]))).toBe(
    'x is not finite on the calibration data',
  );
});

/** Products that follow each other with nothing between: what one gives is what the next quantises. */
function chain(): Uint8Array {
  const random = createRandom(6);
  const weights = (name: string, dims: readonly number[]) =>
    floatTensor(
      name,
      dims,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal()),
    );
  return modelOf([node('MatMul', 'a', ['x', 'w'], ['h']), node('MatMul', 'c', ['h', 'v'], ['y'])], {
    constants: [weights('w', [12, 16]), weights('v', [16, 5])],
    inputs: [{ name: 'x', dtype: 1, dims: [3, 12] }],
    outputs: [{ name: 'y', dtype: 1, dims: [3, 5] }],
  });
}

test('a product whose input is the result of another product keeps its own scale', () => {
  const random = createRandom(10);
  const inputs = Array.from({ length: 8 }, () => new Float32Array(36).map(() => random.normal()));
  const calibration = requests(inputs.map((v) => new Uint8Array(v.buffer)));
  const plain = compile(chain(), {});
  for (const options of [{ calibration }, {}]) {
    const module = compile(quantize(chain(), options).model, {});
    expect(difference(plain, module, calibration).decibels).toBeGreaterThan(30);
  }
});

test('a graph of an early operator set gets one that has integers, where its nodes mean the same there', async () => {
  const random = createRandom(12);
  const weights = floatTensor(
    'w',
    [4, 3, 3, 3],
    Array.from({ length: 108 }, () => random.normal()),
  );
  const x = Float32Array.from({ length: 75 }, () => random.normal());
  const graph = (last: string, opset: number) =>
    modelOf([node('Conv', 'a', ['x', 'w'], ['h']), node(last, 'b', ['h'], ['y'])], {
      opset,
      constants: [weights],
      inputs: [{ name: 'x', dtype: 1, dims: [1, 3, 5, 5] }],
      outputs: [{ name: 'y', dtype: 1, dims: [1, 4, 3, 3] }],
    });
  const calibration = requests([new Uint8Array(x.buffer)]);
  const opsetOf = (bytes: Uint8Array) => {
    const read = readModel(bytes);
    return read.ok ? read.value.opset : undefined;
  };
  for (const [options, opset] of [
    [{}, 11],
    [{ calibration }, 10],
  ] as const) {
    const { model } = quantize(graph('Relu', 9), options);
    expect(opsetOf(model)).toBe(opset);
    const [expected] = await runWithOnnxRuntime(model, { x: { dims: [1, 3, 5, 5], data: x } });
    const own = new Float32Array(answer(openCore(compile(model, {}).module), new Uint8Array(x.buffer)).buffer);
    expect([...own]).toEqual([...(expected?.data ?? [])].map((v) => expect.closeTo(Number(v), 4)));
  }
  expect(opsetOf(quantize(graph('Relu', 13), {}).model)).toBe(13);
  // Clip takes its bounds as inputs since 11: as it stands it would be another node there.
  expect(opsetOf(quantize(graph('Clip', 9), {}).model)).toBe(9);
});

test('a name of the graph that quantisation needs is refused', () => {
  const taken = modelOf([node('MatMul', 'a', ['x', 'y/int8.weights'], ['y'])], {
    constants: [floatTensor('y/int8.weights', [8, 8], new Array<number>(64).fill(1))],
    inputs: [{ name: 'x', dtype: 1, dims: [1, 8] }],
  });
  const made = quantizeOnnx(taken);
  expect(made.ok ? undefined : made.error.reason).toBe('the name "y/int8.weights", which quantisation gives, is taken');
});

test('calibration data for a graph whose activations stay as they are is no obstacle', () => {
  const graph = modelOf([node('ConvTranspose', 'a', ['x', 'w'], ['y'])], {
    constants: [floatTensor('w', [2, 3, 3, 3], new Array<number>(54).fill(0.5))],
    inputs: [{ name: 'x', dtype: 1, dims: [1, 2, 4, 4] }],
  });
  const { nodes } = quantize(graph, { calibration: requests([new Uint8Array(128)]) });
  expect(nodes.map(({ op, activations }) => [op, activations])).toEqual([['ConvTranspose', false]]);
});

test('convolutions with a batch normalisation behind them are quantised with it, transposed ones too', () => {
  const [scale, shift, mean, variance] = ['scale', 'shift', 'mean', 'variance'].map((name, i) =>
    floatTensor(name, [3], [1.5 + i, 0.5, 0.25 + i]),
  ) as [Tensor, Tensor, Tensor, Tensor];
  const inputs = Array.from({ length: 3 }, (_, i) => new Float32Array(96).map((_v, k) => Math.sin(k * (i + 1))));
  const calibration = requests(inputs.map((v) => new Uint8Array(v.buffer)));
  for (const op of ['Conv', 'ConvTranspose']) {
    const graph = modelOf(
      [
        node(op, 'a', ['x', 'w', 'b'], ['h']),
        node('BatchNormalization', 'n', ['h', 'scale', 'shift', 'mean', 'variance'], ['y']),
      ],
      {
        constants: [
          floatTensor(
            'w',
            [3, 3, 2, 2],
            Array.from({ length: 36 }, (_, i) => Math.cos(i * i)),
          ),
          floatTensor('b', [3], [0.1, 0.2, 0.3]),
          scale,
          shift,
          mean,
          variance,
        ],
        inputs: [{ name: 'x', dtype: 1, dims: [2, 3, 4, 4] }],
      },
    );
    const plain = compile(graph, {});
    for (const options of [{ calibration }, {}]) {
      const module = compile(quantize(graph, options).model, {});
      expect(difference(plain, module, calibration).decibels).toBeGreaterThan(30);
    }
  }
});
