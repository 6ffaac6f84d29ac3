/** What the engine does when a rule fires. Line numbers are those of Algorithm 1 in arXiv 1807.04938. */
import { assert, defined } from '#core/assert.ts';
import { EMPTY, equal, toHex } from '#core/bytes.ts';
import { divCeilSafe } from '#core/int.ts';
import { LIMITS } from '#core/limits.ts';
import {
  type BlockId,
  blockIdKey,
  equalBlockId,
  equalPartSetHeader,
  NIL_BLOCK_ID,
  type PartSetHeader,
} from '#core/types/block-id.ts';
import type { Round } from '#core/types/brand.ts';
import { type Commit, EMPTY_COMMIT, sigBlockId, toCommit } from '#core/types/commit.ts';
import { extensionsEnabled, maxBlockBytes } from '#core/types/consensus-params.ts';
import { headerHash } from '#core/types/header.ts';
import { addMillis, compareTime, ZERO_TIME } from '#core/types/timestamp.ts';
import { validatorSetHash } from '#core/types/validator-set.ts';
import { PRECOMMIT, PREVOTE, type VoteType } from '#core/types/vote.ts';
import { blockTime, commitInfo, extendedCommitInfo, validateBlock } from './block-rules.ts';
import { CollectedParts } from './collected-parts.ts';
import type { Effect } from './effect.ts';
import { toMisbehavior } from './evidence.ts';
import type { TimeoutStep } from './input.ts';
import { type Candidate, type EngineState, isCandidate, isProposer, ownIndex, rotateTo, type Step } from './state.ts';

export type Effects = Effect[];

export function log(out: Effects, message: string, fields: Readonly<Record<string, unknown>>): void {
  out.push({ kind: 'log', message, fields });
}

function setStep(state: EngineState, step: Step, out: Effects): void {
  state.step = step;
  out.push({ kind: 'status-changed' });
}

/** Asks the world something; the question stays open until its answer removes it. */
export function ask(state: EngineState, key: string, effect: Effect, out: Effects): void {
  state.awaiting.set(key, effect);
  out.push(effect);
}

export function schedule(state: EngineState, step: TimeoutStep, durationMs: number, out: Effects): void {
  const effect: Effect = { kind: 'schedule-timeout', height: state.height, round: state.round, step, durationMs };
  state.timers.set(step, effect);
  out.push(effect);
}

/** Lines 11–21: StartRound. Round 0 keeps what came for it during the commit wait; `waits`: for transactions, first. */
export function startRound(state: EngineState, round: Round, out: Effects, waits = false): void {
  assert(round > state.round || (round === 0 && state.step === 'new-height'), `round ${round} is not ahead`);
  if (round > 0) {
    state.roundValidators = rotateTo(state, round);
    state.proposal = undefined;
    state.collected = undefined;
    state.candidate = undefined;
    state.malformed = false;
  }
  state.round = round;
  state.prevoteTimeoutSet = false;
  state.precommitTimeoutSet = false;
  state.draft = undefined;
  state.precommitting = undefined;
  state.timers.clear();
  for (const key of ['prepare', 'extend', 'sign:proposal', 'sign:prevote', 'sign:precommit'])
    state.awaiting.delete(key);
  for (const { vote, added } of state.votes.setRound(round))
    if (added.kind === 'conflict') out.push({ kind: 'report-evidence', first: added.first, second: vote });
  const next = state.nextProposal;
  if (round > 0 && next !== undefined && next.round <= round) {
    state.nextProposal = undefined;
    if (next.round === round) {
      state.proposal = next;
      collect(state, next.blockId.partSetHeader, out);
    }
  }
  if (!waits) {
    enterPropose(state, out);
    return;
  }
  setStep(state, 'new-round', out);
  const { createEmptyBlocks, createEmptyBlocksIntervalMs: interval } = state.env.config;
  // A replayed wait that the configuration of today does not know ends at once, by a timeout that the log will hold.
  if (createEmptyBlocks) schedule(state, 'new-round', 0, out);
  else if (interval > 0) schedule(state, 'new-round', interval, out);
}

/** create_empty_blocks = false: without transactions, and with nothing that the last block left to prove. */
export function mayWaitForTxs(state: EngineState): boolean {
  const { chain } = state;
  if (state.env.config.createEmptyBlocks || state.txsAvailable) return false;
  return chain.lastBlockHeight > 0n && equal(chain.appHash, chain.lastHeaderAppHash);
}

/** Lines 14–21: the proposer proposes validValue or a new block, the others wait for it. */
export function enterPropose(state: EngineState, out: Effects): void {
  const { config, self } = state.env;
  setStep(state, 'propose', out);
  schedule(state, 'propose', config.timeoutProposeMs + state.round * config.timeoutProposeDeltaMs, out);
  if (self === undefined || !isProposer(state)) return;
  if (state.valid !== undefined) {
    requestProposal(state, state.valid.candidate, state.valid.round, out);
    return;
  }
  const { chain } = state;
  const lastCommit = state.lastCommit?.toExtendedCommit();
  const request = {
    height: state.height,
    time: blockTime(chain, lastCommit === undefined ? EMPTY_COMMIT : toCommit(lastCommit)),
    nextValidatorsHash: validatorSetHash(chain.nextValidators),
    proposerAddress: self,
    localLastCommit: extendedCommitInfo(lastCommit, chain.lastValidators),
    lastCommitSize: lastCommit?.signatures.length ?? 0,
  };
  ask(state, 'prepare', { kind: 'prepare-proposal', round: state.round, request }, out);
}

