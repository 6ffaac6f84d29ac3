/**
 * How much of a commit must be checked by whoever does not execute blocks: CometBFT v0.38 types/validation.go
 * VerifyCommitLight and VerifyCommitLightTrusting, as its batch path decides: power first, then signatures.
 */
import { equal, toHex } from '../bytes.ts';
import { type Verifier, verifySignature } from '../ports/crypto.ts';
import { err, ok, type Result } from '../result.ts';
import { type BlockId, equalBlockId } from './block-id.ts';
import { type Commit, commitSignBytes, FLAG_ABSENT, FLAG_COMMIT } from './commit.ts';
import type { Validator, ValidatorSet } from './validator-set.ts';

/** A part of the voting power; what must be exceeded. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const TWO_THIRDS: Fraction = { numerator: 2n, denominator: 3n };

/** `not-enough-power`: all that is known of the commit is in order, but too few of these validators signed it. */
export interface CommitFault {
  readonly kind: 'not-enough-power' | 'invalid';
  readonly message: string;
}

/** `quorum`: stop at the signature with which the power suffices; `all`: every signature for the block must verify. */
export type CommitDepth = 'quorum' | 'all';

interface CommitContext {
  readonly verifier: Verifier;
  readonly chainId: string;
}

interface Signer {
  readonly index: number;
  readonly validator: Validator;
}

const invalid = (message: string) => err<CommitFault>({ kind: 'invalid', message });

/**
 * Whether more than two thirds of `validators`, which decide `height`, signed `blockId`. The commit has one place for
 * each of them, and each place not absent names its validator.
 */
export function verifyCommitLight(
  context: CommitContext,
  validators: ValidatorSet,
  blockId: BlockId,
  height: bigint,
  commit: Commit,
  depth: CommitDepth = 'quorum',
): Result<true, CommitFault> {
  const expected = validators.validators.length;
  if (commit.signatures.length !== expected)
    return invalid(`commit.signatures: expected ${expected}, one a validator, got ${commit.signatures.length}`);
  if (commit.height !== height) return invalid(`commit.height: expected ${height}, got ${commit.height}`);
  if (!equalBlockId(commit.blockId, blockId))
    return invalid(`commit.block_id: expected ${toHex(blockId.hash)}, got ${toHex(commit.blockId.hash)}`);
  const signers: Signer[] = [];
  for (const [index, sig] of commit.signatures.entries()) {
    const validator = validators.validators[index];
    if (validator === undefined || sig.flag === FLAG_ABSENT) continue;
    if (!equal(sig.validatorAddress, validator.address))
      return invalid(
        `commit.signatures[${index}].validator_address: expected ${toHex(validator.address)}, got ${toHex(sig.validatorAddress)}`,
      );
    if (sig.flag === FLAG_COMMIT) signers.push({ index, validator });
  }
  return verifySigners(context, commit, signers, validators.totalPower, TWO_THIRDS, depth);
}

/**
 * Whether more than `level` of `trusted`, a set of another height, signed the commit, whoever else did. Each signer
 * counts once: an address that occurs twice is refused.
 */
export function verifyCommitLightTrusting(
  context: CommitContext,
  trusted: ValidatorSet,
  commit: Commit,
  level: Fraction,
  depth: CommitDepth = 'quorum',
): Result<true, CommitFault> {
  const known = new Map(trusted.validators.map((validator) => [toHex(validator.address), validator]));
  const seen = new Map<string, number>();
  const signers: Signer[] = [];
  for (const [index, sig] of commit.signatures.entries()) {
    if (sig.flag !== FLAG_COMMIT) continue;
    const address = toHex(sig.validatorAddress);
    const first = seen.get(address);
    if (first !== undefined) return invalid(`commit.signatures[${index}]: ${address} has signed at ${first} already`);
    seen.set(address, index);
    const validator = known.get(address);
    if (validator !== undefined) signers.push({ index, validator });
  }
  return verifySigners(context, commit, signers, trusted.totalPower, level, depth);
}

function verifySigners(
  { verifier, chainId }: CommitContext,
  commit: Commit,
  signers: readonly Signer[],
  total: bigint,
  level: Fraction,
  depth: CommitDepth,
): Result<true, CommitFault> {
  const exceeds = (power: bigint) => power * level.denominator > total * level.numerator;
  let power = 0n;
  let enough = 0;
  for (const { validator } of signers) {
    power += validator.power;
    enough++;
    if (exceeds(power) && depth === 'quorum') break;
  }
  if (!exceeds(power))
    return err({
      kind: 'not-enough-power',
      message: `commit: ${power} of ${total} signed, expected more than ${level.numerator}/${level.denominator}`,
    });
  for (const { index, validator } of signers.slice(0, enough)) {
    const signature = commit.signatures[index]?.signature;
    if (
      signature === undefined ||
      !verifySignature(verifier, validator.publicKey, commitSignBytes(chainId, commit, index), signature)
    )
      return invalid(`commit.signatures[${index}].signature: does not verify`);
  }
  return ok(true);
}
