import { expect, test } from 'vitest';
import { writeModel } from '../../onnx/writer.ts';
import { ALPHABET, PROMPT } from './data.ts';
import { exportTales } from './export.ts';
import { loadTales } from './load.ts';
import { createNetwork } from './network.ts';
import { bitsOfNetwork, heldOutTales, sequenceOf, type TrainingOptions, trainTales } from './training.ts';

const TINY: TrainingOptions = { seed: 3, steps: 30, batch: 4, tales: 64, heldOut: 8, rate: 0.002, every: 10 };

test('some steps lower the loss, and the same seed gives the same file', () => {
  const first = trainTales(TINY);
  expect(first.heldOut.trained).toBeLessThan(first.heldOut.untrained * 0.6);
  expect(first.curve.map(({ step }) => step)).toEqual([10, 20, 30]);
  expect(first.curve[2]?.loss).toBeLessThan(first.curve[0]?.loss ?? 0);
  const short = { ...TINY, steps: 2, every: 2, heldOut: 4 };
  const bytes = (options: TrainingOptions) => writeModel(exportTales(trainTales(options).network));
  expect(bytes(short)).toEqual(bytes(short));
  expect(bytes({ ...short, seed: 4 })).not.toEqual(bytes(short));
});

test('backpropagation through the whole network agrees with finite differences', () => {
  const network = createNetwork(5, 2);
  const { tensors, parameters } = network;
  const batch = heldOutTales({ ...TINY, heldOut: 2 }).map(({ text }, i) => sequenceOf(text, i * 9));
  network.backpropagate(batch);
  const step = 1e-2;
  for (const { value, gradient, n } of parameters) {
    const found = tensors.view(gradient, n).slice();
    // The numbers whose slope is the steepest: the others drown in what f32 rounds.
    const steepest = Array.from(found.keys()).sort((a, b) => Math.abs(found[b] ?? 0) - Math.abs(found[a] ?? 0));
    for (const i of steepest.slice(0, 2)) {
      const before = tensors.view(value, n)[i] as number;
      const at = (moved: number): number => {
        tensors.view(value, n)[i] = moved;
        return network.loss(batch);
      };
      const slope = (at(before + step) - at(before - step)) / (2 * step);
      at(before);
      expect(Math.abs(slope - (found[i] as number))).toBeLessThan(0.05 * Math.abs(slope) + 2e-4);
    }
  }
});

test('a prompt’s characters stand before the answer, and what counts is what follows them', () => {
  const { tokens, targets } = sequenceOf('Once', 3);
  const class_ = (character: string) => ALPHABET.indexOf(character);
  expect([...tokens.subarray(PROMPT - 4, PROMPT + 2)]).toEqual([
    0,
    class_('O'),
    class_('n'),
    class_('c'),
    class_('e'),
    0,
  ]);
  expect([...targets.subarray(PROMPT - 4, PROMPT + 2)]).toEqual([-1, class_('n'), class_('c'), class_('e'), 0, 0]);
  expect(sequenceOf('Once', 0).targets[PROMPT - 1]).toBe(class_('O'));
});

test('the file’s numbers are worth nearly what the network’s were', () => {
  const { network } = trainTales({ ...TINY, steps: 20 });
  const tales = heldOutTales(TINY);
  const own = bitsOfNetwork(network, tales, 4);
  const rounded = bitsOfNetwork(loadTales(writeModel(exportTales(network)), 4), tales, 4);
  expect(Math.abs(rounded - own)).toBeLessThan(0.01 * own);
});
