import { convolution, createAdam, dense, type Layer } from '../../training/layers.ts';
import { createRandom } from '../../training/random.ts';
import { type Address, createTensors, type Tensors } from '../../training/tensor.ts';
import { type Photo, SIDE, SPECIES } from './data.ts';

/** Bytes enter as byte * scale + shift: in [-1, 1]. */
export const BYTE_SCALE = 2 / 255;
export const BYTE_SHIFT = -1;

/** Channels of each picture, from the photo (padded to a multiple of four) to the last; each step halves the sides. */
export const CHANNELS = [4, 16, 32, 48] as const;
export const KERNEL = 4;
export const LAST_SIDE = SIDE / 8;
export const FEATURES = CHANNELS[3] * LAST_SIDE * LAST_SIDE;
export const HIDDEN = 64;

export interface Classifier {
  readonly tensors: Tensors;
  readonly layers: readonly [Layer, Layer, Layer, Layer, Layer];
  /** One step of Adam on a batch; the mean cross entropy in nats. */
  train(batch: readonly Photo[], rate: number): number;
  /** For each photo the species that it is taken for. */
  classify(photos: readonly Photo[]): readonly number[];
}

export function createClassifier(seed: number, maxBatch: number): Classifier {
  const tensors = createTensors();
  const random = createRandom(seed);
  const relu = { tensors, random, maxBatch, slope: 0 };
  const half = { ...relu, kernel: KERNEL, stride: 2, pad: 1 };
  const [photo, first, second, third] = CHANNELS;
  const layers: Classifier['layers'] = [
    convolution({ ...half, height: SIDE, width: SIDE, inputs: photo, outputs: first }),
    convolution({ ...half, height: SIDE / 2, width: SIDE / 2, inputs: first, outputs: second }),
    convolution({ ...half, height: SIDE / 4, width: SIDE / 4, inputs: second, outputs: third }),
    dense({ ...relu, inputs: FEATURES, outputs: HIDDEN }),
    dense({ ...relu, slope: 1, inputs: HIDDEN, outputs: SPECIES.length }),
  ];
  const images = tensors.allocate(maxBatch * SIDE * SIDE * photo);
  const gradient = tensors.allocate(maxBatch * SPECIES.length);
  const step = createAdam(tensors, layers);
  const forward = (batch: readonly Photo[]): Address => {
    load(tensors.view(images, batch.length * SIDE * SIDE * photo), batch);
    return layers.reduce((x, layer) => layer.forward(x, batch.length), images);
  };
  return {
    tensors,
    layers,
    train(batch, rate) {
      const logits = forward(batch);
      const loss = crossEntropy(tensors, logits, gradient, batch);
      layers.reduceRight((dy, layer) => layer.backward(dy), gradient);
      step(rate);
      return loss;
    },
    classify(photos) {
      const found: number[] = [];
      for (let i = 0; i < photos.length; i += maxBatch) {
        const batch = photos.slice(i, i + maxBatch);
        const logits = tensors.view(forward(batch), batch.length * SPECIES.length);
        batch.forEach((_, row) => {
          const own = logits.subarray(row * SPECIES.length, (row + 1) * SPECIES.length);
          found.push(own.indexOf(Math.max(...own)));
        });
      }
      return found;
    },
  };
}

/** The fourth channel stays 0. */
function load(into: Float32Array, batch: readonly Photo[]): void {
  const [channels] = CHANNELS;
  batch.forEach(({ pixels }, row) => {
    for (let i = 0; i < SIDE * SIDE; i++)
      for (let c = 0; c < 3; c++)
        into[(row * SIDE * SIDE + i) * channels + c] = (pixels[i * 3 + c] ?? 0) * BYTE_SCALE + BYTE_SHIFT;
  });
}

/** Softmax and cross entropy with the kernels' own exponential, so that training is the same on every machine. */
function crossEntropy(tensors: Tensors, logits: Address, gradient: Address, batch: readonly Photo[]): number {
  const n = SPECIES.length;
  const x = tensors.view(logits, batch.length * n);
  const out = tensors.view(gradient, batch.length * n);
  let loss = 0;
  batch.forEach(({ species }, row) => {
    const own = x.subarray(row * n, (row + 1) * n);
    const most = Math.max(...own);
    const powers = Array.from(own, (v) => tensors.kernels.expf(v - most));
    const sum = powers.reduce((a, b) => a + b, 0);
    powers.forEach((power, k) => {
      out[row * n + k] = (power / sum - Number(k === species)) / batch.length;
    });
    // A host's logarithm may differ in its last bit; the loss is only looked at.
    loss -= Math.log((powers[species] ?? 0) / sum + 1e-12);
  });
  return loss / batch.length;
}
