import { committedKernel } from '../kernels/committed.ts';
import { type Model, type Node, type Tensor, typeOf, widthOf } from '../onnx/model.ts';
import { readModel } from '../onnx/reader.ts';
import { type ModelError, Refusal, refusing } from '../onnx/refusal.ts';
import { err, type Result } from '../result.ts';
import { assembleModule } from './assemble.ts';
import {
  answerBytes,
  bindInput,
  bindOutput,
  type Field,
  type InputBinding,
  inputField,
  type OutputBinding,
  requestBytes,
  staticType,
} from './bindings.ts';
import { fold } from './fold.ts';
import { fuse } from './fuse.ts';
import { layOut } from './layout.ts';
import { ACTIVATION } from './lower/activation.ts';
import { ARRANGEMENT } from './lower/arrange.ts';
import { ATTENTION } from './lower/attention.ts';
import { BITS } from './lower/bits.ts';
import { RECURRENT } from './lower/cells.ts';
import { EINSUM } from './lower/einsum.ts';
import { ELEMENTWISE } from './lower/elementwise.ts';
import { MATRIX } from './lower/matrix.ts';
import { NORMALIZATION } from './lower/normalize.ts';
import { PICKING } from './lower/pick.ts';
import { POOLING } from './lower/pool.ts';
import { QUANTIZED } from './lower/quantized.ts';
import { REDUCTION } from './lower/reduce.ts';
import { RESIZE } from './lower/resize.ts';
import { RUNNING } from './lower/running.ts';
import { SCATTERING } from './lower/scatter.ts';
import { SHAPE } from './lower/shape.ts';
import { TOP } from './lower/topk.ts';
import { TYPED } from './lower/typed.ts';
import { WINDOW } from './lower/window.ts';
import { foldNormalizations } from './normalization.ts';
import { createOperator, type Lowering } from './operator.ts';
import { createPlan, elements, type PlanBuilder, type Value } from './plan.ts';
import { prepack } from './prepack.ts';

/** What `describe` says beyond names and shapes, and how a request's bytes reach the graph. */
export interface CompileOptions {
  /** What the model does, in a word or two; by default the graph's name. */
  readonly task?: string;
  /** One for each graph input, in the order of the request's bytes; by default every tensor as it is. */
  readonly inputs?: readonly InputBinding[];
  readonly outputs?: readonly OutputBinding[];
  /** Graph inputs that are fixed in this module, by name: axes, shapes, bounds. No request contains them. */
  readonly constants?: ReadonlyMap<string, Tensor>;
  /**
   * Whether what follows a product or a convolution is done in its step, and batch normalisations become part of its
   * weights; true by default. Only the latter changes results, in their last bits.
   */
  readonly fuse?: boolean;
  /** A real request. */
  readonly example?: { readonly input: Uint8Array; readonly seed: bigint };
}

/** A core module of the model ABI (docs/model-abi.md), and the shapes it takes and gives, in order. */
export interface CompiledModel {
  readonly module: Uint8Array;
  readonly inputs: readonly Field[];
  readonly outputs: readonly Field[];
  readonly requestBytes: number;
}

/** The versions of the default operator set whose semantics the lowerings follow. */
export const OPSETS = { least: 7, greatest: 26 } as const;

const constant: Lowering = {
  attributes: ['value', 'value_int', 'value_ints', 'value_float', 'value_floats'],
  inputs: [0, 0],
  lower(op) {
    const { dtype, dims, data } = constantOf(op.node) ?? op.refuse('its value is neither numbers nor a tensor');
    return [{ dtype, dims, buffer: op.plan.constant(data) }];
  },
};

/** The one attribute that a Constant has, as a tensor. */
function constantOf({ attributes }: Node): Omit<Tensor, 'name'> | undefined {
  const [value] = attributes.values();
  const ints = (values: readonly bigint[]) => new Uint8Array(BigInt64Array.from(values).buffer);
  const floats = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
  switch (value?.kind) {
    case 'tensor':
      return value.value;
    case 'int':
      return { dtype: 'int64', dims: [], data: ints([value.value]) };
    case 'ints':
      return { dtype: 'int64', dims: [value.value.length], data: ints(value.value) };
    case 'float':
      return { dtype: 'float32', dims: [], data: floats([value.value]) };
    case 'floats':
      return { dtype: 'float32', dims: [value.value.length], data: floats(value.value) };
    default:
      return undefined;
  }
}

