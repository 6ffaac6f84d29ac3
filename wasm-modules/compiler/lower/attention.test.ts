import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compare, normal, whole } from '#test/onnx/compare.ts';
import type { Attribute } from '../../onnx/model.ts';
import { float, int, singleNode } from '../../testing/graph.ts';
import { compileOnnx } from '../compile.ts';

const RUNS = 40;
const text = (value: string): Attribute => ({ kind: 'string', value });
const size = fc.integer({ min: 1, max: 4 });
const seeds = fc.integer({ min: 0, max: 1 << 30 });

test('Attention with groups, masks, a past and a scale agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        batch: size,
        groups: size,
        each: size,
        rows: size,
        keys: size,
        width: size,
        values: size,
        past: size,
      }),
      fc.constantFrom('none', 'float', 'bool', 'causal'),
      fc.boolean(),
      fc.boolean(),
      seeds,
      async (g, mask, flat, withPast, seed) => {
        const heads = g.groups * g.each;
        const dims = (count: number, length: number, width: number): number[] =>
          flat ? [g.batch, length, count * width] : [g.batch, count, length, width];
        // The other runtime and this one agree on where causality begins where there is a past, or as many rows as keys.
        const rows = mask === 'causal' ? g.keys : g.rows;
        const total = g.keys + (withPast ? g.past : 0);
        const flags = whole('uint8', [rows, total], 0, 1, seed + 3);
        // One key at least stays in each row.
        if (mask === 'bool') for (let i = 0; i < rows; i++) flags.data[i * total] = 1;
        const bias = mask === 'float' ? normal([heads, rows, total], seed + 3) : undefined;
        const past = (i: number, width: number) => normal([g.batch, g.groups, g.past, width], seed + i);
        const inputs = [
          normal(dims(heads, rows, g.width), seed),
          normal(dims(g.groups, g.keys, g.width), seed + 1),
          normal(dims(g.groups, g.keys, g.values), seed + 2),
          mask === 'bool' ? ({ ...flags, dtype: 'bool' } as const) : bias,
          ...(withPast ? [past(4, g.width), past(5, g.values)] : []),
        ];
        const attributes = {
          ...(flat ? { q_num_heads: int(heads), kv_num_heads: int(g.groups) } : {}),
          ...(mask === 'causal' ? { is_causal: int(1) } : {}),
          ...(seed % 2 === 0 ? { scale: float(0.3) } : {}),
        };
        const outputs = withPast ? (['float32', 'float32', 'float32'] as const) : (['float32'] as const);
        await compare({ op: 'Attention', inputs, attributes, outputs, opset: 23 });
      },
    ),
    { numRuns: RUNS },
  );
});

test('a row that is masked throughout, with the least float for minus infinity, gives 0 as with ONNX Runtime', async () => {
  const [rows, keys, width] = [3, 4, 2];
  const mask = normal([rows, keys], 9);
  const data = Float32Array.from({ length: rows * keys }, (_, i) =>
    i < keys ? -3.4028234663852886e38 : Number(mask.data[i]),
  );
  const [q, k, v] = [rows, keys, keys].map((count, i) => normal([1, 1, count, width], i));
  await compare({ op: 'Attention', inputs: [q, k, v, { ...mask, data }], attributes: {}, opset: 23 });
});

test('RotaryEmbedding agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      size,
      size,
      size,
      size,
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      seeds,
      async (batch, heads, rows, half, flat, apart, partial, seed) => {
        const width = 2 * half + (partial ? 2 : 0);
        const x = normal(flat ? [batch, rows, heads * width] : [batch, heads, rows, width], seed);
        const caches = [1, 2].map((i) => normal([6, half], seed + i));
        const positions = whole('int64', [batch, rows], 0, 5, seed);
        const attributes = {
          interleaved: int(Number(apart)),
          ...(flat || partial ? { num_heads: int(heads) } : {}),
          ...(partial ? { rotary_embedding_dim: int(2 * half) } : {}),
        };
        await compare({ op: 'RotaryEmbedding', inputs: [x, ...caches, positions], attributes, opset: 23 });
      },
    ),
    { numRuns: RUNS },
  );
});

test('Einsum of one, two and three operands agrees with ONNX Runtime', async () => {
  const sizes: Readonly<Record<string, number>> = { a: 2, b: 3, c: 4, d: 5, i: 3, j: 2, k: 4 };
  const dimsOf = (term: string): number[] => [...term].map((label) => sizes[label] ?? 1);
  for (const equation of [
    'ij->ji',
    'ij->',
    'ij->j',
    'ii->i',
    'iij->j',
    'ij,jk->ik',
    'ij,jk',
    'bij,bjk->bik',
    'bij,bkj->bik',
    'ij,ij->',
    'i,j->ij',
    'bij,bij->b',
    'abc,cd->abd',
    'ab,bc,cd->ad',
    'ab,ab,ab->a',
    'ab,cd->abcd',
    'abc,ad->bd',
  ]) {
    const [left = ''] = equation.split('->');
    const inputs = left.split(',').map((term, i) => normal(dimsOf(term), i + equation.length));
    await compare({ op: 'Einsum', inputs, attributes: { equation: text(equation) } });
  }
  const batches = [normal([2, 5, 3, 4], 1), normal([2, 5, 4, 2], 2)];
  await compare({ op: 'Einsum', inputs: batches, attributes: { equation: text('...ij, ...jk -> ...ik') } });
});

test.each<[string, string, readonly (readonly number[])[], string]>([
  [
    'two sizes of a label',
    'ij,jk->ik',
    [
      [2, 3],
      [4, 5],
    ],
    'label j has two sizes: 3 and 4',
  ],
  ['a result of unknown labels', 'ij->ik', [[2, 3]], 'result "ik" of the equation'],
  ['another number of terms', 'ij,jk->ik', [[2, 3]], 'an equation of 2 terms for 1 inputs'],
  ['another number of dimensions', 'ijk->i', [[2, 3]], 'term "ijk" for 2 dimensions'],
])('Einsum with %s is refused', (_, equation, dims, reason) => {
  const inputs = dims.map((own) => ({ dims: own }));
  const compiled = compileOnnx(singleNode({ op: 'Einsum', inputs, attributes: { equation: text(equation) } }));
  expect(compiled).toMatchObject({ ok: false, error: { kind: 'invalid', node: 'the-node', op: 'Einsum', reason } });
});

test('what revisions of Attention disagree about is refused', () => {
  const inputs = [{ dims: [1, 1, 2, 2] }, { dims: [1, 1, 2, 2] }, { dims: [1, 1, 2, 2] }];
  const attributes = { is_causal: int(1), softcap: float(2) };
  const compiled = compileOnnx(singleNode({ op: 'Attention', inputs, attributes, opset: 23 }));
  const reason = 'softcap with a mask: revisions of the operator differ in which of them comes first';
  expect(compiled).toMatchObject({ ok: false, error: { kind: 'unsupported', op: 'Attention', reason } });
});
