import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runTyped } from '#test/onnx/onnxruntime.ts';
import { compileOnnx } from '../../compiler/compile.ts';
import { openCore } from '../../compiler/harness.ts';
import { decodeAnswer, encodeRequest, readDescription } from '../../description.ts';
import { readModel } from '../../onnx/reader.ts';
import { createRandom } from '../../training/random.ts';
import { buildTalesCore, TALES_OPTIONS, talesOnnx, talesRequest } from './build.ts';
import { ALPHABET, ANSWER, isTale, PROMPT } from './data.ts';
import { loadTales } from './load.ts';
import { PROMPTS, shareOfTales, tellOn } from './told.ts';
import { bitsOfNetwork, heldOutTales, TALES_TRAINING } from './training.ts';

/** SHA-256 of what the committed model compiles to: on every machine, and until model, compiler or kernels change. */
const CORE_SHA256 = '09bd838e0badcb1391fdedf754dd262a7a4c798995347e1bead84128dd7d1a2a';
/** SHA-256 of the answer to the example in `describe`. */
const EXAMPLE_SHA256 = 'b2a732f9fa4c6026ef91c4d1d585170dc69119ef4a1ac47519cd1cae4f4bfa33';
/** Bits a byte with the committed, rounded weights: of all held-out tales, and of the first 64. */
const COMMITTED_BITS = { all: 0.2276, first: 0.2223 };
/** Bytes of a component inside a registration transaction. */
const COMPONENT_LIMIT = 512 * 1024;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const file = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');
const module = buildTalesCore();
const core = openCore(module);

test('the committed model compiles to the pinned module, which fits a registration, its weights in it once', () => {
  expect(sha256(module)).toBe(CORE_SHA256);
  expect(module.length).toBeLessThan(COMPONENT_LIMIT - 16 * 1024);
  const model = readModel(talesOnnx());
  const weights = model.ok ? model.value.initializers.get('weights')?.data : undefined;
  const at = Buffer.from(module).indexOf(weights ?? 'absent');
  expect(at).toBeGreaterThan(0);
  expect(Buffer.from(module).indexOf((weights ?? new Uint8Array(0)).subarray(0, 64), at + 1)).toBe(-1);
});

test('a text and a seed make a tale, always the same; another seed another one', () => {
  const { input, seed } = TALES_OPTIONS.example ?? { input: new Uint8Array(0), seed: 0n };
  const answer = core.infer(input, seed);
  expect(answer.ok && sha256(answer.value)).toBe(EXAMPLE_SHA256);
  const description = readDescription(core.describe());
  if (!description.ok || !answer.ok) throw new Error('no description or no answer');
  expect(encodeRequest(description.value, { prompt: 'Once upon' })).toEqual({ ok: true, value: input });
  expect(decodeAnswer(description.value, answer.value)).toEqual({
    ok: true,
    value: { answer: tellOn(core, 'Once upon', seed).slice('Once upon'.length) },
  });
  const several = new Set(Array.from({ length: 8 }, (_, i) => tellOn(core, 'Once upon', BigInt(i))));
  expect(several.size).toBe(8);
});

test('the likeliest tale needs no seed', () => {
  expect(tellOn(core, '', 1n, 0)).toBe(tellOn(core, '', 2n, 0));
  expect(isTale(tellOn(core, '', 1n, 0))).toBe(true);
});

test('as many of its tales are accepted by the grammar as the card says', () => {
  // The card's share is of 1,000 tales; these are the first 60 of them.
  expect(shareOfTales(core, 60) * 60).toBe(45);
});

test('any bytes of a prompt and any temperature are answered, by characters that there are', () => {
  const random = createRandom(3);
  for (let i = 0; i < 6; i++) {
    const request = Uint8Array.from({ length: PROMPT + 1 }, () => random.below(256));
    const answer = core.infer(request, BigInt(i));
    if (!answer.ok) throw new Error(answer.error);
    expect(answer.value.length).toBe(ANSWER);
    for (const byte of answer.value) expect(ALPHABET).toContain(String.fromCharCode(byte));
  }
  expect(core.infer(new Uint8Array(PROMPT), 0n)).toMatchObject({ ok: false });
});

test('it tells what ONNX Runtime tells, of the same noise', { timeout: 120_000 }, async () => {
  const compiled = compileOnnx(talesOnnx());
  if (!compiled.ok) throw new Error('it does not compile');
  const bare = openCore(compiled.value.module);
  const random = createRandom(11);
  for (const [prompt, temperature] of [
    ['Once upon', 1],
    ['', 0.7],
  ] as const) {
    const noise = Float32Array.from({ length: ANSWER * ALPHABET.length }, () => random.below(1 << 20) / (1 << 16) - 8);
    const bytes = talesRequest(prompt).subarray(0, PROMPT);
    const [expected] = await runTyped(talesOnnx(), {
      prompt: { dtype: 'uint8', dims: [PROMPT], data: bytes },
      temperature: { dtype: 'float32', dims: [1, 1], data: Float32Array.of(temperature) },
      noise: { dtype: 'float32', dims: [ANSWER, ALPHABET.length], data: noise },
    });
    const request = [bytes, Float32Array.of(temperature), noise].flatMap((part) => [
      ...new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
    ]);
    const answer = bare.infer(Uint8Array.from(request), 0n);
    expect(answer.ok && [...answer.value]).toEqual(Array.from(expected?.data ?? [], Number));
  }
});

test('the committed weights tell held-out tales as well as the card says', () => {
  const network = loadTales(talesOnnx(), 16);
  expect(bitsOfNetwork(network, heldOutTales(TALES_TRAINING).slice(0, 64), 16)).toBeCloseTo(COMMITTED_BITS.first, 4);
});

test('the card states what was measured', () => {
  const [card, log, samples] = [file('card.md'), JSON.parse(file('loss.json')), JSON.parse(file('samples/tales.json'))];
  expect(log.training).toEqual(TALES_TRAINING);
  const { trained, untrained, ngrams, order, choices, ngramTales } = log.heldOut;
  for (const bits of [trained, untrained, ngrams, choices, COMMITTED_BITS.all]) expect(card).toContain(bits.toFixed(4));
  expect(card).toContain(`${order}-grams`);
  expect(card).toContain(`${(100 * ngramTales).toFixed(1)} %`);
  for (const { warmth, share } of log.told)
    expect(card).toContain(`| ${warmth / 100} | ${(100 * share).toFixed(1)} % |`);
  // Better than counting, and not better than what can be.
  expect(trained).toBeLessThan(ngrams - 0.02);
  expect(trained).toBeGreaterThan(choices);
  for (const { prompt, seed, tale } of samples.filter((sample: { seed: number }) => sample.seed < 2)) {
    expect(PROMPTS).toContain(prompt);
    expect(tellOn(core, prompt, BigInt(seed))).toBe(tale);
    expect(card).toContain(tale);
  }
});
