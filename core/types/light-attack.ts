/**
 * Proof that validators signed a block that misleads light clients (CometBFT types/evidence.go
 * LightClientAttackEvidence, light/detector.go).
 */
import { concat, equal } from '../bytes.ts';
import { asInt64, asMessage, DecodeError, readFields } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { sha256 } from '../crypto/hash.ts';
import { LIMITS } from '../limits.ts';
import { type Height, toHeight } from './brand.ts';
import { type Commit, FLAG_COMMIT } from './commit.ts';
import { type Header, headerHash } from './header.ts';
import {
  checkLightBlock,
  encodeLightBlock,
  type LightBlock,
  readLightBlock,
  type SignedHeader,
} from './light-block.ts';
import { encodeTimestamp, readTimestamp, type Timestamp, ZERO_TIME } from './timestamp.ts';
import {
  byPowerThenAddress,
  encodeValidator,
  indexOfValidator,
  readValidator,
  type Validator,
  type ValidatorSet,
} from './validator-set.ts';

export interface LightClientAttackEvidence {
  readonly kind: 'light-client-attack';
  /** What was signed and is not on the chain. */
  readonly conflictingBlock: LightBlock;
  /** Last height at which the chain and the conflicting block agree on validators; the block's own unless its header is made up. */
  readonly commonHeight: Height;
  /** Who is to be punished, by power descending then address; of the common height. None for amnesia. */
  readonly byzantineValidators: readonly Validator[];
  /** Of the common height. */
  readonly totalVotingPower: bigint;
  /** Time of the block at the common height. */
  readonly timestamp: Timestamp;
}

/** The field of the header that no honest validator could have signed: the state's, which the chain has settled. */
export function isLunatic(conflicting: Header, trusted: Header): boolean {
  return !(
    equal(conflicting.validatorsHash, trusted.validatorsHash) &&
    equal(conflicting.nextValidatorsHash, trusted.nextValidatorsHash) &&
    equal(conflicting.consensusHash, trusted.consensusHash) &&
    equal(conflicting.appHash, trusted.appHash) &&
    equal(conflicting.lastResultsHash, trusted.lastResultsHash)
  );
}

/**
 * Who misbehaved. Lunatic: the validators of the common height that signed the made-up header. Equivocation: who signed
 * both blocks in one round. Amnesia (another round): nobody, for the votes alone do not say who.
 */
export function byzantineValidators(
  conflicting: LightBlock,
  trusted: SignedHeader,
  common: ValidatorSet,
): readonly Validator[] {
  if (isLunatic(conflicting.header, trusted.header))
    return signersAmong(common, conflicting.commit, () => true).sort(byPowerThenAddress);
  if (trusted.commit.round !== conflicting.commit.round) return [];
  // The sets are equal, so that a place in one commit is the same validator's in the other.
  return signersAmong(
    conflicting.validators,
    conflicting.commit,
    (i) => trusted.commit.signatures[i]?.flag === FLAG_COMMIT,
  ).sort(byPowerThenAddress);
}

function signersAmong(set: ValidatorSet, commit: Commit, also: (index: number) => boolean): Validator[] {
  return commit.signatures.flatMap((sig, i) => {
    if (sig.flag !== FLAG_COMMIT || !also(i)) return [];
    return set.validators[indexOfValidator(set, sig.validatorAddress)] ?? [];
  });
}

/** @param common the last light block that both sides agree on. */
export function makeAttackEvidence(
  conflictingBlock: LightBlock,
  trusted: LightBlock,
  common: LightBlock,
): LightClientAttackEvidence {
  const reference = isLunatic(conflictingBlock.header, trusted.header) ? common : trusted;
  return {
    kind: 'light-client-attack',
    conflictingBlock,
    commonHeight: reference.header.height,
    byzantineValidators: byzantineValidators(conflictingBlock, trusted, common.validators),
    totalVotingPower: reference.validators.totalPower,
    timestamp: reference.header.time,
  };
}

/**
 * The name of an attack: of the conflicting block and the common height only, so that evidence against more or fewer
 * validators is the same. CometBFT copies 31 bytes of the hash and leaves the last one zero; the height is a zigzag varint.
 */
export function attackId(evidence: LightClientAttackEvidence): Uint8Array {
  const hash = headerHash(evidence.conflictingBlock.header);
  const height = new ProtoWriter().rawVarint(evidence.commonHeight * 2n).finish();
  return sha256(concat(hash.subarray(0, 31), Uint8Array.of(0), height));
}

/** tendermint.types.LightClientAttackEvidence: the bytes that are hashed into a header. */
export function encodeAttack(evidence: LightClientAttackEvidence): Uint8Array {
  const writer = new ProtoWriter()
    .message(1, encodeLightBlock(evidence.conflictingBlock))
    .varint(2, evidence.commonHeight);
  for (const validator of evidence.byzantineValidators) writer.message(3, encodeValidator(validator));
  return writer.varint(4, evidence.totalVotingPower).message(5, encodeTimestamp(evidence.timestamp)).finish();
}

/** Decodes and validates as CometBFT's ValidateBasic does. @throws DecodeError */
export function readAttack(title: string, bytes: Uint8Array): LightClientAttackEvidence {
  let conflictingBlock: LightBlock | undefined;
  let commonHeight = 0n;
  const byzantine: Validator[] = [];
  let totalVotingPower = 0n;
  let timestamp = ZERO_TIME;
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5], repeated: [3] })) {
    if (field.number === 1) conflictingBlock = readLightBlock(`${title}.conflicting_block`, asMessage(title, field));
    else if (field.number === 2) commonHeight = asInt64(`${title}.common_height`, field);
    else if (field.number === 3) {
      if (byzantine.length >= LIMITS.maxValidators)
        throw new DecodeError(`${title}.byzantine_validators: more than ${LIMITS.maxValidators}`);
      byzantine.push(readValidator(`${title}.byzantine_validators[${byzantine.length}]`, asMessage(title, field)));
    } else if (field.number === 4) totalVotingPower = asInt64(`${title}.total_voting_power`, field);
    else timestamp = readTimestamp(`${title}.timestamp`, asMessage(title, field));
  }
  if (conflictingBlock === undefined) throw new DecodeError(`${title}.conflicting_block: missing`);
  const { header } = conflictingBlock;
  const checked = checkLightBlock(header.chainId, conflictingBlock);
  if (!checked.ok) throw new DecodeError(`${title}.conflicting_block: ${checked.error}`);
  if (commonHeight <= 0n || commonHeight > header.height)
    throw new DecodeError(`${title}.common_height: expected 1 … ${header.height}, got ${commonHeight}`);
  if (totalVotingPower <= 0n)
    throw new DecodeError(`${title}.total_voting_power: expected > 0, got ${totalVotingPower}`);
  return {
    kind: 'light-client-attack',
    conflictingBlock,
    commonHeight: toHeight(commonHeight),
    byzantineValidators: byzantine,
    totalVotingPower,
    timestamp,
  };
}
