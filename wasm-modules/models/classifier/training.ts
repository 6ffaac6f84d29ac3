import { type CurvePoint, fallingRate, type LoopOptions, runSteps } from '../../training/loop.ts';
import { createRandom, type Random } from '../../training/random.ts';
import { type Photo, SPECIES, takePhoto } from './data.ts';
import { type Classifier, createClassifier } from './network.ts';

export interface TrainingOptions extends LoopOptions {
  /** Decides the photos, the initial weights and the order: the same seed gives the same weights. */
  readonly seed: number;
  readonly batch: number;
  /** Photos that are taken once and trained on. */
  readonly photos: number;
  /** Photos that are never trained on. */
  readonly heldOut: number;
  readonly rate: number;
}

/** Shares of held-out photos whose species is found. */
export interface Quality {
  readonly trained: number;
  /** The same network before the first step. */
  readonly untrained: number;
  /** Taking the species whose mean photo is the nearest: what can be had without a network. */
  readonly nearestMean: number;
  /** How often each species (row) was taken for each (column). */
  readonly confusion: readonly (readonly number[])[];
}

export interface TrainingResult {
  readonly classifier: Classifier;
  /** Of the training's own loss: cross entropy in nats. */
  readonly curve: readonly CurvePoint[];
  readonly heldOut: Quality;
}

/** What the committed model was trained with. */
export const CLASSIFIER_TRAINING: TrainingOptions = {
  seed: 1,
  steps: 6_000,
  batch: 16,
  photos: 16_384,
  heldOut: 2_048,
  rate: 0.001,
  every: 200,
};

export function heldOutPhotos({ seed, heldOut }: TrainingOptions): readonly Photo[] {
  return take(heldOut, createRandom(seed ^ 0x5eed0bad));
}

const take = (n: number, random: Random): Photo[] => Array.from({ length: n }, () => takePhoto(random));

export function trainClassifier(options: TrainingOptions): TrainingResult {
  const { seed, batch, rate } = options;
  const random = createRandom(seed);
  const photos = take(options.photos, random);
  const heldOut = heldOutPhotos(options);
  const classifier = createClassifier(seed, batch);
  const untrained = shareRight(heldOut, classifier.classify(heldOut));
  const curve = runSteps(options, (progress) => {
    const chosen = Array.from({ length: batch }, () => photos[random.below(photos.length)] as Photo);
    return classifier.train(chosen, fallingRate(rate, progress));
  });
  const found = classifier.classify(heldOut);
  const quality = {
    trained: shareRight(heldOut, found),
    untrained,
    nearestMean: shareRight(heldOut, nearestMeans(photos, heldOut)),
    confusion: SPECIES.map((_, row) =>
      SPECIES.map((_species, column) => heldOut.filter((p, i) => p.species === row && found[i] === column).length),
    ),
  };
  return { classifier, curve, heldOut: quality };
}

const shareRight = (photos: readonly Photo[], found: readonly number[]): number =>
  photos.filter(({ species }, i) => species === found[i]).length / photos.length;

function nearestMeans(photos: readonly Photo[], asked: readonly Photo[]): readonly number[] {
  const size = asked[0]?.pixels.length ?? 0;
  const means = SPECIES.map((_, species) => {
    const own = photos.filter((photo) => photo.species === species);
    const mean = new Float64Array(size);
    for (const { pixels } of own)
      for (let i = 0; i < size; i++) mean[i] = (mean[i] ?? 0) + (pixels[i] ?? 0) / own.length;
    return mean;
  });
  return asked.map(({ pixels }) => {
    const distances = means.map((mean) => mean.reduce((sum, m, i) => sum + (m - (pixels[i] ?? 0)) ** 2, 0));
    return distances.indexOf(Math.min(...distances));
  });
}
