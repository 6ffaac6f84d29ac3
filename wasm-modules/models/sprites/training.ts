import { createRandom, type Random } from '../../training/random.ts';
import { drawSprite, SPECIES, type Sprite } from './data.ts';
import { createVae, type Vae } from './vae.ts';

export interface TrainingOptions {
  /** Decides the data, the initial weights, the order and the noise: the same seed gives the same weights. */
  readonly seed: number;
  readonly steps: number;
  readonly batch: number;
  /** Creatures that are drawn once and trained on. */
  readonly sprites: number;
  /** Creatures that are never trained on. */
  readonly heldOut: number;
  readonly rate: number;
  /** Weight of the divergence after its warm-up. */
  readonly beta: number;
  /** Steps that one point of the curve is the mean of. */
  readonly every: number;
  readonly onPoint?: (point: CurvePoint) => void;
}

export interface CurvePoint {
  readonly step: number;
  readonly squaredError: number;
  readonly divergence: number;
}

/** Squared errors per colour value in [0, 1]. */
export interface Quality {
  readonly trained: number;
  /** The same networks before the first step. */
  readonly untrained: number;
  /** The mean picture of the species: what can be had without a network. */
  readonly speciesMean: number;
}

export interface TrainingResult {
  readonly vae: Vae;
  readonly curve: readonly CurvePoint[];
  readonly heldOut: Quality;
}

/** What the committed model was trained with. */
export const SPRITES_TRAINING: TrainingOptions = {
  seed: 1,
  steps: 20_000,
  batch: 16,
  sprites: 12_288,
  heldOut: 1_024,
  rate: 0.002,
  beta: 0.5,
  every: 250,
};

export function trainSprites(options: TrainingOptions): TrainingResult {
  const { seed, steps, batch, rate, beta, every } = options;
  const random = createRandom(seed);
  const draw = (n: number, from: Random): Sprite[] => Array.from({ length: n }, () => drawSprite(from));
  const sprites = draw(options.sprites, random);
  const heldOut = draw(options.heldOut, createRandom(seed ^ 0x5eed0bad));
  const vae = createVae(seed, batch);
  const untrained = vae.reconstructionError(heldOut);
  const curve: CurvePoint[] = [];
  let squaredError = 0;
  let divergence = 0;
  for (let step = 0; step < steps; step++) {
    const chosen = Array.from({ length: batch }, () => sprites[random.below(sprites.length)] as Sprite);
    const progress = step / steps;
    // The full rate for two fifths of the way, then a straight line down; the divergence warms up over the first fifth.
    const decay = progress < 0.4 ? 1 : Math.max(0.02, 1 - (progress - 0.4) / 0.6);
    const loss = vae.train(chosen, rate * decay, beta * Math.min(1, progress * 5));
    squaredError += loss.squaredError / every;
    divergence += loss.divergence / every;
    if ((step + 1) % every !== 0) continue;
    const point = { step: step + 1, squaredError, divergence };
    curve.push(point);
    options.onPoint?.(point);
    squaredError = 0;
    divergence = 0;
  }
  const quality = { trained: vae.reconstructionError(heldOut), untrained, speciesMean: meanError(sprites, heldOut) };
  return { vae, curve, heldOut: quality };
}

/** Error on `heldOut` of answering with the mean picture of the species in `sprites`. */
function meanError(sprites: readonly Sprite[], heldOut: readonly Sprite[]): number {
  const size = heldOut[0]?.pixels.length ?? 0;
  const means = SPECIES.map((_, species) => {
    const mean = new Float64Array(size);
    const own = sprites.filter((sprite) => sprite.species === species);
    for (const { pixels } of own)
      for (let i = 0; i < size; i++) mean[i] = (mean[i] ?? 0) + (pixels[i] ?? 0) / own.length;
    return mean;
  });
  let sum = 0;
  for (const { species, pixels } of heldOut) {
    for (let i = 0; i < size; i++) {
      const e = (pixels[i] ?? 0) - (means[species]?.[i] ?? 0);
      sum += e * e;
    }
  }
  return sum / (heldOut.length * size);
}
