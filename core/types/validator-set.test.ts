import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyOf, validatorUpdates } from '#test/arbitrary/block.ts';
import { toHex } from '../bytes.ts';
import { decode } from '../codec/proto-reader.ts';
import { LIMITS } from '../limits.ts';
import {
  createValidatorSet,
  encodeValidatorSet,
  incrementPriority,
  isQuorum,
  readValidatorSet,
  updateValidators,
  type ValidatorSet,
  validatorSetHash,
} from './validator-set.ts';

function created(updates: Parameters<typeof createValidatorSet>[0]): ValidatorSet {
  const result = createValidatorSet(updates);
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

describe('rotation', () => {
  test('each validator proposes in proportion to its power', () => {
    const set = created([
      { publicKey: keyOf(1), power: 10n },
      { publicKey: keyOf(2), power: 30n },
      { publicKey: keyOf(3), power: 60n },
    ]);
    const counts = new Map<bigint, number>();
    let here = set;
    for (let i = 0; i < 1000; i++) {
      const power = here.proposer?.power ?? 0n;
      counts.set(power, (counts.get(power) ?? 0) + 1);
      here = incrementPriority(here, 1);
    }
    expect(Object.fromEntries(counts)).toEqual({ 10: 100, 30: 300, 60: 600 });
  });

  test('priorities stay centred and bounded, and do not depend on the order of creation', () => {
    fc.assert(
      fc.property(validatorUpdates, fc.integer({ min: 1, max: 50 }), (updates, times) => {
        const set = incrementPriority(created(updates), times);
        const sum = set.validators.reduce((total, { priority }) => total + priority, 0n);
        const n = BigInt(set.validators.length);
        expect(sum > -n && sum < n).toBe(true);
        const spread = set.validators.map(({ priority }) => priority).sort((a, b) => (a < b ? -1 : 1));
        expect((spread.at(-1) ?? 0n) - (spread[0] ?? 0n) <= 2n * set.totalPower + set.totalPower).toBe(true);
        expect(incrementPriority(created([...updates].reverse()), times)).toEqual(set);
      }),
    );
  });
});

describe('changes', () => {
  test('a newcomer starts behind, a leaver is gone, the others keep their place', () => {
    const set = created([
      { publicKey: keyOf(1), power: 100n },
      { publicKey: keyOf(2), power: 100n },
    ]);
    const result = updateValidators(set, [
      { publicKey: keyOf(3), power: 100n },
      { publicKey: keyOf(1), power: 0n },
    ]);
    if (!result.ok) throw new Error(result.error);
    const newcomer = result.value.validators.find(
      (validator) => toHex(validator.publicKey.bytes) === toHex(keyOf(3).bytes),
    );
    const other = result.value.validators.find(
      (validator) => toHex(validator.publicKey.bytes) === toHex(keyOf(2).bytes),
    );
    expect(result.value.totalPower).toBe(200n);
    expect((newcomer?.priority ?? 0n) < (other?.priority ?? 0n)).toBe(true);
  });

  test.each([
    [
      'twice',
      [
        { publicKey: keyOf(1), power: 1n },
        { publicKey: keyOf(1), power: 2n },
      ],
      /is changed twice/,
    ],
    ['negative power', [{ publicKey: keyOf(1), power: -1n }], /is negative/],
    ['removal of a stranger', [{ publicKey: keyOf(9), power: 0n }], /is removed but not in the set/],
    ['nobody left', [{ publicKey: keyOf(1), power: 0n }], /would leave no validator/],
    ['too much power', [{ publicKey: keyOf(2), power: LIMITS.maxTotalVotingPower }], /total voting power would exceed/],
  ])('%s is refused', (_name, changes, message) => {
    const result = updateValidators(created([{ publicKey: keyOf(1), power: 5n }]), changes);
    expect(result.ok ? 'accepted' : result.error).toMatch(message);
  });
});

describe('encoding', () => {
  test('round-trips, and the hash ignores priorities', () => {
    fc.assert(
      fc.property(validatorUpdates, (updates) => {
        const set = created(updates);
        expect(readValidatorSet('set', encodeValidatorSet(set))).toEqual(set);
        expect(validatorSetHash(incrementPriority(set, 3))).toEqual(validatorSetHash(set));
      }),
    );
  });

  test('unsorted, duplicate and powerless validators are refused', () => {
    const set = created([
      { publicKey: keyOf(1), power: 5n },
      { publicKey: keyOf(2), power: 9n },
    ]);
    const [a, b] = set.validators;
    if (a === undefined || b === undefined) throw new Error('expected two validators');
    const read = (validators: readonly (typeof a)[]) =>
      decode(() => readValidatorSet('set', encodeValidatorSet({ ...set, validators })));
    expect(read([b, a])).toMatchObject({ ok: false, error: expect.stringContaining('out of order') });
    expect(read([a, { ...a, power: 1n }])).toMatchObject({ ok: false, error: 'set: a validator occurs twice' });
    expect(read([a, { ...b, power: 0n }])).toMatchObject({
      ok: false,
      error: expect.stringContaining('power must be positive'),
    });
  });
});

test('a quorum is strictly more than two thirds', () => {
  expect([isQuorum(66n, 100n), isQuorum(67n, 100n), isQuorum(2n, 3n), isQuorum(3n, 4n)]).toEqual([
    false,
    true,
    false,
    true,
  ]);
});
