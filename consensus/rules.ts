/**
 * The `upon` clauses of Algorithm 1 in arXiv 1807.04938, each with its line. After every input they are tried in this
 * order until none fires.
 */
import { equal, toHex } from '#core/bytes.ts';
import { blockIdKey, equalPartSetHeader, isNilBlockId } from '#core/types/block-id.ts';
import { NO_ROUND, toRound } from '#core/types/brand.ts';
import {
  collect,
  commitDecided,
  type Effects,
  enterCommit,
  enterPropose,
  judge,
  judgeByPolka,
  log,
  precommit,
  prevote,
  schedule,
  startRound,
} from './actions.ts';
import type { SignedStep } from './input.ts';
import { type Candidate, type EngineState, isCandidate, proposerAt } from './state.ts';

type Rule = (state: EngineState, out: Effects) => boolean;

export function applyRules(state: EngineState, out: Effects): void {
  while (RULES.some((rule) => rule(state, out)));
}

/** Line 49: 2f+1 precommits for a block, in any round: decide. */
const decide: Rule = (state, out) => {
  if (state.votes.decision === undefined || state.step === 'commit') return false;
  enterCommit(state, out);
  return true;
};

/** Lines 50–54: the decided block has arrived. */
const execute: Rule = (state, out) => {
  if (state.step !== 'commit' || state.awaiting.has('commit') || state.candidate === undefined) return false;
  commitDecided(state, out);
  return true;
};

/** Line 55: f+1 are in a later round: follow them. */
const skipRound: Rule = (state, out) => {
  if (state.step === 'commit') return false;
  const round = state.votes.skipRound();
  if (round === undefined) return false;
  startRound(state, round, out);
  return true;
};

/** Somebody else has transactions and began the round: so do we. */
const wake: Rule = (state, out) => {
  if (state.step !== 'new-round') return false;
  if (!state.txsAvailable && state.votes.prevotes(state.round).size === 0) return false;
  state.timers.delete('new-round');
  enterPropose(state, out);
  return true;
};

/** Lines 22–33: the proposal is complete: prevote it or nil. */
const prevoteProposal: Rule = (state, out) => {
  if (state.step !== 'propose' && state.step !== 'new-round') return false;
  const { proposal, candidate } = state;
  if (proposal === undefined) return false;
  if (state.malformed) {
    prevote(state, undefined, out);
    return true;
  }
  if (!isCandidate(candidate, proposal.blockId)) return false;
  const pol = proposal.polRound === NO_ROUND ? undefined : state.votes.prevotes(proposal.polRound).majority;
  if (proposal.polRound !== NO_ROUND && pol === undefined) return false;
  const verdict = state.verdicts.get(blockIdKey(proposal.blockId));
  if (verdict === undefined) {
    judge(state, candidate, out);
    return true;
  }
  if (verdict === 'asked') return false;
  const proven = pol === undefined || isCandidate(candidate, pol);
  const agrees =
    verdict === 'valid' &&
    proven &&
    (pol === undefined ? mayTakeNew(state, candidate, out) : mayTakeProven(state, candidate));
  prevote(state, agrees ? candidate : undefined, out);
  return true;
};

/** Line 23, and the proposer binding: a new block names the proposer of this very round. */
function mayTakeNew(state: EngineState, candidate: Candidate, out: Effects): boolean {
  const proposer = proposerAt(state, state.round);
  if (!equal(candidate.block.header.proposerAddress, proposer.address)) {
    log(out, 'the proposed block names another proposer', {
      height: state.height,
      round: state.round,
      expected: toHex(proposer.address),
      got: toHex(candidate.block.header.proposerAddress),
    });
    return false;
  }
  return state.locked === undefined || isCandidate(state.locked.candidate, candidate.blockId);
}

/** Line 29: lockedRound ≤ vr, or lockedValue = v. */
function mayTakeProven(state: EngineState, candidate: Candidate): boolean {
  const { locked, proposal } = state;
  if (locked === undefined || proposal === undefined) return true;
  return locked.round <= proposal.polRound || isCandidate(locked.candidate, candidate.blockId);
}

