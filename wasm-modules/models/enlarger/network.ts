import { convolution, createAdam, type Layer, transposedConvolution } from '../../training/layers.ts';
import { createRandom } from '../../training/random.ts';
import { type Address, createTensors, type Tensors } from '../../training/tensor.ts';
import { LARGE, type Pair, SMALL } from './data.ts';

/** Bytes enter as byte * scale + shift: in [-1, 1]. */
export const BYTE_SCALE = 2 / 255;
export const BYTE_SHIFT = -1;

/** Channels between the steps: two convolutions on the small picture, one that doubles the side, one on the large picture. */
export const CHANNELS = { first: 32, second: 32, large: 16 } as const;

export interface Enlarger {
  readonly tensors: Tensors;
  readonly layers: readonly [Layer, Layer, Layer, Layer];
  /** One step of Adam on a batch; the mean squared error of a colour value. */
  train(batch: readonly Pair[], rate: number): number;
  /** Mean squared error of a colour value over pairs that are not trained on. */
  error(pairs: readonly Pair[]): number;
}

export function createEnlarger(seed: number, maxBatch: number): Enlarger {
  const tensors = createTensors();
  const random = createRandom(seed);
  const relu = { tensors, random, maxBatch, slope: 0 };
  const same = { kernel: 3, stride: 1, pad: 1 };
  const { first, second, large } = CHANNELS;
  const layers: Enlarger['layers'] = [
    convolution({ ...relu, ...same, height: SMALL, width: SMALL, inputs: 4, outputs: first }),
    convolution({ ...relu, ...same, height: SMALL, width: SMALL, inputs: first, outputs: second }),
    transposedConvolution({
      ...relu,
      height: SMALL,
      width: SMALL,
      inputs: second,
      outputs: large,
      kernel: 4,
      stride: 2,
      pad: 1,
    }),
    convolution({ ...relu, ...same, slope: 1, height: LARGE, width: LARGE, inputs: large, outputs: 4 }),
  ];
  const pixels = LARGE * LARGE;
  const [smalls, targets, gradient] = [maxBatch * SMALL * SMALL * 4, maxBatch * pixels * 4, maxBatch * pixels * 4].map(
    (n) => tensors.allocate(n),
  ) as [Address, Address, Address];
  const step = createAdam(tensors, layers);
  /** Loads a batch and returns the address of the logits, [batch, LARGE, LARGE, 4]. */
  const forward = (batch: readonly Pair[]): Address => {
    const x = tensors.view(smalls, batch.length * SMALL * SMALL * 4);
    const y = tensors.view(targets, batch.length * pixels * 4);
    batch.forEach(({ small, large: wanted }, row) => {
      for (let i = 0; i < SMALL * SMALL; i++)
        for (let c = 0; c < 3; c++)
          x[(row * SMALL * SMALL + i) * 4 + c] = (small[i * 3 + c] ?? 0) * BYTE_SCALE + BYTE_SHIFT;
      for (let i = 0; i < pixels; i++)
        for (let c = 0; c < 3; c++) y[(row * pixels + i) * 4 + c] = wanted[i * 3 + c] ?? 0;
    });
    return layers.reduce((at, layer) => layer.forward(at, batch.length), smalls);
  };
  /** Squared error per colour value; the gradient of the cross entropy goes to `gradient`. */
  const loss = (batch: readonly Pair[]): number => {
    const sum = tensors.kernels.imageLoss(forward(batch), targets, gradient, batch.length * pixels, 1 / batch.length);
    return sum / (batch.length * pixels * 3);
  };
  return {
    tensors,
    layers,
    train(batch, rate) {
      const error = loss(batch);
      layers.reduceRight((dy, layer) => layer.backward(dy), gradient);
      step(rate);
      return error;
    },
    error(pairs) {
      let sum = 0;
      for (let i = 0; i < pairs.length; i += maxBatch) {
        const batch = pairs.slice(i, i + maxBatch);
        sum += loss(batch) * batch.length;
      }
      return sum / pairs.length;
    },
  };
}
