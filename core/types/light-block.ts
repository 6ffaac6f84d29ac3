import { equal, toHex } from '../bytes.ts';
import { asMessage, DecodeError, decode, readFields } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { err, ok, type Result } from '../result.ts';
import { type Commit, encodeCommit, readCommit } from './commit.ts';
import { encodeHeader, type Header, headerHash, readHeader } from './header.ts';
import { encodeValidatorSet, readValidatorSet, type ValidatorSet, validatorSetHash } from './validator-set.ts';

/** A header and the precommits that decided it. tendermint.types.SignedHeader. */
export interface SignedHeader {
  readonly header: Header;
  readonly commit: Commit;
}

/** All that a light client needs of one height: `validators` is the set that decides it. tendermint.types.LightBlock. */
export interface LightBlock extends SignedHeader {
  readonly validators: ValidatorSet;
}

export function encodeSignedHeader({ header, commit }: SignedHeader): Uint8Array {
  return new ProtoWriter().message(1, encodeHeader(header)).message(2, encodeCommit(commit)).finish();
}

export function encodeLightBlock(block: LightBlock): Uint8Array {
  return new ProtoWriter()
    .message(1, encodeSignedHeader(block))
    .message(2, encodeValidatorSet(block.validators))
    .finish();
}

/** @throws DecodeError; whether header, commit and validators belong together says {@link checkLightBlock}. */
function readSignedHeader(title: string, bytes: Uint8Array): SignedHeader {
  let header: Header | undefined;
  let commit: Commit | undefined;
  for (const field of readFields(title, bytes, { known: [1, 2] })) {
    if (field.number === 1) header = readHeader(`${title}.header`, asMessage(`${title}.header`, field));
    else commit = readCommit(`${title}.commit`, asMessage(`${title}.commit`, field));
  }
  if (header === undefined) throw new DecodeError(`${title}.header: missing`);
  if (commit === undefined) throw new DecodeError(`${title}.commit: missing`);
  return { header, commit };
}

/** @throws DecodeError; whether header, commit and validators belong together says {@link checkLightBlock}. */
export function readLightBlock(title: string, bytes: Uint8Array): LightBlock {
  let signed: SignedHeader | undefined;
  let validators: ValidatorSet | undefined;
  for (const field of readFields(title, bytes, { known: [1, 2] })) {
    if (field.number === 1) signed = readSignedHeader(`${title}.signed_header`, asMessage(title, field));
    else validators = readValidatorSet(`${title}.validator_set`, asMessage(title, field));
  }
  if (signed === undefined) throw new DecodeError(`${title}.signed_header: missing`);
  if (validators === undefined) throw new DecodeError(`${title}.validator_set: missing`);
  return { ...signed, validators };
}

/**
 * Whether a light block from anywhere is well formed and of one piece: each field as the strict decoder wants it, of
 * this chain, the commit for this header, the validators those of the header (CometBFT types/light.go ValidateBasic).
 * No signature is checked. The error names the field.
 */
export function checkLightBlock(chainId: string, block: LightBlock): Result<true, string> {
  // What arrived as JSON has met no rule yet: the decoder holds all of them.
  const strict = decode(() => readLightBlock('light block', encodeLightBlock(block)));
  if (!strict.ok) return strict;
  const { header, commit, validators } = block;
  if (strict.value.validators.totalPower !== validators.totalPower)
    return err('light block.validator_set.total_voting_power: is not the sum of the powers');
  if (header.chainId !== chainId)
    return err(
      `light block.header.chain_id: expected ${JSON.stringify(chainId)}, got ${JSON.stringify(header.chainId)}`,
    );
  if (commit.height !== header.height)
    return err(`light block.commit.height: expected ${header.height}, the header's, got ${commit.height}`);
  const hash = headerHash(header);
  if (!equal(commit.blockId.hash, hash))
    return err(
      `light block.commit.block_id.hash: expected ${toHex(hash)}, the header's, got ${toHex(commit.blockId.hash)}`,
    );
  const setHash = validatorSetHash(validators);
  if (!equal(header.validatorsHash, setHash))
    return err(
      `light block.header.validators_hash: expected ${toHex(setHash)}, the validators', got ${toHex(header.validatorsHash)}`,
    );
  return ok(true);
}
