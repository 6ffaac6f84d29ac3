/** The ONNX compiler's part of the conformance door. */
import { type CompiledModel, type CompileOptions, compileOnnx } from '#wasm-modules/compiler/compile.ts';
import { openCore } from '#wasm-modules/compiler/harness.ts';
import { MAX_PARAMETERS } from '#wasm-modules/compiler/limits.ts';
import { arrayOf, type DataType, type Tensor, widthOf } from '#wasm-modules/onnx/model.ts';
import { readModel } from '#wasm-modules/onnx/reader.ts';
import { describeError, type ModelError } from '#wasm-modules/onnx/refusal.ts';

export interface OnnxTensor {
  readonly name?: string;
  readonly dtype: string;
  readonly dims: readonly number[];
  /** Elements in row-major order. */
  readonly data: ArrayBufferView;
}

export interface OnnxHandle {
  readonly source: Uint8Array;
  /**
   * Undefined while an input that decides a shape (axes, bounds) has no value: such a model is compiled for the values of
   * the run, as a user fixes them when he compiles it.
   */
  compiled: CompiledModel | undefined;
  /** Whether inputs were fixed. */
  fixed: boolean;
}

const refused = (error: ModelError): Error & { code: string } =>
  Object.assign(new Error(describeError(error)), { code: error.kind === 'not-constant' ? 'unsupported' : error.kind });

/** Throws with `code` `unsupported` where the compiler lacks something, else with the kind of what is wrong. */
export function compile(onnxModel: Uint8Array): OnnxHandle {
  const compiled = compileOnnx(onnxModel);
  if (compiled.ok) return { source: onnxModel, compiled: compiled.value, fixed: false };
  // Without a value for what is an input of the graph nothing can be said yet.
  const model = readModel(onnxModel);
  const mayBeFixed = model.ok && model.value.inputs.length > 0;
  if (compiled.error.kind !== 'not-constant' || !mayBeFixed) throw refused(compiled.error);
  return { source: onnxModel, compiled: undefined, fixed: true };
}

/** Codes of int32 and int64. */
const INTEGERS: ReadonlySet<number> = new Set([6, 7]);

/**
 * Compiles for this run's values of the inputs that must be constant: of those that the compiler names, one after the
 * other, or of all small integers where it names what is computed from them.
 */
function specialise(handle: OnnxHandle, inputs: readonly OnnxTensor[]): CompiledModel {
  const model = readModel(handle.source);
  if (!model.ok) throw refused(model.error);
  const { initializers } = model.value;
  const given = model.value.inputs.filter(({ name }) => !initializers.has(name));
  const constants = new Map<string, Tensor>();
  const fix = (wanted: (name: string, dtype: number, count: number) => boolean): boolean => {
    const before = constants.size;
    given.forEach(({ name, dtype }, i) => {
      const tensor = inputs.find((candidate) => candidate.name === name) ?? inputs[i];
      if (tensor === undefined) throw new Error(`input ${name} is missing`);
      const { dims } = tensor;
      const count = dims.reduce((product, d) => product * d, 1);
      if (constants.has(name) || !wanted(name, dtype, count)) return;
      constants.set(name, { name, dtype: tensor.dtype as DataType, dims, data: bytesOf(tensor.data).slice() });
    });
    return constants.size > before;
  };
  for (;;) {
    const options: CompileOptions = { constants };
    const compiled = compileOnnx(handle.source, options);
    if (compiled.ok) return compiled.value;
    const { kind, reason } = compiled.error;
    const more =
      kind === 'not-constant' &&
      (fix((name) => reason.includes(`(${JSON.stringify(name)})`)) ||
        fix((_, dtype, count) => INTEGERS.has(dtype) && count <= MAX_PARAMETERS));
    if (!more) throw refused(compiled.error);
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Inputs by name, or in the graph's order where they have none. */
export function run(handle: OnnxHandle, inputs: readonly OnnxTensor[]): OnnxTensor[] {
  const compiled = handle.fixed ? specialise(handle, inputs) : handle.compiled;
  if (compiled === undefined) throw new Error('the model is not compiled');
  handle.compiled = compiled;
  const request = new Uint8Array(compiled.requestBytes);
  const order = inputNames(handle.source);
  let at = 0;
  for (const field of compiled.inputs) {
    const tensor = inputs.find((candidate) => candidate.name === field.name) ?? inputs[order.indexOf(field.name)];
    if (tensor === undefined) throw new Error(`input ${field.name} is missing`);
    request.set(bytesOf(tensor.data), at);
    at += tensor.data.byteLength;
  }
  const answer = openCore(compiled.module).infer(request, 0n);
  if (!answer.ok) throw new Error(answer.error);
  let from = 0;
  return compiled.outputs.map(({ name, dtype, shape }) => {
    const bytes = shape.reduce((product, d) => product * d, 1) * widthOf(dtype);
    const data = arrayOf(dtype, answer.value.subarray(from, from + bytes));
    from += bytes;
    return { name, dtype, dims: shape, data };
  });
}

function inputNames(source: Uint8Array): readonly string[] {
  const model = readModel(source);
  if (!model.ok) throw refused(model.error);
  return model.value.inputs.filter(({ name }) => !model.value.initializers.has(name)).map(({ name }) => name);
}

/** After a run, where inputs had to be fixed. */
export function wasm(handle: OnnxHandle): Uint8Array {
  if (handle.compiled === undefined) throw new Error('inputs that decide shapes have no value yet: run it first');
  return handle.compiled.module;
}
