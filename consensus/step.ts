/**
 * The engine: `step(state, input)` is all there is. Synchronous, without I/O, clock or randomness; the same inputs in the
 * same order give the same state and the same effects, which is what the log's replay rests on.
 */
import { assert, assertNever, defined } from '#core/assert.ts';
import { equal, toHex } from '#core/bytes.ts';
import { encodeBlock } from '#core/types/block.ts';
import { blockHashPrefix, blockIdKey, isNilBlockId } from '#core/types/block-id.ts';
import { NO_ROUND, toRound } from '#core/types/brand.ts';
import { EMPTY_COMMIT, toCommit } from '#core/types/commit.ts';
import { extensionsEnabled, maxBlockBytes } from '#core/types/consensus-params.ts';
import { headerHash } from '#core/types/header.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { PRECOMMIT, PREVOTE } from '#core/types/vote.ts';
import {
  ask,
  collect,
  type Effects,
  enterPropose,
  finishParts,
  log,
  maxParts,
  mayWaitForTxs,
  requestProposal,
  requestVote,
  schedule,
  startRound,
} from './actions.ts';
import { makeBlock } from './block-rules.ts';
import { heightAfter } from './chain-state.ts';
import { CollectedParts } from './collected-parts.ts';
import type { Effect } from './effect.ts';
import { HeightVotes } from './height-votes.ts';
import type { Input } from './input.ts';
import { CONSENSUS_LIMITS } from './limits.ts';
import { applyRules, onSignRefused, onTimeout } from './rules.ts';
import type { EngineState } from './state.ts';
import type { VerifiedVote } from './verify-message.ts';

export interface Stepped {
  readonly state: EngineState;
  /** To be performed in this order. Empty, or without `append-wal`, when the input was of no interest. */
  readonly effects: readonly Effect[];
}

export function step(state: EngineState, told: Input): Stepped {
  const out: Effects = [];
  const input = withDecision(state, told);
  const taken = handle(state, input, out);
  if (!taken) return { state, effects: out };
  applyRules(state, out);
  if (input.kind !== 'committed') out.unshift({ kind: 'append-wal', input });
  return { state, effects: out };
}

/** What the configuration decides about the inputs to come is said in the log, for a replay under another one. */
function withDecision(state: EngineState, input: Input): Input {
  if (input.kind !== 'timeout' || input.step !== 'new-height' || input.waits !== undefined) return input;
  return { ...input, waits: mayWaitForTxs(state) };
}

/** Answers whether the input changed anything: only then is it logged. */
function handle(state: EngineState, input: Input, out: Effects): boolean {
  switch (input.kind) {
    case 'proposal':
      return onProposal(state, input, out);
    case 'block-part':
      return onPart(state, input, out);
    case 'vote':
      return onVote(state, input.vote, out);
    case 'timeout':
      return onTimeoutInput(state, input, out);
    case 'txs-available':
      if (input.height !== state.height || state.txsAvailable) return false;
      state.txsAvailable = true;
      return true;
    case 'prepared':
      return onPrepared(state, input, out);
    case 'processed':
      return onProcessed(state, input);
    case 'extended':
      return onExtended(state, input, out);
    case 'extension-checked':
      return onExtensionChecked(state, input, out);
    case 'proposal-signed':
      return onProposalSigned(state, input, out);
    case 'vote-signed':
      return onVoteSigned(state, input.vote, out);
    case 'sign-refused':
      if (input.height !== state.height || input.round !== state.round) return false;
      if (!state.awaiting.delete(`sign:${input.what}`)) return false;
      onSignRefused(state, input.what, out);
      return true;
    case 'committed':
      return onCommitted(state, input, out);
    default:
      return assertNever(input, 'engine input');
  }
}

function onProposal(state: EngineState, { proposal }: Extract<Input, { kind: 'proposal' }>, out: Effects): boolean {
  if (proposal.height !== state.height || state.step === 'commit') return false;
  if (proposal.blockId.partSetHeader.total > maxParts(state)) return false;
  if (proposal.polRound >= proposal.round) return false;
  if (proposal.round === state.round + 1) {
    if (state.nextProposal?.round === proposal.round) return false;
    state.nextProposal = proposal;
    return true;
  }
  if (proposal.round !== state.round || state.proposal !== undefined) return false;
  state.proposal = proposal;
  // After prevoting, the part set that 2f+1 prevoted matters more than a late proposal's.
  if (state.collected === undefined) collect(state, proposal.blockId.partSetHeader, out);
  return true;
}