/** Line 19. */
export function requestProposal(state: EngineState, candidate: Candidate, polRound: Round, out: Effects): void {
  state.draft = candidate;
  const { height, round } = state;
  const proposal = { height, round, polRound, blockId: candidate.blockId };
  out.push({ kind: 'sync-wal' });
  ask(state, 'sign:proposal', { kind: 'sign-proposal', proposal }, out);
}

/** The parts that a block of this size limit can have at most. */
export function maxParts(state: EngineState): number {
  return divCeilSafe(maxBlockBytes(state.chain.params), LIMITS.blockPartBytes);
}

/** Begins to collect a part set, with what is there already. */
export function collect(state: EngineState, header: PartSetHeader, out: Effects): void {
  state.candidate = undefined;
  state.malformed = false;
  if (state.collected !== undefined && equalPartSetHeader(state.collected.header, header)) {
    finishParts(state, out);
    return;
  }
  state.collected = new CollectedParts(header);
  const known = [state.locked?.candidate, state.valid?.candidate].find(
    (candidate) => candidate !== undefined && equalPartSetHeader(candidate.parts.header, header),
  );
  for (const part of known?.parts.parts ?? []) state.collected.add(part);
  const early = state.earlyParts;
  state.earlyParts = [];
  for (const item of early) if (state.collected.add(item.part) === 'foreign') state.earlyParts.push(item);
  finishParts(state, out);
}

/** Makes the candidate once all parts are in. */
export function finishParts(state: EngineState, out: Effects): void {
  const parts = state.collected;
  if (parts === undefined || !parts.complete || state.candidate !== undefined || state.malformed) return;
  const block = parts.decode(maxBlockBytes(state.chain.params));
  const expected = expectedBlockId(state, parts.header);
  const hash = block.ok ? headerHash(block.value.header) : EMPTY;
  if (block.ok && expected !== undefined && equal(hash, expected.hash)) {
    state.candidate = { block: block.value, blockId: expected, parts: parts.partSet() };
    return;
  }
  state.malformed = true;
  log(out, 'the parts of the proposal make no block of its name', {
    height: state.height,
    round: state.round,
    reason: block.ok ? `block hash ${toHex(hash)}` : block.error,
  });
}

/** The block id that the part set being collected should turn out to be. */
function expectedBlockId(state: EngineState, header: PartSetHeader): BlockId | undefined {
  const majority = state.votes.peek(PREVOTE, state.round)?.majority;
  const ids = [state.decided?.blockId, majority, state.proposal?.blockId];
  return ids.find((id) => id !== undefined && equalPartSetHeader(id.partSetHeader, header));
}

/** Whether place `index` of a block's last commit is, to the byte of what is signed, a vote that was verified before. */
function isKnownVote({ lastCommit }: EngineState, commit: Commit, index: number): boolean {
  const vote = lastCommit?.best(index);
  const sig = commit.signatures[index];
  return (
    vote !== undefined &&
    sig !== undefined &&
    commit.round === vote.round &&
    equal(vote.signature, sig.signature) &&
    compareTime(vote.timestamp, sig.timestamp) === 0 &&
    equalBlockId(vote.blockId, sigBlockId(commit, sig))
  );
}

/**
 * Lines 23 and 29: valid(v) of the round's proposal. First by the rules, then by the application, whose answer comes
 * later. It is asked here alone, so at most once in a round, as an application of ABCI may expect.
 */
export function judge(state: EngineState, candidate: Candidate, out: Effects): void {
  const key = blockIdKey(candidate.blockId);
  if (!checkRules(state, candidate, out)) return;
  state.verdicts.set(key, 'asked');
  const { block } = candidate;
  const request = {
    ...blockContext(candidate),
    txs: block.txs,
    hash: candidate.blockId.hash,
    proposedLastCommit: commitInfo(block.lastCommit, state.chain.lastValidators),
  };
  const effect: Effect = { kind: 'process-proposal', round: state.round, request, evidence: block.evidence };
  ask(state, `process:${toHex(candidate.blockId.hash)}`, effect, out);
}

/**
 * Line 36: valid(v) of a block that 2f+1 prevoted and that was never this node's to judge: its proposal was lost, or the
 * proposer made two. The rules are checked. What an application says of a block is the same everywhere, and f+1 honest
 * validators have asked theirs before they prevoted it.
 */
export function judgeByPolka(state: EngineState, candidate: Candidate, out: Effects): void {
  if (checkRules(state, candidate, out)) state.verdicts.set(blockIdKey(candidate.blockId), 'valid');
}

