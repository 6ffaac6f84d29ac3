import { type CurvePoint, fallingRate, type LoopOptions, runSteps } from '../../training/loop.ts';
import { createRandom, type Random } from '../../training/random.ts';
import { classOf, PROMPT, type Tale, tell } from './data.ts';
import { createNetwork, LENGTH, type Network, type Sequence } from './network.ts';
import { createNgrams } from './ngrams.ts';
import { shareOfNgrams } from './told.ts';

export interface TrainingOptions extends LoopOptions {
  /** Decides the tales, the initial weights and the order: the same seed gives the same weights. */
  readonly seed: number;
  readonly batch: number;
  /** Tales that are told once and trained on. */
  readonly tales: number;
  /** Tales that are never trained on. */
  readonly heldOut: number;
  readonly rate: number;
}

/** Of held-out tales without a prompt, in bits a byte, the byte that ends a tale included. */
export interface Quality {
  readonly trained: number;
  /** The same network before the first step. */
  readonly untrained: number;
  /** The best of the n-gram models that counted the same tales, and its n. */
  readonly ngrams: number;
  readonly order: number;
  /** What the choices are worth that made them. */
  readonly choices: number;
  /** Share of what the n-gram model makes up that the grammar accepts. */
  readonly ngramTales: number;
}

export interface TrainingResult {
  readonly network: Network;
  /** Of the training's own loss: cross entropy in nats a place. */
  readonly curve: readonly CurvePoint[];
  readonly heldOut: Quality;
}

/** What the committed model was trained with. */
export const TALES_TRAINING: TrainingOptions = {
  seed: 1,
  steps: 3_000,
  batch: 16,
  tales: 32_768,
  heldOut: 512,
  rate: 0.002,
  every: 100,
};

const WARM_UP = 0.02;
/** n of the n-gram models that are tried. */
const ORDERS = [3, 4, 5, 6, 8, 10, 12, 16] as const;

const tellMany = (n: number, random: Random): Tale[] => Array.from({ length: n }, () => tell(random));

export function heldOutTales({ seed, heldOut }: TrainingOptions): readonly Tale[] {
  return tellMany(heldOut, createRandom(seed ^ 0x5eed0bad));
}

/** A tale with its first `told` characters in the prompt. What stands before it is nothing and does not count. */
export function sequenceOf(text: string, told: number): Sequence {
  const start = PROMPT - told;
  const tokens = new Int32Array(LENGTH);
  for (let i = 0; i < text.length; i++) tokens[start + i] = classOf(text.charCodeAt(i));
  const targets = new Int32Array(LENGTH).fill(-1);
  // Behind the last place nothing is asked; the first character only where the model would choose it.
  for (let i = 0; i < LENGTH - 1; i++) {
    if (i + 1 > start || (i + 1 === start && told === 0)) targets[i] = tokens[i + 1] ?? 0;
  }
  return { tokens, targets };
}

export function trainTales(options: TrainingOptions): TrainingResult {
  const { seed, batch, rate } = options;
  const random = createRandom(seed);
  const tales = tellMany(options.tales, random);
  const heldOut = heldOutTales(options);
  const network = createNetwork(seed, batch);
  const untrained = bitsOfNetwork(network, heldOut, batch);
  const curve = runSteps(options, (progress) => {
    const chosen = Array.from({ length: batch }, () => {
      const { text } = tales[random.below(tales.length)] as Tale;
      return sequenceOf(text, random.below(4) === 0 ? 0 : random.below(PROMPT + 1));
    });
    return network.train(chosen, fallingRate(rate, progress) * Math.min(1, progress / WARM_UP + 0.02));
  });
  const bytes = heldOut.reduce((sum, { text }) => sum + text.length + 1, 0);
  const counted = ORDERS.map((order) => {
    const model = createNgrams(order, tales);
    return { order, model, ngrams: model.bits(heldOut) / bytes };
  });
  const { order, model, ngrams } = counted.reduce((a, b) => (b.ngrams < a.ngrams ? b : a));
  return {
    network,
    curve,
    heldOut: {
      trained: bitsOfNetwork(network, heldOut, batch),
      untrained,
      ngrams,
      order,
      ngramTales: shareOfNgrams(model, options.heldOut, createRandom(seed).unit),
      choices: heldOut.reduce((sum, { bits }) => sum + bits, 0) / bytes,
    },
  };
}

/** Bits a byte of tales without a prompt, the byte that ends each included. */
export function bitsOfNetwork(network: Network, tales: readonly Tale[], batch: number): number {
  let nats = 0;
  let bytes = 0;
  for (let i = 0; i < tales.length; i += batch) {
    const sequences = tales.slice(i, i + batch).map(({ text }) => {
      const { tokens, targets } = sequenceOf(text, 0);
      // Of the bytes that end a tale only the first one tells anything.
      return { tokens, targets: targets.map((target, at) => (at > PROMPT - 1 + text.length ? -1 : target)) };
    });
    const counted = sequences.reduce((n, { targets }) => n + targets.filter((target) => target >= 0).length, 0);
    nats += network.loss(sequences) * counted;
    bytes += counted;
  }
  return nats / Math.LN2 / bytes;
}
