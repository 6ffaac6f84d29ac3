import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defined } from '#core/assert.ts';
import { TxResultLog } from '#core/tx-result.ts';
import { event, txResult } from '#test/arbitrary/result.ts';
import { decodeFinalizeResponse, encodeFinalizeResponse } from './abci-codec.ts';

const anyResponse = fc.record({
  events: fc.array(event, { maxLength: 3 }),
  txResults: fc.array(txResult, { maxLength: 4 }),
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
