import { floats, int, ints, intsOf, node, tensorOf } from '../../onnx/builder.ts';
import type { Model, Node, Tensor } from '../../onnx/model.ts';
import type { Layer } from '../../training/layers.ts';
import { convolutionWeights } from '../../training/weights.ts';
import { SIDE, SPECIES } from './data.ts';
import { CHANNELS, type Classifier, FEATURES, HIDDEN, KERNEL, LAST_SIDE } from './network.ts';

/** The classifier as ONNX: channels-first inside, a photo's bytes in the order of a picture outside. */
export function exportClassifier({ tensors: memory, layers }: Classifier): Model {
  const read = (address: number, n: number): Float32Array => memory.view(address, n);
  const [, , , hidden, last] = layers;
  const tensors: Tensor[] = [];
  const nodes: Node[] = [node('Transpose', 'channels', ['photo'], 'step0', { perm: ints([0, 3, 1, 2]) })];
  for (const [i, outputs] of CHANNELS.slice(1).entries()) {
    const inputs = i === 0 ? 3 : (CHANNELS[i] ?? 0);
    const name = `step${i + 1}`;
    tensors.push(...convolutionWeights(name, layers[i] as Layer, { inputs, outputs, kernel: KERNEL }, memory));
    nodes.push(
      node('Conv', `${name}.conv`, [`step${i}`, `${name}.weight`, `${name}.bias`], `${name}.sum`, {
        kernel_shape: ints([KERNEL, KERNEL]),
        strides: ints([2, 2]),
        pads: ints([1, 1, 1, 1]),
      }),
      node('Relu', `${name}.relu`, [`${name}.sum`], name),
    );
  }
  tensors.push(
    intsOf('flat.shape', [1, FEATURES]),
    tensorOf('hidden.weight', [FEATURES, HIDDEN], channelsFirst(read(hidden.weight.value, FEATURES * HIDDEN))),
    tensorOf('hidden.bias', [HIDDEN], read(hidden.bias.value, HIDDEN)),
    tensorOf('last.weight', [HIDDEN, SPECIES.length], read(last.weight.value, HIDDEN * SPECIES.length)),
    tensorOf('last.bias', [SPECIES.length], read(last.bias.value, SPECIES.length)),
  );
  nodes.push(
    node('Reshape', 'flat', ['step3', 'flat.shape'], 'features'),
    node('Gemm', 'hidden', ['features', 'hidden.weight', 'hidden.bias'], 'hidden.sum'),
    node('Relu', 'hidden.relu', ['hidden.sum'], 'hidden'),
    node('Gemm', 'last', ['hidden', 'last.weight', 'last.bias'], 'logits'),
    node('Softmax', 'probabilities', ['logits'], 'probabilities', { axis: int(1) }),
  );
  return {
    irVersion: 8,
    opset: 13,
    producer: 'autonomy',
    name: 'classifier',
    nodes,
    initializers: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    inputs: [floats('photo', [1, SIDE, SIDE, 3])],
    outputs: [floats('probabilities', [1, SPECIES.length])],
  };
}

/** Rows ordered [y, x, channel] become [channel, y, x]. */
function channelsFirst(values: Float32Array): Float32Array {
  const out = new Float32Array(values.length);
  const places = LAST_SIDE * LAST_SIDE;
  const [, , , channels] = CHANNELS;
  for (let p = 0; p < places; p++)
    for (let c = 0; c < channels; c++) {
      const row = values.subarray((p * channels + c) * HIDDEN, (p * channels + c + 1) * HIDDEN);
      out.set(row, (c * places + p) * HIDDEN);
    }
  return out;
}
