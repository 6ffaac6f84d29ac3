import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { guest, wat } from '#test/vm/wat.ts';
import { admit } from '#vm/admission.ts';
import { spritesOnnx } from '#wasm-modules/models/sprites/build.ts';
import { runProgram } from '../program.ts';

const folder = mkdtempSync(join(tmpdir(), 'model-command-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

let out = '';
let errors = '';
beforeEach(() => {
  out = '';
  errors = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    errors += String(text);
    return true;
  });
});

test('an ONNX model becomes a component that the chain takes, and says what it is', async () => {
  writeFileSync(at('model.onnx'), spritesOnnx());
  expect(await runProgram(['model', 'compile', at('model.onnx'), '-o', at('model.wasm'), '--task', 'creatures'])).toBe(
    0,
  );
  const component = new Uint8Array(readFileSync(at('model.wasm')));
  expect(admit(component).ok).toBe(true);
  expect(await runProgram(['model', 'inspect', at('model.wasm'), '--output', 'json'])).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ bytes: component.length, description: { task: 'creatures' } });
});

test('a core module is wrapped', async () => {
  writeFileSync(at('core.wasm'), guest());
  expect(await runProgram(['model', 'package', at('core.wasm'), '-o', at('echo.wasm')])).toBe(0);
  expect(admit(new Uint8Array(readFileSync(at('echo.wasm')))).ok).toBe(true);
});

test.each([
  ['compile', 'what is no ONNX', Uint8Array.of(1, 2, 3), /malformed|invalid/],
  ['package', 'a module without the model’s exports', wat('(module)'), /export "memory"/],
  ['inspect', 'what is no component', Uint8Array.of(0), /the chain would refuse it: offset 0/],
])('model %s of %s fails with a sentence', async (command, _what, bytes, sentence) => {
  writeFileSync(at('bad'), bytes);
  const outputFlags = command === 'inspect' ? [] : ['-o', at('never.wasm')];
  expect(await runProgram(['model', command, at('bad'), ...outputFlags])).toBe(1);
  expect(errors).toMatch(sentence);
  expect(errors.split('\n').length).toBe(2);
});

test('a file that is not there is named', async () => {
  expect(await runProgram(['model', 'inspect', at('absent.wasm')])).toBe(1);
  expect(errors).toContain(at('absent.wasm'));
});

test('a credit purchase in another coin, and a number that is none, are refused before anything is asked', async () => {
  expect(await runProgram(['credits', 'buy', '5ucredit', '--from', 'x', '--node', 'http://127.0.0.1:1'])).toBe(1);
  expect(errors).toContain('credits are bought with uauton');
  expect(await runProgram(['inference', 'receipt', '-7'])).toBe(2);
  expect(await runProgram(['inference', 'receipt', '18446744073709551616'])).toBe(2);
  expect(errors).toContain('expected a whole number below 2^64');
});
