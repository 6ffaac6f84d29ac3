/** When a header may be believed because of one that is believed: CometBFT v0.38 light/verifier.go. */
import { equal, toHex } from '#core/bytes.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type Header, headerHash } from '#core/types/header.ts';
import { checkLightBlock, type LightBlock } from '#core/types/light-block.ts';
import { compareTime, formatTime, type Timestamp, toNanos } from '#core/types/timestamp.ts';
import { type ValidatorSet, validatorSetHash } from '#core/types/validator-set.ts';
import {
  type CommitFault,
  type Fraction,
  verifyCommitLight,
  verifyCommitLightTrusting,
} from '#core/types/verify-commit.ts';

/** What is believed: a header, and its validators or those of the height after it. */
export interface TrustedState {
  readonly header: Header;
  readonly validators: ValidatorSet;
}

export interface VerifyOptions {
  readonly chainId: string;
  /** How long a header is believed, by its own time: shorter than validators remain punishable. */
  readonly trustingPeriodNanos: bigint;
  /** By how much a header's time may be ahead of ours. */
  readonly maxClockDriftNanos: bigint;
  /** Power of a trusted set that must have signed a header further on: 1/3 … 1. */
  readonly trustLevel: Fraction;
}

/**
 * - `expired`: the trusted header is too old to conclude anything from it;
 * - `not-enough-trust`: nothing is wrong, but too few trusted validators signed: try a header closer by;
 * - `invalid`: the header must not be believed.
 */
export interface VerifyFault {
  readonly kind: 'expired' | 'not-enough-trust' | 'invalid';
  readonly message: string;
}

type Verdict = Result<true, VerifyFault>;

export const DEFAULT_TRUST_LEVEL: Fraction = { numerator: 1n, denominator: 3n };

const fault = (kind: VerifyFault['kind'], message: string) => err<VerifyFault>({ kind, message });

/** Less than a third could all be faulty; more than all of it never signs. */
export function checkTrustLevel({ numerator, denominator }: Fraction): Result<true, string> {
  return denominator > 0n && numerator * 3n >= denominator && numerator <= denominator
    ? ok(true)
    : err(`trust level: expected 1/3 … 1, got ${numerator}/${denominator}`);
}

export function isExpired(header: Header, trustingPeriodNanos: bigint, now: Timestamp): boolean {
  return toNanos(header.time) + trustingPeriodNanos <= toNanos(now);
}

/** Whether `untrusted` follows from `trusted`: {@link verifyAdjacent} for the next height, else {@link verifyNonAdjacent}. */
export function verify(
  trusted: TrustedState,
  untrusted: LightBlock,
  now: Timestamp,
  options: VerifyOptions,
  verifier: Verifier,
): Verdict {
  if (untrusted.header.height !== trusted.header.height + 1n)
    return verifyNonAdjacent(trusted, untrusted, now, options, verifier);
  const whole = checkTrusted(trusted);
  return whole.ok ? verifyAdjacent(trusted.header, untrusted, now, options, verifier) : whole;
}

/** The next height: its validators are those that the trusted header has announced, and two thirds of them signed. */
function verifyAdjacent(
  trusted: Header,
  untrusted: LightBlock,
  now: Timestamp,
  options: VerifyOptions,
  verifier: Verifier,
): Verdict {
  const { header } = untrusted;
  if (header.height !== trusted.height + 1n)
    return fault('invalid', `header.height: expected ${trusted.height + 1n}, got ${header.height}`);
  const follows = checkFollows(trusted, untrusted, now, options);
  if (!follows.ok) return follows;
  if (!equal(header.validatorsHash, trusted.nextValidatorsHash))
    return fault(
      'invalid',
      `header.validators_hash: expected ${toHex(trusted.nextValidatorsHash)}, which the trusted header announces, got ${toHex(header.validatorsHash)}`,
    );
  return ownCommit(untrusted, options, verifier);
}

