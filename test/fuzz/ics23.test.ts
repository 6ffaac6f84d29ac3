import fc from 'fast-check';
import { expect, test } from 'vitest';
import { equal, toHex } from '#core/bytes.ts';
import { decodeCommitmentProof, encodeCommitmentProof } from '#core/ics23/codec.ts';
import { iavlSpec, smtSpec, tendermintSpec } from '#core/ics23/specs.ts';
import type { CommitmentProof, ExistenceProof, SingleProof } from '#core/ics23/types.ts';
import { verifyMembership, verifyNonMembership } from '#core/ics23/verify.ts';
import { fuzzRuns } from './runs.ts';

const numRuns = fuzzRuns(3000);

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const op = fc.nat({ max: 10 });
const existence: fc.Arbitrary<ExistenceProof> = fc.record({
  key: bytes(20),
  value: bytes(20),
  leaf: fc.option(fc.record({ hash: op, prehashKey: op, prehashValue: op, length: op, prefix: bytes(6) }), {
    nil: undefined,
  }),
  path: fc.array(fc.record({ hash: op, prefix: bytes(46), suffix: bytes(34) }), { maxLength: 6 }),
});
const neighbour = fc.option(existence, { nil: undefined });
const single: fc.Arbitrary<SingleProof> = fc.oneof(
  fc.record({ kind: fc.constant('exist' as const), exist: existence }),
  fc.record({
    kind: fc.constant('nonexist' as const),
    nonexist: fc.record({ key: bytes(20), left: neighbour, right: neighbour }),
  }),
);
const proof: fc.Arbitrary<CommitmentProof> = fc.oneof(
  single,
  fc.record({ kind: fc.constant('batch' as const), entries: fc.array(single, { maxLength: 4 }) }),
);

/** Whatever comes: a value or a sentence, no exception; and no verifier holds random bytes for a proof. */
function expose(input: Uint8Array): void {
  const decoded = decodeCommitmentProof(input);
  if (!decoded.ok) {
    expect(decoded.error).toMatch(/^CommitmentProof/);
    return;
  }
  const root = new Uint8Array(32).fill(7);
  const key = Uint8Array.of(1, 2, 3);
  for (const spec of [iavlSpec, tendermintSpec, smtSpec]) {
    expect(verifyMembership(spec, decoded.value, root, key, key).ok).toBe(false);
    expect(verifyNonMembership(spec, decoded.value, root, key).ok).toBe(false);
  }
}

test('what is encoded decodes to itself', () => {
  fc.assert(
    fc.property(proof, (value) => {
      const decoded = decodeCommitmentProof(encodeCommitmentProof(value));
      expect(decoded).toEqual({ ok: true, value });
    }),
    { numRuns },
  );
});

test('random bytes, and true proofs cut, grown or changed, never throw and never verify', () => {
  const change = fc.record({
    at: fc.nat(),
    mask: fc.integer({ min: 1, max: 255 }),
    cut: fc.nat({ max: 3 }),
    grow: bytes(3),
  });
  fc.assert(
    fc.property(proof, fc.array(change, { maxLength: 4 }), bytes(200), (value, changes, noise) => {
      expose(noise);
      let encoded = encodeCommitmentProof(value);
      for (const { at, mask, cut, grow } of changes) {
        encoded = Uint8Array.of(...encoded.subarray(0, Math.max(0, encoded.length - cut)), ...grow);
        if (encoded.length > 0) encoded[at % encoded.length] = (encoded[at % encoded.length] as number) ^ mask;
      }
      expose(encoded);
    }),
    { numRuns },
  );
});

test('an accepted encoding of a single proof is the one we would write', () => {
  fc.assert(
    fc.property(single, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, mask) => {
      const encoded = encodeCommitmentProof(value);
      encoded[at % encoded.length] = (encoded[at % encoded.length] as number) ^ mask;
      const decoded = decodeCommitmentProof(encoded);
      if (!decoded.ok || decoded.value.kind === 'batch') return;
      const again = encodeCommitmentProof(decoded.value);
      // The one freedom that is left: fields in another order, explicit defaults. Then it decodes to the same proof.
      if (!equal(again, encoded)) expect(decodeCommitmentProof(again), toHex(encoded)).toEqual(decoded);
    }),
    { numRuns },
  );
});
