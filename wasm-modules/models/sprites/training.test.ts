import { expect, test } from 'vitest';
import { writeModel } from '../../onnx/writer.ts';
import { createRandom } from '../../training/random.ts';
import { drawSprite, HALF, SIDE, SPECIES } from './data.ts';
import { exportDecoder } from './export.ts';
import { type TrainingOptions, trainSprites } from './training.ts';
import { createVae } from './vae.ts';

const TINY: TrainingOptions = {
  seed: 3,
  steps: 60,
  batch: 8,
  sprites: 64,
  heldOut: 16,
  rate: 0.002,
  beta: 0.5,
  every: 20,
};

test('sixty steps lower the loss, and the same seed gives the same weights', () => {
  const first = trainSprites(TINY);
  expect(first.heldOut.trained).toBeLessThan(first.heldOut.untrained * 0.6);
  expect(first.curve.map(({ step }) => step)).toEqual([20, 40, 60]);
  expect(first.curve[2]?.squaredError).toBeLessThan(first.curve[0]?.squaredError ?? 0);
  const again = trainSprites(TINY);
  expect(writeModel(exportDecoder(again.vae))).toEqual(writeModel(exportDecoder(first.vae)));
  const other = trainSprites({ ...TINY, seed: 4, steps: 1 });
  expect(writeModel(exportDecoder(other.vae))).not.toEqual(writeModel(exportDecoder(first.vae)));
});

test('backpropagation through the decoder agrees with finite differences', () => {
  const batch = 2;
  const { tensors, decoder } = createVae(1, batch);
  const random = createRandom(5);
  const outputs = batch * SIDE * HALF * 4;
  const code = tensors.allocate(batch * 32);
  const gradient = tensors.allocate(outputs);
  const direction = new Float32Array(outputs).map(() => random.normal());
  const input = tensors.view(code, batch * 32);
  for (let i = 0; i < input.length; i++) input[i] = random.normal();
  /** The output along a random direction: its gradient is that direction. */
  const loss = (): number => {
    const y = tensors.view(
      decoder.reduce((x, layer) => layer.forward(x, batch), code),
      outputs,
    );
    return y.reduce((sum, v, i) => sum + v * (direction[i] ?? 0), 0);
  };
  loss();
  tensors.view(gradient, outputs).set(direction);
  const back = tensors
    .view(
      decoder.reduceRight((dy, layer) => layer.backward(dy), gradient),
      batch * 32,
    )
    .slice();
  const step = 1e-3;
  for (let i = 0; i < input.length; i += 5) {
    const before = input[i] ?? 0;
    input[i] = before + step;
    const above = loss();
    input[i] = before - step;
    const below = loss();
    input[i] = before;
    const slope = (above - below) / (2 * step);
    // A Relu may switch within the step: the tolerance is that of a kinked function in f32.
    expect(Math.abs(slope - (back[i] ?? 0))).toBeLessThan(0.05 * Math.abs(slope) + 0.6);
  }
});

test('the same seed draws the same creatures, all species and only colours', () => {
  const draw = (seed: number) => {
    const random = createRandom(seed);
    return Array.from({ length: 60 }, () => drawSprite(random));
  };
  const sprites = draw(9);
  expect(draw(9)).toEqual(sprites);
  expect(new Set(sprites.map(({ species }) => species)).size).toBe(SPECIES.length);
  for (const { pixels } of sprites) {
    expect(pixels.length).toBe(SIDE * HALF * 3);
    expect(pixels.every((v) => v >= 0 && v <= 1)).toBe(true);
  }
});
