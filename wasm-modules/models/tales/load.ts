import { elementsOf } from '../../onnx/model.ts';
import { readModel } from '../../onnx/reader.ts';
import type { Address } from '../../training/tensor.ts';
import { CLASSES, createNetwork, LENGTH, MEMORY, type Network, WIDTH } from './network.ts';
import { BLOCK } from './quantized.ts';

/**
 * The network with the weights of a file that `exportTales` made: what the file's rounded numbers are worth. Normalizations
 * have gain 1 and shift 0, because theirs lie in what follows.
 */
export function loadTales(onnx: Uint8Array, maxBatch: number): Network {
  const model = readModel(onnx);
  if (!model.ok) throw new Error('the file is no model');
  const numbers = (name: string): Float64Array => {
    const tensor = model.value.initializers.get(name);
    if (tensor === undefined) throw new Error(`the file has no ${name}`);
    return Float64Array.from(elementsOf(tensor.dtype, tensor.data), Number);
  };
  const [whole, scales] = [numbers('weights'), numbers('weights.scales')];
  const network = createNetwork(0, maxBatch);
  const { tensors, embedding, blocks, last, logits } = network;
  let at = 0;
  const take = (to: Address, n: number, factor: number): void => {
    const into = tensors.view(to, n);
    for (let i = 0; i < n; i++, at++) into[i] = (whole[at] ?? 0) * (scales[Math.floor(at / BLOCK)] ?? 0) * factor;
  };
  const bias = (to: Address, name: string, factor: number): void => {
    const values = numbers(`${name}.b`);
    tensors.view(to, values.length).set(values.map((v) => v * factor));
  };
  const unit = 1 / Math.sqrt(WIDTH);
  take(embedding.classes.value, CLASSES * WIDTH, 1);
  take(embedding.places.value, LENGTH * WIDTH, 1);
  blocks.forEach(({ queries, memory, mixed, up, down }, i) => {
    take(queries.weight.value, queries.weight.n, unit * Math.sqrt(MEMORY));
    take(memory.weight.value, memory.weight.n, unit);
    take(mixed.weight.value, mixed.weight.n, 1);
    take(up.weight.value, up.weight.n, unit);
    take(down.weight.value, down.weight.n, 1);
    bias(queries.bias.value, `${i}.queries`, Math.sqrt(MEMORY));
    bias(memory.bias.value, `${i}.memory`, 1);
    bias(up.bias.value, `${i}.up`, 1);
  });
  take(logits.weight.value, logits.weight.n, unit);
  bias(logits.bias.value, 'logits', 1);
  for (const { gain, shift } of [last, ...blocks.flatMap(({ before, between }) => [before, between])]) {
    tensors.view(gain.value, WIDTH).fill(1);
    tensors.view(shift.value, WIDTH).fill(0);
  }
  return network;
}
