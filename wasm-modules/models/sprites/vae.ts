import { convolution, createAdam, dense, type Layer, transposedConvolution } from '../../training/layers.ts';
import { createRandom, type Random } from '../../training/random.ts';
import { type Address, createTensors, type Tensors } from '../../training/tensor.ts';
import { COLOUR_SCALE, COLOUR_SHIFT, HALF, SIDE, SPECIES, type Sprite } from './data.ts';

/** Length of the latent vector. */
export const LATENT = 16;
/** What the request chooses: species (one-hot), body colour, accent colour. */
export const ATTRIBUTES = SPECIES.length + 6;
/** Channels, height and width of the picture that the dense part makes. */
export const SEED_CHANNELS = 56;
export const SEED_HEIGHT = 4;
export const SEED_WIDTH = 2;
/** Width of the decoder's first dense layer. */
export const HIDDEN = 96;
/** Widths are multiples of four in the training kernels: what is left over is 0 and is dropped at export. */
const CODE = 32;
const PIXELS = SIDE * HALF;
const SEED_SIZE = SEED_CHANNELS * SEED_HEIGHT * SEED_WIDTH;
const ENCODED = SEED_SIZE + CODE - LATENT;

/** A conditional variational autoencoder (Kingma and Welling 2013); the decoder is the generator that is shipped. */
export interface Vae {
  readonly tensors: Tensors;
  readonly decoder: readonly [Layer, Layer, Layer, Layer, Layer, Layer];
  /** One step of Adam on a batch. Losses are means per picture. */
  train(batch: readonly Sprite[], rate: number, beta: number): StepLoss;
  /** Mean squared error per colour value of the reconstruction from the posterior's mean. */
  reconstructionError(sprites: readonly Sprite[]): number;
}

export interface StepLoss {
  /** Squared error per colour value. */
  readonly squaredError: number;
  /** Divergence of the posterior from the standard normal, in nats per picture. */
  readonly divergence: number;
}

interface Networks {
  readonly encoder: readonly [Layer, Layer, Layer, Layer, Layer];
  readonly decoder: readonly [Layer, Layer, Layer, Layer, Layer, Layer];
}

function createNetworks(tensors: Tensors, random: Random, maxBatch: number): Networks {
  const leaky = { tensors, random, maxBatch, slope: 0.1 };
  const relu = { tensors, random, maxBatch, slope: 0 };
  const linear = { tensors, random, maxBatch, slope: 1 };
  const half = { kernel: 4, stride: 2, pad: 1 };
  return {
    encoder: [
      convolution({ ...leaky, ...half, height: SIDE, width: HALF, inputs: 4, outputs: 16 }),
      convolution({ ...leaky, ...half, height: 16, width: 8, inputs: 16, outputs: 32 }),
      convolution({ ...leaky, ...half, height: 8, width: 4, inputs: 32, outputs: SEED_CHANNELS }),
      dense({ ...leaky, inputs: ENCODED, outputs: 96 }),
      dense({ ...linear, inputs: 96, outputs: 2 * LATENT }),
    ],
    decoder: [
      dense({ ...relu, inputs: CODE, outputs: HIDDEN }),
      dense({ ...relu, inputs: HIDDEN, outputs: SEED_SIZE }),
      transposedConvolution({
        ...relu,
        ...half,
        height: SEED_HEIGHT,
        width: SEED_WIDTH,
        inputs: SEED_CHANNELS,
        outputs: 36,
      }),
      transposedConvolution({ ...relu, ...half, height: 8, width: 4, inputs: 36, outputs: 24 }),
      transposedConvolution({ ...relu, ...half, height: 16, width: 8, inputs: 24, outputs: 16 }),
      transposedConvolution({
        ...linear,
        height: SIDE,
        width: HALF,
        inputs: 16,
        outputs: 4,
        kernel: 3,
        stride: 1,
        pad: 1,
      }),
    ],
  };
}

