/**
 * Repair: from what a peer claims to have, exactly the messages that it lacks and we hold. Stateless: a peer repeats its
 * status until it has what it needs, so lost answers cost one more round trip and nothing is remembered about anybody.
 */

import type { BlockId } from '#core/types/block-id.ts';
import { equalBlockId, equalPartSetHeader, type PartSetHeader } from '#core/types/block-id.ts';
import { NO_ROUND } from '#core/types/brand.ts';
import { type ExtendedCommit, FLAG_COMMIT } from '#core/types/commit.ts';
import type { Part } from '#core/types/part-set.ts';
import type { Vote } from '#core/types/vote.ts';
import { type BitArray, hasBit, NO_BITS } from './bit-array.ts';
import { CONSENSUS_LIMITS } from './limits.ts';
import type { PeerMessage, RoundStatus } from './messages.ts';
import { type EngineState, votesOfCommit } from './state.ts';
import type { VoteSet } from './vote-set.ts';

/** Committed blocks, as the planner reads them. */
export interface StoredBlocks {
  meta(height: bigint): { readonly blockId: BlockId } | undefined;
  part(height: bigint, index: number): Part | undefined;
  seenCommit(height: bigint): ExtendedCommit | undefined;
}

/** Whether a part that a peer lacks, by its status, is to be sent to it. */
export type PartIsDue = (header: PartSetHeader, index: number) => boolean;

/**
 * `turn` counts the answers to this peer. What it lacks may be more than one answer holds, and its status does not always
 * say what of it has come (votes of a round that is not its own): each answer goes on where the one before ended.
 */
export function planRepair(
  state: EngineState,
  stored: StoredBlocks,
  peer: RoundStatus,
  turn = 0,
  isDue: PartIsDue = () => true,
): PeerMessage[] {
  if (peer.height > state.height) return [];
  return peer.height === state.height ? repairRound(state, peer, turn, isDue) : repairHeight(stored, peer, turn, isDue);
}

/** The peer works on a height that we have committed: the precommits that decided it, and the block. */
function repairHeight(stored: StoredBlocks, peer: RoundStatus, turn: number, isDue: PartIsDue): PeerMessage[] {
  const meta = stored.meta(peer.height);
  const commit = stored.seenCommit(peer.height);
  if (meta === undefined || commit === undefined) return [];
  const out: PeerMessage[] = [];
  if (!peer.committing) {
    const known = peer.round === commit.round && !peer.precommitMajority ? peer.precommits : NO_BITS;
    const votes = votesOfCommit(commit).filter((vote) => commit.signatures[vote.validatorIndex]?.flag === FLAG_COMMIT);
    out.push(...lackingVotes(votes, known, turn));
    // It has votes of everybody, but an equivocator showed it another one: ours bring the majority.
    if (out.length === 0) out.push(...lackingVotes(votes, NO_BITS, turn));
  }
  const header = meta.blockId.partSetHeader;
  const knownParts = equalPartSetHeader(peer.partSetHeader, header) ? peer.parts : NO_BITS;
  const get = (i: number) => (isDue(header, i) ? stored.part(peer.height, i) : undefined);
  out.push(...lackingParts(peer, commit.round, header, knownParts, get));
  return out;
}

function repairRound(state: EngineState, peer: RoundStatus, turn: number, isDue: PartIsDue): PeerMessage[] {
  const out: PeerMessage[] = [];
  const { proposal, collected, votes } = state;
  const get = (i: number) => (collected !== undefined && isDue(collected.header, i) ? collected.get(i) : undefined);
  if (collected !== undefined && equalPartSetHeader(collected.header, peer.partSetHeader))
    out.push(...lackingParts(peer, state.round, collected.header, peer.parts, get));
  if (peer.round === state.round && proposal !== undefined && !peer.committing) {
    if (!peer.hasProposal) {
      out.push({ kind: 'proposal', proposal });
      if (collected !== undefined && peer.partSetHeader.total === 0)
        out.push(...lackingParts(peer, state.round, collected.header, NO_BITS, get));
    }
    if (proposal.polRound !== NO_ROUND) {
      const known = peer.polRound === proposal.polRound ? peer.polPrevotes : NO_BITS;
      const proof = votes.prevotes(proposal.polRound).list();
      const forBlock = proof.filter((vote) => equalBlockId(vote.blockId, proposal.blockId));
      out.push(...lackingVotes(forBlock, known, turn));
    }
  }
  if (peer.committing) return out;
  if (peer.round <= state.round + 1) {
    out.push(...lackingOfSet(votes.prevotes(peer.round), peer.prevotes, peer.prevoteMajority, turn));
    out.push(...lackingOfSet(votes.precommits(peer.round), peer.precommits, peer.precommitMajority, turn));
  }
  // A peer in an earlier round follows once f+1 of ours reach it (line 55).
  if (peer.round < state.round) {
    out.push(...lackingVotes(votes.prevotes(state.round).list(), NO_BITS, turn));
    out.push(...lackingVotes(votes.precommits(state.round).list(), NO_BITS, turn));
  }
  const decided = state.decided;
  if (decided !== undefined && decided.round !== peer.round)
    out.push(...lackingVotes(votes.precommits(decided.round).list(), NO_BITS, turn));
  return out;
}

function lackingOfSet(set: VoteSet, known: BitArray, hasMajority: boolean, turn: number): PeerMessage[] {
  const lacking = lackingVotes(set.list(), known, turn);
  // Nothing lacks by the bits, yet the peer sees no majority where we do: an equivocator's vote stands in the way.
  if (lacking.length === 0 && set.majority !== undefined && !hasMajority)
    return lackingVotes(set.list(), NO_BITS, turn);
  return lacking;
}

function lackingVotes(votes: readonly Vote[], known: BitArray, turn: number): PeerMessage[] {
  const lacking = votes.filter((vote) => !hasBit(known, vote.validatorIndex));
  const most = CONSENSUS_LIMITS.maxVotesPerRepair;
  const from = lacking.length <= most ? 0 : (turn * most) % lacking.length;
  return [...lacking.slice(from), ...lacking.slice(0, from)].slice(0, most).map((vote) => ({ kind: 'vote', vote }));
}

function lackingParts(
  peer: RoundStatus,
  round: RoundStatus['round'],
  header: PartSetHeader,
  known: BitArray,
  get: (index: number) => Part | undefined,
): PeerMessage[] {
  const out: PeerMessage[] = [];
  for (let i = 0; i < header.total && out.length < CONSENSUS_LIMITS.maxPartsPerRepair; i++) {
    if (hasBit(known, i)) continue;
    const part = get(i);
    if (part !== undefined) out.push({ kind: 'block-part', height: peer.height, round, part });
  }
  return out;
}
