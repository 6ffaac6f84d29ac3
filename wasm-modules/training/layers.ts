import type { Random } from './random.ts';
import type { Address, Tensors } from './tensor.ts';

/** A trained array with its gradient and the two moments of Adam. */
export interface Parameter {
  readonly n: number;
  readonly value: Address;
  readonly gradient: Address;
  readonly first: Address;
  readonly second: Address;
}

/** A layer over batches of at most the size it was made for. `backward` follows the `forward` it belongs to. */
export interface Layer {
  readonly weight: Parameter;
  readonly bias: Parameter;
  /** Returns the output's address; it stays valid until the next `forward`. */
  forward(x: Address, batch: number): Address;
  /** Takes d(loss)/d(output), adds to the parameters' gradients, returns d(loss)/d(input). */
  backward(dy: Address): Address;
}

/** slope: 1 = no activation, 0 = Relu, between = leaky Relu. */
interface Common {
  readonly tensors: Tensors;
  readonly random: Random;
  readonly maxBatch: number;
  readonly slope: number;
}

export function parameter(tensors: Tensors, n: number, random: Random | undefined, deviation: number): Parameter {
  const [value, gradient, first, second] = [0, 1, 2, 3].map(() => tensors.allocate(n)) as [
    number,
    number,
    number,
    number,
  ];
  if (random !== undefined) {
    const view = tensors.view(value, n);
    for (let i = 0; i < n; i++) view[i] = random.normal() * deviation;
  }
  return { n, value, gradient, first, second };
}

/** He initialisation for the given number of inputs per output. */
function weights(options: Common, n: number, fanIn: number): Parameter {
  return parameter(options.tensors, n, options.random, Math.sqrt(2 / fanIn));
}

/** y[batch,outputs] = x[batch,inputs] * W + b; both widths are multiples of 4. */
export function dense(options: Common & { readonly inputs: number; readonly outputs: number }): Layer {
  const { tensors, inputs, outputs, slope, maxBatch } = options;
  const { kernels } = tensors;
  const weight = weights(options, inputs * outputs, inputs);
  const bias = parameter(tensors, outputs, undefined, 0);
  const y = tensors.allocate(maxBatch * outputs);
  const dx = tensors.allocate(maxBatch * inputs);
  const turned = tensors.allocate(inputs * outputs);
  let x = 0;
  let batch = 0;
  return {
    weight,
    bias,
    forward(from, n) {
      x = from;
      batch = n;
      kernels.gemm(x, weight.value, y, batch, outputs, inputs, 0);
      kernels.biasActivate(y, bias.value, batch, outputs, slope);
      return y;
    },
    backward(dy) {
      kernels.biasActivateGrad(y, dy, bias.gradient, batch, outputs, slope);
      kernels.gemmTransposedA(x, dy, weight.gradient, batch, outputs, inputs);
      kernels.transpose(weight.value, turned, inputs, outputs);
      kernels.gemm(dy, turned, dx, batch, inputs, outputs, 0);
      return dx;
    },
  };
}

/** Images in channels-last order: the input's size, channels (multiples of 4), and a square kernel. */
export interface Window {
  readonly height: number;
  readonly width: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride: number;
  readonly pad: number;
}

