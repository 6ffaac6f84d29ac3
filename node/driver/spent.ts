/**
 * What a validator has no more to say. Everybody verifies and hands on what a validator signs, so one that signs a thousand
 * different messages for one place would have every node busy with them: of each place a few are taken, and no more.
 */
import type { EngineState } from '#consensus/state.ts';
import type { Proposal } from '#core/types/proposal.ts';
import type { ConsensusMessage, EarlyMessages } from './early-messages.ts';

/**
 * Whether nothing more is taken for the place of this message: not worth a signature check. `coming`: the last proposal
 * that was taken in.
 */
export function isSpent(
  state: EngineState,
  message: ConsensusMessage,
  coming: Proposal | undefined,
  early: EarlyMessages,
): boolean {
  switch (message.kind) {
    case 'block-part':
      return false;
    case 'proposal': {
      const { height, round } = message.proposal;
      if (height === state.height + 1n) return early.isFullFor(message);
      if (height !== state.height) return false;
      return (coming?.height === height && coming.round === round) || state.nextProposal?.round === round;
    }
    case 'vote': {
      const { vote } = message;
      if (vote.height === state.height + 1n) return early.isFullFor(message);
      if (vote.height + 1n === state.height) return state.lastCommit?.mayAdd(vote) === false;
      return vote.height === state.height && !state.votes.mayAdd(vote);
    }
  }
}

/**
 * A vote of a round that is not near: kept, for more than a third of them move this node, but not handed on. Each takes the
 * place of the one before, without end; whoever is in that round brings it to its own peers by repair.
 */
export function isFar(state: EngineState, message: ConsensusMessage): boolean {
  return message.kind === 'vote' && message.vote.height === state.height && message.vote.round > state.round + 1;
}
