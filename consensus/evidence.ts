/** Rules of evidence: duplicate votes and attacks on light clients (CometBFT evidence/verify.go). */
import type { Misbehavior } from '#core/abci.ts';
import { assert, assertNever, defined } from '#core/assert.ts';
import { equal, toHex } from '#core/bytes.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { err, ok, type Result } from '#core/result.ts';
import { blockIdKey } from '#core/types/block-id.ts';
import type { ConsensusParams } from '#core/types/consensus-params.ts';
import { contradict, type DuplicateVoteEvidence, type Evidence, evidenceHeight } from '#core/types/evidence.ts';
import { headerHash } from '#core/types/header.ts';
import { byzantineValidators, isLunatic, type LightClientAttackEvidence } from '#core/types/light-attack.ts';
import { checkLightBlock, type SignedHeader } from '#core/types/light-block.ts';
import { compareTime, formatTime, type Timestamp, toNanos } from '#core/types/timestamp.ts';
import { indexOfValidator, type Validator, type ValidatorSet } from '#core/types/validator-set.ts';
import { type Fraction, verifyCommitLight, verifyCommitLightTrusting } from '#core/types/verify-commit.ts';
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

/** What the application is told: one entry for each validator that the evidence convicts, none for amnesia. */
export function toMisbehavior(evidence: Evidence): readonly Misbehavior[] {
  const common = {
    height: evidenceHeight(evidence),
    time: evidence.timestamp,
    totalVotingPower: evidence.totalVotingPower,
  };
  switch (evidence.kind) {
    case 'duplicate-vote': {
      const { voteA, validatorPower: power } = evidence;
      return [{ type: 'duplicate-vote', validator: { address: voteA.validatorAddress, power }, ...common }];
    }
    case 'light-client-attack':
      return evidence.byzantineValidators.map(({ address, power }) => ({
        type: 'light-client-attack',
        validator: { address, power },
        ...common,
      }));
    default:
      return assertNever(evidence, 'evidence');
  }
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
  /** Validators of the evidence's height: that of the votes, or the common one. */
  readonly validators: ValidatorSet;
  /** Time of the block at the evidence's height. */
  readonly blockTime: Timestamp;
  /** Whether non-nil precommits of that height carry extensions. */
  readonly extensions: boolean;
  readonly params: ConsensusParams;
  /** Last committed height and time. */
  readonly height: bigint;
  readonly time: Timestamp;
  readonly verifier: Verifier;
  /**
   * What the chain has at the height of an attack's conflicting block, with the commit that the next block carries; for
   * a height that the chain has not reached, the newest block with such a commit. Absent: too early to judge.
   */
  readonly trusted?: SignedHeader | undefined;
}

/** Whether decoded evidence convicts its validators now. The decoder has checked its form. */
export function verifyEvidence(evidence: Evidence, context: EvidenceContext): Result<true, string> {
  const height = evidenceHeight(evidence);
  if (height > context.height)
    return err(`evidence.height: ${height} is not committed yet, the last height is ${context.height}`);
  if (isExpired(context.params, context.height, context.time, { height, time: context.blockTime }))
    return err(`evidence.height: ${height} is too old at height ${context.height}`);
  if (compareTime(evidence.timestamp, context.blockTime) !== 0)
    return err(`evidence.timestamp: expected ${formatTime(context.blockTime)}, got ${formatTime(evidence.timestamp)}`);
  if (evidence.totalVotingPower !== context.validators.totalPower)
    return err(
      `evidence.total_voting_power: expected ${context.validators.totalPower}, got ${evidence.totalVotingPower}`,
    );
  switch (evidence.kind) {
    case 'duplicate-vote':
      return verifyDuplicateVote(evidence, context);
    case 'light-client-attack':
      return verifyAttack(evidence, context);
    default:
      return assertNever(evidence, 'evidence');
  }
}

function verifyDuplicateVote(evidence: DuplicateVoteEvidence, context: EvidenceContext): Result<true, string> {
  const { voteA, voteB } = evidence;
  const index = indexOfValidator(context.validators, voteA.validatorAddress);
  const validator = context.validators.validators[index];
  if (validator === undefined) return err('evidence.vote_a.validator_address: not a validator at that height');
  if (evidence.validatorPower !== validator.power)
    return err(`evidence.validator_power: expected ${validator.power}, got ${evidence.validatorPower}`);
  for (const [name, vote] of [
    ['vote_a', voteA],
    ['vote_b', voteB],
  ] as const) {
    const verified = verifyVote(vote, context);
    if (!verified.ok) return err(`evidence.${name}: ${verified.error}`);
  }
  return ok(true);
}

/** What a light client requires of validators that it trusts: part of the rule, whatever a client has set. */
const LIGHT_TRUST_LEVEL: Fraction = { numerator: 1n, denominator: 3n };

/** CometBFT's VerifyLightClientAttack. */
function verifyAttack(evidence: LightClientAttackEvidence, context: EvidenceContext): Result<true, string> {
  const { conflictingBlock: conflicting, commonHeight } = evidence;
  const { trusted, validators } = context;
  const { header, commit } = conflicting;
  if (trusted === undefined)
    return err(`evidence.conflicting_block.height: nothing is decided at ${header.height} to compare with yet`);
  const wellFormed = checkLightBlock(context.chainId, conflicting);
  if (!wellFormed.ok) return err(`evidence.conflicting_block: ${wellFormed.error}`);
  const lunatic = isLunatic(header, trusted.header);
  if (commonHeight !== header.height) {
    const skipped = verifyCommitLightTrusting(context, validators, commit, LIGHT_TRUST_LEVEL, 'all');
    if (!skipped.ok) return err(`evidence.conflicting_block: ${skipped.error.message}`);
  } else if (lunatic) {
    return err('evidence.conflicting_block.header: made up, and yet of the common height');
  }
  const signed = verifyCommitLight(context, conflicting.validators, commit.blockId, header.height, commit, 'all');
  if (!signed.ok) return err(`evidence.conflicting_block: ${signed.error.message}`);
  if (header.height > trusted.header.height && compareTime(header.time, trusted.header.time) > 0)
    return err('evidence.conflicting_block.header.time: a later block may have a later time');
  if (equal(headerHash(header), headerHash(trusted.header)))
    return err('evidence.conflicting_block: is the block of the chain');
  return sameValidators(evidence.byzantineValidators, byzantineValidators(conflicting, trusted, validators));
}

function sameValidators(stated: readonly Validator[], found: readonly Validator[]): Result<true, string> {
  if (stated.length !== found.length)
    return err(`evidence.byzantine_validators: expected ${found.length}, got ${stated.length}`);
  for (const [i, expected] of found.entries()) {
    const got = stated[i];
    if (got === undefined || !equal(got.address, expected.address) || got.power !== expected.power)
      return err(
        `evidence.byzantine_validators[${i}]: expected ${toHex(expected.address)} with power ${expected.power}`,
      );
  }
  return ok(true);
}
