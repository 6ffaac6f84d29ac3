import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesToFloats, floatBytes, lineTrainer, trainHere } from '#test/vm/trainable.ts';
import { component, guest, run } from '#test/vm/wat.ts';
import { admit } from './admission.ts';
import { packageModel, unwrapComponent, WORLDS, wrapComponent } from './component.ts';
import { outcomeName, outcomeOutput } from './outcome.ts';

const BOUNDS = { gasLimit: 1_000_000n, maxOutputBytes: 64 };

const step = (weights: Uint8Array, data: Uint8Array, seed: bigint, bounds = BOUNDS) =>
  trainHere(lineTrainer(), { ...bounds, weights, data, seed });

/** Points of the line 3x - 1. */
const POINTS = floatBytes(-1, -4, 0, -1, 1, 2, 2, 5);

test('steps of training find the line, each by the rules of gas and trace, each the same again', () => {
  let weights = floatBytes(0, 0);
  const first = step(weights, POINTS, 3n);
  expect(first).toMatchObject({ kind: 'ok', output: floatBytes(1, 0.5) });
  expect(step(weights, POINTS, 3n)).toEqual(first);
  expect(step(weights, POINTS, 7n)).toMatchObject({ output: floatBytes(1, 0.5) });
  expect(step(weights, POINTS, 2n)).not.toMatchObject({ traceRoot: (first as { traceRoot: Uint8Array }).traceRoot });
  for (let seed = 0n; seed < 200n; seed++) {
    const outcome = step(weights, POINTS, seed);
    if (outcome.kind !== 'ok') throw new Error(outcomeName(outcome));
    weights = new Uint8Array(outcome.output);
  }
  const [slope = 0, intercept = 0] = bytesToFloats(weights);
  expect(Math.abs(slope - 3) + Math.abs(intercept + 1)).toBeLessThan(1e-2);
});

test('a step ends as an inference may end', () => {
  const refused = step(floatBytes(1), POINTS, 0n);
  expect(outcomeName(refused)).toBe('guest-error(returned-error)');
  expect(refused.kind === 'host-fault' || new TextDecoder().decode(outcomeOutput(refused))).toBe(
    'expected 8 bytes, points!',
  );
  expect(outcomeName(step(floatBytes(0, 0), new Uint8Array(0), 0n))).toBe('guest-error(returned-error)');
  expect(step(floatBytes(0, 0), POINTS, 0n, { ...BOUNDS, gasLimit: 100n })).toMatchObject({
    kind: 'out-of-gas',
    gasUsed: 100n,
  });
  expect(outcomeName(step(floatBytes(0, 0), POINTS, 0n, { ...BOUNDS, maxOutputBytes: 7 }))).toBe(
    'guest-error(output-too-large)',
  );
});

test('it still infers, and a model without a step of training is a fault of the host that asks it for one', () => {
  expect(run(lineTrainer(), { input: POINTS })).toMatchObject({ output: POINTS.subarray(0, 8) });
  const asked = { ...BOUNDS, weights: POINTS, data: POINTS, seed: 0n };
  expect(outcomeName(trainHere(guest(), asked))).toBe('host-fault(disagreement)');
});

test('the template of a component is that of its world, and the exports are exactly the world’s', () => {
  const worldOf = (core: Uint8Array) => {
    const found = admit(component(core));
    return found.ok ? found.value.world : found.error.message;
  };
  expect(worldOf(lineTrainer())).toBe('trainable-model');
  expect(worldOf(guest())).toBe('model');
  expect(worldOf(lineTrainer('training'))).toBe('model');
  expect(admit(wrapComponent(guest(), 'trainable-model'))).toMatchObject({
    error: { message: expect.stringContaining('export "train-step": expected, found none of that name') },
  });
  expect(admit(wrapComponent(lineTrainer(), 'model'))).toMatchObject({
    error: {
      message: expect.stringContaining('export "train-step": expected only memory, cabi_realloc, describe, infer'),
    },
  });
  const wrong = guest({ fields: '(func (export "train-step") (param i32 i32 i64) (result i32) (i32.const 0))' });
  expect(packageModel(wrong)).toMatchObject({
    error: { message: expect.stringContaining('export "train-step": expected type') },
  });
});

test('what follows the core module is the template of one world to the byte', () => {
  fc.assert(
    fc.property(fc.constantFrom(...WORLDS), fc.nat(), fc.integer({ min: 1, max: 255 }), (world, place, change) => {
      const core = world === 'model' ? guest() : lineTrainer();
      const whole = wrapComponent(core, world);
      expect(unwrapComponent(whole)).toEqual({ ok: true, value: { coreModule: core, world } });
      const from = whole.length - 100;
      const at = from + (place % 100);
      const altered = whole.map((byte, i) => (i === at ? byte ^ change : byte));
      expect(unwrapComponent(altered).ok).toBe(false);
      expect(unwrapComponent(whole.subarray(0, at)).ok).toBe(false);
    }),
    { numRuns: 200 },
  );
});
