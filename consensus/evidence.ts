/** Rules of duplicate-vote evidence (CometBFT evidence/verify.go). */
import type { Misbehavior } from '#core/abci.ts';
import { assert, defined } from '#core/assert.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { err, ok, type Result } from '#core/result.ts';
import { blockIdKey } from '#core/types/block-id.ts';
import type { ConsensusParams } from '#core/types/consensus-params.ts';
import { contradict, type DuplicateVoteEvidence, type Evidence } from '#core/types/evidence.ts';
import { compareTime, formatTime, type Timestamp, toNanos } from '#core/types/timestamp.ts';
import { indexOfValidator, type ValidatorSet } from '#core/types/validator-set.ts';
import type { Vote } from '#core/types/vote.ts';
import { verifyVote } from './verify-message.ts';

/** Evidence of two verified votes. `validators` and `blockTime` are those of the votes' height. */
export function makeDuplicateVoteEvidence(
  first: Vote,
  second: Vote,
  validators: ValidatorSet,
  blockTime: Timestamp,
): DuplicateVoteEvidence {
  assert(contradict(first, second), 'the votes contradict each other');
  const ordered = blockIdKey(first.blockId) < blockIdKey(second.blockId);
  const index = indexOfValidator(validators, first.validatorAddress);
  return {
    kind: 'duplicate-vote',
    voteA: ordered ? first : second,
    voteB: ordered ? second : first,
    totalVotingPower: validators.totalPower,
    validatorPower: defined(validators.validators[index], 'validator of a verified vote').power,
    timestamp: blockTime,
  };
}

/** What the application is told. */
export function toMisbehavior(evidence: Evidence): Misbehavior {
  return {
    type: 'duplicate-vote',
    validator: { address: evidence.voteA.validatorAddress, power: evidence.validatorPower },
    height: evidence.voteA.height,
    time: evidence.timestamp,
    totalVotingPower: evidence.totalVotingPower,
  };
}

/** Older than both bounds: no longer punishable. */
export function isExpired(
  params: ConsensusParams,
  height: bigint,
  time: Timestamp,
  evidence: { readonly height: bigint; readonly time: Timestamp },
): boolean {
  return (
    height - evidence.height > params.evidence.maxAgeNumBlocks &&
    toNanos(time) - toNanos(evidence.time) > params.evidence.maxAgeNanos
  );
}

export interface EvidenceContext {
  readonly chainId: string;
  /** Validators of the votes' height. */
  readonly validators: ValidatorSet;
  /** Time of the block at the votes' height. */
  readonly blockTime: Timestamp;
  /** Whether non-nil precommits of that height carry extensions. */
  readonly extensions: boolean;
  readonly params: ConsensusParams;
  /** Last committed height and time. */
  readonly height: bigint;
  readonly time: Timestamp;
  readonly verifier: Verifier;
}

/** Whether decoded evidence convicts its validator now. The decoder has checked that the votes contradict each other. */
export function verifyEvidence(evidence: Evidence, context: EvidenceContext): Result<true, string> {
  const { voteA, voteB } = evidence;
  if (voteA.height > context.height)
    return err(`evidence.height: ${voteA.height} is not committed yet, the last height is ${context.height}`);
  if (isExpired(context.params, context.height, context.time, { height: voteA.height, time: context.blockTime }))
    return err(`evidence.height: ${voteA.height} is too old at height ${context.height}`);
  if (compareTime(evidence.timestamp, context.blockTime) !== 0)
    return err(`evidence.timestamp: expected ${formatTime(context.blockTime)}, got ${formatTime(evidence.timestamp)}`);
  const index = indexOfValidator(context.validators, voteA.validatorAddress);
  const validator = context.validators.validators[index];
  if (validator === undefined) return err('evidence.vote_a.validator_address: not a validator at that height');
  if (evidence.validatorPower !== validator.power)
    return err(`evidence.validator_power: expected ${validator.power}, got ${evidence.validatorPower}`);
  if (evidence.totalVotingPower !== context.validators.totalPower)
    return err(
      `evidence.total_voting_power: expected ${context.validators.totalPower}, got ${evidence.totalVotingPower}`,
    );
  for (const [name, vote] of [
    ['vote_a', voteA],
    ['vote_b', voteB],
  ] as const) {
    const verified = verifyVote(vote, context);
    if (!verified.ok) return err(`evidence.${name}: ${verified.error}`);
  }
  return ok(true);
}
