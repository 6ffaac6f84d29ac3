import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256 } from '../crypto/hash.ts';
import { ed25519Key } from '../crypto/pubkey.ts';
import {
  createValidatorSet,
  incrementPriority,
  proposerOf,
  rotateRounds,
  updateValidators,
  type ValidatorSet,
} from './validator-set.ts';

function keyOf(index: number) {
  return ed25519Key(sha256(Uint8Array.of(index)));
}

/** Sets as a chain has them: some heights of rotation, then changes, then perhaps more rotation. */
const sets: fc.Arbitrary<ValidatorSet> = fc
  .record({
    powers: fc.array(fc.oneof(fc.bigInt({ min: 1n, max: 100n }), fc.bigInt({ min: 1n, max: 100_000n })), {
      minLength: 3,
      maxLength: 8,
    }),
    before: fc.integer({ min: 1, max: 20 }),
    changes: fc.array(fc.bigInt({ min: 1n, max: 100n }), { minLength: 0, maxLength: 9 }),
    after: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ powers, before, changes, after }) => {
    const set = createValidatorSet(powers.map((power, i) => ({ publicKey: keyOf(i), power })));
    if (!set.ok) throw new Error(set.error);
    const changed = updateValidators(
      incrementPriority(set.value, before),
      changes.map((power, i) => ({ publicKey: keyOf(i), power })),
    );
    if (!changed.ok) throw new Error(changed.error);
    return incrementPriority(changed.value, after);
  });

test('the proposer of a round does not depend on the rounds that a node has seen before it', () => {
  fc.assert(
    fc.property(sets, fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 8 }), (set, first, second) => {
      const rotated = rotateRounds(set, first);
      expect(proposerOf(rotated, second).address).toEqual(proposerOf(set, first + second).address);
    }),
    { numRuns: 1_500, endOnFailure: true },
  );
});
