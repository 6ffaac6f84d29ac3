/**
 * Post-training quantisation: an ONNX model of float32 becomes one whose convolutions and matrix products multiply integers
 * of eight bits. Weights are symmetric with a scale for each output channel; activations have one scale and zero point,
 * which come from calibration data, or are found anew in each call where there is none.
 */
import { tensorOf } from '../onnx/builder.ts';
import type { Model, Node, Tensor } from '../onnx/model.ts';
import { readModel } from '../onnx/reader.ts';
import { describeError, type ModelError, Refusal, refusing } from '../onnx/refusal.ts';
import { writeModel } from '../onnx/writer.ts';
import { err, type Result } from '../result.ts';
import { type RangeMethod, type Ranges, rangesOf } from './calibrate.ts';
import { type CompileOptions, compileOnnx } from './compile.ts';
import { foldNormalizations } from './normalization.ts';

export interface Request {
  readonly input: Uint8Array;
  readonly seed: bigint;
}

export interface QuantizeOptions extends CompileOptions {
  /** Requests whose activations give the ranges; without them ranges are found in each call. */
  readonly calibration?: Iterable<Request>;
  readonly range?: RangeMethod;
}

export interface QuantizedNode {
  readonly name: string;
  readonly op: string;
  /** Whether its activations are integers too, or its weights alone. */
  readonly activations: boolean;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

export interface Quantized {
  /** The quantised graph as an ONNX file, of a later operator set where the graph's own has no such operators. */
  readonly model: Uint8Array;
  readonly nodes: readonly QuantizedNode[];
}

/** Least elements of weights that are quantised: below it the scales cost more than is saved. */
const MIN_ELEMENTS = 32;

interface Draft {
  readonly model: Model;
  /** The names that the graph itself gives. */
  readonly taken: ReadonlySet<string>;
  readonly ranges: Ranges | undefined;
  readonly nodes: Node[];
  readonly tensors: Map<string, Tensor>;
  /** Inputs that are quantised already, by name. */
  readonly inputs: Map<string, QuantizedInput>;
  readonly report: QuantizedNode[];
}

interface QuantizedInput {
  readonly values: string;
  readonly zero: string;
  /** A number where it is known, else the name of a tensor. */
  readonly scale: number | string;
}

export function quantizeOnnx(bytes: Uint8Array, options: QuantizeOptions = {}): Result<Quantized, ModelError> {
  const read = readModel(bytes);
  if (!read.ok) return err(read.error);
  return refusing(() => {
    const model = options.fuse === false ? read.value : foldNormalizations(read.value);
    const { calibration, range = 'minmax' } = options;
    const wanted = model.nodes.filter((node) => planOf(model, node)?.integer === true).map(({ inputs }) => inputs[0]);
    const names = [...new Set(wanted.filter((name) => name !== undefined))];
    const ranges = calibration === undefined ? undefined : measured(bytes, options, names, calibration, range);
    return quantizeModel(model, ranges);
  });
}

/** Runs the model of float32 with every quantised input as an output. */
function measured(
  bytes: Uint8Array,
  options: CompileOptions,
  names: readonly string[],
  calibration: Iterable<Request>,
  range: RangeMethod,
): Ranges {
  if (names.length === 0) return new Map();
  const outputs = names.map((graphOutput) => ({ kind: 'tensor' as const, graphOutput }));
  const compiled = compileOnnx(bytes, { ...options, outputs });
  if (!compiled.ok) throw new Refusal('invalid', describeError(compiled.error));
  return rangesOf(compiled.value, calibration, range);
}

function quantizeModel(model: Model, ranges: Ranges | undefined): Quantized {
  const taken = new Set([
    ...model.inputs.map(({ name }) => name),
    ...model.initializers.keys(),
    ...model.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const draft: Draft = { model, taken, ranges, nodes: [], tensors: new Map(), inputs: new Map(), report: [] };
  for (const node of model.nodes) {
    const plan = planOf(model, node);
    if (plan === undefined) draft.nodes.push(node);
    else if (plan.integer) multiply(draft, node, plan);
    else weightsAlone(draft, node, plan);
  }
  const read = new Set([...draft.nodes.flatMap(({ inputs }) => inputs), ...model.outputs.map(({ name }) => name)]);
  const kept = [...model.initializers].filter(([name]) => read.has(name));
  const versions = { opset: opsetOf(model.opset, draft.nodes), irVersion: Math.max(model.irVersion, LEAST_IR) };
  return {
    model: writeModel({
      ...model,
      ...versions,
      nodes: draft.nodes,
      initializers: new Map([...kept, ...draft.tensors]),
    }),
    nodes: draft.report,
  };
}

/** Since this version of the format a constant need not be an input as well. */
const LEAST_IR = 4;

/** First version of the default operator set that has an operator as it is used here. */
const SINCE: Readonly<Record<string, number>> = {
  MatMulInteger: 10,
  ConvInteger: 10,
  QuantizeLinear: 10,
  DynamicQuantizeLinear: 11,
  // With an axis.
  DequantizeLinear: 13,
};

/** Version up to 13 in which an operator of older graphs got another meaning, or takes what were attributes as inputs. */
const CHANGED: Readonly<Record<string, number>> = {
  BatchNormalization: 9,
  Slice: 10,
  TopK: 10,
  Upsample: 10,
  Clip: 11,
  Pad: 11,
  Resize: 11,
  Scatter: 11,
  Dropout: 12,
  Hardmax: 13,
  LogSoftmax: 13,
  ReduceSum: 13,
  Softmax: 13,
  Split: 13,
  Squeeze: 13,
  Unsqueeze: 13,
};

/**
 * The operator set in which other runtimes find the operators that quantisation adds. Where a node of the graph means
 * something else in it the graph keeps its own: this compiler takes it, others may not.
 */
function opsetOf(own: number, nodes: readonly Node[]): number {
  const needed = nodes.reduce((most, { domain, op }) => Math.max(most, (domain === '' && SINCE[op]) || 0), own);
  const changes = nodes.some(({ op }) => {
    const version = CHANGED[op] ?? 0;
    return version > own && version <= needed;
  });
  return changes ? own : needed;
}

interface Plan {
  readonly weights: Tensor;
  readonly bias: string;
  /** Output channel of each weight, and how many channels there are. */
  readonly channelOf: (i: number) => number;
  readonly channels: number;
  /** Whether the activations become integers too. */
  readonly integer: boolean;
  /** Weights of a product with their rows and columns exchanged. */
  readonly transposed: boolean;
}

/** How a node is quantised; undefined where it is not. */
function planOf(model: Model, node: Node): Plan | undefined {
  const [, weightName = '', bias = ''] = node.inputs;
  const weights = model.initializers.get(weightName);
  if (node.domain !== '' || weights?.dtype !== 'float32' || model.inputs.some(({ name }) => name === weightName))
    return undefined;
  const [first = 0, second = 0, ...kernel] = weights.dims;
  const count = weights.dims.reduce((product, d) => product * d, 1);
  if (count < MIN_ELEMENTS) return undefined;
  const taps = kernel.reduce((product, d) => product * d, 1);
  const plan = { weights, bias, integer: true, transposed: false };
  const plainGemm = intOf(node, 'transA', 0) === 0 && floatOf(node, 'alpha', 1) === 1 && floatOf(node, 'beta', 1) === 1;
  switch (node.op) {
    case 'Conv':
      return { ...plan, channels: first, channelOf: (i) => Math.floor(i / (second * taps)) };
    case 'ConvTranspose':
      // There is no such product of integers in ONNX. Channels are counted within a group.
      return { ...plan, integer: false, channels: second, channelOf: (i) => Math.floor(i / taps) % second };
    case 'MatMul':
      return weights.dims.length === 2
        ? { ...plan, bias: '', channels: second, channelOf: (i) => i % second }
        : undefined;
    case 'Gemm': {
      if (weights.dims.length !== 2 || !plainGemm) return undefined;
      return intOf(node, 'transB', 0) === 0
        ? { ...plan, channels: second, channelOf: (i) => i % second }
        : { ...plan, channels: first, channelOf: (i) => Math.floor(i / second), transposed: true };
    }
    default:
      return undefined;
  }
}

function intOf(node: Node, name: string, otherwise: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'int' ? Number(attribute.value) : otherwise;
}

function floatOf(node: Node, name: string, otherwise: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'float' ? attribute.value : otherwise;
}

/** Symmetric weights of eight bits, −127 to 127, and the scale of each output channel. */
function integersOf({ weights, channelOf, channels }: Plan): {
  readonly data: Int8Array;
  readonly scales: Float32Array;
} {
  const values = new Float32Array(new Uint8Array(weights.data).buffer);
  const most = new Float32Array(channels);
  values.forEach((v, i) => {
    const channel = channelOf(i);
    most[channel] = Math.max(most[channel] ?? 0, Math.abs(v));
  });
  const scales = most.map((v) => (v === 0 ? 1 : v / 127));
  const data = Int8Array.from(values, (v, i) =>
    Math.min(127, Math.max(-127, Math.round(v / (scales[channelOf(i)] ?? 1)))),
  );
  return { data, scales };
}

/** @throws Refusal where the graph or another tensor has that name: one would silently take the other's place */
function put(draft: Draft, tensor: Tensor): string {
  if (draft.taken.has(tensor.name) || draft.tensors.has(tensor.name))
    throw new Refusal('unsupported', `the name ${JSON.stringify(tensor.name)}, which quantisation gives, is taken`);
  draft.tensors.set(tensor.name, tensor);
  return tensor.name;
}

function add(draft: Draft, op: string, inputs: readonly string[], outputs: readonly string[], from?: Node): void {
  const [name = ''] = outputs;
  draft.nodes.push({ name, op, domain: '', inputs, outputs, attributes: from?.attributes ?? new Map() });
}

function bytesTensor(name: string, dtype: 'int8' | 'uint8', dims: readonly number[], data: ArrayLike<number>): Tensor {
  return { name, dtype, dims, data: Uint8Array.from(data, (v) => v & 0xff) };
}

/** Only the weights: they become float32 again in each call. */
function weightsAlone(draft: Draft, node: Node, plan: Plan): void {
  const { weights } = plan;
  const [output = ''] = node.outputs;
  const { data, scales } = integersOf(plan);
  const base = `${output}/int8.weights`;
  const quantized = put(draft, bytesTensor(`${base}.values`, 'int8', weights.dims, data));
  const scale = put(draft, tensorOf(`${base}.scale`, [scales.length], scales));
  draft.nodes.push({
    name: base,
    op: 'DequantizeLinear',
    domain: '',
    inputs: [quantized, scale],
    outputs: [base],
    attributes: new Map([['axis', { kind: 'int', value: 1n }]]),
  });
  draft.nodes.push({ ...node, inputs: node.inputs.map((name, i) => (i === 1 ? base : name)) });
  note(draft, node, plan, scales.length);
}

function note(draft: Draft, node: Node, { weights, integer }: Plan, scales: number): void {
  draft.report.push({
    name: node.name === '' ? (node.outputs[0] ?? '') : node.name,
    op: node.op,
    activations: integer,
    bytesBefore: weights.data.length,
    bytesAfter: weights.data.length / 4 + scales * 4,
  });
}

/** Quantise, multiply integers, scale, add the bias: the compiler makes one step of all but the first. */
function multiply(draft: Draft, node: Node, plan: Plan): void {
  const [x = ''] = node.inputs;
  const [output = ''] = node.outputs;
  const conv = node.op === 'Conv';
  const input = quantizedInput(draft, x);
  const { data, scales } = integersOf(plan);
  const [first = 0, second = 0] = plan.weights.dims;
  const weights = plan.transposed
    ? bytesTensor(
        `${output}/int8.weights`,
        'int8',
        [second, first],
        Array.from({ length: data.length }, (_, i) => data[(i % first) * second + Math.floor(i / first)] ?? 0),
      )
    : bytesTensor(`${output}/int8.weights`, 'int8', plan.weights.dims, data);
  // Along the channels of the result: the second dimension of a convolution's, the last of a product's.
  const spatial = plan.weights.dims.slice(2).map(() => 1);
  const shape = conv ? [plan.channels, ...spatial] : [plan.channels];
  const scale = scaleOf(draft, output, input, shape, scales);
  const names = { sums: `${output}/int8.sums`, real: `${output}/int8.real`, scaled: `${output}/int8.scaled` };
  const operands = [input.values, put(draft, weights), input.zero];
  add(draft, conv ? 'ConvInteger' : 'MatMulInteger', operands, [names.sums], conv ? node : undefined);
  draft.nodes.push({
    name: names.real,
    op: 'Cast',
    domain: '',
    inputs: [names.sums],
    outputs: [names.real],
    attributes: new Map([['to', { kind: 'int', value: 1n }]]),
  });
  const bias = biasOf(draft, plan, output, shape, conv);
  add(draft, 'Mul', [names.real, scale], [bias === undefined ? output : names.scaled]);
  if (bias !== undefined) add(draft, 'Add', [names.scaled, bias], [output]);
  note(draft, node, plan, scales.length);
}

function biasOf(
  draft: Draft,
  { bias }: Plan,
  output: string,
  shape: readonly number[],
  conv: boolean,
): string | undefined {
  if (bias === '') return undefined;
  if (!conv) return bias;
  const tensor = draft.model.initializers.get(bias);
  if (tensor !== undefined) return put(draft, { ...tensor, name: `${output}/int8.bias`, dims: shape });
  // A bias that is computed gets its shape by a step.
  const to = new Uint8Array(BigInt64Array.from(shape, BigInt).buffer);
  const dims = put(draft, { name: `${output}/int8.bias.shape`, dtype: 'int64', dims: [shape.length], data: to });
  add(draft, 'Reshape', [bias, dims], [`${output}/int8.bias`]);
  return `${output}/int8.bias`;
}

/** The scale of the sums: that of the input times that of each channel. */
function scaleOf(
  draft: Draft,
  output: string,
  input: QuantizedInput,
  shape: readonly number[],
  scales: Float32Array,
): string {
  if (typeof input.scale === 'number') {
    const own = input.scale;
    return put(
      draft,
      tensorOf(
        `${output}/int8.scale`,
        shape,
        scales.map((v) => v * own),
      ),
    );
  }
  const ofWeights = put(draft, tensorOf(`${output}/int8.weights.scale`, shape, scales));
  add(draft, 'Mul', [input.scale, ofWeights], [`${output}/int8.scale`]);
  return `${output}/int8.scale`;
}

function quantizedInput(draft: Draft, x: string): QuantizedInput {
  const known = draft.inputs.get(x);
  if (known !== undefined) return known;
  const made = draft.ranges === undefined ? dynamicInput(draft, x) : staticInput(draft, x, draft.ranges);
  draft.inputs.set(x, made);
  return made;
}

/** Not those of `x` as the result of a product, which it may be as well; nor those of a folded normalisation. */
function inputNames(x: string): { readonly values: string; readonly scale: string; readonly zero: string } {
  return { values: `${x}/int8.input`, scale: `${x}/int8.input.scale`, zero: `${x}/int8.input.zero` };
}

function dynamicInput(draft: Draft, x: string): QuantizedInput {
  const { values, scale, zero } = inputNames(x);
  add(draft, 'DynamicQuantizeLinear', [x], [values, scale, zero]);
  return { values, scale, zero };
}

function staticInput(draft: Draft, x: string, ranges: Ranges): QuantizedInput {
  const range = ranges.get(x) ?? { least: 0, most: 0 };
  const [least, most] = [Math.min(0, range.least), Math.max(0, range.most)];
  const scale = Math.fround(least === most ? 1 : (most - least) / 255);
  const point = Math.min(255, Math.max(0, Math.round(-least / scale)));
  const names = inputNames(x);
  const scaleName = put(draft, tensorOf(names.scale, [], Float32Array.of(scale)));
  const zero = put(draft, bytesTensor(names.zero, 'uint8', [], [point]));
  add(draft, 'QuantizeLinear', [x, scaleName, zero], [names.values]);
  return { values: names.values, scale, zero };
}
