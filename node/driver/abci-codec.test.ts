import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeFinalizeResponse, encodeFinalizeResponse } from './abci-codec.ts';

const anyEvent = fc.record({
  type: fc.string(),
  attributes: fc.array(fc.record({ key: fc.string(), value: fc.string({ maxLength: 300 }), index: fc.boolean() })),
});

test('results of a block survive their encoding', () => {
  const anyResult = fc.record({
    code: fc.nat(0xffffffff),
    data: fc.uint8Array({ maxLength: 200 }),
    log: fc.string(),
    info: fc.string(),
    gasWanted: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    gasUsed: fc.bigInt(0n, 2n ** 63n - 1n),
    events: fc.array(anyEvent, { maxLength: 4 }),
    codespace: fc.string(),
  });
  const anyResponse = fc.record({
    events: fc.array(anyEvent, { maxLength: 3 }),
    txResults: fc.array(anyResult, { maxLength: 4 }),
    validatorUpdates: fc.constant([]),
    consensusParamUpdates: fc.constant(undefined),
    appHash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  });
  fc.assert(
    fc.property(anyResponse, (response) => {
      const encoded = encodeFinalizeResponse(response);
      expect(encodeFinalizeResponse(response)).toBe(encoded);
      expect(decodeFinalizeResponse(encoded)).toEqual({ ok: true, value: response });
    }),
  );
});
