import { type CurvePoint, fallingRate, type LoopOptions, runSteps } from '../../training/loop.ts';
import { createRandom, type Random } from '../../training/random.ts';
import { bilinear, drawPair, type Pair } from './data.ts';
import { createEnlarger, type Enlarger } from './network.ts';

export interface TrainingOptions extends LoopOptions {
  /** Decides the pictures, the initial weights and the order: the same seed gives the same weights. */
  readonly seed: number;
  readonly batch: number;
  /** Pairs that are drawn once and trained on. */
  readonly pairs: number;
  /** Pairs that are never trained on. */
  readonly heldOut: number;
  readonly rate: number;
}

/** Mean squared errors per colour value in [0, 1], of the held-out pictures. */
export interface Quality {
  readonly trained: number;
  /** The same network before the first step. */
  readonly untrained: number;
  /** Bilinear interpolation: what can be had without a network. */
  readonly bilinear: number;
}

export interface TrainingResult {
  readonly enlarger: Enlarger;
  /** Of the training's own loss: squared error per colour value. */
  readonly curve: readonly CurvePoint[];
  readonly heldOut: Quality;
}

/** What the committed model was trained with. */
export const ENLARGER_TRAINING: TrainingOptions = {
  seed: 1,
  steps: 4_000,
  batch: 8,
  pairs: 6_144,
  heldOut: 512,
  rate: 0.002,
  every: 100,
};

export function heldOutPairs({ seed, heldOut }: TrainingOptions): readonly Pair[] {
  return draw(heldOut, createRandom(seed ^ 0x5eed0bad));
}

const draw = (n: number, random: Random): Pair[] => Array.from({ length: n }, () => drawPair(random));

export function trainEnlarger(options: TrainingOptions): TrainingResult {
  const { seed, batch, rate } = options;
  const random = createRandom(seed);
  const pairs = draw(options.pairs, random);
  const heldOut = heldOutPairs(options);
  const enlarger = createEnlarger(seed, batch);
  const untrained = enlarger.error(heldOut);
  const curve = runSteps(options, (progress) => {
    const chosen = Array.from({ length: batch }, () => pairs[random.below(pairs.length)] as Pair);
    return enlarger.train(chosen, fallingRate(rate, progress));
  });
  const plain = heldOut.reduce((sum, { small, large }) => sum + squaredError(bilinear(small), large), 0);
  const quality = { trained: enlarger.error(heldOut), untrained, bilinear: plain / heldOut.length };
  return { enlarger, curve, heldOut: quality };
}

export function squaredError(got: Float32Array, wanted: Float32Array): number {
  return got.reduce((sum, v, i) => sum + (v - (wanted[i] ?? 0)) ** 2, 0) / got.length;
}

/** Peak signal-to-noise ratio in decibels of an error of values in [0, 1]. */
export const decibels = (error: number): number => -10 * Math.log10(error);
