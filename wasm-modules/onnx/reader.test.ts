import fc from 'fast-check';
import { expect, test } from 'vitest';
import { float, floatTensor, int, ints, intTensor, modelOf, node } from '../testing/graph.ts';
import { createMessage } from './protobuf.ts';
import { readModel, readTensor } from './reader.ts';
import { describeError } from './refusal.ts';
import { writeModel, writeTensor } from './writer.ts';

const SAMPLE = modelOf(
  [
    node('Gemm', 'first', ['x', 'w', ''], ['h'], { alpha: float(0.5), transB: int(1) }),
    node('Reshape', 'second', ['h', 'shape'], ['y'], {
      names: { kind: 'strings', value: ['a', 'é'] },
      list: ints(1, -2, 3),
      mode: { kind: 'string', value: 'linear' },
      scales: { kind: 'floats', value: [0.5, -1.25] },
      table: { kind: 'tensor', value: floatTensor('t', [2], [1, 2]) },
    }),
  ],
  {
    constants: [floatTensor('w', [2, 3], [1, 2, 3, 4, 5, 6]), intTensor('shape', [-1, 2])],
    inputs: [{ name: 'x', dtype: 1, dims: ['batch', 3] }],
    outputs: [{ name: 'y', dtype: 1, dims: [2, 1] }],
  },
);

test('a model read and written again has the same bytes', () => {
  const model = readModel(SAMPLE);
  if (!model.ok) throw new Error(describeError(model.error));
  expect(model.value.nodes.map(({ name, op }) => `${name}:${op}`)).toEqual(['first:Gemm', 'second:Reshape']);
  expect(model.value.inputs).toEqual([{ name: 'x', dtype: 1, dims: ['batch', 3] }]);
  expect(model.value.nodes[1]?.attributes.get('list')).toEqual({ kind: 'ints', value: [1n, -2n, 3n] });
  expect(writeModel(model.value)).toEqual(SAMPLE);
});

test('raw tensor data is a view of the file, not a copy', () => {
  const model = readModel(SAMPLE);
  if (!model.ok) throw new Error(describeError(model.error));
  expect(model.value.initializers.get('w')?.data.buffer).toBe(SAMPLE.buffer);
});

test('tensor data in typed lists equals raw data', () => {
  const floats = createMessage();
  floats.varint(1, 2);
  floats.varint(2, 1);
  floats.bytes(4, new Uint8Array(Float32Array.of(1.5, -2).buffer));
  expect(readTensor(floats.finish())).toEqual({ ok: true, value: floatTensor('', [2], [1.5, -2]) });
  const integers = createMessage();
  integers.varint(1, 2);
  integers.varint(2, 7);
  integers.varint(7, -5);
  integers.varint(7, 9);
  expect(readTensor(integers.finish())).toEqual({ ok: true, value: intTensor('', [-5, 9]) });
});

test.each<[string, Uint8Array, string, RegExp]>([
  ['nothing', new Uint8Array(0), 'malformed', /no graph/],
  ['a truncated varint', Uint8Array.of(0x80), 'malformed', /varint is truncated/],
  ['a varint of eleven bytes', new Uint8Array(12).fill(0xff), 'malformed', /longer than 64 bits/],
  ['a length beyond the end', Uint8Array.of(0x3a, 0x05, 0x01), 'malformed', /claims 5 bytes, 1 are left/],
  ['a group', Uint8Array.of(0x0b), 'malformed', /wire type 3/],
  ['field number zero', Uint8Array.of(0x00, 0x00), 'malformed', /field number 0/],
  ['a graph of the wrong wire type', Uint8Array.of(0x38, 0x01), 'malformed', /graph has wire type 0/],
  ['functions', Uint8Array.of(0xca, 0x01, 0x00), 'unsupported', /functions of its own/],
])('%s is refused as what it is', (_, bytes, kind, reason) => {
  const model = readModel(bytes);
  expect(model.ok).toBe(false);
  if (model.ok) return;
  expect(model.error.kind).toBe(kind);
  expect(model.error.reason).toMatch(reason);
});

test('a tensor whose data does not fit its shape is refused', () => {
  const wrong = { ...floatTensor('w', [2, 3], [1, 2, 3, 4, 5, 6]), dims: [2, 2] };
  expect(readTensor(writeTensor(wrong))).toMatchObject({
    ok: false,
    error: { kind: 'invalid', reason: expect.stringContaining('asks for 16') },
  });
  const huge = createMessage();
  for (let i = 0; i < 8; i++) huge.varint(1, 65_536);
  huge.varint(2, 1);
  expect(readTensor(huge.finish())).toMatchObject({ ok: false, error: { kind: 'too-large' } });
});

test('any mutation or truncation of a model gives a model or a typed refusal, nothing else', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(SAMPLE.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.nat(SAMPLE.length),
      (edits, length) => {
        const bytes = SAMPLE.slice();
        for (const [at, value] of edits) bytes[at] = value;
        const cut = readModel(bytes.subarray(0, length));
        if (!cut.ok) expect(cut.error.reason).not.toBe('');
        const whole = readModel(bytes);
        if (!whole.ok) expect(['malformed', 'invalid', 'unsupported', 'too-large']).toContain(whole.error.kind);
      },
    ),
    { numRuns: 2000 },
  );
});

test('any bytes give a typed refusal', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const model = readModel(bytes);
      if (!model.ok) expect(describeError(model.error)).toContain(model.error.kind);
    }),
    { numRuns: 2000 },
  );
});