/** 2f+1 prevoted a block that we do not collect (its proposal was lost, or there were two): fetch it for line 36. */
const fetchPolka: Rule = (state, out) => {
  if (state.step !== 'prevote' && state.step !== 'precommit') return false;
  const majority = state.votes.prevotes(state.round).majority;
  if (majority === undefined || isNilBlockId(majority)) return false;
  const collecting =
    state.collected !== undefined && equalPartSetHeader(state.collected.header, majority.partSetHeader);
  const wrong =
    collecting && (state.malformed || (state.candidate !== undefined && !isCandidate(state.candidate, majority)));
  if (collecting && !wrong) return false;
  if (wrong && state.proposal !== undefined && equal(state.proposal.blockId.hash, majority.hash)) return false;
  collect(state, majority.partSetHeader, out);
  return state.candidate !== undefined;
};

/** Lines 36–43: 2f+1 prevoted the proposal: lock it, precommit it, remember it as valid. */
const polka: Rule = (state, out) => {
  if (state.step !== 'prevote' && state.step !== 'precommit') return false;
  const { candidate, round } = state;
  const majority = state.votes.prevotes(round).majority;
  if (majority === undefined || !isCandidate(candidate, majority) || state.valid?.round === round) return false;
  const key = blockIdKey(majority);
  if (!state.verdicts.has(key)) judgeByPolka(state, candidate, out);
  if (state.verdicts.get(key) !== 'valid') return false;
  state.valid = { round, candidate };
  if (state.step === 'prevote') {
    state.locked = { round, candidate };
    precommit(state, candidate, out);
  }
  return true;
};

/** Lines 44–46: 2f+1 prevoted nil. */
const nilPolka: Rule = (state, out) => {
  if (state.step !== 'prevote') return false;
  const majority = state.votes.prevotes(state.round).majority;
  if (majority === undefined || !isNilBlockId(majority)) return false;
  precommit(state, undefined, out);
  return true;
};

/** Lines 34–35: 2f+1 prevoted, but not for one thing: give the others a moment. */
const waitForPrevotes: Rule = (state, out) => {
  if (state.step !== 'prevote' || state.prevoteTimeoutSet) return false;
  if (!state.votes.prevotes(state.round).hasTwoThirdsAny) return false;
  schedulePrevoteTimeout(state, out);
  return true;
};

function schedulePrevoteTimeout(state: EngineState, out: Effects): void {
  const { timeoutPrevoteMs, timeoutPrevoteDeltaMs } = state.env.config;
  state.prevoteTimeoutSet = true;
  schedule(state, 'prevote', timeoutPrevoteMs + state.round * timeoutPrevoteDeltaMs, out);
}

/** Lines 47–48: 2f+1 precommitted, whatever: this round will end. */
const waitForPrecommits: Rule = (state, out) => {
  if (state.step === 'new-height' || state.step === 'commit' || state.precommitTimeoutSet) return false;
  if (!state.votes.precommits(state.round).hasTwoThirdsAny) return false;
  schedulePrecommitTimeout(state, out);
  return true;
};

function schedulePrecommitTimeout(state: EngineState, out: Effects): void {
  const { timeoutPrecommitMs, timeoutPrecommitDeltaMs } = state.env.config;
  state.precommitTimeoutSet = true;
  schedule(state, 'precommit', timeoutPrecommitMs + state.round * timeoutPrecommitDeltaMs, out);
}

/**
 * A vote that the signer refused, or could not sign in time, will not come: without it 2f+1 may never be there to start the
 * step's timeout (lines 34, 47), when more than f signers are away at once. The step then ends by its own timeout; ending a
 * step early is always safe.
 */
export function onSignRefused(state: EngineState, what: SignedStep, out: Effects): void {
  if (what === 'prevote' && state.step === 'prevote' && !state.prevoteTimeoutSet) schedulePrevoteTimeout(state, out);
  if (what === 'precommit' && state.step === 'precommit' && !state.precommitTimeoutSet)
    schedulePrecommitTimeout(state, out);
}

const RULES: readonly Rule[] = [
  decide,
  execute,
  skipRound,
  wake,
  prevoteProposal,
  fetchPolka,
  polka,
  nilPolka,
  waitForPrevotes,
  waitForPrecommits,
];

/** Lines 57–67: what a timeout does. Answers whether it was still of any interest. */
export function onTimeout(state: EngineState, step: 'propose' | 'prevote' | 'precommit', out: Effects): boolean {
  switch (step) {
    case 'propose': // line 57
      if (state.step !== 'propose') return false;
      prevote(state, undefined, out);
      return true;
    case 'prevote': // line 61
      if (state.step !== 'prevote') return false;
      precommit(state, undefined, out);
      return true;
    case 'precommit': // line 65
      if (state.step === 'commit') return false;
      startRound(state, toRound(state.round + 1), out);
      return true;
  }
}