function onPart(state: EngineState, input: Extract<Input, { kind: 'block-part' }>, out: Effects): boolean {
  if (input.height !== state.height || state.awaiting.has('commit')) return false;
  const added = state.collected?.add(input.part) ?? 'foreign';
  if (added === 'duplicate') return false;
  if (added === 'added') {
    finishParts(state, out);
    return true;
  }
  // A part may overtake its proposal. One place for each leaf: a peer cannot fill the room with one part.
  const { round, part } = input;
  if (round < state.round || round > state.round + 1 || part.index >= maxParts(state)) return false;
  if (state.earlyParts.length >= CONSENSUS_LIMITS.maxEarlyParts) return false;
  if (state.earlyParts.some((known) => equal(known.part.proof.leafHash, part.proof.leafHash))) return false;
  state.earlyParts.push({ round, part });
  return true;
}

function onVote(state: EngineState, vote: VerifiedVote, out: Effects): boolean {
  if (vote.height + 1n === state.height) return onLateCommitVote(state, vote, out);
  if (vote.height !== state.height || state.awaiting.has('commit') || state.votes.has(vote)) return false;
  // A third vote of a round convicts nobody anew: no report, no verdict of the application, no place in the log.
  if (!state.votes.mayAdd(vote)) return false;
  const extended = vote.type === PRECOMMIT && !isNilBlockId(vote.blockId);
  const own = state.env.self !== undefined && equal(vote.validatorAddress, state.env.self);
  if (!extended || own || !extensionsEnabled(state.chain.params, state.height)) return addVote(state, vote, out);
  const key = extensionKey(vote);
  if (state.awaiting.has(key) || state.awaiting.size >= CONSENSUS_LIMITS.maxUncheckedExtensions) return false;
  if (refusedExtensions(state, vote) >= CONSENSUS_LIMITS.maxRefusedExtensionsPerRound) return false;
  const request = {
    hash: vote.blockId.hash,
    validatorAddress: vote.validatorAddress,
    height: vote.height,
    extension: vote.extension,
  };
  ask(state, key, { kind: 'verify-extension', vote, request }, out);
  return true;
}

/** A validator has few precommits for a block to show in a round; each that is refused costs the application and the log. */
function refusedExtensions(state: EngineState, { round, validatorIndex }: VerifiedVote): number {
  return state.refusedExtensions.get(`${round}:${validatorIndex}`) ?? 0;
}

function extensionKey(vote: VerifiedVote): string {
  return `verify:${vote.round}:${vote.validatorIndex}:${blockIdKey(vote.blockId)}`;
}

/** A precommit for the block before, during the commit wait: the next proposer shall include it. */
function onLateCommitVote(state: EngineState, vote: VerifiedVote, out: Effects): boolean {
  const { lastCommit } = state;
  if (state.step !== 'new-height' || vote.type !== PRECOMMIT || lastCommit === undefined) return false;
  if (vote.round !== lastCommit.round || lastCommit.has(vote) || !lastCommit.mayAdd(vote)) return false;
  const added = lastCommit.add(vote);
  if (added.kind === 'conflict') out.push({ kind: 'report-evidence', first: added.first, second: vote });
  if (state.env.config.skipTimeoutCommit && lastCommit.hasAll) schedule(state, 'new-height', 0, out);
  return true;
}

function addVote(state: EngineState, vote: VerifiedVote, out: Effects): boolean {
  const added = state.votes.add(vote);
  switch (added.kind) {
    case 'added':
      return true;
    case 'duplicate':
      return false;
    case 'conflict':
      out.push({ kind: 'report-evidence', first: added.first, second: vote });
      return added.counted;
  }
}

function onTimeoutInput(state: EngineState, input: Extract<Input, { kind: 'timeout' }>, out: Effects): boolean {
  if (input.height !== state.height || input.round !== state.round) return false;
  const { step: waited } = input;
  state.timers.delete(waited);
  switch (waited) {
    case 'new-height':
      if (state.step !== 'new-height') return false;
      startRound(state, toRound(0), out, input.waits);
      return true;
    case 'new-round':
      if (state.step !== 'new-round') return false;
      enterPropose(state, out);
      return true;
    case 'propose':
    case 'prevote':
    case 'precommit':
      return onTimeout(state, waited, out);
    default:
      return assertNever(waited, 'timeout');
  }
}

/** Lines 15–19 with a new value. */
function onPrepared(state: EngineState, input: Extract<Input, { kind: 'prepared' }>, out: Effects): boolean {
  if (input.height !== state.height || input.round !== state.round || !state.awaiting.delete('prepare')) return false;
  const lastCommit = state.lastCommit === undefined ? EMPTY_COMMIT : toCommit(state.lastCommit.toExtendedCommit());
  const proposerAddress = defined(state.env.self, 'own address');
  const block = makeBlock(state.chain, { txs: input.txs, evidence: input.evidence, lastCommit, proposerAddress });
  const bytes = encodeBlock(block);
  const limit = maxBlockBytes(state.chain.params);
  if (bytes.length > limit) {
    log(out, 'the application prepared too large a block: not proposing', { bytes: bytes.length, limit });
    return true;
  }
  const parts = createPartSet(bytes);
  const blockId = { hash: headerHash(block.header), partSetHeader: parts.header };
  requestProposal(state, { block, blockId, parts }, NO_ROUND, out);
  return true;
}

