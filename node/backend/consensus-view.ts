import type { EngineState, Step } from '#consensus/state.ts';
import type { VoteSet } from '#consensus/vote-set.ts';
import { EMPTY } from '#core/bytes.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import { PRECOMMIT, PREVOTE } from '#core/types/vote.ts';
import type { ConsensusStateView } from '#rpc/backend.ts';

/** CometBFT's RoundStepType (consensus/types/round_state.go); waiting is part of the step that waits. */
export const STEP_NUMBERS: Readonly<Record<Step, number>> = {
  'new-height': 1,
  'new-round': 2,
  propose: 3,
  prevote: 4,
  precommit: 6,
  commit: 8,
};

function votesOf(set: VoteSet | undefined, count: number): (Uint8Array | undefined)[] {
  return Array.from({ length: count }, (_, i) => set?.get(i)?.blockId.hash);
}

/** What `consensus_state` shows of the engine. `startTime`: when this height began. */
export function consensusView(state: EngineState, startTime: Timestamp): ConsensusStateView {
  const { validators } = state.chain;
  const count = validators.validators.length;
  return {
    height: state.height,
    round: state.round,
    step: STEP_NUMBERS[state.step],
    startTime,
    proposalBlockHash: state.candidate?.blockId.hash ?? EMPTY,
    lockedBlockHash: state.locked?.candidate.blockId.hash ?? EMPTY,
    validBlockHash: state.valid?.candidate.blockId.hash ?? EMPTY,
    validators: state.roundValidators,
    votes: state.votes.rounds().map((round) => ({
      round,
      prevotes: votesOf(state.votes.peek(PREVOTE, round), count),
      precommits: votesOf(state.votes.peek(PRECOMMIT, round), count),
    })),
  };
}
