/**
 * `txs[0]`: the proposer's extended commit of the block before, so that every node executes what the validators said
 * without having heard it itself.
 */
import { equal, toHex } from '#core/bytes.ts';
import { LIMITS } from '#core/limits.ts';
import { decodeExtension } from '#core/poi/formats.ts';
import { verifySignature } from '#core/ports/crypto.ts';
import { err, ok, type Result } from '#core/result.ts';
import { FLAG_COMMIT } from '#core/types/commit.ts';
import { voteExtensionSignBytes } from '#core/types/vote.ts';
import { type ExtendedCommit, type ExtendedVote, InjectionSchema } from '#proto/gen/autonomy/poi/v1/poi_pb.ts';
import { decodeStrict, encode } from '#proto/message.ts';
import type { BlockContext, CommitInfo, ExtendedCommitInfo, ProposalContext } from '../../context.ts';
import type { Injection } from '../../module.ts';
import type { KvReader } from '../../state/kv-view.ts';
import { recordExtension } from './record.ts';
import { extensionsFrom, isMember, POI_STORE, publicKeyOf, validators } from './state.ts';

/** "POI" and a version. */
export const INJECTION_MAGIC = Uint8Array.of(0x50, 0x4f, 0x49, 0x01);

/** Whether the precommits for the block before `height` carried extensions. */
function extended(store: KvReader, height: bigint, votes: readonly unknown[]): boolean {
  const from = extensionsFrom.get(store) ?? 0n;
  return votes.length > 0 && from > 0n && height > from;
}

export function encodeInjection(commit: ExtendedCommitInfo): Uint8Array {
  return encode(InjectionSchema, {
    extendedCommit: {
      round: commit.round,
      votes: commit.votes.map(({ validator, flag, extension, extensionSignature }) => ({
        validatorAddress: validator.address,
        power: validator.power,
        flag,
        extension,
        extensionSignature,
      })),
    },
  });
}

/** Of one vote, itself included; and what stands around the votes. */
const VOTE_FIELDS = 6;
const OTHER_FIELDS = 2;

/** One value has one encoding: anything else is refused. */
export function decodeInjection(payload: Uint8Array): Result<ExtendedCommit, string> {
  const decoded = decodeStrict(InjectionSchema, payload, {
    title: 'injection',
    maxFields: OTHER_FIELDS + VOTE_FIELDS * LIMITS.maxValidators,
  });
  if (!decoded.ok) return decoded;
  if (!equal(encode(InjectionSchema, decoded.value), payload)) return err('injection: not in its canonical encoding');
  const { extendedCommit } = decoded.value;
  return extendedCommit === undefined ? err('injection.extended_commit: missing') : ok(extendedCommit);
}

function checkVote(
  context: ProposalContext,
  round: number,
  title: string,
  vote: ExtendedVote,
  proposed: CommitInfo['votes'][number],
): Result<void, string> {
  if (!equal(vote.validatorAddress, proposed.validator.address))
    return err(
      `${title}: validator ${toHex(vote.validatorAddress)}, the last commit has ${toHex(proposed.validator.address)}`,
    );
  if (vote.power !== proposed.validator.power)
    return err(`${title}: power ${vote.power}, the last commit has ${proposed.validator.power}`);
  if (vote.flag !== proposed.flag) return err(`${title}: flag ${vote.flag}, the last commit has ${proposed.flag}`);
  if (vote.flag !== FLAG_COMMIT)
    return vote.extension.length === 0 && vote.extensionSignature.length === 0
      ? ok(undefined)
      : err(`${title}: an extension without a vote for the block`);
  const validator = validators.get(context.state.store(POI_STORE), vote.validatorAddress);
  if (validator === undefined) return err(`${title}: ${toHex(vote.validatorAddress)} is no validator`);
  if (validator.power !== vote.power) return err(`${title}: power ${vote.power}, expected ${validator.power}`);
  const height = context.block.height - 1n;
  const signed = voteExtensionSignBytes(context.chain.chainId, { height, round, extension: vote.extension });
  if (!verifySignature(context.verifier, publicKeyOf(validator), signed, vote.extensionSignature))
    return err(`${title}: the signature of the extension does not verify`);
  const decoded = decodeExtension(vote.extension);
  return decoded.ok ? ok(undefined) : err(`${title}: ${decoded.error}`);
}

function judge(
  context: ProposalContext,
  payload: Uint8Array | undefined,
  proposedLastCommit: CommitInfo,
): Result<void, string> {
  const expected = extended(context.state.store(POI_STORE), context.block.height, proposedLastCommit.votes);
  if (payload === undefined) return expected ? err('injection: missing') : ok(undefined);
  if (!expected) return err('injection: there were no vote extensions, expected none');
  const decoded = decodeInjection(payload);
  if (!decoded.ok) return decoded;
  const { round, votes } = decoded.value;
  if (round !== proposedLastCommit.round)
    return err(`injection: round ${round}, the last commit has ${proposedLastCommit.round}`);
  if (votes.length !== proposedLastCommit.votes.length)
    return err(`injection: ${votes.length} votes, the last commit has ${proposedLastCommit.votes.length}`);
  for (const [i, vote] of votes.entries()) {
    const proposed = proposedLastCommit.votes[i];
    if (proposed === undefined) return err(`injection: no vote ${i} in the last commit`);
    const checked = checkVote(context, round, `injection.votes[${i}]`, vote, proposed);
    if (!checked.ok) return checked;
  }
  return ok(undefined);
}

function apply(context: BlockContext, payload: Uint8Array | undefined): Result<void, string> {
  if (payload === undefined) return ok(undefined);
  const decoded = decodeInjection(payload);
  if (!decoded.ok) return decoded;
  const known = context.state.store(POI_STORE);
  for (const vote of decoded.value.votes) {
    if (vote.flag !== FLAG_COMMIT || !isMember(known, vote.validatorAddress)) continue;
    const extension = decodeExtension(vote.extension);
    if (extension.ok) recordExtension(context, vote.validatorAddress, extension.value);
  }
  return ok(undefined);
}

export const injection: Injection = {
  magic: INJECTION_MAGIC,
  prepare: (context, localLastCommit) =>
    extended(context.state.store(POI_STORE), context.block.height, localLastCommit.votes)
      ? encodeInjection(localLastCommit)
      : undefined,
  process: judge,
  apply,
};
