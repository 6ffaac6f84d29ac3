/** Transaction bytes from outside: a value or a refusal, in the decoder and in CheckTx, never anything else. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { moduleTable } from '#runtime/module-table.ts';
import { startTestChain, testKey } from '#runtime/test-chain.ts';
import { decodeTx } from '#runtime/tx/decode.ts';
import { fuzzRuns } from './runs.ts';

const edit = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'repeat', 'insert'),
  at: fc.nat(),
  value: fc.integer({ min: 1, max: 255 }),
});

function mutate(bytes: Uint8Array, edits: { kind: string; at: number; value: number }[]): Uint8Array {
  let out = [...bytes];
  for (const { kind, at, value } of edits) {
    const place = at % (out.length + 1);
    if (kind === 'flip' && place < out.length) out[place] = (out[place] ?? 0) ^ value;
    else if (kind === 'cut') out = out.slice(0, place);
    else if (kind === 'repeat') out = [...out, ...out.slice(place, place + value)];
    else out.splice(place, 0, value);
  }
  return Uint8Array.from(out);
}

test('decodeTx', async () => {
  const chain = await startTestChain();
  await chain.block();
  const alice = testKey(1);
  const tx = chain.sign(alice, { messages: [chain.send(alice, chain.address(testKey(2)), 1n)], memo: 'fuzz' });
  const table = moduleTable();
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(edit, { minLength: 1, maxLength: 6 }).map((edits) => mutate(tx, edits)),
        fc.uint8Array({ maxLength: 400 }),
      ),
      (bytes) => {
        const decoded = decodeTx(bytes, table);
        if (!decoded.ok) expect(decoded.error.message.length).toBeGreaterThan(0);
      },
    ),
    { numRuns: fuzzRuns() },
  );
});

test('CheckTx and FinalizeBlock', async () => {
  const chain = await startTestChain();
  await chain.block();
  const alice = testKey(1);
  const tx = chain.sign(alice, { messages: [chain.send(alice, chain.address(testKey(2)), 1n)] });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      const bytes = mutate(tx, edits);
      fc.pre(Buffer.compare(Buffer.from(bytes), Buffer.from(tx)) !== 0);
      const checked = await chain.app.checkTx({ tx: bytes, type: 'new' });
      const { txResults } = chain.app.finalizeBlock(chain.request([bytes]));
      expect(txResults[0]?.code).toBe(checked.code);
      expect(checked.code).not.toBe(0);
    }),
    { numRuns: fuzzRuns(300) },
  );
});
