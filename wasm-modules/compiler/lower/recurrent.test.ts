import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compare, normal } from '#test/onnx/compare.ts';
import type { TypedTensor } from '#test/onnx/onnxruntime.ts';
import type { Attribute } from '../../onnx/model.ts';
import { float, int, singleNode } from '../../testing/graph.ts';
import { compileOnnx } from '../compile.ts';

const RUNS = 30;

const shape = fc.record({
  steps: fc.integer({ min: 1, max: 4 }),
  batch: fc.integer({ min: 1, max: 3 }),
  inputs: fc.integer({ min: 1, max: 3 }),
  hidden: fc.integer({ min: 1, max: 9 }),
  direction: fc.constantFrom('forward', 'reverse', 'bidirectional'),
  bias: fc.boolean(),
  lengths: fc.constantFrom('none', 'constant', 'input'),
  initial: fc.boolean(),
  peepholes: fc.boolean(),
  clip: fc.boolean(),
  linear: fc.integer({ min: 0, max: 1 }),
  seed: fc.integer({ min: 0, max: 1 << 30 }),
});

test.each([
  ['LSTM', 4],
  ['GRU', 3],
  ['RNN', 1],
] as const)('%s agrees with ONNX Runtime', async (op, gates) => {
  await fc.assert(
    fc.asyncProperty(shape, async (g) => {
      const directions = g.direction === 'bidirectional' ? 2 : 1;
      const rows = gates * g.hidden;
      const lengths: TypedTensor & { constant: boolean } = {
        dtype: 'int32',
        dims: [g.batch],
        data: Int32Array.from({ length: g.batch }, (_, i) => 1 + ((g.seed + i) % g.steps)),
        constant: g.lengths === 'constant',
      };
      const state = (seed: number): TypedTensor => normal([directions, g.batch, g.hidden], g.seed + seed);
      const long = op === 'LSTM';
      const inputs = [
        normal([g.steps, g.batch, g.inputs], g.seed),
        normal([directions, rows, g.inputs], g.seed + 1),
        normal([directions, rows, g.hidden], g.seed + 2),
        g.bias ? normal([directions, 2 * rows], g.seed + 3) : undefined,
        g.lengths === 'none' ? undefined : lengths,
        g.initial ? state(4) : undefined,
        ...(long ? [g.initial ? state(5) : undefined] : []),
        ...(long && g.peepholes ? [normal([directions, 3 * g.hidden], g.seed + 6)] : []),
      ];
      const attributes: Record<string, Attribute> = {
        hidden_size: int(g.hidden),
        direction: { kind: 'string', value: g.direction },
        ...(g.clip && !long ? { clip: float(0.4) } : {}),
        ...(op === 'GRU' ? { linear_before_reset: int(g.linear) } : {}),
      };
      const outputs = long ? (['float32', 'float32', 'float32'] as const) : (['float32', 'float32'] as const);
      await compare({ op, inputs, attributes, outputs, opset: 14 });
    }),
    { numRuns: RUNS },
  );
});

test('other activations without parameters agree with ONNX Runtime', async () => {
  const inputs = [normal([3, 2, 2], 1), normal([1, 4, 2], 2), normal([1, 4, 4], 3)];
  for (const name of ['Relu', 'Softsign', 'Softplus', 'Sigmoid']) {
    const attributes = { hidden_size: int(4), activations: { kind: 'strings', value: [name] } as const };
    await compare({ op: 'RNN', inputs, attributes, outputs: ['float32', 'float32'], opset: 14 });
  }
});

test('a clip of LSTM is refused', () => {
  const inputs = [{ dims: [3, 2, 2] }, { dims: [1, 16, 2] }, { dims: [1, 16, 4] }];
  const compiled = compileOnnx(singleNode({ op: 'LSTM', inputs, attributes: { clip: float(1) }, opset: 14 }));
  const reason = 'clip: implementations differ in whether it applies to the cell state';
  expect(compiled).toMatchObject({ ok: false, error: { kind: 'unsupported', node: 'the-node', op: 'LSTM', reason } });
});

test.each<[string, Record<string, Attribute>, string]>([
  [
    'an activation with parameters',
    { activations: { kind: 'strings', value: ['Affine'] } },
    'activation Affine is not supported',
  ],
  [
    'another number of activations',
    { activations: { kind: 'strings', value: ['Tanh', 'Tanh'] } },
    '2 activations; expected 1',
  ],
  ['another direction', { direction: { kind: 'string', value: 'sideways' } }, 'direction sideways'],
  ['another size than the weights have', { hidden_size: int(5) }, 'hidden_size is not 4, as the weights have it'],
])('%s is refused with its node', (_, attributes, reason) => {
  const inputs = [{ dims: [3, 2, 2] }, { dims: [1, 4, 2] }, { dims: [1, 4, 4] }];
  const compiled = compileOnnx(singleNode({ op: 'RNN', inputs, attributes, opset: 14 }));
  expect(compiled).toMatchObject({ ok: false, error: { node: 'the-node', op: 'RNN', reason } });
});
