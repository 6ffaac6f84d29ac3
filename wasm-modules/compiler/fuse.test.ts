import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Attribute, Node, Tensor } from '../onnx/model.ts';
import { describeError } from '../onnx/refusal.ts';
import { float, floatTensor, int, ints, modelOf, node } from '../testing/graph.ts';
import { createRandom } from '../training/random.ts';
import { type CompiledModel, compileOnnx } from './compile.ts';
import { fuse } from './fuse.ts';
import { openCore } from './harness.ts';
import { OPCODE, UNARY } from './opcodes.ts';
import { address, createPlan, float as word } from './plan.ts';
import { AT, emitFloatProduct } from './product.ts';

/**
 * A batch normalisation that has become part of a convolution: each sum is of the same terms times a factor that is
 * rounded once. With all numbers around 1 and up to 36 terms, results are apart by less than this of the largest.
 */
const NORMALIZED = 1e-5;

function answers(model: CompiledModel, seed: number): Float32Array {
  const random = createRandom(seed);
  const input = new Float32Array(model.requestBytes / 4).map(() => random.normal());
  const answer = openCore(model.module).infer(new Uint8Array(input.buffer), 0n);
  if (!answer.ok) throw new Error(answer.error);
  return new Float32Array(answer.value.slice().buffer);
}

function bothWays(bytes: Uint8Array): readonly [CompiledModel, CompiledModel] {
  const [fused, plain] = [compileOnnx(bytes), compileOnnx(bytes, { fuse: false })];
  if (!fused.ok) throw new Error(describeError(fused.error));
  if (!plain.ok) throw new Error(describeError(plain.error));
  return [fused.value, plain.value];
}

const ACTIVATIONS: readonly (readonly [string, Readonly<Record<string, Attribute>>])[] = [
  ['Relu', {}],
  ['LeakyRelu', { alpha: float(0.2) }],
  ['Sigmoid', {}],
  ['Tanh', {}],
  ['HardSwish', {}],
  ['Gelu', {}],
  ['Neg', {}],
];

const size = fc.integer({ min: 1, max: 19 });
const seeds = fc.integer({ min: 0, max: 1 << 30 });
const activation = fc.constantFrom(...ACTIVATIONS);

function normals(name: string, dims: readonly number[], seed: number): Tensor {
  const random = createRandom(seed);
  return floatTensor(
    name,
    dims,
    Array.from({ length: dims.reduce((product, d) => product * d, 1) }, () => random.normal()),
  );
}

test('products with biases, other tensors and activations give the bits of the unfused graph', () => {
  const what = fc.constantFrom<readonly number[] | 'x'>(
    [],
    ['n'] as never,
    ['m', 1] as never,
    ['m', 'n'] as never,
    [2, 'm', 'n'] as never,
  );
  fc.assert(
    fc.property(
      fc.tuple(size, size, size),
      what,
      activation,
      seeds,
      fc.boolean(),
      ([m, n, k], shape, [op, more], seed, batch) => {
        const dims = (shape as readonly (number | string)[]).map((d) => (d === 'm' ? m : d === 'n' ? n : Number(d)));
        const a = batch || dims.length === 3 ? [2, m, k] : [m, k];
        const bytes = modelOf(
          [
            node('MatMul', 'p', ['a', 'w'], ['s']),
            node('Add', 'q', seed % 2 === 0 ? ['s', 'c'] : ['c', 's'], ['t']),
            node(op, 'r', ['t'], ['y'], more),
          ],
          {
            opset: 20,
            constants: [normals('w', [k, n], seed), normals('c', dims, seed + 1)],
            inputs: [{ name: 'a', dtype: 1, dims: a }],
          },
        );
        const [fused, plain] = bothWays(bytes);
        expect(answers(fused, seed)).toEqual(answers(plain, seed));
      },
    ),
    { numRuns: 60 },
  );
});