export function createVae(seed: number, maxBatch: number): Vae {
  const tensors = createTensors();
  const random = createRandom(seed);
  const { encoder, decoder } = createNetworks(tensors, random, maxBatch);
  const [images, encoded, code, gradient, statsGradient, featureGradient] = [
    maxBatch * PIXELS * 4,
    maxBatch * ENCODED,
    maxBatch * CODE,
    maxBatch * PIXELS * 4,
    maxBatch * 2 * LATENT,
    maxBatch * SEED_SIZE,
  ].map((n) => tensors.allocate(n)) as [Address, Address, Address, Address, Address, Address];
  const noise = new Float32Array(maxBatch * LATENT);
  // A posterior that begins narrow: otherwise the first thousand steps are spent on noise.
  tensors.view(encoder[4].bias.value, 2 * LATENT).fill(-3, LATENT);
  const step = createAdam(tensors, [...encoder, ...decoder]);

  /** Returns the address of mean and log variance, [batch, 2 * LATENT]. */
  const encode = (batch: readonly Sprite[]): Address => {
    loadImages(tensors.view(images, batch.length * PIXELS * 4), batch);
    const [a, b, c, d, e] = encoder;
    const n = batch.length;
    const features = c.forward(b.forward(a.forward(images, n), n), n);
    const rows = tensors.view(encoded, n * ENCODED);
    const from = tensors.view(features, n * SEED_SIZE);
    batch.forEach((sprite, i) => {
      rows.set(from.subarray(i * SEED_SIZE, (i + 1) * SEED_SIZE), i * ENCODED);
      rows.set(attributesOf(sprite), i * ENCODED + SEED_SIZE);
    });
    return e.forward(d.forward(encoded, n), n);
  };
  const decode = (stats: Address, batch: readonly Sprite[]): Address => {
    const n = batch.length;
    const rows = tensors.view(code, n * CODE);
    const s = tensors.view(stats, n * 2 * LATENT);
    batch.forEach((sprite, i) => {
      for (let j = 0; j < LATENT; j++) {
        const deviation = tensors.kernels.expf(0.5 * at(s, i * 2 * LATENT + LATENT + j));
        rows[i * CODE + j] = at(s, i * 2 * LATENT + j) + deviation * at(noise, i * LATENT + j);
      }
      rows.set(attributesOf(sprite), i * CODE + LATENT);
    });
    return decoder.reduce((x, layer) => layer.forward(x, n), code);
  };
  /** Through the sampling: d(loss)/d(mean), d(loss)/d(log variance), with the divergence's own gradient. */
  const backStats = (dcode: Address, stats: Address, n: number, beta: number): number => {
    const g = tensors.view(dcode, n * CODE);
    const s = tensors.view(stats, n * 2 * LATENT);
    const out = tensors.view(statsGradient, n * 2 * LATENT);
    let divergence = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < LATENT; j++) {
        const row = i * 2 * LATENT + j;
        const mean = at(s, row);
        const logVariance = at(s, row + LATENT);
        const variance = tensors.kernels.expf(logVariance);
        const d = at(g, i * CODE + j);
        divergence += 0.5 * (mean * mean + variance - 1 - logVariance);
        out[row] = d + (beta * mean) / n;
        out[row + LATENT] =
          d * at(noise, i * LATENT + j) * 0.5 * Math.sqrt(variance) + (0.5 * beta * (variance - 1)) / n;
      }
    }
    return divergence / n;
  };
  return {
    tensors,
    decoder,
    train(batch, rate, beta) {
      const n = batch.length;
      for (let i = 0; i < n * LATENT; i++) noise[i] = random.normal();
      const stats = encode(batch);
      const logits = decode(stats, batch);
      const sum = tensors.kernels.imageLoss(logits, images, gradient, n * PIXELS, 1 / n);
      const dcode = decoder.reduceRight((dy, layer) => layer.backward(dy), gradient);
      const divergence = backStats(dcode, stats, n, beta);
      const [a, b, c, d, e] = encoder;
      const dencoded = tensors.view(d.backward(e.backward(statsGradient)), n * ENCODED);
      const dfeatures = tensors.view(featureGradient, n * SEED_SIZE);
      for (let i = 0; i < n; i++) {
        dfeatures.set(dencoded.subarray(i * ENCODED, i * ENCODED + SEED_SIZE), i * SEED_SIZE);
      }
      a.backward(b.backward(c.backward(featureGradient)));
      step(rate);
      return { squaredError: sum / (n * PIXELS * 3), divergence };
    },
    reconstructionError(sprites) {
      noise.fill(0);
      let sum = 0;
      for (let i = 0; i < sprites.length; i += maxBatch) {
        const batch = sprites.slice(i, i + maxBatch);
        const logits = decode(encode(batch), batch);
        sum += tensors.kernels.imageLoss(logits, images, gradient, batch.length * PIXELS, 0);
      }
      return sum / (sprites.length * PIXELS * 3);
    },
  };
}

/** Species one-hot, body colour, accent colour. */
function attributesOf(sprite: Sprite): Float32Array {
  const row = new Float32Array(ATTRIBUTES);
  row[sprite.species] = 1;
  sprite.body.forEach((v, i) => {
    row[SPECIES.length + i] = v * COLOUR_SCALE + COLOUR_SHIFT;
  });
  sprite.accent.forEach((v, i) => {
    row[SPECIES.length + 3 + i] = v * COLOUR_SCALE + COLOUR_SHIFT;
  });
  return row;
}

function loadImages(to: Float32Array, batch: readonly Sprite[]): void {
  batch.forEach(({ pixels }, n) => {
    for (let i = 0; i < PIXELS; i++) {
      const p = (n * PIXELS + i) * 4;
      to[p] = at(pixels, i * 3);
      to[p + 1] = at(pixels, i * 3 + 1);
      to[p + 2] = at(pixels, i * 3 + 2);
    }
  });
}

function at(view: Float32Array, i: number): number {
  return view[i] ?? 0;
}
