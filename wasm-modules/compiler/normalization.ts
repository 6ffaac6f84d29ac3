/**
 * A batch normalisation behind a convolution becomes part of its weights and bias. They are computed in double precision
 * and rounded once, so results differ from the graph's own in their last bits: `compiler/fuse.test.ts` bounds by how much.
 */
import type { Model, Node, Tensor } from '../onnx/model.ts';

/** BatchNormalization's epsilon where the node has none. */
const EPSILON = 1e-5;

export function foldNormalizations(model: Model): Model {
  const initializers = new Map(model.initializers);
  const readers = readersOf(model);
  const gone = new Set<Node>();
  const nodes = model.nodes.map((node) => {
    const [output = ''] = node.outputs;
    const [normalization, ...others] = readers.get(output) ?? [];
    if (normalization === undefined || others.length > 0 || model.outputs.some(({ name }) => name === output))
      return node;
    const folded = foldInto(model, node, normalization, initializers);
    if (folded === undefined) return node;
    gone.add(normalization);
    return folded;
  });
  return { ...model, initializers, nodes: nodes.filter((node) => !gone.has(node)) };
}

function readersOf(model: Model): ReadonlyMap<string, readonly Node[]> {
  const readers = new Map<string, Node[]>();
  for (const node of model.nodes)
    for (const name of node.inputs) readers.set(name, [...(readers.get(name) ?? []), node]);
  return readers;
}

function floatsOf(tensor: Tensor | undefined): Float32Array | undefined {
  return tensor?.dtype === 'float32' ? new Float32Array(new Uint8Array(tensor.data).buffer) : undefined;
}

function foldInto(model: Model, node: Node, normalization: Node, initializers: Map<string, Tensor>): Node | undefined {
  const [x = '', weightName = '', biasName = ''] = node.inputs;
  const transposed = node.op === 'ConvTranspose';
  if ((node.op !== 'Conv' && !transposed) || node.domain !== '' || !plain(normalization)) return undefined;
  const read = (name: string | undefined) => floatsOf(model.initializers.get(name ?? ''));
  const weights = model.initializers.get(weightName);
  const numbers = read(weightName);
  const [scale, shift, mean, variance] = normalization.inputs.slice(1).map(read);
  const bias = biasName === '' ? undefined : read(biasName);
  if (weights === undefined || numbers === undefined || (biasName !== '' && bias === undefined)) return undefined;
  if (scale === undefined || shift === undefined || mean === undefined || variance === undefined) return undefined;
  const group = node.attributes.get('group');
  const groups = group?.kind === 'int' ? Number(group.value) : 1;
  const [first = 0, second = 0, ...kernel] = weights.dims;
  const channels = transposed ? second * groups : first;
  if ([scale, shift, mean, variance, bias ?? scale].some(({ length }) => length !== channels)) return undefined;
  const attribute = normalization.attributes.get('epsilon');
  const epsilon = attribute?.kind === 'float' ? attribute.value : EPSILON;
  const factors = Array.from(scale, (v, c) => v / Math.sqrt((variance[c] ?? 0) + epsilon));
  const taps = kernel.reduce((product, d) => product * d, 1);
  // The output channel that a weight belongs to: [filters, ...] or, transposed, [inputs, filters of the group, ...].
  const channelOf = (i: number): number => {
    if (!transposed) return Math.floor(i / (second * taps));
    const input = Math.floor(i / (second * taps));
    return Math.floor(input / (first / groups)) * second + (Math.floor(i / taps) % second);
  };
  const [output = ''] = normalization.outputs;
  const put = (suffix: string, dims: readonly number[], values: Float32Array): string => {
    const name = `${output}/${suffix}`;
    initializers.set(name, { name, dtype: 'float32', dims, data: new Uint8Array(values.buffer) });
    return name;
  };
  const inputs = [
    x,
    put(
      'weights',
      weights.dims,
      numbers.map((v, i) => v * (factors[channelOf(i)] ?? 1)),
    ),
    put(
      'bias',
      [channels],
      shift.map((v, c) => ((bias?.[c] ?? 0) - (mean[c] ?? 0)) * (factors[c] ?? 1) + v),
    ),
  ];
  return { ...node, inputs, outputs: [output] };
}

/** A normalisation for inference, of a kind that this compiler knows. */
function plain({ op, domain, inputs, outputs, attributes }: Node): boolean {
  const training = attributes.get('training_mode');
  const known = [...attributes.keys()].every((name) => ['epsilon', 'momentum', 'training_mode'].includes(name));
  return (
    op === 'BatchNormalization' &&
    domain === '' &&
    inputs.length === 5 &&
    outputs.length === 1 &&
    known &&
    (training === undefined || (training.kind === 'int' && training.value === 0n))
  );
}
