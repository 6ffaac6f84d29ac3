/** One node, compiled and run here and in ONNX Runtime: an independent implementation must come to the same. */
import { expect } from 'vitest';
import { type CompiledModel, compileOnnx } from '#wasm-modules/compiler/compile.ts';
import { openCore } from '#wasm-modules/compiler/harness.ts';
import { type Attribute, arrayOf, codeOf, widthOf } from '#wasm-modules/onnx/model.ts';
import { describeError } from '#wasm-modules/onnx/refusal.ts';
import { modelOf, node } from '#wasm-modules/testing/graph.ts';
import { createRandom } from '#wasm-modules/training/random.ts';
import { runTyped, type TypedTensor } from './onnxruntime.ts';

/** Largest difference of floats, relative to the largest value of 1 and the result. */
const TOLERANCE = 1e-5;

export interface Comparison {
  readonly op: string;
  /** `constant` tensors are part of the model; an input that is undefined is left out. */
  readonly inputs: readonly ((TypedTensor & { readonly constant?: boolean }) | undefined)[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly opset?: number;
  /** Element types of the outputs; one of float32 by default. */
  readonly outputs?: readonly TypedTensor['dtype'][];
}

/** Normally distributed numbers. */
export function normal(dims: readonly number[], seed: number): TypedTensor {
  const random = createRandom(seed);
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
  return { dtype: 'float32', dims, data: data.map(() => random.normal()) };
}

/** Whole numbers from `least` to `most`. */
export function whole(
  dtype: 'int64' | 'int32' | 'uint8',
  dims: readonly number[],
  least: number,
  most: number,
  seed: number,
): TypedTensor {
  const random = createRandom(seed);
  const length = dims.reduce((a, b) => a * b, 1);
  const numbers = Array.from(
    { length },
    () => least + Math.floor(Math.abs(random.normal() * 1e4) % (most - least + 1)),
  );
  if (dtype === 'int64') return { dtype, dims, data: BigInt64Array.from(numbers, BigInt) };
  return { dtype, dims, data: dtype === 'int32' ? Int32Array.from(numbers) : Uint8Array.from(numbers) };
}

/** Constants that steer a node. */
export function longs(...values: readonly number[]): TypedTensor & { readonly constant: boolean } {
  return { dtype: 'int64', dims: [values.length], data: BigInt64Array.from(values, BigInt), constant: true };
}

export function singles(...values: readonly number[]): TypedTensor & { readonly constant: boolean } {
  return { dtype: 'float32', dims: [values.length], data: Float32Array.from(values), constant: true };
}

function graphOf({ op, inputs, attributes, opset = 18, outputs = ['float32'] }: Comparison): Uint8Array {
  const named = inputs.flatMap((tensor, i) => (tensor === undefined ? [] : [{ name: `x${i}`, ...tensor }]));
  const names = inputs.map((tensor, i) => (tensor === undefined ? '' : `x${i}`));
  return modelOf(
    [
      node(
        op,
        'the-node',
        names,
        outputs.map((_, i) => `y${i}`),
        attributes,
      ),
    ],
    {
      opset,
      constants: named
        .filter(({ constant }) => constant === true)
        .map(({ name, dtype, dims, data }) => ({ name, dtype, dims, data: bytesOf(data).slice() })),
      inputs: named
        .filter(({ constant }) => constant !== true)
        .map(({ name, dtype, dims }) => ({ name, dtype: codeOf(dtype), dims })),
      outputs: outputs.map((dtype, i) => ({ name: `y${i}`, dtype: codeOf(dtype), dims: undefined })),
    },
  );
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function runHere(model: CompiledModel, inputs: readonly TypedTensor[]): readonly ArrayBufferView[] {
  const request = new Uint8Array(model.requestBytes);
  let at = 0;
  for (const { data } of inputs) {
    request.set(bytesOf(data), at);
    at += data.byteLength;
  }
  const answer = openCore(model.module).infer(request, 0n);
  if (!answer.ok) throw new Error(answer.error);
  let from = 0;
  return model.outputs.map(({ dtype, shape }) => {
    const bytes = shape.reduce((a, b) => a * b, 1) * widthOf(dtype);
    from += bytes;
    return arrayOf(dtype, answer.value.subarray(from - bytes, from));
  });
}

/** Shapes must be the same, integers and bools equal, floats nearly so. */
export async function compare(given: Comparison): Promise<void> {
  const bytes = graphOf(given);
  const compiled = compileOnnx(bytes);
  if (!compiled.ok) throw new Error(describeError(compiled.error));
  const fed = given.inputs.flatMap((tensor, i) =>
    tensor === undefined || tensor.constant === true ? [] : [[`x${i}`, tensor] as const],
  );
  const got = runHere(
    compiled.value,
    fed.map(([, tensor]) => tensor),
  );
  const expected = await runTyped(bytes, Object.fromEntries(fed));
  const what = JSON.stringify(given, (_, v) => (typeof v === 'bigint' ? Number(v) : v));
  expected.forEach(({ dims, data }, i) => {
    expect(compiled.value.outputs[i]?.shape, what).toEqual([...dims]);
    const own = got[i] as unknown as ArrayLike<number | bigint>;
    for (const [k, want] of [...data].entries()) {
      const value = own[k];
      const near =
        typeof want === 'number' &&
        data instanceof Float32Array &&
        Math.abs(Number(value) - want) <= TOLERANCE * Math.max(1, Math.abs(want));
      if (!near && !Object.is(value, want)) expect.fail(`output ${i} at ${k} is ${value}, expected ${want}: ${what}`);
    }
  });
}
