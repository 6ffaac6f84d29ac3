/** The ONNX compiler's part of the conformance door. */
import { type CompiledModel, compileOnnx } from '#wasm-modules/compiler/compile.ts';
import { openCore } from '#wasm-modules/compiler/harness.ts';
import { widthOf } from '#wasm-modules/onnx/model.ts';
import { describeError } from '#wasm-modules/onnx/refusal.ts';

export interface OnnxTensor {
  readonly name?: string;
  readonly dtype: string;
  readonly dims: readonly number[];
  /** Elements in row-major order. */
  readonly data: ArrayBufferView;
}

export type OnnxHandle = CompiledModel;

/** Throws with `code` `unsupported` where the compiler lacks something, else with the kind of what is wrong. */
export function compile(onnxModel: Uint8Array): OnnxHandle {
  const compiled = compileOnnx(onnxModel);
  if (compiled.ok) return compiled.value;
  throw Object.assign(new Error(describeError(compiled.error)), { code: compiled.error.kind });
}

/** Inputs by name, or in the graph's order where they have none. */
export function run(handle: OnnxHandle, inputs: readonly OnnxTensor[]): OnnxTensor[] {
  const request = new Uint8Array(handle.requestBytes);
  let at = 0;
  handle.inputs.forEach((field, i) => {
    const tensor = inputs.find((candidate) => candidate.name === field.name) ?? inputs[i];
    if (tensor === undefined) throw new Error(`input ${field.name} is missing`);
    const { buffer, byteOffset, byteLength } = tensor.data;
    request.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  });
  const answer = openCore(handle.module).infer(request, 0n);
  if (!answer.ok) throw new Error(answer.error);
  let from = 0;
  return handle.outputs.map(({ name, dtype, shape }) => {
    const bytes = shape.reduce((product, d) => product * d, 1) * widthOf(dtype);
    const { buffer } = answer.value.slice(from, from + bytes);
    from += bytes;
    const data = dtype === 'float32' ? new Float32Array(buffer) : new Uint8Array(buffer);
    return { name, dtype, dims: shape, data };
  });
}

export function wasm(handle: OnnxHandle): Uint8Array {
  return handle.module;
}
