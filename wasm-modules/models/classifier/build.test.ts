import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runWithOnnxRuntime } from '#test/onnx/onnxruntime.ts';
import { openCore } from '../../compiler/harness.ts';
import { decodeAnswer, readDescription } from '../../description.ts';
import { buildClassifierCore, CLASSIFIER_OPTIONS, classifierOnnx } from './build.ts';
import { SIDE, SPECIES } from './data.ts';
import { BYTE_SCALE, BYTE_SHIFT } from './network.ts';
import { CLASSIFIER_TRAINING, heldOutPhotos } from './training.ts';

/** SHA-256 of what the committed model compiles to: on every machine, and until model, compiler or kernels change. */
const CORE_SHA256 = '0d8a1072156df15f6c0e8af6e931c11fffb8b08ec7f5fcc8bd146617bfeb950e';
/** SHA-256 of the answer to the example in `describe`. */
const EXAMPLE_SHA256 = '09c0d34515eec74b4abee4f0cf1d1ccd68703af09f9296e1bd144e7ffc99a7d7';
/** Largest difference of a probability from ONNX Runtime. */
const TOLERANCE = 1e-5;
/** Bytes of a component inside a registration transaction. */
const COMPONENT_LIMIT = 512 * 1024;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const core = openCore(buildClassifierCore());

function probabilities(photo: Uint8Array): Float32Array {
  const answer = core.infer(photo, 0n);
  if (!answer.ok) throw new Error(answer.error);
  return new Float32Array(answer.value.slice().buffer);
}

test('the committed model compiles to the pinned module, which fits a registration', () => {
  const module = buildClassifierCore();
  expect(sha256(module)).toBe(CORE_SHA256);
  expect(module.length).toBeLessThan(COMPONENT_LIMIT - 16 * 1024);
  const { input } = CLASSIFIER_OPTIONS.example ?? { input: new Uint8Array(0) };
  expect(sha256(new Uint8Array(probabilities(input).buffer))).toBe(EXAMPLE_SHA256);
});

test('it finds the species of held-out photos as often as the card says', () => {
  const photos = heldOutPhotos({ ...CLASSIFIER_TRAINING, heldOut: 400 });
  const right = photos.filter(({ species, pixels }) => {
    const found = probabilities(pixels);
    return found.indexOf(Math.max(...found)) === species;
  });
  // The card's share is of 2,048 photos; these are the first 400 of them.
  expect(right.length).toBe(382);
});

test('its probabilities agree with ONNX Runtime', async () => {
  for (const { pixels } of heldOutPhotos({ ...CLASSIFIER_TRAINING, heldOut: 8 })) {
    const photo = { dims: [1, SIDE, SIDE, 3], data: Float32Array.from(pixels, (v) => v * BYTE_SCALE + BYTE_SHIFT) };
    const [expected] = await runWithOnnxRuntime(classifierOnnx(), { photo });
    const got = probabilities(pixels);
    got.forEach((p, i) => {
      expect(Math.abs(p - (expected?.data[i] ?? Number.NaN))).toBeLessThanOrEqual(TOLERANCE);
    });
    expect(Math.abs(got.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-6);
  }
});

test('its answer is read with the names of the species', () => {
  const description = readDescription(core.describe());
  if (!description.ok) throw new Error(description.error);
  const { example } = description.value;
  const answer = core.infer(example?.input ?? new Uint8Array(0), 0n);
  if (!answer.ok) throw new Error(answer.error);
  const decoded = decodeAnswer(description.value, answer.value);
  expect(decoded.ok && Object.keys(decoded.value.probabilities as object)).toEqual([...SPECIES]);
});

test('the card states what was measured', () => {
  const file = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');
  const [card, log] = [file('card.md'), JSON.parse(file('loss.json'))];
  expect(log.training).toEqual(CLASSIFIER_TRAINING);
  const { trained, untrained, nearestMean, confusion } = log.heldOut;
  for (const share of [trained, untrained, nearestMean]) expect(card).toContain(share.toFixed(4));
  SPECIES.forEach((name, row) => {
    expect(card).toContain(`| ${name} | ${confusion[row].join(' | ')} |`);
  });
  expect(trained).toBeGreaterThan(2 * nearestMean);
  expect(log.curve.at(-1).step).toBe(CLASSIFIER_TRAINING.steps);
});