/** A height further on: enough of the trusted validators signed it, and two thirds of its own. */
function verifyNonAdjacent(
  trusted: TrustedState,
  untrusted: LightBlock,
  now: Timestamp,
  options: VerifyOptions,
  verifier: Verifier,
): Verdict {
  if (untrusted.header.height === trusted.header.height + 1n)
    return fault('invalid', `header.height: ${untrusted.header.height} is adjacent to the trusted one`);
  const level = checkTrustLevel(options.trustLevel);
  if (!level.ok) return fault('invalid', level.error);
  const follows = checkFollows(trusted.header, untrusted, now, options);
  if (!follows.ok) return follows;
  const whole = checkTrusted(trusted);
  if (!whole.ok) return whole;
  const context = { verifier, chainId: options.chainId };
  const overlap = verifyCommitLightTrusting(context, trusted.validators, untrusted.commit, options.trustLevel);
  if (!overlap.ok)
    return fault(overlap.error.kind === 'not-enough-power' ? 'not-enough-trust' : 'invalid', overlap.error.message);
  // Last, because an untrusted set may be made large to waste our time.
  return ownCommit(untrusted, options, verifier);
}

/** The parent of a trusted header: the hash that the trusted header names, and an earlier time. */
export function verifyBackwards(chainId: string, untrusted: LightBlock, trusted: Header): Result<true, VerifyFault> {
  const { header } = untrusted;
  const wellFormed = checkLightBlock(chainId, untrusted);
  if (!wellFormed.ok) return fault('invalid', wellFormed.error);
  if (header.height !== trusted.height - 1n)
    return fault('invalid', `header.height: expected ${trusted.height - 1n}, got ${header.height}`);
  if (compareTime(header.time, trusted.time) >= 0)
    return fault('invalid', `header.time: expected before ${formatTime(trusted.time)}, got ${formatTime(header.time)}`);
  const hash = headerHash(header);
  if (!equal(hash, trusted.lastBlockId.hash))
    return fault(
      'invalid',
      `header: expected the hash ${toHex(trusted.lastBlockId.hash)}, which the header above names, got ${toHex(hash)}`,
    );
  return ok(true);
}

/** Whether these are the validators that the header announces for the height after it. */
export function checkNextValidators(header: Header, next: ValidatorSet): Result<true, string> {
  return equal(header.nextValidatorsHash, validatorSetHash(next))
    ? ok(true)
    : err('header.next_validators_hash: is not that of the next validators');
}

/** Two thirds of its own validators signed the block. */
export function ownCommit(block: LightBlock, { chainId }: { readonly chainId: string }, verifier: Verifier): Verdict {
  const signed: Result<true, CommitFault> = verifyCommitLight(
    { verifier, chainId },
    block.validators,
    block.commit.blockId,
    block.header.height,
    block.commit,
  );
  return signed.ok ? signed : fault('invalid', signed.error.message);
}

/** What is believed must be of one piece, or nothing follows from it. */
function checkTrusted({ header, validators }: TrustedState): Verdict {
  const setHash = validatorSetHash(validators);
  return equal(setHash, header.validatorsHash) || equal(setHash, header.nextValidatorsHash)
    ? ok(true)
    : fault('invalid', 'trusted.validators: are not those that the trusted header names');
}

function checkFollows(trusted: Header, untrusted: LightBlock, now: Timestamp, options: VerifyOptions): Verdict {
  const { header } = untrusted;
  if (isExpired(trusted, options.trustingPeriodNanos, now))
    return fault('expired', `the trusted header of height ${trusted.height}, ${formatTime(trusted.time)}, has expired`);
  const wellFormed = checkLightBlock(options.chainId, untrusted);
  if (!wellFormed.ok) return fault('invalid', wellFormed.error);
  if (header.height <= trusted.height)
    return fault('invalid', `header.height: expected above ${trusted.height}, got ${header.height}`);
  if (compareTime(header.time, trusted.time) <= 0)
    return fault('invalid', `header.time: expected after ${formatTime(trusted.time)}, got ${formatTime(header.time)}`);
  if (toNanos(header.time) >= toNanos(now) + options.maxClockDriftNanos)
    return fault('invalid', `header.time: ${formatTime(header.time)} is in the future, it is ${formatTime(now)}`);
  return ok(true);
}
