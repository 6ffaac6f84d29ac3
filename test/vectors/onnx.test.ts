/**
 * The ONNX project's node tests: a model either gives the expected tensors or is refused as unsupported, by the name of
 * what is missing. None may give anything else.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { supportedOperators } from '#wasm-modules/compiler/compile.ts';
import type { Tensor } from '#wasm-modules/onnx/model.ts';
import { readTensor } from '#wasm-modules/onnx/reader.ts';
import { describeError } from '#wasm-modules/onnx/refusal.ts';
import { vectorsPath } from './locate.ts';
import { compile, type OnnxHandle, run } from './subject-onnx.ts';

/** Allowed differences of the ONNX project's own runner: absolute 1e-7, relative 1e-3. */
const ABSOLUTE = 1e-7;
const RELATIVE = 1e-3;
/** Of the 529 tests, those that are passed today; more is progress, fewer is a regression. */
const PASSED_AT_LEAST = 210;

interface Case {
  readonly name: string;
  readonly ops: readonly string[];
}

const archive = vectorsPath('onnx-node', 'node-tests.tar.xz');
let directory = '';

function tensors(folder: string, prefix: string): Tensor[] {
  const count = readdirSync(folder).filter((file) => file.startsWith(prefix)).length;
  return Array.from({ length: count }, (_, i) => {
    const tensor = readTensor(new Uint8Array(readFileSync(join(folder, `${prefix}_${i}.pb`))));
    if (!tensor.ok) throw new Error(describeError(tensor.error));
    return tensor.value;
  });
}

/** A sentence for the first difference, or undefined. */
function difference(handle: OnnxHandle, folder: string): string | undefined {
  const results = run(handle, tensors(folder, 'input'));
  for (const [i, expected] of tensors(folder, 'output').entries()) {
    const result = results[i];
    if (result?.dims.join() !== expected.dims.join())
      return `output ${i} is [${result?.dims}], expected [${expected.dims}]`;
    if (result.dtype !== expected.dtype) return `output ${i} is ${result.dtype}, expected ${expected.dtype}`;
    const numbers = expected.dtype === 'float32' ? Float32Array : Uint8Array;
    const got = new numbers(result.data.buffer as ArrayBuffer);
    const want = new numbers(expected.data.slice().buffer);
    for (const [k, w] of want.entries()) {
      const g = got[k] ?? Number.NaN;
      const same = Object.is(g, w) || Math.abs(g - w) <= ABSOLUTE + RELATIVE * Math.abs(w);
      if (!same) return `output ${i} at ${k} is ${g}, expected ${w}`;
    }
  }
  return undefined;
}

function attempt(path: string): OnnxHandle | string {
  try {
    return compile(new Uint8Array(readFileSync(join(path, 'model.onnx'))));
  } catch (error) {
    const { code, message } = error as Error & { readonly code?: string };
    return code === 'unsupported' ? 'unsupported' : `${code}: ${message}`;
  }
}

describe.skipIf(archive === undefined)('ONNX node tests', () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'onnx-node-'));
    execFileSync('tar', ['-xJf', archive ?? '', '-C', directory]);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('every test gives the expected tensors or is refused as unsupported', () => {
    const cases = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as readonly Case[];
    const failures: string[] = [];
    const supported = new Set(supportedOperators());
    let passed = 0;
    let ours = 0;
    for (const { name, ops } of cases) {
      if (ops.every((op) => supported.has(op))) ours++;
      const path = join(directory, name);
      const handle = attempt(path);
      if (handle === 'unsupported') continue;
      if (typeof handle === 'string') {
        failures.push(`${name}: ${handle}`);
        continue;
      }
      const problem = readdirSync(path)
        .filter((entry) => entry.startsWith('test_data_set_'))
        .map((entry) => difference(handle, join(path, entry)))
        .find((found) => found !== undefined);
      if (problem === undefined) passed++;
      else failures.push(`${name}: ${problem}`);
    }
    console.log(`ONNX node tests: ${passed} of ${cases.length} passed, ${ours} use supported operators alone`);
    expect(failures).toEqual([]);
    expect(passed).toBeGreaterThanOrEqual(PASSED_AT_LEAST);
  });
});
