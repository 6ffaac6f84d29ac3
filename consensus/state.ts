import { defined } from '#core/assert.ts';
import { equal } from '#core/bytes.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import type { Block } from '#core/types/block.ts';
import { type BlockId, equalBlockId, NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { type Address, type Height, NO_ROUND, type Round, toAddress, toRound } from '#core/types/brand.ts';
import { type ExtendedCommit, FLAG_ABSENT, sigBlockId } from '#core/types/commit.ts';
import type { Part, PartSet } from '#core/types/part-set.ts';
import {
  indexOfValidator,
  proposerOf,
  rotateRounds,
  type Validator,
  type ValidatorSet,
} from '#core/types/validator-set.ts';
import { PRECOMMIT } from '#core/types/vote.ts';
import { NO_BITS } from './bit-array.ts';
import { type ChainState, heightAfter } from './chain-state.ts';
import type { CollectedParts } from './collected-parts.ts';
import type { EngineConfig } from './config.ts';
import type { Effect } from './effect.ts';
import { HeightVotes } from './height-votes.ts';
import type { TimeoutStep } from './input.ts';
import type { RoundStatus } from './messages.ts';
import { trusted, type VerifiedProposal, type VerifiedVote } from './verify-message.ts';
import { VoteSet } from './vote-set.ts';

/**
 * `new-height`: the commit wait before round 0. `new-round`: waiting for transactions. `propose`, `prevote`,
 * `precommit`: the paper's steps. `commit`: decided, collecting the block or executing it.
 */
export type Step = 'new-height' | 'new-round' | 'propose' | 'prevote' | 'precommit' | 'commit';

/** What does not change while the engine lives. `verifier` is a pure function. */
export interface EngineEnv {
  readonly config: EngineConfig;
  readonly verifier: Verifier;
  /** This node's validator address; `undefined`: it never signs. */
  readonly self: Address | undefined;
}

/** A complete block. */
export interface Candidate {
  readonly block: Block;
  readonly blockId: BlockId;
  readonly parts: PartSet;
}

export interface Locked {
  readonly round: Round;
  readonly candidate: Candidate;
}

/** A part that came before its part set was known. */
export interface EarlyPart {
  readonly round: Round;
  readonly part: Part;
}

/**
 * The whole of consensus at one height. `step` changes it in place: it is a function of the sequence of inputs alone,
 * and the node never holds two versions of it. Nobody but the engine writes to it.
 */
export interface EngineState {
  readonly env: EngineEnv;
  chain: ChainState;
  height: Height;
  round: Round;
  step: Step;
  votes: HeightVotes;
  /** Precommits that decided the previous height; `undefined` before the first block. */
  lastCommit: VoteSet | undefined;
  /** The validators as rotated for {@link EngineState.round}. */
  roundValidators: ValidatorSet;

  /** Of the current round. */
  proposal: VerifiedProposal | undefined;
  collected: CollectedParts | undefined;
  candidate: Candidate | undefined;
  /** The proposal's parts are complete and make no block of that name. */
  malformed: boolean;
  prevoteTimeoutSet: boolean;
  precommitTimeoutSet: boolean;
  /** This node's own block, between its making and its signature. */
  draft: Candidate | undefined;
  /** What this node is about to precommit, while the extension is made. */
  precommitting: Candidate | undefined;

  /** Of the height. `locked` and `valid` are the paper's lockedValue/lockedRound and validValue/validRound. */
  locked: Locked | undefined;
  valid: Locked | undefined;
  /**
   * By {@link blockIdKey}: is the block valid, by the rules and by the application, or by a polka of those who asked
   * theirs? The hash alone would not do: it leaves
   * out the last commit's height, round and block id, so one hash may name a valid block and an invalid one.
   */
  readonly verdicts: Map<string, 'asked' | 'valid' | 'invalid'>;
  /** By round and validator index. */
  readonly refusedExtensions: Map<string, number>;
  nextProposal: VerifiedProposal | undefined;
  earlyParts: EarlyPart[];
  decided: { readonly round: Round; readonly blockId: BlockId } | undefined;
  txsAvailable: boolean;

  /** Questions without an answer yet, and timeouts without their event: what a restart must ask and set again. */
  readonly awaiting: Map<string, Effect>;
  readonly timers: Map<TimeoutStep, Effect>;
}

/** The engine at the beginning of the height after `chain`'s last block, whose seen commit `lastCommit` is. */
export function createEngine(env: EngineEnv, chain: ChainState, lastCommit: ExtendedCommit | undefined): EngineState {
  const height = heightAfter(chain);
  const first = chain.lastBlockHeight === 0n;
  const state: EngineState = {
    env,
    chain,
    height,
    round: toRound(0),
    step: 'new-height',
    votes: new HeightVotes(height, chain.validators),
    lastCommit: first ? undefined : voteSetOfCommit(defined(lastCommit, 'seen commit'), chain.lastValidators),
    roundValidators: chain.validators,
    proposal: undefined,
    collected: undefined,
    candidate: undefined,
    malformed: false,
    prevoteTimeoutSet: false,
    precommitTimeoutSet: false,
    draft: undefined,
    precommitting: undefined,
    locked: undefined,
    valid: undefined,
    verdicts: new Map(),
    refusedExtensions: new Map(),
    nextProposal: undefined,
    earlyParts: [],
    decided: undefined,
    txsAvailable: false,
    awaiting: new Map(),
    timers: new Map(),
  };
  state.timers.set('new-height', {
    kind: 'schedule-timeout',
    height,
    round: state.round,
    step: 'new-height',
    durationMs: first ? 0 : env.config.timeoutCommitMs,
  });
  return state;
}

/** The votes that a commit checked before stands for, absent ones left out. */
export function votesOfCommit(commit: ExtendedCommit): VerifiedVote[] {
  const out: VerifiedVote[] = [];
  for (const [validatorIndex, sig] of commit.signatures.entries()) {
    if (sig.flag === FLAG_ABSENT) continue;
    const { timestamp, signature, extension, extensionSignature } = sig;
    const vote = {
      type: PRECOMMIT,
      height: commit.height,
      round: commit.round,
      blockId: sigBlockId(commit, sig),
      validatorAddress: toAddress(sig.validatorAddress),
      validatorIndex,
      timestamp,
      signature,
      extension,
      extensionSignature,
    } as const;
    out.push(trusted.vote(vote));
  }
  return out;
}

function voteSetOfCommit(commit: ExtendedCommit, validators: ValidatorSet): VoteSet {
  const votes = new VoteSet(commit.height, commit.round, PRECOMMIT, validators);
  for (const vote of votesOfCommit(commit)) votes.add(vote);
  return votes;
}

/** After the log has been replayed: what is still to be answered or waited for. */
export function resume(state: EngineState): readonly Effect[] {
  return [{ kind: 'sync-wal' }, ...state.awaiting.values(), ...state.timers.values(), { kind: 'status-changed' }];
}

/** This node's place in the validator set of the height, or −1. */
export function ownIndex(state: EngineState): number {
  return state.env.self === undefined ? -1 : indexOfValidator(state.chain.validators, state.env.self);
}

/** The proposer of a round of the current height; rounds far ahead are the caller's to refuse. */
export function proposerAt(state: EngineState, round: Round): Validator {
  const ahead = round - state.round;
  return ahead >= 0 ? proposerOf(state.roundValidators, ahead) : proposerOf(state.chain.validators, round);
}

export function rotateTo(state: EngineState, round: Round): ValidatorSet {
  return rotateRounds(state.roundValidators, round - state.round);
}

export function isProposer(state: EngineState): boolean {
  return state.env.self !== undefined && equal(proposerAt(state, state.round).address, state.env.self);
}

/** The claim that this node makes to its peers. `base`: lowest stored block. */
export function roundStatus(state: EngineState, base: Height): RoundStatus {
  const prevotes = state.votes.prevotes(state.round);
  const precommits = state.votes.precommits(state.decided?.round ?? state.round);
  const { proposal } = state;
  const polRound = proposal?.polRound ?? NO_ROUND;
  return {
    height: state.height,
    round: state.round,
    base,
    committing: state.step === 'commit',
    hasProposal: proposal !== undefined,
    partSetHeader: state.collected?.header ?? NIL_BLOCK_ID.partSetHeader,
    parts: state.collected?.bits() ?? NO_BITS,
    prevotes: prevotes.bits(),
    precommits: precommits.bits(),
    prevoteMajority: prevotes.majority !== undefined,
    precommitMajority: precommits.majority !== undefined,
    polRound,
    // Only those for the block: of an equivocator this node may have another one, and lack the one that counts.
    polPrevotes:
      proposal === undefined || polRound === NO_ROUND
        ? NO_BITS
        : state.votes.prevotes(polRound).bitsFor(proposal.blockId),
  };
}

export function isCandidate(candidate: Candidate | undefined, blockId: BlockId): candidate is Candidate {
  return candidate !== undefined && equalBlockId(candidate.blockId, blockId);
}
