/** A second, independent engine in the same state: `step` changes its state in place, and the search needs every one of them. */
import { CollectedParts } from '#consensus/collected-parts.ts';
import { HeightVotes } from '#consensus/height-votes.ts';
import type { EngineState } from '#consensus/state.ts';
import type { VerifiedVote } from '#consensus/verify-message.ts';
import { PRECOMMIT, PREVOTE } from '#core/types/vote.ts';

/** `universe`: every vote that may exist, since a vote set only names a validator's first and best one. */
export function cloneEngine(state: EngineState, universe: readonly VerifiedVote[]): EngineState {
  return {
    ...state,
    votes: cloneVotes(state, universe),
    collected: state.collected && cloneParts(state.collected),
    verdicts: new Map(state.verdicts),
    earlyParts: [...state.earlyParts],
    awaiting: new Map(state.awaiting),
    timers: new Map(state.timers),
  };
}

function cloneVotes({ votes, round }: EngineState, universe: readonly VerifiedVote[]): HeightVotes {
  const copy = new HeightVotes(votes.height, votes.validators);
  copy.setRound(round);
  for (const each of votes.rounds())
    for (const type of [PREVOTE, PRECOMMIT] as const) {
      const set = votes.set(type, each);
      // A validator's first vote comes first: that is what tells first from later.
      for (let i = 0; i < votes.validators.validators.length; i++) {
        const first = set.get(i);
        if (first !== undefined) copy.add(first);
      }
      for (const vote of universe) if (vote.type === type && vote.round === each && set.has(vote)) copy.add(vote);
    }
  return copy;
}

function cloneParts(parts: CollectedParts): CollectedParts {
  // Nothing is ever added to a complete set.
  if (parts.complete) return parts;
  const copy = new CollectedParts(parts.header);
  for (let i = 0; i < parts.header.total; i++) {
    const part = parts.get(i);
    if (part !== undefined) copy.add(part);
  }
  return copy;
}
