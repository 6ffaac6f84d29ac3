import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, encode } from 'fast-png';
import { decode as decodeJpeg, encode as encodeJpeg } from 'jpeg-js';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { bytesToFloats, floatBytes, lineTrainer } from '#test/vm/trainable.ts';
import { guest, wat } from '#test/vm/wat.ts';
import { admit } from '#vm/admission.ts';
import { compileOnnx } from '#wasm-modules/compiler/compile.ts';
import { buildSpritesCore, spritesOnnx } from '#wasm-modules/models/sprites/build.ts';
import { describeError } from '#wasm-modules/onnx/refusal.ts';
import { int, modelOf, node } from '#wasm-modules/testing/graph.ts';
import { runProgram } from '../program.ts';

const folder = mkdtempSync(join(tmpdir(), 'model-command-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

/** Each run of a model starts a process: a second on an idle machine, more on a busy one. */
const SLOW = { timeout: 120_000 };

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

test(
  'a shipped model is compiled by its name, with its pictures and texts, and tried when it is inspected',
  SLOW,
  async () => {
    expect(await runProgram(['model', 'compile', 'classifier', '-o', at('classifier.wasm')])).toBe(0);
    expect(out + errors).toContain('Conv');
    out = '';
    expect(await runProgram(['model', 'inspect', at('classifier.wasm'), '--output', 'json'])).toBe(0);
    const found = JSON.parse(out) as { readonly example: { readonly outcome: string; readonly gasUsed: string } };
    expect(found.example.outcome).toBe('ok');
    expect(Number(found.example.gasUsed)).toBeGreaterThan(1_000_000);
    expect(found).toMatchObject({ description: { outputs: [{ labels: expect.arrayContaining(['owl']) }] } });
    expect(await runProgram(['model', 'compile', 'nobody', '-o', at('never.wasm')])).toBe(1);
  },
);

/** The sprite generator as a file. */
async function spritesFile(): Promise<string> {
  const core = buildSpritesCore();
  writeFileSync(at('sprites.core'), core);
  expect(await runProgram(['model', 'package', at('sprites.core'), '-o', at('sprites.wasm')])).toBe(0);
  return at('sprites.wasm');
}

test('a component is run: its example, and what JSON asks for, into a picture', SLOW, async () => {
  const sprites = await spritesFile();
  expect(await runProgram(['model', 'run', sprites, '--output', 'json'])).toBe(0);
  const example = JSON.parse(out) as { outputHash: string; gasUsed: string; traceRoot: string };
  expect(example).toMatchObject({ outputBytes: 3072, traceRoot: expect.stringMatching(/^[0-9a-f]{64}$/) });
  const asked = '{"species":"owl","body":"#e88c30","accent":"#6096eb"}';
  out = '';
  const flags = ['--input', asked, '--seed', '7', '--out', at('owl.png'), '--scale', '4', '--output', 'json'];
  expect(await runProgram(['model', 'run', sprites, ...flags])).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ outputHash: example.outputHash, traceRoot: example.traceRoot });
  expect(await runProgram(['model', 'run', sprites, '--input', asked, '--seed', '7', '--out', at('owl.jpg')])).toBe(0);
  expect(decodeJpeg(readFileSync(at('owl.jpg')))).toMatchObject({ width: 32, height: 32 });
  expect(decode(readFileSync(at('owl.png')))).toMatchObject({ width: 128, height: 128, channels: 3 });
  expect(await runProgram(['model', 'run', sprites, '--gas-limit', '1000'])).toBe(1);
  expect(errors).toContain('the model ended in out-of-gas after 1000 gas');
  expect(await runProgram(['model', 'run', sprites, '--input', '{"species":"cow"}'])).toBe(1);
  expect(errors).toContain('"cow" is none of');
  expect(await runProgram(['model', 'run', sprites, '--input', at('owl.png')])).toBe(1);
  expect(errors).toContain(
    `${at('owl.png')}: a picture goes to a model whose one input is uint8 of height, width and 1, 3 or 4 channels; this one takes species (uint8 of 1), `,
  );
});

test('a component is measured', async () => {
  expect(await runProgram(['model', 'bench', await spritesFile(), '--runs', '3', '--output', 'json'])).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ outcome: 'ok', callsPerSecond: expect.any(Number) });
});

