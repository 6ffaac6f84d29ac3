import { createGaussian } from '../../training/functions.ts';
import { createAdamOf, dense, type Layer, type Parameter } from '../../training/layers.ts';
import { createRandom, type Random } from '../../training/random.ts';
import { type Address, createTensors, type Tensors } from '../../training/tensor.ts';
import {
  type Activation,
  type Attention,
  attention,
  crossEntropy,
  type Embedding,
  embedding,
  gelu,
  layerNorm,
  type Normalization,
} from '../../training/transformer.ts';
import { ALPHABET, ANSWER, PROMPT } from './data.ts';

export const CLASSES = ALPHABET.length;
/** Places of a prompt and its answer. */
export const LENGTH = PROMPT + ANSWER;
export const WIDTH = 64;
export const LAYERS = 2;
export const HEADS = 4;
/** Numbers of the row that is key and value of a place for all heads of a layer. */
export const MEMORY = 32;
export const HIDDEN = 192;

/** One layer: attention and a network of one hidden layer, each added to what went in. */
export interface Block {
  readonly before: Normalization;
  readonly queries: Layer;
  readonly memory: Layer;
  readonly mixed: Layer;
  readonly between: Normalization;
  readonly up: Layer;
  readonly down: Layer;
}

/** Classes of each place, and of what follows each: -1 where that does not count. */
export interface Sequence {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
}

export interface Network {
  readonly tensors: Tensors;
  readonly embedding: Embedding;
  readonly blocks: readonly Block[];
  readonly last: Normalization;
  readonly logits: Layer;
  /** One step of Adam on a batch; the mean cross entropy in nats a place. */
  train(batch: readonly Sequence[], rate: number): number;
  /** The loss alone. */
  loss(batch: readonly Sequence[]): number;
  /** Adds to the parameters' gradients without a step; answers the loss. For tests. */
  backpropagate(batch: readonly Sequence[]): number;
  readonly parameters: readonly Parameter[];
}

export function createNetwork(seed: number, maxBatch: number): Network {
  const tensors = createTensors();
  const random = createRandom(seed);
  const maxRows = maxBatch * LENGTH;
  const entry = embedding({ tensors, random, classes: CLASSES, length: LENGTH, width: WIDTH, maxRows });
  const stack = Array.from({ length: LAYERS }, () => createStage(tensors, random, maxBatch));
  const last = layerNorm(tensors, WIDTH, maxRows);
  const logits = linear(tensors, random, maxRows, WIDTH, CLASSES, 0.7);
  const gradient = tensors.allocate(maxRows * CLASSES);
  const parameters = [
    entry.classes,
    entry.places,
    ...stack.flatMap(({ block }) => parametersOf(block)),
    ...[last.gain, last.shift, logits.weight, logits.bias],
  ];
  const step = createAdamOf(tensors, parameters);
  const forward = (batch: readonly Sequence[]): number => {
    const [tokens, targets] = (['tokens', 'targets'] as const).map((key) => joined(batch, key)) as [
      Int32Array,
      Int32Array,
    ];
    const x = stack.reduce((input, stage) => stage.forward(input, batch.length), entry.forward(tokens));
    const out = logits.forward(last.forward(x, tokens.length), tokens.length);
    return crossEntropy(tensors, out, gradient, targets, CLASSES);
  };
  const backpropagate = (batch: readonly Sequence[]): number => {
    const loss = forward(batch);
    const dx = last.backward(logits.backward(gradient));
    for (const stage of stack.toReversed()) stage.backward(dx, batch.length);
    entry.backward(dx);
    return loss;
  };
  return {
    tensors,
    embedding: entry,
    blocks: stack.map(({ block }) => block),
    last,
    logits,
    parameters,
    backpropagate,
    loss: forward,
    train(batch, rate) {
      const loss = backpropagate(batch);
      step(rate);
      return loss;
    },
  };
}

function joined(batch: readonly Sequence[], key: 'tokens' | 'targets'): Int32Array {
  const out = new Int32Array(batch.length * LENGTH);
  batch.forEach((sequence, i) => {
    out.set(sequence[key], i * LENGTH);
  });
  return out;
}

/** A dense layer without activation whose first weights are `gain` of what He proposes. */
function linear(
  tensors: Tensors,
  random: Random,
  maxBatch: number,
  inputs: number,
  outputs: number,
  gain: number,
): Layer {
  const layer = dense({ tensors, random, maxBatch, slope: 1, inputs, outputs });
  const weights = tensors.view(layer.weight.value, layer.weight.n);
  weights.forEach((v, i) => {
    weights[i] = v * gain;
  });
  return layer;
}

/** What is added to the residual has no bias: in the graph the sum is the third operand of the product. */
function parametersOf({ before, queries, memory, mixed, between, up, down }: Block): Parameter[] {
  const biased = [queries, memory, up].flatMap(({ weight, bias }) => [weight, bias]);
  const norms = [before, between].flatMap(({ gain, shift }) => [gain, shift]);
  return [...norms, ...biased, mixed.weight, down.weight];
}

interface Stage {
  readonly block: Block;
  forward(x: Address, sequences: number): Address;
  /** Adds to the gradient of what came out what makes it the gradient of what went in. */
  backward(dx: Address, sequences: number): void;
}

function createStage(tensors: Tensors, random: Random, maxBatch: number): Stage {
  const maxRows = maxBatch * LENGTH;
  const layer = (inputs: number, outputs: number, gain: number): Layer =>
    linear(tensors, random, maxRows, inputs, outputs, gain);
  const block: Block = {
    before: layerNorm(tensors, WIDTH, maxRows),
    queries: layer(WIDTH, HEADS * MEMORY, 0.7),
    memory: layer(WIDTH, MEMORY, 0.7),
    mixed: layer(HEADS * MEMORY, WIDTH, 0.35),
    between: layerNorm(tensors, WIDTH, maxRows),
    up: layer(WIDTH, HIDDEN, 0.7),
    down: layer(HIDDEN, WIDTH, 0.35),
  };
  const { before, queries, memory, mixed, between, up, down } = block;
  const heads: Attention = attention({
    tensors,
    length: LENGTH,
    heads: HEADS,
    width: MEMORY,
    maxSequences: maxBatch,
  });
  const bent: Activation = gelu(tensors, createGaussian(tensors.kernels.expf), maxRows * HIDDEN);
  const add = (to: Address, from: Address, rows: number): Address => {
    const [sum, other] = [tensors.view(to, rows * WIDTH), tensors.view(from, rows * WIDTH)];
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (other[i] as number);
    return to;
  };
  return {
    block,
    forward(x, sequences) {
      const rows = sequences * LENGTH;
      const normal = before.forward(x, rows);
      const mix = heads.forward(queries.forward(normal, rows), memory.forward(normal, rows), sequences);
      const middle = add(mixed.forward(mix, rows), x, rows);
      const wide = bent.forward(up.forward(between.forward(middle, rows), rows), rows * HIDDEN);
      return add(down.forward(wide, rows), middle, rows);
    },
    backward(dx, sequences) {
      const rows = sequences * LENGTH;
      add(dx, between.backward(up.backward(bent.backward(down.backward(dx)))), rows);
      const through = heads.backward(mixed.backward(dx));
      const normal = queries.backward(through.queries);
      add(dx, before.backward(add(normal, memory.backward(through.memory), rows)), rows);
    },
  };
}
