import { floats, int, intsOf, node, tensorOf } from '../../onnx/builder.ts';
import type { Attribute, Model, Node, Tensor } from '../../onnx/model.ts';
import type { Layer } from '../../training/layers.ts';
import type { Address } from '../../training/tensor.ts';
import type { Normalization } from '../../training/transformer.ts';
import { ALPHABET, ANSWER, classOf, PROMPT } from './data.ts';
import { CLASSES, HEADS, HIDDEN, LAYERS, LENGTH, MEMORY, type Network, WIDTH } from './network.ts';
import { BLOCK, quantized } from './quantized.ts';

/** Classes that an answer's byte is chosen from: the most likely ones. */
export const TOP = 8;

/** A matrix of the graph, with rows of the input and columns of the output. */
interface Matrix {
  readonly name: string;
  readonly dims: readonly [number, number];
  readonly values: Float32Array;
}

/** Collects nodes; names of results are counted, so that an unrolled graph stays small. */
interface Graph {
  readonly nodes: Node[];
  readonly tensors: Tensor[];
  add(op: string, inputs: string[], attributes?: Record<string, Attribute>): string;
  ints(values: readonly number[]): string;
}

function createGraph(): Graph {
  const nodes: Node[] = [];
  const tensors: Tensor[] = [];
  const known = new Map<string, string>();
  return {
    nodes,
    tensors,
    add(op, inputs, attributes = {}) {
      const output = `r${nodes.length}`;
      nodes.push(node(op, '', inputs, output, attributes));
      return output;
    },
    ints(values) {
      const name = known.get(`${values}`) ?? `i${values.join('_')}`;
      if (!known.has(`${values}`)) tensors.push(intsOf(name, values));
      known.set(`${values}`, name);
      return name;
    },
  };
}

/**
 * The network as a graph that tells ANSWER bytes: one pass over the prompt, then a step for each byte but the first, with the
 * rows of memory of all places before kept. A byte is the class with the greatest sum of its logit and Gumbel noise
 * (Gumbel 1954; Maddison et al. 2014), which is a draw from the softmax; only the TOP most likely classes take part.
 */
export function exportTales(network: Network): Model {
  const graph = createGraph();
  const weights = weightsOf(network);
  const of = dequantize(graph, weights.matrices);
  graph.tensors.push(...weights.biases, ...tables());
  const noise = gumbel(graph);
  const bytes = graph.add('Cast', ['prompt'], { to: int(6) });
  const prompt = graph.add('Gather', ['class.of', bytes]);
  const rows = graph.add('Add', [graph.add('Gather', [of('classes'), prompt]), places(graph, of, 0, PROMPT)]);
  const kept: string[] = [];
  let x = rows;
  for (let layer = 0; layer < LAYERS; layer++) {
    const step = pass(graph, of, layer, x, PROMPT, undefined);
    kept.push(step.memory);
    x = step.x;
  }
  x = slice(graph, x, PROMPT - 1, PROMPT);
  const told = [choose(graph, of, x, slice(graph, noise, 0, 1))];
  for (let i = 1; i < ANSWER; i++) {
    const at = PROMPT + i - 1;
    x = graph.add('Add', [graph.add('Gather', [of('classes'), told[i - 1] as string]), places(graph, of, at, at + 1)]);
    for (let layer = 0; layer < LAYERS; layer++) {
      const step = pass(graph, of, layer, x, 1, kept[layer]);
      kept[layer] = step.memory;
      x = step.x;
    }
    told.push(choose(graph, of, x, slice(graph, noise, i, i + 1)));
  }
  graph.nodes.push(
    node('Concat', '', told, 'told', { axis: int(0) }),
    node('Gather', '', ['byte.of', 'told'], 'answer'),
  );
  return {
    irVersion: 8,
    opset: 20,
    producer: 'autonomy',
    name: 'tales',
    nodes: graph.nodes,
    initializers: new Map(graph.tensors.map((tensor) => [tensor.name, tensor])),
    inputs: [
      { name: 'prompt', dtype: 2, dims: [PROMPT] },
      floats('temperature', [1, 1]),
      floats('noise', [ANSWER, CLASSES]),
    ],
    outputs: [{ name: 'answer', dtype: 2, dims: [ANSWER] }],
  };
}