test('tensors go in as JSON or a picture and come out as JSON', SLOW, async () => {
  const graph = modelOf([node('Mul', 'twice', ['x', 'two'], ['y']), node('ArgMax', 'best', ['y'], ['i'])], {
    constants: [{ name: 'two', dtype: 'uint8', dims: [], data: Uint8Array.of(2) }],
    inputs: [{ name: 'x', dtype: 2, dims: [2, 2, 1] }],
    outputs: [
      { name: 'y', dtype: 2, dims: undefined },
      { name: 'i', dtype: 7, dims: undefined },
    ],
  });
  writeFileSync(at('twice.onnx'), graph);
  expect(await runProgram(['model', 'compile', at('twice.onnx'), '-o', at('twice.wasm')])).toBe(0);
  const png = encode({ width: 2, height: 2, channels: 1, depth: 8, data: Uint8Array.of(1, 2, 30, 4) });
  writeFileSync(at('x.png'), png);
  for (const input of ['{"x":[1,2,30,4]}', at('x.png')]) {
    expect(await runProgram(['model', 'run', at('twice.wasm'), '--input', input, '--out', at('y.json')])).toBe(0);
    expect(JSON.parse(readFileSync(at('y.json'), 'utf8'))).toEqual({ y: [2, 4, 60, 8], i: ['1', '1'] });
  }
  const flat = encodeJpeg({ width: 2, height: 2, data: Buffer.alloc(16, 60) }, 100);
  writeFileSync(at('x.jpg'), flat.data);
  expect(await runProgram(['model', 'run', at('twice.wasm'), '--input', at('x.jpg'), '--out', at('y.json')])).toBe(0);
  expect(JSON.parse(readFileSync(at('y.json'), 'utf8'))).toMatchObject({ y: [120, 120, 120, 120] });
  writeFileSync(at('wide.png'), encode({ width: 3, height: 1, channels: 1, depth: 8, data: new Uint8Array(3) }));
  expect(await runProgram(['model', 'run', at('twice.wasm'), '--input', at('wide.png')])).toBe(1);
  expect(errors).toContain('has 3 x 1 pixels of 8 bits; the model takes 2 x 2 of 8');
});

/** A model that answers its text of 12 bytes as it is, raised by what a second input says. */
async function echoFile(): Promise<string> {
  const graph = modelOf([node('Add', 'sum', ['words', 'by'], ['answer'])], {
    inputs: [
      { name: 'words', dtype: 2, dims: [12] },
      { name: 'by', dtype: 2, dims: [1] },
    ],
    outputs: [{ name: 'answer', dtype: 2, dims: undefined }],
  });
  const compiled = compileOnnx(graph, {
    inputs: [
      { kind: 'text', graphInput: 'words', description: 'any' },
      { kind: 'tensor', graphInput: 'by', default: 0 },
    ],
    outputs: [{ kind: 'text', graphOutput: 'answer', description: 'the same' }],
  });
  if (!compiled.ok) throw new Error(describeError(compiled.error));
  writeFileSync(at('echo.core'), compiled.value.module);
  expect(await runProgram(['model', 'package', at('echo.core'), '-o', at('echo.wasm')])).toBe(0);
  return at('echo.wasm');
}

