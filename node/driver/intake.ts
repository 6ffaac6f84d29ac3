/**
 * What a peer's message is worth before the engine sees it: decoded, in range, signed by whom it says. Signatures are
 * checked here and nowhere else, so the engine only ever sees {@link VerifiedVote}s.
 */

import { maxParts } from '#consensus/actions.ts';
import type { Input } from '#consensus/input.ts';
import type { PeerMessage } from '#consensus/messages.ts';
import { type EngineState, proposerAt, votesOfCommit } from '#consensus/state.ts';
import {
  type VerifiedProposal,
  type VoteContext,
  verifyProposal,
  verifyVote,
  voteChecks,
} from '#consensus/verify-message.ts';
import { assertNever } from '#core/assert.ts';
import type { SignatureCheck, Verifier } from '#core/ports/crypto.ts';
import type { PartSetHeader } from '#core/types/block-id.ts';
import { ABSENT_SIG, type ExtendedCommit, FLAG_COMMIT } from '#core/types/commit.ts';
import { extensionsEnabled } from '#core/types/consensus-params.ts';
import { verifyPart } from '#core/types/part-set.ts';
import type { Proposal } from '#core/types/proposal.ts';
import { proposerOf } from '#core/types/validator-set.ts';
import { PRECOMMIT, type Vote } from '#core/types/vote.ts';
import { nativeLeafHash } from '../crypto/native-hash.ts';
import type { QueuedParts } from './part-traffic.ts';

/**
 * What becomes of a message. `accept`: new and valid, forward it. `ignore`: stale, known or not for us to judge; nobody
 * is to blame. `reject`: whoever sent it made it wrong; do not forward, count it against the peer.
 */
export type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'ignore' }
  | { readonly kind: 'reject'; readonly reason: string };

export const ACCEPT: Verdict = { kind: 'accept' };
export const IGNORE: Verdict = { kind: 'ignore' };

export interface Taken {
  readonly verdict: Verdict;
  /** For the engine now. */
  readonly input?: Input;
  /** Of the next height: valid as far as can be told, to be taken in again when that height begins. */
  readonly early?: true;
  /** The set that a part belongs to, as its proof says. */
  readonly partOf?: PartSetHeader;
}

type ConsensusMessage = Extract<PeerMessage, { kind: 'proposal' | 'block-part' | 'vote' }>;

/**
 * `coming`: a verified proposal that waits for the engine's turn; its parts may be right behind it. `queued`: verified parts
 * that do.
 */
export function takeIn(
  state: EngineState,
  verifier: Verifier,
  message: ConsensusMessage,
  coming?: VerifiedProposal,
  queued?: Pick<QueuedParts, 'has'>,
): Taken {
  switch (message.kind) {
    case 'proposal':
      return takeProposal(state, verifier, message.proposal);
    case 'block-part':
      return takePart(state, message, coming, queued);
    case 'vote':
      return takeVote(state, verifier, message.vote);
    default:
      return assertNever(message, 'consensus message');
  }
}

function takeProposal(state: EngineState, verifier: Verifier, proposal: Proposal): Taken {
  const next = proposal.height === state.height + 1n;
  if (!next && proposal.height !== state.height) return { verdict: IGNORE };
  const from = next ? 0 : state.round;
  // Rounds far ahead are not worth the rotation of the proposer: line 55 brings us there first.
  if (proposal.round < from || proposal.round > from + 1) return { verdict: IGNORE };
  if (!next && proposal.round === state.round && state.proposal !== undefined) return { verdict: IGNORE };
  const { total } = proposal.blockId.partSetHeader;
  const isTooLarge = total > maxParts(state);
  if (isTooLarge && !next) {
    const reason = `proposal.block_id.parts.total: expected at most ${maxParts(state)}, got ${total}`;
    return { verdict: { kind: 'reject', reason } };
  }
  const proposer = next ? proposerOf(state.chain.nextValidators, proposal.round) : proposerAt(state, proposal.round);
  const verified = verifyProposal(proposal, proposer, state.chain.chainId, verifier);
  if (!verified.ok) return { verdict: { kind: 'reject', reason: verified.error } };
  // The block being decided may yet permit larger ones: kept, and not handed on before.
  if (isTooLarge) return { verdict: IGNORE, early: true };
  return next
    ? { verdict: ACCEPT, early: true }
    : { verdict: ACCEPT, input: { kind: 'proposal', proposal: verified.value } };
}

