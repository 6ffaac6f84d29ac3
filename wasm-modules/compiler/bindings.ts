import { type DataType, typeOf, type ValueInfo } from '../onnx/model.ts';
import { Refusal } from '../onnx/refusal.ts';
import { TEXT_TYPE } from '../text.ts';
import { OPCODE } from './opcodes.ts';
import { address, elements, float, message, type PlanBuilder, type Value } from './plan.ts';

/** How one input of the graph is filled from a request. The request's bytes are the inputs in this order. */
export type InputBinding =
  /** The tensor itself: little-endian elements in row-major order; `default` stands for it where a person gives none. */
  | { readonly kind: 'tensor'; readonly graphInput: string; readonly default?: number }
  /** One byte an element: element = byte * scale + shift. */
  | {
      readonly kind: 'bytes';
      readonly graphInput: string;
      readonly scale: number;
      readonly shift: number;
      readonly description: string;
      /** The byte that stands for the only element where a person gives none. */
      readonly default?: number;
    }
  /** A text in UTF-8: the tensor is of uint8 in one dimension, with byte 0 before a text that is shorter. */
  | { readonly kind: 'text'; readonly graphInput: string; readonly description: string }
  /** One byte, the index of a label: the tensor is 1 there and 0 elsewhere. */
  | { readonly kind: 'label'; readonly graphInput: string; readonly labels: readonly string[] }
  /** Approximately normal numbers from the seed; takes no bytes of the request. */
  | { readonly kind: 'normal'; readonly graphInput: string; readonly deviation: number };

/** How one output of the graph goes into the answer. */
export type OutputBinding =
  /** The tensor itself; `labels` name its elements, one each. */
  | { readonly kind: 'tensor'; readonly graphOutput: string; readonly labels?: readonly string[] }
  /** A text in UTF-8: the tensor is of uint8 in one dimension, with byte 0 behind a text that is shorter. */
  | { readonly kind: 'text'; readonly graphOutput: string; readonly description: string }
  /** [1, channels, height, width] in [0, 1] becomes height x width x channels bytes. */
  | { readonly kind: 'image'; readonly graphOutput: string };

/** One entry of `inputs` or `outputs` in what `describe` returns. */
export interface Field {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly mediaType: string;
  readonly description: string;
  readonly labels?: readonly string[];
  readonly default?: number;
}

const RAW = 'application/octet-stream';

/** Bytes that a binding takes of the request. */
export function requestBytes(binding: InputBinding, value: Value): number {
  switch (binding.kind) {
    case 'tensor':
    case 'text':
      return value.buffer.bytes;
    case 'bytes':
      return elements(value.dims);
    case 'label':
      return 1;
    case 'normal':
      return 0;
  }
}

/** Emits the step that fills `value`; `offset` is where its bytes begin in the request, `stream` tells draws apart. */
export function bindInput(
  plan: PlanBuilder,
  binding: InputBinding,
  value: Value,
  offset: number,
  stream: number,
): void {
  const to = address(value.buffer);
  const count = elements(value.dims);
  switch (binding.kind) {
    case 'text':
      checkText('input', binding.graphInput, value);
      plan.emit(OPCODE.inputBytes, offset, to, value.buffer.bytes);
      return;
    case 'tensor':
      plan.emit(OPCODE.inputBytes, offset, to, value.buffer.bytes);
      return;
    case 'bytes':
      plan.emit(OPCODE.inputScaledBytes, offset, to, count, float(binding.scale), float(binding.shift));
      return;
    case 'label': {
      if (binding.labels.length !== count) {
        throw new Refusal(
          'invalid',
          `input ${binding.graphInput} has ${count} elements for ${binding.labels.length} labels`,
        );
      }
      const refusal = message(`byte ${offset} (${binding.graphInput}) must be below ${count}`);
      plan.emit(OPCODE.inputOneHot, offset, to, count, ...refusal);
      return;
    }
    case 'normal':
      plan.emit(OPCODE.inputNormal, to, count, stream, float(binding.deviation));
  }
}

