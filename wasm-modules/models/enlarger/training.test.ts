import { expect, test } from 'vitest';
import { writeModel } from '../../onnx/writer.ts';
import { exportEnlarger } from './export.ts';
import { type TrainingOptions, trainEnlarger } from './training.ts';

const TINY: TrainingOptions = { seed: 3, steps: 60, batch: 4, pairs: 64, heldOut: 16, rate: 0.004, every: 20 };

test('some steps lower the error, and the same seed gives the same weights', () => {
  const first = trainEnlarger(TINY);
  expect(first.heldOut.trained).toBeLessThan(first.heldOut.untrained / 3);
  expect(first.curve.map(({ step }) => step)).toEqual([20, 40, 60]);
  expect(first.curve[2]?.loss).toBeLessThan(first.curve[0]?.loss ?? 0);
  const short = { ...TINY, steps: 4, every: 4 };
  const bytes = (options: TrainingOptions) => writeModel(exportEnlarger(trainEnlarger(options).enlarger));
  expect(bytes(short)).toEqual(bytes(short));
  expect(bytes({ ...short, seed: 4 })).not.toEqual(bytes(short));
});
