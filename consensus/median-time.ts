import { defined } from '#core/assert.ts';
import { type Commit, FLAG_COMMIT } from '#core/types/commit.ts';
import { compareTime, type Timestamp } from '#core/types/timestamp.ts';
import type { ValidatorSet } from '#core/types/validator-set.ts';

/**
 * BFT time: the median, weighted by power, of the times in the commit's votes for the block (CometBFT spec
 * consensus/bft-time.md, types/time WeightedMedian). Votes for nil do not count. The commit is a verified one.
 *
 * CometBFT halves the total downwards, so that of three powers of 1 the first time is taken, be it a liar's; before the
 * time of the last block it makes every next block invalid. Here half is half: of even totals, and wherever no sum of
 * powers is (total − 1) ÷ 2, the result is CometBFT's.
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
  let sum = 0n;
  for (const vote of votes) {
    sum += vote.power;
    if (sum * 2n >= total) return vote.time;
  }
  return defined(votes.at(-1), 'vote for the block').time;
}
