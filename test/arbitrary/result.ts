/** Generators of what the application answers, for property tests. */
import fc from 'fast-check';
import type { Event, ExecTxResult } from '#core/abci.ts';

export const event: fc.Arbitrary<Event> = fc.record({
  type: fc.string(),
  attributes: fc.array(fc.record({ key: fc.string(), value: fc.string({ maxLength: 300 }), index: fc.boolean() })),
});

export const txResult: fc.Arbitrary<ExecTxResult> = fc.record({
  code: fc.nat(0xffffffff),
  data: fc.uint8Array({ maxLength: 200 }),
  log: fc.string(),
  info: fc.string(),
  gasWanted: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  gasUsed: fc.bigInt(0n, 2n ** 63n - 1n),
  events: fc.array(event, { maxLength: 4 }),
  codespace: fc.string(),
});
