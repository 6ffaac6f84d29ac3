import { DATA_TYPES, type DataType, elementsOf, widthOf } from './onnx/model.ts';
import { err, ok, type Result } from './result.ts';
import { encodeText, showText, TEXT_TYPE } from './text.ts';

/** One entry of `inputs` or `outputs` of what a model's `describe` returns (docs/model-abi.md). */
export interface DescribedField {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly number[];
  /** Of an input, names of the values of a single byte that stands for a choice; of an output, names of its elements. */
  readonly labels: readonly string[] | undefined;
  /** Whether its bytes are a text in UTF-8. */
  readonly text: boolean;
  /** Of an input, the number that stands for it where a request leaves it out. */
  readonly otherwise: number | undefined;
}

export interface Description {
  readonly task: string;
  readonly inputs: readonly DescribedField[];
  readonly outputs: readonly DescribedField[];
  readonly example: { readonly input: Uint8Array; readonly seed: bigint } | undefined;
}

/** A picture of interleaved bytes: 1 (grey), 3 (RGB) or 4 (RGBA) a pixel. */
export interface DescribedPicture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
  readonly data: Uint8Array;
}

/** Bounds on what an unknown model may say of itself. */
const MAX_FIELDS = 64;
const MAX_DIMENSIONS = 8;
const MAX_FIELD_BYTES = 1 << 26;

/** Reads what a model says of itself; anybody may have written it. The error is a sentence. */
export function readDescription(text: string): Result<Description, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return err('the description is not JSON');
  }
  if (!isObject(parsed)) return err('the description is not a JSON object');
  const inputs = fieldsOf(parsed.inputs, 'inputs');
  if (!inputs.ok) return inputs;
  const outputs = fieldsOf(parsed.outputs, 'outputs');
  if (!outputs.ok) return outputs;
  return ok({
    task: typeof parsed.task === 'string' ? parsed.task : '',
    inputs: inputs.value,
    outputs: outputs.value,
    example: exampleOf(parsed.example),
  });
}

function fieldsOf(value: unknown, what: string): Result<DescribedField[], string> {
  if (!Array.isArray(value)) return err(`${what} is not a list`);
  if (value.length > MAX_FIELDS) return err(`${what} has ${value.length} entries; at most ${MAX_FIELDS} are read`);
  const fields: DescribedField[] = [];
  for (const [i, entry] of value.entries()) {
    const where = `${what}[${i}]`;
    if (!isObject(entry) || typeof entry.name !== 'string') return err(`${where} has no name`);
    const { name, shape, labels } = entry;
    const dtype = Object.values(DATA_TYPES).find((type) => type.name === entry.dtype);
    if (dtype === undefined) return err(`${where}.dtype is ${JSON.stringify(entry.dtype)}`);
    if (!Array.isArray(shape) || shape.length > MAX_DIMENSIONS || !shape.every(isDimension)) {
      return err(`${where}.shape is ${JSON.stringify(shape)}`);
    }
    const count = shape.reduce((product: number, d: number) => product * d, 1);
    if (count * dtype.bytes > MAX_FIELD_BYTES) return err(`${where} has ${count} elements`);
    const named = Array.isArray(labels) && labels.every((label) => typeof label === 'string');
    fields.push({
      name,
      dtype: dtype.name,
      shape,
      labels: named ? labels : undefined,
      text: entry.mediaType === TEXT_TYPE && dtype.name === 'uint8' && shape.length === 1,
      otherwise: typeof entry.default === 'number' ? entry.default : undefined,
    });
  }
  return ok(fields);
}

