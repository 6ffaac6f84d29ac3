/** The calls that every engine makes: each way to end, random modules, and the models that are shipped. */
import { defined } from '#core/assert.ts';
import { OUTCOME_SHAPES } from '#test/vm/outcome-shapes.ts';
import { buildClassifierCore, CLASSIFIER_OPTIONS } from '#wasm-modules/models/classifier/build.ts';
import { buildEnlargerCore, ENLARGER_OPTIONS } from '#wasm-modules/models/enlarger/build.ts';
import { buildSpritesCore, SPRITES_OPTIONS } from '#wasm-modules/models/sprites/build.ts';
import { buildTalesCore, TALES_OPTIONS } from '#wasm-modules/models/tales/build.ts';
import { randomModule } from './random-module.ts';
import { randomOf } from './random-values.ts';

export interface Case {
  readonly name: string;
  readonly core: Uint8Array;
  readonly input: Uint8Array;
  readonly seed: bigint;
  readonly gasLimit: bigint;
}

const GAS = 20_000_000n;
const MODEL_GAS = 10_000_000_000n;

function pixels(length: number, seed: number): Uint8Array {
  const pick = randomOf(seed);
  return Uint8Array.from({ length }, () => pick(256));
}

export function randomCases(from: number, count: number): Case[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `random module ${from + i}`,
    core: randomModule(from + i),
    input: pixels(1 + ((from + i) % 40), from + i),
    seed: (BigInt(from + i) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn,
    gasLimit: GAS,
  }));
}

export function shapeCases(): Case[] {
  return OUTCOME_SHAPES.map(([name, core]) => ({
    name,
    core,
    input: Uint8Array.of(1, 2, 3),
    seed: 7n,
    gasLimit: GAS,
  }));
}

/** Each shipped model with its own example and with noise. */
export function modelCases(): Case[] {
  const models = [
    { name: 'sprites', core: buildSpritesCore(), options: SPRITES_OPTIONS },
    { name: 'classifier', core: buildClassifierCore(), options: CLASSIFIER_OPTIONS },
    { name: 'enlarger', core: buildEnlargerCore(), options: ENLARGER_OPTIONS },
    { name: 'tales', core: buildTalesCore(), options: TALES_OPTIONS },
  ];
  return models.flatMap(({ name, core, options }) => {
    const { input, seed } = defined(options.example, 'an example');
    const base = { name: `${name}, its example`, core, input, seed, gasLimit: MODEL_GAS };
    const noise = { ...base, name: `${name}, noise`, input: pixels(input.length, 1), seed: 0xfedcba9876543210n };
    return [base, name === 'sprites' ? { ...noise, input: Uint8Array.of(1, ...noise.input.subarray(1)) } : noise];
  });
}