function checkRules(state: EngineState, { block, blockId }: Candidate, out: Effects): boolean {
  const key = blockIdKey(blockId);
  assert(!state.verdicts.has(key), 'a block is judged once');
  const known = (index: number) => isKnownVote(state, block.lastCommit, index);
  const checked = validateBlock(state.chain, block, state.env.verifier, known);
  if (checked.ok) return true;
  state.verdicts.set(key, 'invalid');
  log(out, 'the proposed block is invalid', { height: state.height, round: state.round, reason: checked.error });
  return false;
}

function blockContext({ block }: Candidate) {
  const { height, time, nextValidatorsHash, proposerAddress } = block.header;
  return { height, time, nextValidatorsHash, proposerAddress, misbehavior: block.evidence.flatMap(toMisbehavior) };
}

/** Lines 24–26, 30–32, 59. `undefined` is nil. */
export function prevote(state: EngineState, candidate: Candidate | undefined, out: Effects): void {
  setStep(state, 'prevote', out);
  state.timers.delete('propose');
  requestVote(state, PREVOTE, candidate?.blockId ?? NIL_BLOCK_ID, EMPTY, out);
}

/** Lines 40, 45, 63. With extensions on, the application first makes what a precommit for a block carries. */
export function precommit(state: EngineState, candidate: Candidate | undefined, out: Effects): void {
  setStep(state, 'precommit', out);
  state.timers.delete('prevote');
  if (ownIndex(state) < 0) return;
  if (candidate === undefined || !extensionsEnabled(state.chain.params, state.height)) {
    requestVote(state, PRECOMMIT, candidate?.blockId ?? NIL_BLOCK_ID, EMPTY, out);
    return;
  }
  state.precommitting = candidate;
  const request = {
    ...blockContext(candidate),
    hash: candidate.blockId.hash,
    round: state.round,
    txs: candidate.block.txs,
    proposedLastCommit: commitInfo(candidate.block.lastCommit, state.chain.lastValidators),
  };
  ask(state, 'extend', { kind: 'extend-vote', request }, out);
}

export function requestVote(
  state: EngineState,
  type: VoteType,
  blockId: BlockId,
  extension: Uint8Array,
  out: Effects,
): void {
  const validatorIndex = ownIndex(state);
  if (validatorIndex < 0) return;
  const { height, round, chain } = state;
  const validatorAddress = defined(chain.validators.validators[validatorIndex], 'own validator').address;
  const vote = { type, height, round, blockId, validatorAddress, validatorIndex, extension };
  // BFT time (spec consensus/bft-time.md): a vote's time is after the time of the block it may commit. Only a valid block
  // has a time worth following: what any other says may lie years ahead, or beyond what a timestamp can say.
  const proposed = state.candidate !== undefined && isValid(state, state.candidate) ? state.candidate : undefined;
  const block = (state.locked?.candidate ?? proposed)?.block;
  const minTime = block === undefined ? ZERO_TIME : addMillis(block.header.time, 1n);
  const extend = type === PRECOMMIT && blockId.hash.length > 0 && extensionsEnabled(chain.params, height);
  out.push({ kind: 'sync-wal' });
  ask(state, type === PREVOTE ? 'sign:prevote' : 'sign:precommit', { kind: 'sign-vote', vote, minTime, extend }, out);
}

/** Whether the block was found valid, by the rules and by the application or a polka. */
function isValid(state: EngineState, candidate: Candidate): boolean {
  return state.verdicts.get(blockIdKey(candidate.blockId)) === 'valid';
}

/** Lines 49–50: a block is decided, whatever the round it was decided in. */
export function enterCommit(state: EngineState, out: Effects): void {
  const decision = defined(state.votes.decision, 'decision');
  state.decided = decision;
  state.timers.clear();
  // A block of our own that is still in the making must not take the place of the decided one.
  state.draft = undefined;
  for (const key of ['prepare', 'sign:proposal']) state.awaiting.delete(key);
  // The block that was voted on is the decided one as a rule: it need not be decoded again.
  if (!isCandidate(state.candidate, decision.blockId)) collect(state, decision.blockId.partSetHeader, out);
  setStep(state, 'commit', out);
}

/** Lines 50–51: the decided block is here: execute it. */
export function commitDecided(state: EngineState, out: Effects): void {
  const decided = defined(state.decided, 'decision');
  const candidate = defined(state.candidate, 'decided block');
  assert(isCandidate(candidate, decided.blockId), 'the collected block is the decided one');
  if (!isValid(state, candidate)) {
    const checked = validateBlock(state.chain, candidate.block, state.env.verifier);
    assert(checked.ok, `more than two thirds decided an invalid block: ${checked.ok ? '' : checked.error}`);
  }
  const effect: Effect = {
    kind: 'commit',
    block: candidate.block,
    blockId: candidate.blockId,
    parts: candidate.parts,
    seenCommit: state.votes.precommits(decided.round).toExtendedCommit(),
  };
  ask(state, 'commit', effect, out);
}
