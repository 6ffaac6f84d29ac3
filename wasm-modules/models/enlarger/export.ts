import { floats, ints, node } from '../../onnx/builder.ts';
import type { Model, Node, Tensor } from '../../onnx/model.ts';
import { convolutionWeights, transposedWeights } from '../../training/weights.ts';
import { LARGE, SMALL } from './data.ts';
import { CHANNELS, type Enlarger } from './network.ts';

/** The network as ONNX: channels-first inside, a picture's bytes in their order outside. */
export function exportEnlarger({ tensors: memory, layers }: Enlarger): Model {
  const [first, second, grow, last] = layers;
  const same = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) };
  const tensors: Tensor[] = [
    ...convolutionWeights('first', first, { inputs: 3, outputs: CHANNELS.first, kernel: 3 }, memory),
    ...convolutionWeights('second', second, { inputs: CHANNELS.first, outputs: CHANNELS.second, kernel: 3 }, memory),
    ...transposedWeights('grow', grow, { inputs: CHANNELS.second, outputs: CHANNELS.large, kernel: 4 }, memory),
    ...convolutionWeights('last', last, { inputs: CHANNELS.large, outputs: 3, kernel: 3 }, memory),
  ];
  const nodes: Node[] = [
    node('Transpose', 'channels', ['picture'], 'small', { perm: ints([0, 3, 1, 2]) }),
    node('Conv', 'first', ['small', 'first.weight', 'first.bias'], 'first.sum', same),
    node('Relu', 'first.relu', ['first.sum'], 'first'),
    node('Conv', 'second', ['first', 'second.weight', 'second.bias'], 'second.sum', same),
    node('Relu', 'second.relu', ['second.sum'], 'second'),
    node('ConvTranspose', 'grow', ['second', 'grow.weight', 'grow.bias'], 'grow.sum', {
      kernel_shape: ints([4, 4]),
      strides: ints([2, 2]),
      pads: ints([1, 1, 1, 1]),
    }),
    node('Relu', 'grow.relu', ['grow.sum'], 'grow'),
    node('Conv', 'last', ['grow', 'last.weight', 'last.bias'], 'last.sum', same),
    node('Sigmoid', 'image', ['last.sum'], 'image'),
  ];
  return {
    irVersion: 8,
    opset: 13,
    producer: 'autonomy',
    name: 'enlarger',
    nodes,
    initializers: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    inputs: [floats('picture', [1, SMALL, SMALL, 3])],
    outputs: [floats('image', [1, 3, LARGE, LARGE])],
  };
}