function exampleOf(value: unknown): Description['example'] {
  if (!isObject(value)) return undefined;
  const { input, seed } = value;
  if (typeof input !== 'string' || !/^([0-9a-f]{2})*$/i.test(input)) return undefined;
  if (typeof seed !== 'string' || !/^\d{1,20}$/.test(seed)) return undefined;
  const bytes = Uint8Array.from(input.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return { input: bytes, seed: BigInt.asUintN(64, BigInt(seed)) };
}

/**
 * The request that a JSON object stands for: a property for each input, by name; one that has a default may be missing. A
 * property is a label, a text, a colour `#rrggbb` (three bytes), a number, or a list of numbers in row-major order. Element
 * types: uint8 and float32.
 */
export function encodeRequest({ inputs }: Description, request: unknown): Result<Uint8Array, string> {
  if (!isObject(request)) return err('a request is a JSON object with a property for each input');
  const unknown = Object.keys(request).find((key) => !inputs.some(({ name }) => name === key));
  const names = inputs.map(({ name }) => name).join(', ');
  if (unknown !== undefined) return err(`the model has no input ${JSON.stringify(unknown)}; it has ${names}`);
  const parts: Uint8Array[] = [];
  for (const field of inputs) {
    const given = Object.hasOwn(request, field.name) ? request[field.name] : field.otherwise;
    if (field.text && typeof given === 'string') {
      const bytes = encodeText(field.name, given, field.shape[0] ?? 0);
      if (!bytes.ok) return bytes;
      parts.push(bytes.value);
      continue;
    }
    const numbers = numbersOf(field, given);
    if (!numbers.ok) return numbers;
    if (field.dtype === 'uint8') parts.push(Uint8Array.from(numbers.value));
    else parts.push(new Uint8Array(Float32Array.from(numbers.value).buffer));
  }
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return ok(bytes);
}

function numbersOf({ name, dtype, shape, labels }: DescribedField, value: unknown): Result<number[], string> {
  if (dtype !== 'uint8' && dtype !== 'float32')
    return err(`${name}: ${dtype} cannot be given as JSON; give the bytes instead`);
  const count = shape.reduce((product, d) => product * d, 1);
  if (value === undefined) return err(`${name} is missing`);
  if (labels !== undefined && typeof value === 'string') {
    const index = labels.indexOf(value);
    return index < 0 ? err(`${name}: ${JSON.stringify(value)} is none of ${labels.join(', ')}`) : ok([index]);
  }
  const colour = typeof value === 'string' && dtype === 'uint8' && count === 3 ? /^#([0-9a-f]{6})$/i.exec(value) : null;
  if (colour !== null) return ok([0, 2, 4].map((at) => Number.parseInt(colour[1]?.slice(at, at + 2) ?? '', 16)));
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length !== count) return err(`${name}: ${list.length} values; expected ${count}`);
  const numbers: number[] = [];
  for (const entry of list) {
    const fits = typeof entry === 'number' && Number.isFinite(entry);
    if (!fits || (dtype === 'uint8' && (!Number.isInteger(entry) || entry < 0 || entry > 255))) {
      return err(
        `${name}: ${JSON.stringify(entry)} is not ${dtype === 'uint8' ? 'a whole number from 0 to 255' : 'a number'}`,
      );
    }
    numbers.push(entry);
  }
  return ok(numbers);
}

/** The one input that a bare text stands for: the text of a model that needs nothing else. */
export function textInput({ inputs }: Description): DescribedField | undefined {
  const [only, second] = inputs.filter(({ otherwise }) => otherwise === undefined);
  return only?.text === true && second === undefined ? only : undefined;
}

/**
 * The answer as a value for JSON: a property for each output, its numbers in row-major order (without dimensions: one
 * number; with labels: a property for each; of a text, the text as {@link showText} shows it). 64-bit integers are texts.
 */
export function decodeAnswer({ outputs }: Description, answer: Uint8Array): Result<Record<string, unknown>, string> {
  const out: Record<string, unknown> = {};
  let at = 0;
  for (const { name, dtype, shape, labels, text } of outputs) {
    const bytes = shape.reduce((product, d) => product * d, 1) * widthOf(dtype);
    if (at + bytes > answer.length) return err(`the answer has ${answer.length} bytes; ${name} ends at ${at + bytes}`);
    const numbers = elementsOf(dtype, answer.slice(at, at + bytes));
    if (text) out[name] = showText(answer.subarray(at, at + bytes));
    else if (labels?.length === numbers.length)
      out[name] = Object.fromEntries(labels.map((label, i) => [label, numbers[i]]));
    else out[name] = shape.length === 0 ? numbers[0] : numbers;
    at += bytes;
  }
  return at === answer.length ? ok(out) : err(`the answer has ${answer.length} bytes; expected ${at}`);
}

/** The answer's bytes as a text, zeros at its end included, if the only output is one. */
export function textOf({ outputs }: Description, answer: Uint8Array): Uint8Array | undefined {
  const [only] = outputs;
  return outputs.length === 1 && only?.text === true && answer.length === only.shape[0] ? answer : undefined;
}

/** The answer as a picture, if the only output is one: uint8 of height x width x 1, 3 or 4, no side of them 0. */
export function pictureOf({ outputs }: Description, answer: Uint8Array): DescribedPicture | undefined {
  const [only] = outputs;
  if (only === undefined || outputs.length !== 1 || only.dtype !== 'uint8' || only.shape.length !== 3) return undefined;
  const [height = 0, width = 0, channels] = only.shape;
  if (height < 1 || width < 1) return undefined;
  if (channels !== 1 && channels !== 3 && channels !== 4) return undefined;
  return answer.length === height * width * channels ? { width, height, channels, data: answer } : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDimension(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_FIELD_BYTES;
}