test(
  'a text goes in as it is and is printed; what the model cannot read is refused, what a terminal would obey is shown',
  SLOW,
  async () => {
    const echo = await echoFile();
    const answered = async (...flags: string[]) => {
      out = '';
      expect(await runProgram(['model', 'run', echo, ...flags])).toBe(0);
      return out;
    };
    // Byte 0 before a shorter text: a model that echoes it answers it.
    expect(await answered('--input', 'twelve bytes')).toMatch(/^twelve bytes\n\noutput {6}12 bytes/);
    expect(await answered('--input', 'text:{"a":1}', '-o', 'json')).toContain(String.raw`\\u{0}{\"a\":1}`);
    writeFileSync(at('words.txt'), 'née Ægidius');
    expect(await answered('--input', '{"words":"née Ægidiu","by":[60]}')).toMatch(/^\\xaa\\xff/);
    expect(await answered('--input', 'née Ægidiu', '--out', at('same.txt'))).toContain('written to');
    expect(readFileSync(at('same.txt'), 'utf8')).toBe('née Ægidiu');
    expect(await runProgram(['model', 'run', echo, '--input', at('words.txt')])).toBe(1);
    expect(errors).toContain('--input: words: the text has 13 bytes in UTF-8; the model reads at most 12');
    writeFileSync(at('bad.txt'), Uint8Array.of(0xff));
    expect(await runProgram(['model', 'run', echo, '--input', at('bad.txt')])).toBe(1);
    expect(errors).toContain('is no text in UTF-8');
    expect(await runProgram(['model', 'run', echo, '--input', 'short', '--out', at('x.jpg')])).toBe(1);
    expect(errors).toContain('the model’s output is no picture');
    expect(await runProgram(['model', 'run', await spritesFile(), '--input', 'text:owl'])).toBe(1);
    expect(errors).toContain('the model does not take a text alone but species, body, accent');
  },
);

test('an input that decides a shape is fixed when the model is compiled', async () => {
  const graph = modelOf([node('ReduceSum', 'sum', ['x', 'axes'], ['y'], { keepdims: int(0) })], {
    inputs: [
      { name: 'x', dtype: 1, dims: [2, 2] },
      { name: 'axes', dtype: 7, dims: [1] },
    ],
  });
  writeFileSync(at('sum.onnx'), graph);
  expect(await runProgram(['model', 'compile', at('sum.onnx'), '-o', at('sum.wasm')])).toBe(1);
  expect(errors).toContain('input 1 ("axes") must be constant, or fixed when the model is compiled');
  expect(await runProgram(['model', 'compile', at('sum.onnx'), '-o', at('sum.wasm'), '--fix', 'axes=0'])).toBe(0);
  const flags = ['--input', '{"x":[1,2,3,4]}', '--out', at('sum.json')];
  expect(await runProgram(['model', 'run', at('sum.wasm'), ...flags])).toBe(0);
  expect(JSON.parse(readFileSync(at('sum.json'), 'utf8'))).toEqual({ y: [4, 6] });
  expect(await runProgram(['model', 'compile', at('sum.onnx'), '-o', at('sum.wasm'), '--fix', 'axes'])).toBe(2);
});

test('a trainable model is trained step by step, and its weights are written', SLOW, async () => {
  writeFileSync(at('line.core'), lineTrainer());
  expect(await runProgram(['model', 'package', at('line.core'), '-o', at('line.wasm')])).toBe(0);
  expect(await runProgram(['model', 'inspect', at('line.wasm'), '-o', 'json'])).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ world: 'trainable-model' });
  writeFileSync(at('points.bin'), floatBytes(-1, -4, 0, -1, 1, 2, 2, 5));
  const train = (...flags: string[]) =>
    runProgram(['model', 'train-step', at('line.wasm'), '--data', at('points.bin'), ...flags]);
  const zero = ['--weights', 'hex:0000000000000000', '-o', 'json'];
  out = '';
  expect(await train(...zero, '--steps', '300', '--out', at('weights.bin'))).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    steps: 300,
    weightsBytes: 8,
    traceRoot: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  const [slope = 0, intercept = 0] = bytesToFloats(new Uint8Array(readFileSync(at('weights.bin'))));
  expect(Math.abs(slope - 3) + Math.abs(intercept + 1)).toBeLessThan(1e-3);
  expect(await train('--weights', 'hex:00')).toBe(1);
  expect(errors).toContain('the model ended in guest-error(returned-error): expected 8 bytes, points!');
  expect(await train('--weights', 'hex:0')).toBe(1);
  expect(errors).toContain('--weights');
  writeFileSync(at('plain.core'), guest());
  expect(await runProgram(['model', 'package', at('plain.core'), '-o', at('plain.wasm')])).toBe(0);
  expect(await runProgram(['model', 'train-step', at('plain.wasm'), '--data', 'hex:', ...zero])).toBe(1);
  expect(errors).toContain('is of world model: it has no step of training');
});

test('a model that does not exist is not trained', async () => {
  expect(await runProgram(['model', 'train', 'nothing'])).toBe(1);
  expect(errors).toContain('expected one of classifier, enlarger, sprites, tales');
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
