import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compare, longs, normal, whole } from '#test/onnx/compare.ts';
import type { Attribute } from '../../onnx/model.ts';
import { describeError } from '../../onnx/refusal.ts';
import { int, intTensor, modelOf, node } from '../../testing/graph.ts';
import { compileOnnx } from '../compile.ts';
import { openCore } from '../harness.ts';

const RUNS = 25;
const text = (value: string): Attribute => ({ kind: 'string', value });
const size = fc.integer({ min: 1, max: 4 });
const seeds = fc.integer({ min: 0, max: 1 << 30 });
const axes = fc.integer({ min: 0, max: 2 });
const kind = fc.constantFrom<'int64' | 'int32'>('int64', 'int32');
/** Smaller in every dimension but the axis, where it may be larger. */
const within = (dims: readonly number[], axis: number, count: number): number[] =>
  dims.map((d, i) => (i === axis ? count : Math.max(1, d - 1)));

test('GatherElements along any axis agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(size, size, size, axes, size, kind, seeds, async (a, b, c, axis, count, dtype, seed) => {
      const dims = [a, b, c];
      const length = dims[axis] ?? 1;
      const indices = whole(dtype, within(dims, axis, count), -length, length - 1, seed + 1);
      await compare({ op: 'GatherElements', inputs: [normal(dims, seed), indices], attributes: { axis: int(axis) } });
    }),
    { numRuns: RUNS },
  );
});

test('GatherND with and without batches agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      size,
      size,
      size,
      fc.integer({ min: 1, max: 2 }),
      fc.integer({ min: 0, max: 1 }),
      seeds,
      async (a, b, count, depth, batch, seed) => {
        const least = Math.min(a, b, 2);
        const shape = [...(batch === 1 ? [a] : []), count, depth];
        const indices = whole('int64', shape, -least, least - 1, seed);
        const inputs = [normal([a, b, 2], seed + 1), indices];
        await compare({ op: 'GatherND', inputs, attributes: { batch_dims: int(batch) }, opset: 13 });
      },
    ),
    { numRuns: RUNS },
  );
});

test('ScatterElements and ScatterND with any indices and reduction agree with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('none', 'add', 'mul', 'max', 'min'),
      size,
      size,
      size,
      axes,
      fc.boolean(),
      seeds,
      async (reduction, a, b, c, axis, constant, seed) => {
        const dims = [a, b, c];
        const length = dims[axis] ?? 1;
        // Without a reduction ONNX leaves open what two updates of one place give.
        const once = reduction === 'none';
        const own = within(dims, axis, once ? 1 : length);
        const elements = { ...whole('int64', own, -length, length - 1, seed), constant };
        const attributes = { axis: int(axis), reduction: text(reduction) };
        const inputs = [normal(dims, seed + 1), elements, normal(own, seed + 2)];
        await compare({ op: 'ScatterElements', inputs, attributes });
        const rows = { ...whole('int64', [once ? 1 : 3, 2], -Math.min(a, b), Math.min(a, b) - 1, seed + 3), constant };
        const updates = normal([once ? 1 : 3, c], seed + 4);
        const scatter = { op: 'ScatterND', inputs: [normal(dims, seed + 5), rows, updates] };
        await compare({ ...scatter, attributes: { reduction: text(reduction) } });
      },
    ),
    { numRuns: RUNS },
  );
});

test('of several updates of one place the last stays, with constant indices and with others', () => {
  for (const constant of [true, false]) {
    const indices = intTensor('x1', [1, -2, 1]);
    const graph = modelOf([node('ScatterElements', 'n', ['x0', 'x1', 'x2'], ['y'])], {
      opset: 18,
      constants: constant ? [indices] : [],
      inputs: [
        { name: 'x0', dtype: 1, dims: [3] },
        ...(constant ? [] : [{ name: 'x1', dtype: 7, dims: [3] }]),
        { name: 'x2', dtype: 1, dims: [3] },
      ],
    });
    const compiled = compileOnnx(graph);
    if (!compiled.ok) throw new Error(describeError(compiled.error));
    const parts = [
      Float32Array.of(1, 2, 3),
      ...(constant ? [] : [BigInt64Array.of(1n, -2n, 1n)]),
      Float32Array.of(7, 8, 9),
    ];
    const request = Buffer.concat(parts.map(({ buffer }) => new Uint8Array(buffer)));
    const answer = openCore(compiled.value.module).infer(request, 0n);
    if (!answer.ok) throw new Error(answer.error);
    expect([...new Float32Array(answer.value.buffer)]).toEqual([1, 9, 3]);
  }
});

test('what nothing is scattered into stays as it is', () => {
  for (const [op, indices, updates] of [
    ['ScatterElements', [0], [0]],
    ['ScatterND', [0, 1], [0]],
  ] as const) {
    const graph = modelOf([node(op, 'n', ['x0', 'x1', 'x2'], ['y'])], {
      opset: 18,
      constants: [],
      inputs: [
        { name: 'x0', dtype: 1, dims: [3] },
        { name: 'x1', dtype: 7, dims: indices },
        { name: 'x2', dtype: 1, dims: updates },
      ],
    });
    const compiled = compileOnnx(graph);
    if (!compiled.ok) throw new Error(describeError(compiled.error));
    const answer = openCore(compiled.value.module).infer(new Uint8Array(Float32Array.of(1, 2, 3).buffer), 0n);
    if (!answer.ok) throw new Error(answer.error);
    expect([...new Float32Array(answer.value.slice().buffer)]).toEqual([1, 2, 3]);
  }
});

test.each([
  ['GatherElements', [3], [1]],
  ['GatherND', [3], [1, 1]],
] as const)('an index of %s outside of its axis is refused when it is used', (op, dims, indices) => {
  const graph = modelOf([node(op, 'the-node', ['x0', 'x1'], ['y'])], {
    inputs: [
      { name: 'x0', dtype: 1, dims },
      { name: 'x1', dtype: 7, dims: indices },
    ],
  });
  const compiled = compileOnnx(graph);
  if (!compiled.ok) throw new Error(describeError(compiled.error));
  const request = new Uint8Array(compiled.value.requestBytes);
  new DataView(request.buffer).setBigInt64(12, 3n, true);
  const answer = openCore(compiled.value.module).infer(request, 0n);
  expect(answer).toEqual({ ok: false, error: `an index at node "the-node" (${op}) is outside of its axis of 3` });
});

test('Compress, ReverseSequence and OneHot agree with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(size, size, axes, fc.boolean(), seeds, async (m, n, axis, timeFirst, seed) => {
      const mask = { dtype: 'bool', dims: [2], data: Uint8Array.of(1, seed % 2), constant: true } as const;
      await compare({ op: 'Compress', inputs: [normal([3, 2, 4], seed), mask], attributes: { axis: int(axis) } });
      await compare({ op: 'Compress', inputs: [normal([m, n + 1], seed), mask] });
      const lengths = whole('int64', [n], 1, m, seed);
      const x = normal(timeFirst ? [m, n, 2] : [n, m, 2], seed);
      const attributes = { time_axis: int(timeFirst ? 0 : 1), batch_axis: int(timeFirst ? 1 : 0) };
      await compare({ op: 'ReverseSequence', inputs: [x, lengths], attributes });
      const indices = whole('int64', [m, n], -5, 5, seed);
      const hot = { op: 'OneHot', inputs: [indices, longs(4), normal([2], seed)] };
      await compare({ ...hot, attributes: { axis: int(axis) } });
    }),
    { numRuns: RUNS },
  );
});
