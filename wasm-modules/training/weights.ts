/** From the trained layers' memory to the constants of an ONNX graph. */
import { tensorOf } from '../onnx/builder.ts';
import type { Tensor } from '../onnx/model.ts';
import type { Layer } from './layers.ts';
import type { Tensors } from './tensor.ts';

interface Shape {
  readonly inputs: number;
  readonly outputs: number;
  /** Of a square. */
  readonly kernel: number;
}

/** Training works with channels in multiples of four. */
const padded = (channels: number): number => Math.ceil(channels / 4) * 4;

/** Weight and bias of a Conv: training keeps [ky, kx, inputs, outputs], ONNX wants [outputs, inputs, ky, kx]. */
export function convolutionWeights(name: string, layer: Layer, shape: Shape, memory: Tensors): Tensor[] {
  const { inputs, outputs, kernel } = shape;
  const places = kernel * kernel;
  const [rows, columns] = [padded(inputs), padded(outputs)];
  const from = memory.view(layer.weight.value, places * rows * columns);
  const out = new Float32Array(outputs * inputs * places);
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < inputs; i++)
      for (let p = 0; p < places; p++) out[(o * inputs + i) * places + p] = from[(p * rows + i) * columns + o] ?? 0;
  return [
    tensorOf(`${name}.weight`, [outputs, inputs, kernel, kernel], out),
    tensorOf(`${name}.bias`, [outputs], memory.view(layer.bias.value, outputs)),
  ];
}

/** Weight and bias of a ConvTranspose: training keeps [inputs, ky, kx, outputs], ONNX wants [inputs, outputs, ky, kx]. */
export function transposedWeights(name: string, layer: Layer, shape: Shape, memory: Tensors): Tensor[] {
  const { inputs, outputs, kernel } = shape;
  const places = kernel * kernel;
  const columns = padded(outputs);
  const from = memory.view(layer.weight.value, inputs * places * columns);
  const out = new Float32Array(inputs * outputs * places);
  for (let i = 0; i < inputs; i++)
    for (let p = 0; p < places; p++)
      for (let o = 0; o < outputs; o++) out[(i * outputs + o) * places + p] = from[(i * places + p) * columns + o] ?? 0;
  return [
    tensorOf(`${name}.weight`, [inputs, outputs, kernel, kernel], out),
    tensorOf(`${name}.bias`, [outputs], memory.view(layer.bias.value, outputs)),
  ];
}
