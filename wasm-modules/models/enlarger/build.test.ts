import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runWithOnnxRuntime } from '#test/onnx/onnxruntime.ts';
import { openCore } from '../../compiler/harness.ts';
import { buildEnlargerCore, ENLARGER_OPTIONS, enlargerOnnx } from './build.ts';
import { bilinear, LARGE, SMALL } from './data.ts';
import { BYTE_SCALE, BYTE_SHIFT } from './network.ts';
import { decibels, ENLARGER_TRAINING, heldOutPairs, squaredError } from './training.ts';

/** SHA-256 of what the committed model compiles to: on every machine, and until model, compiler or kernels change. */
const CORE_SHA256 = 'fd66443029aae224bc663b1cd9c41865ee513bf10654ff02332b38ef19bd0edf';
/** SHA-256 of the answer to the example in `describe`. */
const EXAMPLE_SHA256 = 'ca5f650f9a14788d222855c3cafe606c56bf59357f865204df1ad41c2ac2271e';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const core = openCore(buildEnlargerCore());

function enlarged(small: Uint8Array): Uint8Array {
  const answer = core.infer(small, 0n);
  if (!answer.ok) throw new Error(answer.error);
  return answer.value;
}

test('the committed model compiles to the pinned module and gives the pinned picture', () => {
  expect(sha256(buildEnlargerCore())).toBe(CORE_SHA256);
  const { input } = ENLARGER_OPTIONS.example ?? { input: new Uint8Array(0) };
  expect(sha256(enlarged(input))).toBe(EXAMPLE_SHA256);
});

test('it makes less than half of the error of bilinear interpolation on held-out pictures', () => {
  const pairs = heldOutPairs({ ...ENLARGER_TRAINING, heldOut: 100 });
  const mean = (make: (small: Uint8Array) => Float32Array): number =>
    pairs.reduce((sum, { small, large }) => sum + squaredError(make(small), large), 0) / pairs.length;
  const network = mean((small) => Float32Array.from(enlarged(small), (v) => v / 255));
  expect(network).toBeLessThan(mean(bilinear) / 2);
});

test('its pictures agree with ONNX Runtime to one step of a byte', async () => {
  for (const { small } of heldOutPairs({ ...ENLARGER_TRAINING, heldOut: 6 })) {
    const picture = { dims: [1, SMALL, SMALL, 3], data: Float32Array.from(small, (v) => v * BYTE_SCALE + BYTE_SHIFT) };
    const [expected] = await runWithOnnxRuntime(enlargerOnnx(), { picture });
    enlarged(small).forEach((byte, at) => {
      const [pixel, channel] = [Math.floor(at / 3), at % 3];
      const value = expected?.data[channel * LARGE * LARGE + pixel] ?? Number.NaN;
      expect(Math.abs(byte - value * 255)).toBeLessThanOrEqual(1);
    });
  }
});

test('the card states what was measured', () => {
  const file = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');
  const [card, log] = [file('card.md'), JSON.parse(file('loss.json'))];
  expect(log.training).toEqual(ENLARGER_TRAINING);
  for (const error of Object.values(log.heldOut as Record<string, number>)) {
    expect(card).toContain(`| ${error.toFixed(5)} | ${decibels(error).toFixed(2)} |`);
  }
  expect(log.curve.at(-1).step).toBe(ENLARGER_TRAINING.steps);
});
