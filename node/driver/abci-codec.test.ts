import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defined } from '#core/assert.ts';
import { TxResultLog } from '#core/tx-result.ts';
import { decodeFinalizeResponse, encodeFinalizeResponse } from './abci-codec.ts';

const anyEvent = fc.record({
  type: fc.string(),
  attributes: fc.array(fc.record({ key: fc.string(), value: fc.string({ maxLength: 300 }), index: fc.boolean() })),
});

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

test('results of a block survive their encoding', () => {
  fc.assert(
    fc.property(anyResponse, (response) => {
      const encoded = encodeFinalizeResponse(response);
      expect(encodeFinalizeResponse(response)).toBe(encoded);
      expect(decodeFinalizeResponse(encoded)).toEqual({ ok: true, value: response });
    }),
  );
});

test('results that are kept as bytes, some or all, are stored as those that are not', () => {
  fc.assert(
    fc.property(anyResponse, fc.func(fc.boolean()), (response, isKept) => {
      const log = new TxResultLog();
      for (const result of response.txResults) log.add(result);
      const txResults = log.finish().map((kept, i) => (isKept(i) ? kept : defined(response.txResults[i], 'a result')));
      expect(encodeFinalizeResponse({ ...response, txResults })).toEqual(encodeFinalizeResponse(response));
    }),
  );
});
