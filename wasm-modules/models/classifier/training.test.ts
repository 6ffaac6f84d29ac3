import { expect, test } from 'vitest';
import { writeModel } from '../../onnx/writer.ts';
import { createRandom } from '../../training/random.ts';
import { takePhoto } from './data.ts';
import { exportClassifier } from './export.ts';
import { createClassifier } from './network.ts';
import { type TrainingOptions, trainClassifier } from './training.ts';

const TINY: TrainingOptions = { seed: 3, steps: 150, batch: 8, photos: 128, heldOut: 64, rate: 0.002, every: 50 };

test('some steps find more than chance, and the same seed gives the same weights', () => {
  const first = trainClassifier(TINY);
  expect(first.heldOut.trained).toBeGreaterThan(first.heldOut.untrained + 0.15);
  expect(first.curve.map(({ step }) => step)).toEqual([50, 100, 150]);
  expect(first.curve[2]?.loss).toBeLessThan(first.curve[0]?.loss ?? 0);
  const short = { ...TINY, steps: 5, every: 5 };
  const bytes = (options: TrainingOptions) => writeModel(exportClassifier(trainClassifier(options).classifier));
  expect(bytes(short)).toEqual(bytes(short));
  expect(bytes({ ...short, seed: 4 })).not.toEqual(bytes(short));
});

test('the step of training goes down the slope of the loss', () => {
  const random = createRandom(9);
  const photos = Array.from({ length: 8 }, () => takePhoto(random));
  const classifier = createClassifier(1, 8);
  const losses = Array.from({ length: 40 }, () => classifier.train(photos, 0.001));
  expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) / 4);
});