function onProcessed(state: EngineState, input: Extract<Input, { kind: 'processed' }>): boolean {
  if (input.height !== state.height || !state.awaiting.delete(`process:${toHex(input.blockHash)}`)) return false;
  // The application sees only what the hash covers, once the rules have passed: its verdict is for all that bear it.
  const prefix = blockHashPrefix(input.blockHash);
  const asked = [...state.verdicts].filter(([key, verdict]) => verdict === 'asked' && key.startsWith(prefix));
  assert(asked.length > 0, 'the verdict was asked for');
  for (const [key] of asked) state.verdicts.set(key, input.accept ? 'valid' : 'invalid');
  return true;
}

function onExtended(state: EngineState, input: Extract<Input, { kind: 'extended' }>, out: Effects): boolean {
  if (input.height !== state.height || input.round !== state.round || !state.awaiting.delete('extend')) return false;
  const candidate = defined(state.precommitting, 'block being precommitted');
  state.precommitting = undefined;
  requestVote(state, PRECOMMIT, candidate.blockId, input.extension, out);
  return true;
}

function onExtensionChecked(
  state: EngineState,
  input: Extract<Input, { kind: 'extension-checked' }>,
  out: Effects,
): boolean {
  const { vote, accept } = input;
  if (vote.height !== state.height || !state.awaiting.delete(extensionKey(vote))) return false;
  if (accept) addVote(state, vote, out);
  else {
    state.refusedExtensions.set(`${vote.round}:${vote.validatorIndex}`, refusedExtensions(state, vote) + 1);
    log(out, 'the application refused a vote extension', {
      height: vote.height,
      validator: toHex(vote.validatorAddress),
    });
  }
  return true;
}

function onProposalSigned(
  state: EngineState,
  input: Extract<Input, { kind: 'proposal-signed' }>,
  out: Effects,
): boolean {
  const { proposal } = input;
  const { draft } = state;
  if (proposal.height !== state.height || !state.awaiting.delete('sign:proposal')) return false;
  if (proposal.round !== state.round || draft === undefined || state.proposal !== undefined) return true;
  state.draft = undefined;
  state.proposal = proposal;
  state.collected = CollectedParts.whole(draft.parts);
  state.candidate = draft;
  out.push({ kind: 'sync-wal' }, { kind: 'publish', message: { kind: 'proposal', proposal } });
  const { height, round } = state;
  for (const part of draft.parts.parts)
    out.push({ kind: 'publish', message: { kind: 'block-part', height, round, part } });
  return true;
}

function onVoteSigned(state: EngineState, vote: VerifiedVote, out: Effects): boolean {
  if (vote.height !== state.height || vote.round !== state.round) return false;
  if (!state.awaiting.delete(vote.type === PREVOTE ? 'sign:prevote' : 'sign:precommit')) return false;
  out.push({ kind: 'sync-wal' }, { kind: 'publish', message: { kind: 'vote', vote } });
  addVote(state, vote, out);
  return true;
}

/** Lines 52–54: the next height. */
function onCommitted(
  state: EngineState,
  { state: chain }: Extract<Input, { kind: 'committed' }>,
  out: Effects,
): boolean {
  const { round } = defined(state.decided, 'decision');
  assert(chain.lastBlockHeight === state.height, `committed ${chain.lastBlockHeight}, expected ${state.height}`);
  state.lastCommit = state.votes.precommits(round);
  state.chain = chain;
  state.height = heightAfter(chain);
  state.round = toRound(0);
  state.votes = new HeightVotes(state.height, chain.validators);
  state.roundValidators = chain.validators;
  state.proposal = undefined;
  state.collected = undefined;
  state.candidate = undefined;
  state.malformed = false;
  state.draft = undefined;
  state.precommitting = undefined;
  state.locked = undefined;
  state.valid = undefined;
  state.verdicts.clear();
  state.refusedExtensions.clear();
  state.nextProposal = undefined;
  state.earlyParts = [];
  state.decided = undefined;
  state.txsAvailable = false;
  state.awaiting.clear();
  state.timers.clear();
  state.step = 'new-height';
  out.push({ kind: 'status-changed' });
  // Even a wait of nothing is a timeout: it stands in the log, so that a replay begins round 0 where this node began it.
  const { skipTimeoutCommit, timeoutCommitMs } = state.env.config;
  schedule(state, 'new-height', skipTimeoutCommit && state.lastCommit.hasAll ? 0 : timeoutCommitMs, out);
  return true;
}
