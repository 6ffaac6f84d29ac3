import { expect, test } from 'vitest';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { type BlockIdFlag, type Commit, FLAG_ABSENT, FLAG_COMMIT, FLAG_NIL } from '#core/types/commit.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { createValidatorSet } from '#core/types/validator-set.ts';
import { medianTime } from './median-time.ts';

/** `[power, seconds, flag]` of each validator, most powerful first. */
function median(votes: readonly (readonly [bigint, bigint, BlockIdFlag])[]): bigint {
  const set = createValidatorSet(votes.map(([power], i) => ({ publicKey: ed25519Key(sha256(utf8(`${i}`))), power })));
  if (!set.ok) throw new Error(set.error);
  const commit: Commit = {
    height: toHeight(1n),
    round: toRound(0),
    blockId: NIL_BLOCK_ID,
    signatures: votes.map(([, seconds, flag]) => ({
      flag,
      validatorAddress: EMPTY,
      timestamp: fromMillis(seconds * 1000n),
      signature: EMPTY,
    })),
  };
  return medianTime(commit, set.value).seconds;
}

test('the middle of equal powers', () => {
  expect(
    median([
      [12n, 100n, FLAG_COMMIT],
      [11n, 300n, FLAG_COMMIT],
      [10n, 200n, FLAG_COMMIT],
    ]),
  ).toBe(200n);
});

test('power weighs: a third of the power that lies about time cannot move it beyond an honest time', () => {
  expect(
    median([
      [40n, 100n, FLAG_COMMIT],
      [30n, 110n, FLAG_COMMIT],
      [30n, 999_999n, FLAG_COMMIT],
    ]),
  ).toBe(110n);
  expect(
    median([
      [40n, 100n, FLAG_COMMIT],
      [30n, 110n, FLAG_COMMIT],
      [30n, 1n, FLAG_COMMIT],
    ]),
  ).toBe(100n);
});

test('votes for nil and absent ones do not pull it', () => {
  expect(
    median([
      [30n, 100n, FLAG_COMMIT],
      [29n, 100n, FLAG_COMMIT],
      [28n, 999_999n, FLAG_NIL],
      [1n, 0n, FLAG_ABSENT],
    ]),
  ).toBe(100n);
});

test('an odd total is not halved downwards: one liar among three does not set the time', () => {
  expect(
    median([
      [1n, 1n, FLAG_COMMIT],
      [1n, 100n, FLAG_COMMIT],
      [1n, 110n, FLAG_COMMIT],
      [1n, 0n, FLAG_ABSENT],
    ]),
  ).toBe(100n);
});