/** Convolution: patches of the input times W[kernel*kernel*inputs, outputs]. */
export function convolution(options: Common & Window): Layer {
  const { tensors, height, width, inputs, outputs, kernel, stride, pad, slope, maxBatch } = options;
  const { kernels } = tensors;
  const oh = (height + 2 * pad - kernel) / stride + 1;
  const ow = (width + 2 * pad - kernel) / stride + 1;
  const patch = kernel * kernel * inputs;
  const weight = weights(options, patch * outputs, patch);
  const bias = parameter(tensors, outputs, undefined, 0);
  const rows = tensors.allocate(maxBatch * oh * ow * patch);
  const y = tensors.allocate(maxBatch * oh * ow * outputs);
  const drows = tensors.allocate(maxBatch * oh * ow * patch);
  const dx = tensors.allocate(maxBatch * height * width * inputs);
  const turned = tensors.allocate(patch * outputs);
  let count = 0;
  let batch = 0;
  return {
    weight,
    bias,
    forward(x, n) {
      batch = n;
      count = batch * oh * ow;
      kernels.patches(x, rows, batch, height, width, inputs, kernel, stride, pad, oh, ow, 0);
      kernels.gemm(rows, weight.value, y, count, outputs, patch, 0);
      kernels.biasActivate(y, bias.value, count, outputs, slope);
      return y;
    },
    backward(dy) {
      kernels.biasActivateGrad(y, dy, bias.gradient, count, outputs, slope);
      kernels.gemmTransposedA(rows, dy, weight.gradient, count, outputs, patch);
      kernels.transpose(weight.value, turned, patch, outputs);
      kernels.gemm(dy, turned, drows, count, patch, outputs, 0);
      tensors.view(dx, batch * height * width * inputs).fill(0);
      kernels.patches(dx, drows, batch, height, width, inputs, kernel, stride, pad, oh, ow, 1);
      return dx;
    },
  };
}

/** Transposed convolution: x times W[inputs, kernel*kernel*outputs], patches added into the output. */
export function transposedConvolution(options: Common & Window): Layer {
  const { tensors, height, width, inputs, outputs, kernel, stride, pad, slope, maxBatch } = options;
  const { kernels } = tensors;
  const oh = (height - 1) * stride - 2 * pad + kernel;
  const ow = (width - 1) * stride - 2 * pad + kernel;
  const patch = kernel * kernel * outputs;
  // Each output pixel gathers from about (kernel / stride)^2 input pixels.
  const weight = weights(options, inputs * patch, (inputs * kernel * kernel) / (stride * stride));
  const bias = parameter(tensors, outputs, undefined, 0);
  const rows = tensors.allocate(maxBatch * height * width * patch);
  const y = tensors.allocate(maxBatch * oh * ow * outputs);
  const dx = tensors.allocate(maxBatch * height * width * inputs);
  const turned = tensors.allocate(patch * inputs);
  let x = 0;
  let batch = 0;
  return {
    weight,
    bias,
    forward(from, n) {
      x = from;
      batch = n;
      kernels.gemm(x, weight.value, rows, batch * height * width, patch, inputs, 0);
      tensors.view(y, batch * oh * ow * outputs).fill(0);
      kernels.patches(y, rows, batch, oh, ow, outputs, kernel, stride, pad, height, width, 1);
      kernels.biasActivate(y, bias.value, batch * oh * ow, outputs, slope);
      return y;
    },
    backward(dy) {
      const count = batch * height * width;
      kernels.biasActivateGrad(y, dy, bias.gradient, batch * oh * ow, outputs, slope);
      kernels.patches(dy, rows, batch, oh, ow, outputs, kernel, stride, pad, height, width, 0);
      kernels.gemmTransposedA(x, rows, weight.gradient, count, patch, inputs);
      kernels.transpose(weight.value, turned, inputs, patch);
      kernels.gemm(rows, turned, dx, count, inputs, patch, 0);
      return dx;
    },
  };
}

/** Adam over all that a list of layers learns. */
export function createAdam(tensors: Tensors, layers: readonly Layer[]): (rate: number) => void {
  return createAdamOf(
    tensors,
    layers.flatMap(({ weight, bias }) => [weight, bias]),
  );
}

/** Adam; the bias corrections are folded into the rate (Kingma and Ba 2015, section 2). */
export function createAdamOf(tensors: Tensors, parameters: readonly Parameter[]): (rate: number) => void {
  let first = 1;
  let second = 1;
  return (rate) => {
    first *= 0.9;
    second *= 0.999;
    const corrected = (rate * Math.sqrt(1 - second)) / (1 - first);
    for (const p of parameters) tensors.kernels.adam(p.value, p.gradient, p.first, p.second, p.n, corrected);
  };
}