/** What `describe` says of an input; undefined for what no request contains. */
export function inputField(binding: InputBinding, value: Value): Field | undefined {
  const name = binding.graphInput;
  switch (binding.kind) {
    case 'tensor':
      return {
        name,
        dtype: value.dtype,
        shape: value.dims,
        mediaType: RAW,
        description: 'little-endian elements in row-major order',
        ...defaultOf(binding),
      };
    case 'bytes':
      return {
        name,
        dtype: 'uint8',
        shape: value.dims.slice(1),
        mediaType: RAW,
        description: binding.description,
        ...defaultOf(binding),
      };
    case 'text':
      return textField(name, value, binding.description);
    case 'label':
      return {
        name,
        dtype: 'uint8',
        shape: [1],
        mediaType: RAW,
        description: 'index of a label',
        labels: binding.labels,
      };
    case 'normal':
      return undefined;
  }
}

const defaultOf = (binding: { readonly default?: number }): Partial<Field> =>
  binding.default === undefined ? {} : { default: binding.default };

/** Bytes of the answer that an output makes. */
export function answerBytes(binding: OutputBinding, value: Value): number {
  return binding.kind === 'image' ? elements(value.dims) : value.buffer.bytes;
}

const textField = (name: string, { dims }: Value, description: string): Field => ({
  name,
  dtype: 'uint8',
  shape: dims,
  mediaType: TEXT_TYPE,
  description,
});

function checkText(what: string, name: string, { dtype, dims }: Value): void {
  if (dtype !== 'uint8' || dims.length !== 1)
    throw new Refusal('invalid', `${what} ${name} is ${dtype} [${dims}]; a text is uint8 in one dimension`);
}

export function bindOutput(plan: PlanBuilder, binding: OutputBinding, value: Value, offset: number): Field {
  const name = binding.graphOutput;
  if (binding.kind === 'text') {
    checkText('output', name, value);
    plan.emit(OPCODE.outputBytes, address(value.buffer), offset, value.buffer.bytes);
    return textField(name, value, binding.description);
  }
  if (binding.kind === 'tensor') {
    const { labels } = binding;
    if (labels !== undefined && labels.length !== elements(value.dims))
      throw new Refusal('invalid', `output ${name} has ${elements(value.dims)} elements for ${labels.length} labels`);
    plan.emit(OPCODE.outputBytes, address(value.buffer), offset, value.buffer.bytes);
    return {
      name,
      dtype: value.dtype,
      shape: value.dims,
      mediaType: RAW,
      description: 'little-endian elements in row-major order',
      ...(labels === undefined ? {} : { labels }),
    };
  }
  const [batch, channels = 0, height = 0, width = 0] = value.dims;
  if (value.dims.length !== 4 || batch !== 1 || value.dtype !== 'float32') {
    throw new Refusal(
      'invalid',
      `output ${name} has the shape [${value.dims}]; a picture is [1, channels, height, width]`,
    );
  }
  plan.emit(OPCODE.outputImage, address(value.buffer), offset, channels, height * width);
  return {
    name,
    dtype: 'uint8',
    shape: [height, width, channels],
    mediaType: RAW,
    description: 'picture, rows from top to bottom, channels interleaved',
  };
}

/** Element type and shape of a graph input as the compiler takes it: a tensor of static shape. */
export function staticType(info: ValueInfo): { readonly dtype: DataType; readonly dims: readonly number[] } {
  const name = JSON.stringify(info.name);
  const dtype = typeOf(info.dtype);
  if (dtype === undefined)
    throw new Refusal('unsupported', `graph input ${name} has element type ${info.dtype}, which is not supported`);
  return { dtype, dims: staticShape(info, name) };
}

function staticShape(info: ValueInfo, name: string): readonly number[] {
  if (info.dims === undefined) throw new Refusal('unsupported', `graph input ${name} has no shape`);
  return info.dims.map((d, i) => {
    if (typeof d !== 'number')
      throw new Refusal('unsupported', `dimension ${i} of graph input ${name} is dynamic (${JSON.stringify(d)})`);
    return d;
  });
}
