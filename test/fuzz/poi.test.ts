/** Vote extensions and injections from anyone: a value or a sentence, and one encoding for each value. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import { decodeExtension, encodeExtension } from '#core/poi/formats.ts';
import { toRound } from '#core/types/brand.ts';
import { decodeInjection, encodeInjection } from '#runtime/modules/poi/injection.ts';
import { fuzzRuns } from './runs.ts';

const numRuns = fuzzRuns(2_000);

const seed = encodeExtension({
  commitments: [
    { job: 1n, hash: new Uint8Array(32).fill(1) },
    { job: 2n, hash: new Uint8Array(32).fill(2) },
  ],
  openings: [
    {
      job: 3n,
      kind: 2,
      outputRoot: new Uint8Array(32).fill(3),
      traceRoot: new Uint8Array(32).fill(4),
      gasUsed: 5n,
      salt: new Uint8Array(32).fill(6),
    },
  ],
});
const payload = encodeInjection({
  round: toRound(1),
  votes: [
    {
      validator: { address: new Uint8Array(20).fill(7), power: 10n },
      flag: 2,
      extension: seed,
      extensionSignature: new Uint8Array(64).fill(8),
    },
  ],
});

const edit = fc.record({ at: fc.nat(), value: fc.nat(255), cut: fc.boolean(), grow: fc.boolean() });

function mutated(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.array(edit, { minLength: 1, maxLength: 5 }).map((edits) => {
    const out = [...bytes];
    for (const { at, value, cut, grow } of edits) {
      if (cut) out.splice(at % (out.length + 1), 1);
      else if (grow) out.splice(at % (out.length + 1), 0, value);
      else if (out.length > 0) out[at % out.length] = value;
    }
    return Uint8Array.from(out);
  });
}

test('vote extensions', () => {
  fc.assert(
    fc.property(fc.oneof(mutated(seed), fc.uint8Array({ maxLength: 400 })), (bytes) => {
      const decoded = decodeExtension(bytes);
      if (decoded.ok) expect(toHex(encodeExtension(decoded.value))).toBe(toHex(bytes));
      else expect(decoded.error).toMatch(/^vote extension: /);
    }),
    { numRuns },
  );
});

test('injections', () => {
  fc.assert(
    fc.property(fc.oneof(mutated(payload), fc.uint8Array({ maxLength: 400 })), (bytes) => {
      const decoded = decodeInjection(bytes);
      if (!decoded.ok) expect(decoded.error).toMatch(/^injection/);
    }),
    { numRuns },
  );
});