const LOWERINGS = new Map<string, Lowering>(
  Object.entries({
    Constant: constant,
    ...ELEMENTWISE,
    ...TYPED,
    ...MATRIX,
    ...SHAPE,
    ...WINDOW,
    ...REDUCTION,
    ...POOLING,
    ...ACTIVATION,
    ...ARRANGEMENT,
    ...ATTENTION,
    ...BITS,
    ...EINSUM,
    ...NORMALIZATION,
    ...PICKING,
    ...RECURRENT,
    ...RESIZE,
    ...RUNNING,
    ...SCATTERING,
    ...TOP,
    ...QUANTIZED,
  }),
);

/** The operators that compile, in alphabetical order. */
export function supportedOperators(): readonly string[] {
  return [...LOWERINGS.keys()].sort((a, b) => (a < b ? -1 : 1));
}

/**
 * Compiles an ONNX model into a core module: the pinned kernel runtime, a plan and the weights. Whatever the compiler
 * does not know exactly is refused with its node; the same bytes and options always give the same module.
 */
export function compileOnnx(bytes: Uint8Array, options: CompileOptions = {}): Result<CompiledModel, ModelError> {
  const model = readModel(bytes);
  if (!model.ok) return err(model.error);
  return refusing(() => compileModel(options.fuse === false ? model.value : foldNormalizations(model.value), options));
}

function compileModel(model: Model, options: CompileOptions): CompiledModel {
  if (model.opset < OPSETS.least || model.opset > OPSETS.greatest) {
    throw new Refusal(
      'unsupported',
      `operator set ${model.opset}; ${OPSETS.least} to ${OPSETS.greatest} are supported`,
    );
  }
  const plan = createPlan();
  const values = new Map<string, Value>();
  for (const { name, dtype, dims, data } of model.initializers.values()) {
    values.set(name, { dtype, dims, buffer: plan.constant(data) });
  }
  fixInputs(model, options, plan, values);
  const request = bindInputs(model, options, plan, values);
  for (const node of model.nodes) lowerNode(node, model.opset, plan, values);
  const answer = bindOutputs(model, options, plan, values);
  const describe = JSON.stringify({
    task: options.task ?? model.name,
    inputs: request.fields,
    outputs: answer.fields,
    ...(options.example === undefined
      ? {}
      : { example: { input: hex(options.example.input), seed: options.example.seed.toString() } }),
  });
  const image = layOut({
    steps: prepack(plan, options.fuse === false ? plan.steps : fuse(plan)),
    describe,
    requestBytes: request.bytes,
    answerBytes: answer.bytes,
    lengthError: `the input must have exactly ${request.bytes} bytes`,
  });
  return {
    module: assembleModule(committedKernel('runtime'), image),
    inputs: request.fields,
    outputs: answer.fields,
    requestBytes: request.bytes,
  };
}

function fixInputs(model: Model, options: CompileOptions, plan: PlanBuilder, values: Map<string, Value>): void {
  for (const [name, { dtype, dims, data }] of options.constants ?? []) {
    const info = model.inputs.find((candidate) => candidate.name === name);
    if (info === undefined) throw new Refusal('invalid', `the graph has no input ${JSON.stringify(name)}`);
    const fits = info.dims?.length === dims.length && info.dims.every((d, i) => typeof d === 'string' || d === dims[i]);
    if (typeOf(info.dtype) !== dtype || !fits)
      throw new Refusal('invalid', `the constant for input ${JSON.stringify(name)} is ${dtype} [${dims}]`);
    define(values, name, { dtype, dims, buffer: plan.constant(data) });
  }
}

interface Edge {
  readonly fields: readonly Field[];
  readonly bytes: number;
}

