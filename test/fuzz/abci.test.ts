/** What may come over the ABCI socket: recorded requests, damaged, and any bytes. A value or a sentence, nothing else. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, fromHex } from '#core/bytes.ts';
import { createFrameReader, FrameError } from '#node/abci/frames.ts';
import { decodeRequest } from '#node/abci/requests.ts';
import { fuzzRuns } from './runs.ts';

const golden = JSON.parse(readFileSync(new URL('../abci/golden.json', import.meta.url), 'utf8')) as {
  readonly requests: readonly (readonly [string, string])[];
};
const samples = golden.requests.map(([, hex]) => fromHex(hex));
const messages = samples.map((bytes) => [...createFrameReader().push(bytes)][0] ?? bytes);

const edit = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'insert', 'repeat'),
  at: fc.nat(),
  value: fc.integer({ min: 1, max: 255 }),
});

function mutate(bytes: Uint8Array, edits: readonly { kind: string; at: number; value: number }[]): Uint8Array {
  let out = [...bytes];
  for (const { kind, at, value } of edits) {
    const place = at % (out.length + 1);
    if (kind === 'flip' && place < out.length) out[place] = (out[place] ?? 0) ^ value;
    else if (kind === 'cut') out = out.slice(0, place);
    else if (kind === 'insert') out.splice(place, 0, value);
    else out.splice(place, 0, ...out.slice(place, place + value));
  }
  return Uint8Array.from(out);
}

const damaged = (from: readonly Uint8Array[]) =>
  fc
    .tuple(fc.constantFrom(...from), fc.array(edit, { minLength: 1, maxLength: 6 }))
    .map(([bytes, edits]) => mutate(bytes, edits));

test('a damaged request is a request or a refusal that says why', () => {
  fc.assert(
    fc.property(fc.oneof(damaged(messages), fc.uint8Array({ maxLength: 200 })), (bytes) => {
      const decoded = decodeRequest(bytes);
      if (!decoded.ok) expect(decoded.error).not.toBe('');
    }),
    { numRuns: fuzzRuns() },
  );
});

test('a damaged stream, cut anywhere, gives messages within the limit or one error', () => {
  const limit = 600;
  const stream = fc.array(fc.oneof(fc.constantFrom(...samples), damaged(samples)), { maxLength: 6 });
  fc.assert(
    fc.property(stream, fc.integer({ min: 1, max: 700 }), (pieces, size) => {
      const bytes = concat(...pieces);
      const reader = createFrameReader(limit);
      let held = 0;
      try {
        for (let at = 0; at < bytes.length; at += size)
          for (const message of reader.push(bytes.subarray(at, at + size))) {
            expect(message.length).toBeLessThanOrEqual(limit);
            held += message.length;
          }
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
      expect(held).toBeLessThanOrEqual(bytes.length);
    }),
    { numRuns: fuzzRuns() },
  );
});
