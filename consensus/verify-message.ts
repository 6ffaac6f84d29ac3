import { assert } from '#core/assert.ts';
import { equal, toHex } from '#core/bytes.ts';
import { type SignatureCheck, type Verifier, verifySignature } from '#core/ports/crypto.ts';
import { err, ok, type Result } from '#core/result.ts';
import { isNilBlockId } from '#core/types/block-id.ts';
import { type Proposal, proposalSignBytes } from '#core/types/proposal.ts';
import type { Validator, ValidatorSet } from '#core/types/validator-set.ts';
import { PRECOMMIT, type Vote, voteExtensionSignBytes, voteSignBytes } from '#core/types/vote.ts';

declare const verified: unique symbol;
/** A vote whose place in the validator set and whose signatures have been checked. Only this file makes one. */
export type VerifiedVote = Vote & { readonly [verified]: 'vote' };
/** A proposal that the proposer of its round has signed. Only this file makes one. */
export type VerifiedProposal = Proposal & { readonly [verified]: 'proposal' };

export interface VoteContext {
  readonly chainId: string;
  /** The validator set of the vote's height. */
  readonly validators: ValidatorSet;
  /** Whether non-nil precommits of the vote's height carry extension signatures. */
  readonly extensions: boolean;
  readonly verifier: Verifier;
}

/** The error says what is wrong with the vote, for the log and for the peer's score. */
export function verifyVote(vote: Vote, context: VoteContext): Result<VerifiedVote, string> {
  const validator = context.validators.validators[vote.validatorIndex];
  if (validator === undefined)
    return err(
      `vote.validator_index: expected 0 … ${context.validators.validators.length - 1}, got ${vote.validatorIndex}`,
    );
  if (!equal(validator.address, vote.validatorAddress))
    return err(
      `vote.validator_address: expected ${toHex(validator.address)} at index ${vote.validatorIndex}, got ${toHex(vote.validatorAddress)}`,
    );
  const message = voteSignBytes(context.chainId, vote);
  if (!verifySignature(context.verifier, validator.publicKey, message, vote.signature))
    return err('vote.signature: does not verify');
  const extension = checkExtension(vote, validator, context);
  return extension === undefined ? ok(vote as VerifiedVote) : err(extension);
}

/**
 * The ed25519 signatures that {@link verifyVote} is going to verify, for a caller that has them verified elsewhere first.
 * Empty when the vote is refused before, or its validator's key is of another kind.
 */
export function voteChecks(vote: Vote, context: Omit<VoteContext, 'verifier'>): readonly SignatureCheck[] {
  const validator = context.validators.validators[vote.validatorIndex];
  if (validator?.publicKey.type !== 'ed25519' || !equal(validator.address, vote.validatorAddress)) return [];
  const publicKey = validator.publicKey.bytes;
  const own = { publicKey, message: voteSignBytes(context.chainId, vote), signature: vote.signature };
  if (!mustBeExtended(vote, context)) return [own];
  return [
    own,
    { publicKey, message: voteExtensionSignBytes(context.chainId, vote), signature: vote.extensionSignature },
  ];
}

function mustBeExtended(vote: Vote, { extensions }: Pick<VoteContext, 'extensions'>): boolean {
  return extensions && vote.type === PRECOMMIT && !isNilBlockId(vote.blockId);
}

function checkExtension(vote: Vote, validator: Validator, context: VoteContext): string | undefined {
  if (!mustBeExtended(vote, context))
    return vote.extension.length > 0 || vote.extensionSignature.length > 0
      ? 'vote.extension: not permitted on this vote'
      : undefined;
  const message = voteExtensionSignBytes(context.chainId, vote);
  return verifySignature(context.verifier, validator.publicKey, message, vote.extensionSignature)
    ? undefined
    : 'vote.extension_signature: does not verify';
}

/** `proposer` is the proposer of the proposal's height and round. */
export function verifyProposal(
  proposal: Proposal,
  proposer: Validator,
  chainId: string,
  verifier: Verifier,
): Result<VerifiedProposal, string> {
  const message = proposalSignBytes(chainId, proposal);
  return verifySignature(verifier, proposer.publicKey, message, proposal.signature)
    ? ok(proposal as VerifiedProposal)
    : err(`proposal.signature: not by ${toHex(proposer.address)}, the proposer of round ${proposal.round}`);
}

/** What the node itself has written to its log or its store after checking it. */
export const trusted = {
  vote(vote: Vote): VerifiedVote {
    assert(vote.signature.length > 0, 'a trusted vote is signed');
    return vote as VerifiedVote;
  },
  proposal(proposal: Proposal): VerifiedProposal {
    assert(proposal.signature.length > 0, 'a trusted proposal is signed');
    return proposal as VerifiedProposal;
  },
} as const;
