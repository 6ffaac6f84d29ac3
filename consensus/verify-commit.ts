import { equal, toHex } from '#core/bytes.ts';
import { type Verifier, verifySignature } from '#core/ports/crypto.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type BlockId, equalBlockId } from '#core/types/block-id.ts';
import {
  type Commit,
  commitSignBytes,
  type ExtendedCommit,
  FLAG_ABSENT,
  FLAG_COMMIT,
  toCommit,
} from '#core/types/commit.ts';
import { isQuorum, type ValidatorSet } from '#core/types/validator-set.ts';
import { voteExtensionSignBytes } from '#core/types/vote.ts';

/**
 * Whether a commit proves `blockId` at `height`: as many signatures as validators, each at its validator's place, every
 * one valid, and more than two thirds of the power for the block (CometBFT types/validation.go VerifyCommit). It also
 * checks each signature's address against its place: the median time goes by it.
 *
 * `alreadyChecked(i)` may answer true for a signature that the caller has verified before.
 */
export function verifyCommit(
  verifier: Verifier,
  chainId: string,
  validators: ValidatorSet,
  blockId: BlockId,
  height: bigint,
  commit: Commit,
  alreadyChecked: (index: number) => boolean = () => false,
): Result<true, string> {
  const expected = validators.validators.length;
  if (commit.signatures.length !== expected)
    return err(`commit.signatures: expected ${expected}, one a validator, got ${commit.signatures.length}`);
  if (commit.height !== height) return err(`commit.height: expected ${height}, got ${commit.height}`);
  if (!equalBlockId(commit.blockId, blockId))
    return err(`commit.block_id: expected ${toHex(blockId.hash)}, got ${toHex(commit.blockId.hash)}`);
  let power = 0n;
  for (let i = 0; i < expected; i++) {
    const sig = commit.signatures[i];
    const validator = validators.validators[i];
    if (sig === undefined || validator === undefined || sig.flag === FLAG_ABSENT) continue;
    if (!equal(sig.validatorAddress, validator.address))
      return err(
        `commit.signatures[${i}].validator_address: expected ${toHex(validator.address)}, got ${toHex(sig.validatorAddress)}`,
      );
    if (
      !alreadyChecked(i) &&
      !verifySignature(verifier, validator.publicKey, commitSignBytes(chainId, commit, i), sig.signature)
    )
      return err(`commit.signatures[${i}].signature: does not verify`);
    if (sig.flag === FLAG_COMMIT) power += validator.power;
  }
  return isQuorum(power, validators.totalPower)
    ? ok(true)
    : err(`commit: ${power} of ${validators.totalPower} signed, expected more than two thirds`);
}

/**
 * {@link verifyCommit}, and that the extensions are what their validators signed: with `extensions` on, every place
 * that voted for the block has a valid extension signature, even over empty bytes; with it off none has any.
 */
export function verifyExtendedCommit(
  verifier: Verifier,
  chainId: string,
  validators: ValidatorSet,
  blockId: BlockId,
  height: bigint,
  commit: ExtendedCommit,
  extensions: boolean,
): Result<true, string> {
  const plain = verifyCommit(verifier, chainId, validators, blockId, height, toCommit(commit));
  if (!plain.ok) return plain;
  for (const [i, sig] of commit.signatures.entries()) {
    const validator = validators.validators[i];
    if (validator === undefined) return err(`commit.signatures[${i}]: no such validator`);
    if (!extensions || sig.flag !== FLAG_COMMIT) {
      if (sig.extension.length > 0 || sig.extensionSignature.length > 0)
        return err(`commit.signatures[${i}].extension: not permitted`);
      continue;
    }
    const message = voteExtensionSignBytes(chainId, {
      height: commit.height,
      round: commit.round,
      extension: sig.extension,
    });
    if (!verifySignature(verifier, validator.publicKey, message, sig.extensionSignature))
      return err(`commit.signatures[${i}].extension_signature: does not verify`);
  }
  return ok(true);
}
