/**
 * The ONNX project's backend node tests: a folder of `test_*` with `model.onnx` and `test_data_set_*` of
 * `input_*.pb` and `output_*.pb`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile, type OnnxHandle, run } from '#test/vectors/subject-onnx.ts';
import { elementsOf, type Tensor, typeOf } from '#wasm-modules/onnx/model.ts';
import { readModel, readTensor } from '#wasm-modules/onnx/reader.ts';
import { describeError } from '#wasm-modules/onnx/refusal.ts';

/** Allowed differences of the ONNX project's own runner: absolute 1e-7, relative 1e-3. */
const ABSOLUTE = 1e-7;
const RELATIVE = 1e-3;

export type Verdict = 'passed' | 'unsupported' | 'failed';

export interface NodeTestResult {
  readonly name: string;
  /** Operators of the graph; empty where the file cannot be read. */
  readonly operators: readonly string[];
  /** Whether all inputs and outputs are of float32, integers or bool. */
  readonly plain: boolean;
  readonly verdict: Verdict;
  /** Why it is not passed; empty where it is. */
  readonly reason: string;
  /** Integer inputs that decide shapes were fixed to the test's values when the model was compiled. */
  readonly fixed?: boolean;
}

/** Names of the tests in a folder, in order. Throws where there are none. */
export function listNodeTests(folder: string): readonly string[] {
  const names = readdirSync(folder)
    .filter((name) => name.startsWith('test_'))
    .sort((a, b) => (a < b ? -1 : 1));
  if (names.length === 0) throw new Error(`${folder}: expected folders test_*/ with model.onnx, there is none`);
  return names;
}

export function runNodeTest(folder: string, name: string): NodeTestResult {
  const path = join(folder, name);
  const bytes = new Uint8Array(readFileSync(join(path, 'model.onnx')));
  const model = readModel(bytes);
  const operators = model.ok ? [...new Set(model.value.nodes.map(({ op }) => op))] : [];
  const edges = model.ok ? [...model.value.inputs, ...model.value.outputs] : [];
  const plain = edges.length > 0 && edges.every(({ dtype }) => !['float64', undefined].includes(typeOf(dtype)));
  const problem = (error: unknown): NodeTestResult => {
    const { code, message } = error as Error & { readonly code?: string };
    return { name, operators, plain, verdict: code === 'unsupported' ? 'unsupported' : 'failed', reason: message };
  };
  try {
    const handle = compile(bytes);
    const sets = readdirSync(path).filter((entry) => entry.startsWith('test_data_set_'));
    if (sets.length === 0) throw new Error('there is no test_data_set_*');
    for (const entry of sets) compareSet(handle, join(path, entry));
    return { name, operators, plain, verdict: 'passed', reason: '', fixed: handle.fixed };
  } catch (error) {
    return problem(error);
  }
}

function tensors(folder: string, prefix: string): Tensor[] {
  const count = readdirSync(folder).filter((file) => file.startsWith(prefix)).length;
  return Array.from({ length: count }, (_, i) => {
    const tensor = readTensor(new Uint8Array(readFileSync(join(folder, `${prefix}_${i}.pb`))));
    if (!tensor.ok) throw new Error(describeError(tensor.error));
    return tensor.value;
  });
}

/** Throws a sentence about the first difference. */
function compareSet(handle: OnnxHandle, folder: string): void {
  const results = run(handle, tensors(folder, 'input'));
  for (const [i, want] of tensors(folder, 'output').entries()) {
    const got = results[i];
    if (got?.dims.join() !== want.dims.join())
      throw new Error(`output ${i} is [${got?.dims}], expected [${want.dims}]`);
    if (got.dtype !== want.dtype) throw new Error(`output ${i} is ${got.dtype}, expected ${want.dtype}`);
    const numbers = elementsOf(want.dtype, new Uint8Array(got.data.buffer, got.data.byteOffset, got.data.byteLength));
    for (const [k, w] of elementsOf(want.dtype, want.data).entries()) {
      const value = numbers[k] ?? Number.NaN;
      if (!close(value, w)) throw new Error(`output ${i} at ${k} is ${value}, expected ${w}`);
    }
  }
}

function close(got: number | bigint, want: number | bigint): boolean {
  if (typeof got === 'bigint' || typeof want === 'bigint') return got === want;
  return Object.is(got, want) || Math.abs(got - want) <= ABSOLUTE + RELATIVE * Math.abs(want);
}
