import { expect, test } from 'vitest';
import { sha256 } from '#core/crypto/hash.ts';
import { component, guest, run } from '#test/vm/wat.ts';
import { describeHere, inferHere, prepareModel } from './execute.ts';
import { CALL_LIMITS } from './limits.ts';
import { outcomeName } from './outcome.ts';

const REQUEST = { input: Uint8Array.of(1, 2, 3), seed: 7n, gasLimit: 1_000_000_000n, limits: CALL_LIMITS };

test('a component runs from its bytes to its outcome, each call afresh', async () => {
  const core = guest();
  const bytes = component(core);
  const model = await prepareModel(bytes, 256);
  if (!model.ok) throw new Error(model.error.message);
  expect(model.value.componentHash).toEqual(sha256(bytes));
  expect(describeHere(model.value)).toEqual({ ok: true, value: '{"a":1}' });
  expect(inferHere(model.value, REQUEST)).toEqual(run(core));
  expect(inferHere(model.value, REQUEST)).toEqual(run(core));
});

test('what is refused is refused before anything is compiled', async () => {
  expect(await prepareModel(guest(), 256)).toMatchObject({ ok: false, error: { codespace: 'vm' } });
  const large = component(guest({ memory: '9 16' }));
  expect(await prepareModel(large, 8)).toMatchObject({ error: { message: expect.stringMatching(/9 pages/) } });
});

test('an input beyond the limit is no result', async () => {
  const model = await prepareModel(component(guest()), 256);
  if (!model.ok) throw new Error(model.error.message);
  const small = { ...REQUEST, limits: { ...CALL_LIMITS, inputBytes: 2 } };
  expect(outcomeName(inferHere(model.value, small))).toBe('host-fault(unavailable)');
});
