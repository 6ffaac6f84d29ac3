import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { admit } from '#vm/admission.ts';
import { classifierOnnx } from '#wasm-modules/models/classifier/build.ts';
import { floatTensor, modelOf, node } from '#wasm-modules/testing/graph.ts';
import { runProgram } from '../program.ts';

const folder = mkdtempSync(join(tmpdir(), 'model-compile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

let notes = '';
beforeEach(() => {
  notes = '';
  const listen = (text: unknown) => {
    notes += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(listen);
  vi.spyOn(process.stderr, 'write').mockImplementation(listen);
});

const compile = (...flags: readonly string[]) =>
  runProgram(['model', 'compile', at('model.onnx'), '-o', at('model.wasm'), ...flags]);

test('a model is quantised, with calibration data and without, and what became of it is printed', async () => {
  writeFileSync(at('model.onnx'), classifierOnnx());
  expect(await compile()).toBe(0);
  const whole = readFileSync(at('model.wasm')).length;
  expect(await compile('--quantize', 'int8')).toBe(0);
  expect(admit(new Uint8Array(readFileSync(at('model.wasm')))).ok).toBe(true);
  expect(readFileSync(at('model.wasm')).length).toBeLessThan(whole / 3);
  expect(notes).toContain('Gemm hidden: weights and activations, ');
  expect(notes).toContain('without --calibrate no error is known');
  mkdirSync(at('inputs'));
  for (const i of [0, 1]) {
    const numbers = new Float32Array(32 * 32 * 3).map((_, k) => Math.sin(k * (i + 1)));
    writeFileSync(at(`inputs/${i}.bin`), new Uint8Array(numbers.buffer));
  }
  expect(await compile('--quantize', 'int8', '--calibrate', at('inputs'), '--range', 'percentile')).toBe(0);
  expect(notes).toMatch(/over 2 inputs: .* on average, .* at most; signal to noise \d+\.\d dB/);
});

test.each<[string, readonly string[], string]>([
  ['calibration without quantisation', ['--calibrate', folder], 'go with --quantize int8'],
  ['a range without calibration', ['--quantize', 'int8', '--range', 'minmax'], '--range goes with --calibrate'],
  ['a folder without inputs', ['--quantize', 'int8', '--calibrate', folder], 'has no .bin, .json, .png or .jpg'],
  ['another type', ['--quantize', 'int4'], 'Allowed choices are int8'],
])('%s is refused', async (_, flags, message) => {
  writeFileSync(at('model.onnx'), classifierOnnx());
  expect(await compile(...flags)).not.toBe(0);
  expect(notes).toContain(message);
});

test('an input of another length is refused by its name', async () => {
  writeFileSync(at('model.onnx'), classifierOnnx());
  mkdirSync(at('short'));
  writeFileSync(at('short/a.bin'), new Uint8Array(5));
  expect(await compile('--quantize', 'int8', '--calibrate', at('short'))).toBe(1);
  expect(notes).toContain('a.bin makes 5 bytes; a request has 12288');
});

test('names in a file steer no terminal', async () => {
  const name = 'red\u001b[31m\u202e';
  const weights = floatTensor('w', [8, 8], new Array<number>(64).fill(1));
  const inputs = [{ name: 'x', dtype: 1, dims: [1, 8] }];
  writeFileSync(at('model.onnx'), modelOf([node('MatMul', name, ['x', 'w'], ['y'])], { constants: [weights], inputs }));
  expect(await compile('--quantize', 'int8')).toBe(0);
  expect(notes).toContain('MatMul red\\u{1b}[31m\\u{202e}: weights and activations');
  expect(await runProgram(['model', 'compile', `${name}.onnx`, '-o', at('model.wasm')])).toBe(1);
  expect(notes).toContain('autond: ');
  expect(notes).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
});