function bindInputs(model: Model, options: CompileOptions, plan: PlanBuilder, values: Map<string, Value>): Edge {
  // Before IR version 4 initializers also stand among the inputs.
  const wanted = model.inputs.filter(({ name }) => !model.initializers.has(name) && !options.constants?.has(name));
  const bindings: readonly InputBinding[] =
    options.inputs ?? wanted.map((info) => ({ kind: 'tensor', graphInput: info.name }));
  const fields: Field[] = [];
  let bytes = 0;
  bindings.forEach((binding, stream) => {
    const info = wanted.find((candidate) => candidate.name === binding.graphInput);
    if (info === undefined)
      throw new Refusal('invalid', `the graph has no input ${JSON.stringify(binding.graphInput)}`);
    const { dtype, dims } = staticType(info);
    define(values, info.name, { dtype, dims, buffer: plan.room(elements(dims) * widthOf(dtype)) });
    const value = values.get(info.name) as Value;
    bindInput(plan, binding, value, bytes, stream);
    bytes += requestBytes(binding, value);
    const field = inputField(binding, value);
    if (field !== undefined) fields.push(field);
  });
  for (const info of wanted) {
    if (!values.has(info.name))
      throw new Refusal('invalid', `nothing is bound to graph input ${JSON.stringify(info.name)}`);
  }
  return { fields, bytes };
}

function bindOutputs(
  model: Model,
  options: CompileOptions,
  plan: PlanBuilder,
  values: ReadonlyMap<string, Value>,
): Edge {
  const bindings: readonly OutputBinding[] =
    options.outputs ?? model.outputs.map((info) => ({ kind: 'tensor', graphOutput: info.name }));
  if (bindings.length === 0) throw new Refusal('invalid', 'the graph has no output');
  const fields: Field[] = [];
  let bytes = 0;
  for (const binding of bindings) {
    const value = values.get(binding.graphOutput);
    if (value === undefined)
      throw new Refusal('invalid', `no node computes output ${JSON.stringify(binding.graphOutput)}`);
    checkDeclared(model, binding.graphOutput, value);
    fields.push(bindOutput(plan, binding, value, bytes));
    bytes += answerBytes(binding, value);
  }
  return { fields, bytes };
}

/** What the file says of an output must agree with what was inferred. */
function checkDeclared(model: Model, name: string, value: Value): void {
  const dims = model.outputs.find((info) => info.name === name)?.dims;
  if (dims === undefined) return;
  const fits = dims.length === value.dims.length && dims.every((d, i) => typeof d === 'string' || d === value.dims[i]);
  if (!fits)
    throw new Refusal('invalid', `output ${JSON.stringify(name)} is declared as [${dims}] but is [${value.dims}]`);
}

function lowerNode(node: Node, opset: number, plan: PlanBuilder, values: Map<string, Value>): void {
  const refuse = (reason: string): never => {
    throw new Refusal('unsupported', reason, node.name, node.op);
  };
  if (node.domain !== '' && node.domain !== 'ai.onnx') refuse(`operator of domain ${JSON.stringify(node.domain)}`);
  const lowering = LOWERINGS.get(node.op) ?? refuse('this operator is not supported');
  for (const name of node.attributes.keys()) {
    if (!lowering.attributes.includes(name)) refuse(`attribute ${JSON.stringify(name)} is not supported`);
  }
  const [least, greatest] = lowering.inputs;
  if (node.inputs.length < least || node.inputs.length > greatest) {
    throw new Refusal('invalid', `${node.inputs.length} inputs; expected ${least} to ${greatest}`, node.name, node.op);
  }
  const before = plan.steps.length;
  const lowered = lowering.lower(createOperator(node, opset, plan, values));
  const results = lowering.folds !== false && isConstant(node, values) ? fold(node, plan, before, lowered) : lowered;
  const asked = node.outputs.findLastIndex((name) => name !== '') + 1;
  if (asked > results.length) refuse(`${asked} outputs are asked for; ${results.length} are supported`);
  // Outputs may be left out: at the end, or with an empty name.
  results.forEach((value, i) => {
    const name = node.outputs[i] ?? '';
    if (name !== '') define(values, name, value, node);
  });
}

function isConstant(node: Node, values: ReadonlyMap<string, Value>): boolean {
  const inputs = node.inputs.filter((name) => name !== '');
  return inputs.length > 0 && inputs.every((name) => values.get(name)?.buffer.data !== undefined);
}

function define(values: Map<string, Value>, name: string, value: Value, node?: Node): void {
  if (name === '' || values.has(name)) {
    throw new Refusal('invalid', `the name ${JSON.stringify(name)} is given twice or empty`, node?.name, node?.op);
  }
  values.set(name, value);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
