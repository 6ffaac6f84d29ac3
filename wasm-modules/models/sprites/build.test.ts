import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runWithOnnxRuntime } from '#test/onnx/onnxruntime.ts';
import { compileOnnx } from '../../compiler/compile.ts';
import { openCore } from '../../compiler/harness.ts';
import { describeError } from '../../onnx/refusal.ts';
import { createRandom } from '../../training/random.ts';
import { buildSpritesCore, SPRITES_OPTIONS, spritesOnnx } from './build.ts';
import { SIDE, SPECIES } from './data.ts';
import { SPRITES_TRAINING } from './training.ts';
import { ATTRIBUTES, LATENT } from './vae.ts';

/** SHA-256 of what the committed model compiles to: on every machine, and until model, compiler or kernels change. */
const CORE_SHA256 = '3f703c1ffddeb6d864051d46ec4b317431a5fa6f74ab6e07bb6362cb0229c6f6';
/** SHA-256 of the answer to the example in `describe`. */
const EXAMPLE_SHA256 = '348739afc17360415dd8a5cc426d3c634f1e984da5b38e80833433b4e76ad4d8';
/** Largest difference of a colour in [0, 1] from ONNX Runtime. */
const TOLERANCE = 1e-5;
/** Bytes of a component inside a registration transaction. */
const COMPONENT_LIMIT = 512 * 1024;

const { input, seed } = SPRITES_OPTIONS.example ?? { input: new Uint8Array(0), seed: 0n };
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function example(): Uint8Array {
  const answer = openCore(buildSpritesCore()).infer(input, seed);
  if (!answer.ok) throw new Error(answer.error);
  return answer.value;
}

test('the committed model compiles to the pinned module, which fits a registration', () => {
  const core = buildSpritesCore();
  expect(sha256(core)).toBe(CORE_SHA256);
  expect(core.length).toBeLessThan(COMPONENT_LIMIT - 16 * 1024);
});

test('the tensors agree with ONNX Runtime', async () => {
  const compiled = compileOnnx(spritesOnnx());
  if (!compiled.ok) throw new Error(describeError(compiled.error));
  const core = openCore(compiled.value.module);
  const random = createRandom(1);
  for (let round = 0; round < 5; round++) {
    const request = new Float32Array(LATENT + ATTRIBUTES).map(() => random.normal());
    const answer = core.infer(new Uint8Array(request.buffer), 0n);
    if (!answer.ok) throw new Error(answer.error);
    const part = (from: number, n: number) => ({ dims: [1, n], data: request.slice(from, from + n) });
    const [expected] = await runWithOnnxRuntime(spritesOnnx(), {
      latent: part(0, LATENT),
      species: part(LATENT, SPECIES.length),
      body: part(LATENT + SPECIES.length, 3),
      accent: part(LATENT + SPECIES.length + 3, 3),
    });
    expect(expected?.dims).toEqual([1, 3, SIDE, SIDE]);
    const got = new Float32Array(answer.value.buffer);
    const worst = got.reduce((most, v, i) => Math.max(most, Math.abs(v - (expected?.data[i] ?? Number.NaN))), 0);
    expect(worst).toBeLessThanOrEqual(TOLERANCE);
  }
});

test('the example gives the pinned picture, also after the engine has optimised the code', () => {
  expect(sha256(example())).toBe(EXAMPLE_SHA256);
  const core = openCore(buildSpritesCore());
  for (let i = 0; i < 60; i++) {
    const answer = core.infer(input, seed);
    expect(answer.ok && sha256(answer.value)).toBe(EXAMPLE_SHA256);
  }
});

test.each([
  ['the baseline compiler', ['--liftoff-only']],
  ['the optimising compiler', ['--no-liftoff']],
])(
  'another process gives the pinned picture under %s',
  (_, flags) => {
    const script = `
    import { createHash } from 'node:crypto';
    import { openCore } from '#wasm-modules/compiler/harness.ts';
    import { buildSpritesCore, SPRITES_OPTIONS } from '#wasm-modules/models/sprites/build.ts';
    const { input, seed } = SPRITES_OPTIONS.example;
    process.stdout.write(createHash('sha256').update(openCore(buildSpritesCore()).infer(input, seed).value).digest('hex'));
  `;
    const root = new URL('../../../', import.meta.url);
    const printed = execFileSync(process.execPath, [...flags, '--input-type=module', '-e', script], { cwd: root });
    expect(printed.toString()).toBe(EXAMPLE_SHA256);
  },
  60_000,
);

test('a picture is symmetric, and changes with the seed, the species and the colours', () => {
  const core = openCore(buildSpritesCore());
  const draw = (request: Uint8Array, with_: bigint): Uint8Array => {
    const answer = core.infer(request, with_);
    if (!answer.ok) throw new Error(answer.error);
    return answer.value;
  };
  const picture = draw(input, seed);
  expect(picture.length).toBe(SIDE * SIDE * 3);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const [left, right] = [(y * SIDE + x) * 3, (y * SIDE + SIDE - 1 - x) * 3];
      expect(picture.subarray(left, left + 3)).toEqual(picture.subarray(right, right + 3));
    }
  }
  const others = [
    draw(input, seed + 1n),
    ...[0, 1, 4].map((at) =>
      draw(
        input.map((v, i) => (i === at ? v ^ 1 : v)),
        seed,
      ),
    ),
  ];
  for (const other of others) expect(other).not.toEqual(picture);
});

test('describe says what a request is, and its example is one', () => {
  const core = openCore(buildSpritesCore());
  const description = JSON.parse(core.describe());
  expect(description.inputs.map(({ name }: { name: string }) => name)).toEqual(['species', 'body', 'accent']);
  expect(description.outputs[0].shape).toEqual([SIDE, SIDE, 3]);
  const answer = core.infer(
    new Uint8Array(Buffer.from(description.example.input, 'hex')),
    BigInt(description.example.seed),
  );
  expect(answer.ok && sha256(answer.value)).toBe(EXAMPLE_SHA256);
});

test('the card states what was measured, and shows ten pictures', () => {
  const file = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');
  const card = file('card.md');
  const log = JSON.parse(file('loss.json'));
  expect(log.training).toEqual(SPRITES_TRAINING);
  for (const value of Object.values(log.heldOut as Record<string, number>)) expect(card).toContain(value.toFixed(5));
  expect(log.heldOut.trained).toBeLessThan(log.heldOut.speciesMean / 4);
  expect(log.curve.at(-1).step).toBe(SPRITES_TRAINING.steps);
  const samples = readdirSync(new URL('samples', import.meta.url)).filter((name) => /^\d\d-/.test(name));
  expect(samples.length).toBe(10);
  for (const name of samples) expect(card).toContain(`samples/${name}`);
});
