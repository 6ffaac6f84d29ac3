import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Description,
  decodeAnswer,
  encodeRequest,
  pictureOf,
  readDescription,
  textInput,
  textOf,
} from './description.ts';
import { TEXT_TYPE } from './text.ts';

const TEXT = JSON.stringify({
  task: 'creatures',
  inputs: [
    { name: 'species', dtype: 'uint8', shape: [1], labels: ['cat', 'owl'] },
    { name: 'body', dtype: 'uint8', shape: [3] },
    { name: 'weight', dtype: 'float32', shape: [1, 2] },
  ],
  outputs: [{ name: 'image', dtype: 'uint8', shape: [2, 1, 3] }],
  example: { input: '01ff', seed: '18446744073709551615' },
});

function read(text: string): Description {
  const description = readDescription(text);
  if (!description.ok) throw new Error(description.error);
  return description.value;
}

test('labels, colours and numbers become the bytes of a request', () => {
  const description = read(TEXT);
  expect(description.example).toEqual({ input: Uint8Array.of(1, 255), seed: 2n ** 64n - 1n });
  const floats = [...new Uint8Array(Float32Array.of(1.5, -2).buffer)];
  expect(encodeRequest(description, { species: 'owl', body: '#0aFF10', weight: [1.5, -2] })).toEqual({
    ok: true,
    value: Uint8Array.of(1, 10, 255, 16, ...floats),
  });
  expect(encodeRequest(description, { species: 1, body: [10, 255, 16], weight: [1.5, -2] })).toMatchObject({
    ok: true,
  });
});

test.each<[object, string]>([
  [{ species: 'dog', body: '#000000', weight: [0, 0] }, 'species: "dog" is none of cat, owl'],
  [{ species: 'cat', body: '#00', weight: [0, 0] }, 'body: 1 values; expected 3'],
  [{ species: 'cat', body: [0, 0, 256], weight: [0, 0] }, 'body: 256 is not a whole number from 0 to 255'],
  [{ species: 'cat', body: [0, 0, 0] }, 'weight is missing'],
  [{ species: 'cat', body: [0, 0, 0], weight: [0, 'x'] }, 'weight: "x" is not a number'],
  [{ colour: 1 }, 'the model has no input "colour"; it has species, body, weight'],
])('%j is refused with a sentence', (request, error) => {
  expect(encodeRequest(read(TEXT), request)).toEqual({ ok: false, error });
});

test('an answer of the described size is a picture, another is not', () => {
  const data = Uint8Array.of(1, 2, 3, 4, 5, 6);
  expect(pictureOf(read(TEXT), data)).toEqual({ width: 1, height: 2, channels: 3, data });
  expect(pictureOf(read(TEXT), data.subarray(1))).toBeUndefined();
  const nothing = { name: 'x', dtype: 'uint8', shape: [0, 4, 3], labels: undefined, text: false, otherwise: undefined };
  const described = { ...read(TEXT), outputs: [nothing] } as ReturnType<typeof read>;
  expect(pictureOf(described, new Uint8Array(0))).toBeUndefined();
});

const TELLER = {
  inputs: [
    { name: 'prompt', dtype: 'uint8', shape: [4], mediaType: TEXT_TYPE },
    { name: 'warmth', dtype: 'uint8', shape: [1], default: 7 },
  ],
  outputs: [{ name: 'answer', dtype: 'uint8', shape: [3], mediaType: TEXT_TYPE }],
};

test('a text stands for a request whose other inputs have a default, and an answer is a text', () => {
  const teller = read(JSON.stringify(TELLER));
  expect(textInput(teller)?.name).toBe('prompt');
  expect(encodeRequest(teller, { prompt: 'ab' })).toEqual({ ok: true, value: Uint8Array.of(0, 0, 97, 98, 7) });
  expect(encodeRequest(teller, { prompt: 'ab', warmth: 9 })).toMatchObject({ value: Uint8Array.of(0, 0, 97, 98, 9) });
  expect(encodeRequest(teller, { prompt: [1, 2, 3, 4] })).toMatchObject({ value: Uint8Array.of(1, 2, 3, 4, 7) });
  expect(encodeRequest(teller, { prompt: 'abcde' })).toMatchObject({ ok: false });
  const answer = Uint8Array.of(97, 98, 0);
  expect(textOf(teller, answer)).toEqual(answer);
  expect(textOf(teller, answer.subarray(1))).toBeUndefined();
  expect(decodeAnswer(teller, answer)).toEqual({ ok: true, value: { answer: 'ab' } });
});

test.each([
  ['two texts', { inputs: [TELLER.inputs[0], { ...TELLER.inputs[0], name: 'other' }] }],
  ['another input without a default', { inputs: [TELLER.inputs[0], { name: 'x', dtype: 'uint8', shape: [1] }] }],
  ['another charset', { inputs: [{ ...TELLER.inputs[0], mediaType: 'text/plain; charset=utf-16' }] }],
  ['another type', { inputs: [{ ...TELLER.inputs[0], dtype: 'int8' }] }],
])('with %s a bare text stands for nothing', (_what, other) => {
  expect(textInput(read(JSON.stringify({ ...TELLER, ...other })))).toBeUndefined();
});

test('whatever a model says of itself, it is read or refused with a sentence', () => {
  const field = fc.record(
    {
      name: fc.oneof(fc.string(), fc.jsonValue()),
      dtype: fc.oneof(fc.constant('uint8'), fc.jsonValue()),
      shape: fc.oneof(fc.array(fc.integer()), fc.constant([3]), fc.jsonValue()),
      mediaType: fc.oneof(fc.constant(TEXT_TYPE), fc.jsonValue()),
      default: fc.oneof(fc.integer(), fc.jsonValue()),
    },
    { requiredKeys: [] },
  );
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({ inputs: fc.array(field), outputs: fc.array(field), example: fc.jsonValue() })
      .map((v) => JSON.stringify(v)),
  );
  fc.assert(
    fc.property(text, fc.jsonValue(), (description, request) => {
      const got = readDescription(description);
      if (!got.ok) expect(got.error).not.toBe('');
      else expect(typeof encodeRequest(got.value, request).ok).toBe('boolean');
      if (got.ok) expect(typeof decodeAnswer(got.value, Uint8Array.of(1, 255, 0)).ok).toBe('boolean');
    }),
    { numRuns: 1000 },
  );
});
