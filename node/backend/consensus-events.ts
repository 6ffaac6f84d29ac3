/**
 * What happens in the engine, by CometBFT's names: seen from outside, by comparing where it stood before an input and
 * after it. Steps that one input passes through are told as the last of them.
 */
import type { Effect } from '#consensus/effect.ts';
import type { Input } from '#consensus/input.ts';
import type { Candidate, EngineState, Locked, Step } from '#consensus/state.ts';
import { assertNever } from '#core/assert.ts';
import { equalBlockId } from '#core/types/block-id.ts';
import { type Height, toHeight } from '#core/types/brand.ts';
import { indexOfValidator } from '#core/types/validator-set.ts';
import { PREVOTE, type Vote } from '#core/types/vote.ts';
import type { ConsensusEvent, RoundMoment } from '#rpc/backend.ts';
import { STEP_NUMBERS } from './consensus-view.ts';

/** The parts of the engine's state that are replaced, never changed in place. */
interface Stand {
  readonly height: Height;
  readonly round: number;
  readonly step: Step;
  readonly candidate: Candidate | undefined;
  readonly locked: Locked | undefined;
  readonly valid: Locked | undefined;
}

function standOf({ height, round, step, candidate, locked, valid }: EngineState): Stand {
  return { height, round, step, candidate, locked, valid };
}

/** Told of each input after the engine has taken it, with its effects. */
export type Observe = (input: Input, effects: readonly Effect[], state: EngineState) => void;

/** Before the first input: a node that starts inside a round tells that the round begins, as CometBFT's does. */
const NOWHERE: Stand = {
  height: toHeight(0n),
  round: -1,
  step: 'new-height',
  candidate: undefined,
  locked: undefined,
  valid: undefined,
};

export function observeConsensus(tell: (event: ConsensusEvent) => void): Observe {
  let before = NOWHERE;
  return (input, effects, state) => {
    const taken = input.kind === 'committed' || effects[0]?.kind === 'append-wal';
    const vote = taken ? addedVote(input, state) : undefined;
    if (vote !== undefined) tell({ kind: 'vote', vote });
    const after = standOf(state);
    if (taken) for (const event of changes(before, after, input, state)) tell(event);
    before = after;
  };
}

/** A precommit whose extension is still to be checked is not added yet. */
function addedVote(input: Input, state: EngineState): Vote | undefined {
  switch (input.kind) {
    case 'vote':
      return state.votes.has(input.vote) || state.lastCommit?.has(input.vote) ? input.vote : undefined;
    case 'extension-checked':
      return input.accept ? input.vote : undefined;
    case 'vote-signed':
      return input.vote;
    case 'proposal':
    case 'block-part':
    case 'timeout':
    case 'txs-available':
    case 'prepared':
    case 'processed':
    case 'extended':
    case 'proposal-signed':
    case 'sign-refused':
    case 'committed':
      return undefined;
    default:
      return assertNever(input, 'engine input');
  }
}

function* changes(before: Stand, after: Stand, input: Input, state: EngineState): Generator<ConsensusEvent> {
  const { height, round } = after;
  const step = STEP_NUMBERS[after.step];
  const moment = (name: RoundMoment): ConsensusEvent => ({ kind: 'round-state', name, height, round, step });
  const sameHeight = before.height === height;
  const sameRound = sameHeight && before.round === round;
  const began = after.step !== 'new-height' && (!sameRound || before.step === 'new-height');

  const timeout = input.kind === 'timeout' ? timedOut(input, before) : undefined;
  if (timeout !== undefined)
    yield {
      kind: 'round-state',
      name: timeout,
      height: before.height,
      round: before.round,
      step: STEP_NUMBERS[before.step],
    };
  if (began) yield newRound(state);
  if (after.candidate !== undefined && after.candidate !== (sameRound ? before.candidate : undefined))
    yield { kind: 'complete-proposal', height, round, step, blockId: after.candidate.blockId };
  if (sameHeight && after.valid !== undefined && after.valid !== before.valid) yield moment('ValidBlock');
  const entered = !sameRound || before.step !== after.step;
  if (entered && after.step === 'precommit' && state.votes.peek(PREVOTE, round)?.majority !== undefined)
    yield moment('Polka');
  const lock = sameHeight ? lockMoment(before.locked, after.locked) : undefined;
  if (lock !== undefined) yield moment(lock);
  if (entered) yield moment('NewRoundStep');
}

/** `undefined`: CometBFT tells nothing of the wait before a height, and of a round without transactions. */
function timedOut({ step }: Extract<Input, { kind: 'timeout' }>, before: Stand): RoundMoment | undefined {
  if (step === 'propose') return before.step === 'propose' ? 'TimeoutPropose' : undefined;
  return step === 'prevote' || step === 'precommit' ? 'TimeoutWait' : undefined;
}

function newRound({ height, round, roundValidators }: EngineState): ConsensusEvent {
  const { proposer } = roundValidators;
  return {
    kind: 'new-round',
    height,
    round,
    proposer: proposer && { address: proposer.address, index: indexOfValidator(roundValidators, proposer.address) },
  };
}

function lockMoment(before: Locked | undefined, after: Locked | undefined): RoundMoment | undefined {
  if (before === after) return undefined;
  if (after === undefined) return 'Unlock';
  const same = before !== undefined && equalBlockId(before.candidate.blockId, after.candidate.blockId);
  return same ? 'Relock' : 'Lock';
}