/** All that is learned, with what the normalizations do beyond bringing a row to length 1 multiplied into what follows. */
function weightsOf({ tensors, embedding, blocks, last, logits }: Network): {
  readonly matrices: readonly Matrix[];
  readonly biases: readonly Tensor[];
} {
  const read = (at: Address, n: number): Float32Array => tensors.view(at, n);
  const centred = (name: string, at: Address, rows: number): Matrix => {
    const values = read(at, rows * WIDTH).slice();
    for (let row = 0; row < rows; row++) {
      const own = values.subarray(row * WIDTH, (row + 1) * WIDTH);
      const mean = own.reduce((sum, v) => sum + v, 0) / WIDTH;
      own.forEach((v, i) => {
        own[i] = v - mean;
      });
    }
    return { name, dims: [rows, WIDTH], values };
  };
  const biases: Tensor[] = [];
  /** `scale` multiplies what comes out. */
  const normalized = (name: string, norm: Normalization, layer: Layer, columns: number, scale = 1): Matrix => {
    const [gain, shift] = [read(norm.gain.value, WIDTH), read(norm.shift.value, WIDTH)];
    const own = read(layer.weight.value, WIDTH * columns);
    const bias = Float64Array.from(read(layer.bias.value, columns), (v) => v * scale);
    const values = new Float32Array(WIDTH * columns);
    for (let row = 0; row < WIDTH; row++)
      for (let column = 0; column < columns; column++) {
        const v = (own[row * columns + column] ?? 0) * scale;
        values[row * columns + column] = v * (gain[row] ?? 0) * Math.sqrt(WIDTH);
        bias[column] = (bias[column] ?? 0) + v * (shift[row] ?? 0);
      }
    biases.push(tensorOf(`${name}.b`, [columns], Float32Array.from(bias)));
    return { name, dims: [WIDTH, columns], values };
  };
  const matrices = blocks.flatMap(({ before, queries, memory, mixed, between, up, down }, i) => [
    normalized(`${i}.queries`, before, queries, HEADS * MEMORY, 1 / Math.sqrt(MEMORY)),
    normalized(`${i}.memory`, before, memory, MEMORY),
    centred(`${i}.mixed`, mixed.weight.value, HEADS * MEMORY),
    normalized(`${i}.up`, between, up, HIDDEN),
    centred(`${i}.down`, down.weight.value, HIDDEN),
  ]);
  return {
    matrices: [
      centred('classes', embedding.classes.value, CLASSES),
      centred('places', embedding.places.value, LENGTH),
      ...matrices,
      normalized('logits', last, logits, CLASSES),
    ],
    biases,
  };
}

/** The matrices lie in the file as one tensor of int8 and one of scales; the graph's first steps make floats of them. */
function dequantize(graph: Graph, matrices: readonly Matrix[]): (name: string) => string {
  graph.tensors.push(
    ...quantized(
      'weights',
      matrices.map(({ values }) => values),
    ),
  );
  const whole = graph.add('Mul', [graph.add('Cast', ['weights'], { to: int(1) }), 'weights.scales']);
  const names = new Map<string, string>();
  let at = 0;
  for (const { name, dims } of matrices) {
    const blocks = (dims[0] * dims[1]) / BLOCK;
    names.set(name, graph.add('Reshape', [slice(graph, whole, at, at + blocks), graph.ints(dims)]));
    at += blocks;
  }
  return (name) => names.get(name) ?? name;
}

function slice(graph: Graph, x: string, from: number, to: number): string {
  return graph.add('Slice', [x, graph.ints([from]), graph.ints([to])]);
}

const places = (graph: Graph, of: (name: string) => string, from: number, to: number): string =>
  slice(graph, of('places'), from, to);

