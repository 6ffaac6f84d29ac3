/** What a person hands a model may come from anybody, and so may the model: a request or a sentence, never anything else. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CliError } from '#node/cli/context.ts';
import { answerFile, answerText, readModelInput } from '#node/cli/model-input.ts';
import { decodePicture, encodePicture } from '#node/cli/pictures.ts';
import { type Description, readDescription } from '#wasm-modules/description.ts';
import { TEXT_TYPE } from '#wasm-modules/text.ts';
import { fuzzRuns } from './runs.ts';

const SIZE = { width: 16, height: 16 };
const picture = {
  ...SIZE,
  channels: 3 as const,
  data: Uint8Array.from({ length: 768 }, (_, i) => (i * i) % 251),
};

const edits = fc.array(
  fc.record({ at: fc.nat(4_000), value: fc.nat(255), kind: fc.constantFrom('set', 'cut', 'repeat') }),
  { maxLength: 6 },
);

function edited(file: Uint8Array, list: readonly { at: number; value: number; kind: string }[]): Uint8Array {
  return list.reduce((bytes, { at, value, kind }) => {
    const place = at % Math.max(bytes.length, 1);
    if (kind === 'set') return bytes.map((byte, i) => (i === place ? value : byte));
    const rest = bytes.subarray(place + (kind === 'cut' ? value % 16 : 0));
    const before = kind === 'cut' ? place : Math.min(place + (value % 64), bytes.length);
    return Uint8Array.from([...bytes.subarray(0, before), ...rest]);
  }, file);
}

test.each(['PNG', 'JPEG'] as const)(
  'a %s that somebody altered: pixels of the size asked for, or a sentence',
  (format) => {
    const file = encodePicture(picture, format, 1);
    fc.assert(
      fc.property(edits, (list) => {
        try {
          const { width, height, channels, data } = decodePicture(edited(file, list), 'it', format, SIZE);
          expect([width, height, data.length]).toEqual([16, 16, 256 * channels]);
        } catch (error) {
          expect(error).toBeInstanceOf(CliError);
        }
      }),
      { numRuns: fuzzRuns(600) },
    );
  },
);

const field = fc.record({
  name: fc.constantFrom('prompt', 'a', '__proto__'),
  dtype: fc.constantFrom('uint8', 'float32', 'int64'),
  shape: fc.array(fc.nat(5), { maxLength: 3 }),
  mediaType: fc.constantFrom(TEXT_TYPE, 'application/octet-stream'),
  default: fc.oneof(fc.constant(undefined), fc.double(), fc.integer({ min: 0, max: 300 })),
});

const description = fc
  .record({ inputs: fc.array(field, { maxLength: 3 }), outputs: fc.array(field, { minLength: 1, maxLength: 2 }) })
  .map((value): Description => {
    const read = readDescription(JSON.stringify(value));
    if (!read.ok) throw new Error(read.error);
    return read.value;
  });

test('any --input for any model: a request of the model’s length, or a sentence', async () => {
  const given = fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => `text:${text}`),
    fc.json().map((text) => `{"prompt":${text}}`),
    fc.string().map((text) => `hex:${text}`),
    fc.constantFrom('{', '{}', 'absent.txt', 'absent.png', 'absent.json', 'absent'),
  );
  await fc.assert(
    fc.asyncProperty(given, description, async (text, model) => {
      const width = { uint8: 1, float32: 4, int64: 8 } as Record<string, number>;
      const bytes = model.inputs.reduce(
        (sum, { dtype, shape }) => sum + (width[dtype] ?? 0) * shape.reduce((n, d) => n * d, 1),
        0,
      );
      try {
        const request = await readModelInput(text, async () => model);
        if (!text.startsWith('hex:') && model.inputs.every(({ name }) => name !== '__proto__'))
          expect(request.length).toBe(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(CliError);
      }
    }),
    { numRuns: fuzzRuns(1_000) },
  );
});

test('any answer of any model: a file or a sentence', () => {
  fc.assert(
    fc.property(description, fc.uint8Array({ maxLength: 64 }), fc.nat(5), (model, answer, pick) => {
      const path = ['x.json', 'x.txt', 'x.png', 'x.jpg', 'x.bin', 'x.jpeg'][pick] as string;
      try {
        const file = answerFile(path, answer, model, 2);
        if (path === 'x.bin') expect(file).toBe(answer);
        expect(answerText(answer, model) ?? '').not.toMatch(/[^\P{Cc}\n\t]/u);
      } catch (error) {
        expect(error).toBeInstanceOf(CliError);
      }
    }),
    { numRuns: fuzzRuns(1_000) },
  );
});