function takePart(
  state: EngineState,
  message: Extract<ConsensusMessage, { kind: 'block-part' }>,
  coming: VerifiedProposal | undefined,
  queued: Pick<QueuedParts, 'has'> | undefined,
): Taken {
  if (message.height === state.height + 1n) return { verdict: IGNORE, early: true };
  if (message.height !== state.height) return { verdict: IGNORE };
  const { collected } = state;
  if (collected?.get(message.part.index) !== undefined) return { verdict: IGNORE };
  // Before its proposal is here nobody can tell whether a part belongs to anything: keep it, do not forward it.
  const named = coming?.height === message.height && coming.round === message.round ? coming.blockId : undefined;
  const header = collected?.header ?? named?.partSetHeader;
  if (header !== undefined && queued?.has(header, message.part.index) === true) return { verdict: IGNORE };
  if (header === undefined || !verifyPart(header, message.part, nativeLeafHash))
    return { verdict: IGNORE, input: message };
  return { verdict: ACCEPT, input: message, partOf: header };
}

function takeVote(state: EngineState, verifier: Verifier, vote: Vote): Taken {
  const context = contextOf(state, vote);
  if (context === undefined) return { verdict: IGNORE };
  const early = vote.height === state.height + 1n;
  const verified = verifyVote(vote, { ...context, verifier });
  // The block being decided may yet change the parameters of the next height.
  if (!verified.ok) return { verdict: early ? IGNORE : { kind: 'reject', reason: verified.error } };
  return early ? { verdict: ACCEPT, early: true } : { verdict: ACCEPT, input: { kind: 'vote', vote: verified.value } };
}

/** What a vote is to be verified against; `undefined`: it is stale, known, or of a height too far. */
function contextOf(state: EngineState, vote: Vote): Omit<VoteContext, 'verifier'> | undefined {
  const { chain } = state;
  const early = vote.height === state.height + 1n;
  const late = vote.height + 1n === state.height;
  if (late && (vote.type !== PRECOMMIT || state.step !== 'new-height')) return undefined;
  if (!early && !late && vote.height !== state.height) return undefined;
  const known = late ? state.lastCommit?.has(vote) : !early && state.votes.has(vote);
  if (known === true) return undefined;
  return {
    chainId: chain.chainId,
    validators: early ? chain.nextValidators : late ? chain.lastValidators : chain.validators,
    extensions: extensionsEnabled(chain.params, vote.height),
  };
}

/** The signatures that {@link takeIn} would verify of this vote, were it taken in now. */
export function checksOfVote(state: EngineState, vote: Vote): readonly SignatureCheck[] {
  const context = contextOf(state, vote);
  return context === undefined ? [] : voteChecks(vote, context);
}

/**
 * The signatures that block sync will verify of a commit when its height has come, if the validators are then those of
 * today; where they are not, it verifies others, by itself.
 */
export function checksOfCommit({ chain, height }: EngineState, commit: ExtendedCommit): readonly SignatureCheck[] {
  const validators = commit.height === height ? chain.validators : chain.nextValidators;
  const extensions = extensionsEnabled(chain.params, commit.height);
  const signatures = commit.signatures.map((sig) =>
    sig.flag === FLAG_COMMIT && sig.signature.length > 0 ? sig : ABSENT_SIG,
  );
  return votesOfCommit({ ...commit, signatures }).flatMap((vote) =>
    voteChecks(vote, { chainId: chain.chainId, validators, extensions }),
  );
}