/** Which class a byte of a prompt has, which byte a class is; and what else is fixed. */
function tables(): Tensor[] {
  const mask = new Float32Array(PROMPT * PROMPT);
  for (let row = 0; row < PROMPT; row++) mask.fill(-1e9, row * PROMPT + row + 1, (row + 1) * PROMPT);
  return [
    {
      ...intsOf(
        'class.of',
        Array.from({ length: 256 }, (_, byte) => classOf(byte)),
      ),
    },
    { name: 'byte.of', dtype: 'uint8', dims: [CLASSES], data: new TextEncoder().encode(ALPHABET) },
    tensorOf('mask', [PROMPT, 1, PROMPT], mask),
    tensorOf('half', [1], Float32Array.of(2 ** -17)),
    tensorOf('top', [1], Float32Array.of(TOP)),
    tensorOf('never', [1], Float32Array.of(-1e9)),
  ];
}

/**
 * Noise that makes the greatest of noisy logits a draw: -ln(-ln u), times the temperature. What lies behind the point of the normal
 * numbers of the machine, multiples of 2^-16 that are sums of twelve uniform ones, is uniform to the bit.
 */
function gumbel(graph: Graph): string {
  const fraction = graph.add('Sub', ['noise', graph.add('Floor', ['noise'])]);
  const surprise = graph.add('Neg', [graph.add('Log', [graph.add('Add', [fraction, 'half'])])]);
  return graph.add('Mul', [graph.add('Neg', [graph.add('Log', [surprise])]), 'temperature']);
}

/** Rows brought to length 1: their mean is 0 already, gain and shift lie in what follows. */
function unit(graph: Graph, x: string): string {
  return graph.add('Div', [x, graph.add('ReduceL2', [x, graph.ints([1])], { keepdims: int(1) })]);
}

/** One layer over `rows` places that follow those of `kept`. */
function pass(
  graph: Graph,
  of: (name: string) => string,
  layer: number,
  x: string,
  rows: number,
  kept: string | undefined,
): { readonly x: string; readonly memory: string } {
  const product = (name: string, from: string): string =>
    graph.add('Gemm', [from, of(`${layer}.${name}`), `${layer}.${name}.b`]);
  const normal = unit(graph, x);
  const own = product('memory', normal);
  const memory = kept === undefined ? own : graph.add('Concat', [kept, own], { axis: int(0) });
  const queries = graph.add('Reshape', [product('queries', normal), graph.ints([rows * HEADS, MEMORY])]);
  let scores = graph.add('Gemm', [queries, memory], { transB: int(1) });
  if (kept === undefined) scores = masked(graph, scores, rows);
  const mix = graph.add('MatMul', [graph.add('Softmax', [scores], { axis: int(-1) }), memory]);
  const heads = graph.add('Reshape', [mix, graph.ints([rows, HEADS * MEMORY])]);
  const middle = graph.add('Gemm', [heads, of(`${layer}.mixed`), x]);
  const wide = graph.add('Gelu', [product('up', unit(graph, middle))]);
  return { x: graph.add('Gemm', [wide, of(`${layer}.down`), middle]), memory };
}

/** No place of the prompt looks behind itself. */
function masked(graph: Graph, scores: string, rows: number): string {
  const apart = graph.add('Reshape', [scores, graph.ints([rows, HEADS, rows])]);
  return graph.add('Reshape', [graph.add('Add', [apart, 'mask']), graph.ints([rows * HEADS, rows])]);
}

/** The class that comes next, of the TOP most likely ones: those that fewer than TOP classes exceed. */
function choose(graph: Graph, of: (name: string) => string, x: string, noise: string): string {
  const logits = graph.add('Gemm', [unit(graph, x), of('logits'), 'logits.b']);
  const column = graph.add('Reshape', [logits, graph.ints([CLASSES, 1])]);
  const greater = graph.add('Cast', [graph.add('Greater', [logits, column])], { to: int(1) });
  const rank = graph.add('ReduceSum', [greater, graph.ints([1])], { keepdims: int(0) });
  const likely = graph.add('Less', [rank, 'top']);
  const noisy = graph.add('Where', [likely, graph.add('Add', [logits, noise]), 'never']);
  return graph.add('ArgMax', [noisy], { axis: int(1), keepdims: int(0) });
}