/** Two convolutions with activations, the second of groups, and around it a way past it. */
function residual(seed: number, side: number, [op, more]: (typeof ACTIVATIONS)[number]): Uint8Array {
  const pads = { pads: ints(1, 1, 1, 1) };
  const nodes: Node[] = [
    node('Conv', 'a', ['x', 'w', 'b'], ['s'], pads),
    node(op, 'b', ['s'], ['t'], more),
    node('Conv', 'c', ['t', 'v'], ['u'], { ...pads, group: int(2) }),
    node('Add', 'd', ['u', 't'], ['z']),
    node(op, 'e', ['z'], ['y'], more),
  ];
  return modelOf(nodes, {
    opset: 20,
    constants: [normals('w', [4, 3, 3, 3], seed), normals('b', [4], seed + 1), normals('v', [4, 2, 3, 3], seed + 2)],
    inputs: [{ name: 'x', dtype: 1, dims: [2, 3, side, side + 1] }],
  });
}

test('convolutions with activations and ways past them give the bits of the unfused graph', () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 2, max: 9 }), activation, (seed, side, kind) => {
      const [fused, plain] = bothWays(residual(seed, side, kind));
      expect(fused.module.length).toBeLessThan(plain.module.length);
      expect(answers(fused, seed)).toEqual(answers(plain, seed));
    }),
    { numRuns: 30 },
  );
});

test('a batch normalisation becomes part of a convolution within the stated bound', () => {
  fc.assert(
    fc.property(
      seeds,
      fc.constantFrom('Conv', 'ConvTranspose'),
      fc.constantFrom(1, 2),
      fc.boolean(),
      (seed, op, groups, biased) => {
        const filters = 4;
        const weights = op === 'Conv' ? [filters, 4 / groups, 3, 3] : [4, filters / groups, 3, 3];
        const positive = floatTensor('v', [filters], [0.3, 1, 2, 0.7]);
        const nodes = [
          node(op, 'a', biased ? ['x', 'w', 'b'] : ['x', 'w'], ['s'], { group: int(groups) }),
          node('BatchNormalization', 'n', ['s', 'g', 'h', 'm', 'v'], ['t']),
          node('Relu', 'r', ['t'], ['y']),
        ];
        const bytes = modelOf(nodes, {
          constants: [
            normals('w', weights, seed),
            normals('b', [filters], seed + 1),
            normals('g', [filters], seed + 2),
            normals('h', [filters], seed + 3),
            normals('m', [filters], seed + 4),
            positive,
          ],
          inputs: [{ name: 'x', dtype: 1, dims: [1, 4, 6, 5] }],
        });
        const [fused, plain] = bothWays(bytes);
        expect(fused.module.length).toBeLessThan(plain.module.length);
        const [got, want] = [answers(fused, seed), answers(plain, seed)];
        const largest = want.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
        got.forEach((v, i) => {
          expect(Math.abs(v - (want[i] ?? Number.NaN))).toBeLessThanOrEqual(NORMALIZED * largest);
        });
      },
    ),
    { numRuns: 40 },
  );
});

test('the steps that are fused are gone, and what is read twice is not fused', () => {
  const build = (again: boolean) => {
    const plan = createPlan();
    const [a, b, y, z] = [plan.room(64), plan.room(64), plan.room(64), plan.room(64)];
    const matrix = { offset: 0, row: 16, column: 4 };
    emitFloatProduct(plan, {
      a: { ...matrix, buffer: a },
      b: { ...matrix, buffer: b },
      y,
      yOffset: 0,
      m: 4,
      n: 4,
      k: 4,
    });
    plan.emit(OPCODE.unary, UNARY.Relu, address(y), address(z), 16, word(0), word(0));
    if (again) plan.emit(OPCODE.outputBytes, address(y), 0, 64);
    plan.emit(OPCODE.outputBytes, address(z), 0, 64);
    return fuse(plan);
  };
  const [product, ...rest] = build(false);
  expect(rest.map(({ opcode }) => opcode)).toEqual([OPCODE.outputBytes]);
  expect(product?.operands[AT.activation]).toBe(UNARY.Relu);
  expect(build(true).map(({ opcode }) => opcode)).toEqual([
    OPCODE.product,
    OPCODE.unary,
    OPCODE.outputBytes,
    OPCODE.outputBytes,
  ]);
});
