import { defined } from '#core/assert.ts';
import { type Commit, FLAG_COMMIT } from '#core/types/commit.ts';
import { compareTime, type Timestamp } from '#core/types/timestamp.ts';
import type { ValidatorSet } from '#core/types/validator-set.ts';

/**
 * BFT time: the median, weighted by power, of the times in the commit's votes for the block (CometBFT spec
 * consensus/bft-time.md, types/time WeightedMedian). Votes for nil do not count. The commit is a verified one.
 */
export function medianTime(commit: Commit, validators: ValidatorSet): Timestamp {
  const votes: { readonly time: Timestamp; readonly power: bigint }[] = [];
  let total = 0n;
  for (const [i, sig] of commit.signatures.entries()) {
    if (sig.flag !== FLAG_COMMIT) continue;
    const { power } = defined(validators.validators[i], 'validator of a commit signature');
    votes.push({ time: sig.timestamp, power });
    total += power;
  }
  votes.sort((a, b) => compareTime(a.time, b.time));
  let left = total >> 1n;
  for (const vote of votes) {
    if (left <= vote.power) return vote.time;
    left -= vote.power;
  }
  return defined(votes.at(-1), 'vote for the block').time;
}
