import { floats, int, ints, intsOf, node, tensorOf } from '../../onnx/builder.ts';
import type { Model, Node, Tensor } from '../../onnx/model.ts';
import type { Layer } from '../../training/layers.ts';
import { transposedWeights } from '../../training/weights.ts';
import { HALF, SIDE, SPECIES } from './data.ts';
import { HIDDEN, LATENT, SEED_CHANNELS, SEED_HEIGHT, SEED_WIDTH, type Vae } from './vae.ts';

const CODE = LATENT + SPECIES.length + 6;
const SEED_SIZE = SEED_CHANNELS * SEED_HEIGHT * SEED_WIDTH;

/** Channels of each picture from the seed to the last one, and kernel, stride, padding of the step to the next. */
const STEPS = [
  { inputs: SEED_CHANNELS, outputs: 36, kernel: 4, stride: 2, pad: 1 },
  { inputs: 36, outputs: 24, kernel: 4, stride: 2, pad: 1 },
  { inputs: 24, outputs: 16, kernel: 4, stride: 2, pad: 1 },
  { inputs: 16, outputs: 3, kernel: 3, stride: 1, pad: 1 },
] as const;

/** The decoder as ONNX: channels-first, without the padding to multiples of four; the left half mirrors the right. */
export function exportDecoder(vae: Vae): Model {
  const [first, second, ...rest] = vae.decoder;
  const read = (address: number, n: number): Float32Array => vae.tensors.view(address, n);
  const tensors: Tensor[] = [
    tensorOf('hidden.weight', [CODE, HIDDEN], read(first.weight.value, CODE * HIDDEN)),
    tensorOf('hidden.bias', [HIDDEN], read(first.bias.value, HIDDEN)),
    tensorOf('seed.weight', [HIDDEN, SEED_SIZE], channelsFirst(read(second.weight.value, HIDDEN * SEED_SIZE), HIDDEN)),
    tensorOf('seed.bias', [SEED_SIZE], channelsFirst(read(second.bias.value, SEED_SIZE), 1)),
    intsOf('seed.shape', [1, SEED_CHANNELS, SEED_HEIGHT, SEED_WIDTH]),
    intsOf('mirror.start', [HALF - 1]),
    // Before the first index of the axis, which -1 would not be: ONNX counts negative ends from the back.
    intsOf('mirror.end', [-HALF - 1]),
    intsOf('mirror.axis', [3]),
    intsOf('mirror.step', [-1]),
  ];
  const nodes: Node[] = [
    node('Concat', 'join', ['latent', 'species', 'body', 'accent'], 'code', { axis: int(1) }),
    node('Gemm', 'hidden', ['code', 'hidden.weight', 'hidden.bias'], 'hidden'),
    node('Relu', 'hidden.relu', ['hidden'], 'hidden.active'),
    node('Gemm', 'seed', ['hidden.active', 'seed.weight', 'seed.bias'], 'seed'),
    node('Relu', 'seed.relu', ['seed'], 'seed.active'),
    node('Reshape', 'seed.reshape', ['seed.active', 'seed.shape'], 'grow0'),
  ];
  STEPS.forEach((step, i) => {
    const name = `grow${i + 1}`;
    const layer = rest[i] as Layer;
    const last = i === STEPS.length - 1;
    tensors.push(...transposedWeights(name, layer, step, vae.tensors));
    nodes.push(
      node('ConvTranspose', `${name}.up`, [`grow${i}`, `${name}.weight`, `${name}.bias`], `${name}.sum`, {
        kernel_shape: ints([step.kernel, step.kernel]),
        strides: ints([step.stride, step.stride]),
        pads: ints([step.pad, step.pad, step.pad, step.pad]),
      }),
      node(last ? 'Sigmoid' : 'Relu', `${name}.active`, [`${name}.sum`], last ? 'right' : name),
    );
  });
  nodes.push(
    node('Slice', 'mirror', ['right', 'mirror.start', 'mirror.end', 'mirror.axis', 'mirror.step'], 'left'),
    node('Concat', 'whole', ['left', 'right'], 'image', { axis: int(3) }),
  );
  return {
    irVersion: 8,
    opset: 13,
    producer: 'autonomy',
    name: 'sprites',
    nodes,
    initializers: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    inputs: [
      floats('latent', [1, LATENT]),
      floats('species', [1, SPECIES.length]),
      floats('body', [1, 3]),
      floats('accent', [1, 3]),
    ],
    outputs: [floats('image', [1, 3, SIDE, SIDE])],
  };
}

/** Columns ordered [height, width, channel] become [channel, height, width]. */
function channelsFirst(values: Float32Array, rows: number): Float32Array {
  const out = new Float32Array(values.length);
  const places = SEED_HEIGHT * SEED_WIDTH;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < SEED_CHANNELS; c++) {
      for (let p = 0; p < places; p++) {
        out[r * SEED_SIZE + c * places + p] = values[r * SEED_SIZE + p * SEED_CHANNELS + c] ?? 0;
      }
    }
  }
  return out;
}
