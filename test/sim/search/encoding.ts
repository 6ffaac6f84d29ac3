/** The canonical encoding of an engine's state: two states with one encoding answer every input in the same way. */
import type { Candidate, EngineState } from '#consensus/state.ts';
import type { VerifiedVote } from '#consensus/verify-message.ts';
import { toHex } from '#core/bytes.ts';
import { blockIdKey } from '#core/types/block-id.ts';

/** Everything but the votes and the timeouts that run: what changes only when a rule that does something fires. */
export function encodeControl(state: EngineState): string {
  const { locked, valid, proposal, collected, nextProposal, decided } = state;
  return [
    state.height,
    state.round,
    state.step,
    `${locked?.round}:${name(locked?.candidate)}`,
    `${valid?.round}:${name(valid?.candidate)}`,
    proposal && `${proposal.polRound}:${blockIdKey(proposal.blockId)}`,
    nextProposal && `${nextProposal.polRound}:${blockIdKey(nextProposal.blockId)}`,
    collected && `${toHex(collected.header.hash)}:${toHex(collected.bits().bytes)}`,
    name(state.candidate),
    name(state.draft),
    name(state.precommitting),
    decided && `${decided.round}:${blockIdKey(decided.blockId)}`,
    [...state.verdicts].map(([key, verdict]) => `${key}=${verdict}`).sort(byText),
    [...state.awaiting.keys()].sort(byText),
    state.earlyParts.map(({ round, part }) => `${round}:${toHex(part.proof.leafHash)}`).sort(byText),
    [state.malformed, state.txsAvailable].map(Number),
  ].join('|');
}

/** The timeouts that run, or have run. */
export function encodeTimers(state: EngineState): string {
  return `${Number(state.prevoteTimeoutSet)}${Number(state.precommitTimeoutSet)}${[...state.timers.keys()].sort(byText)}`;
}

/** Which of all possible votes the engine has, and which of each validator's it had first. */
export function encodeVotes(state: EngineState, universe: readonly VerifiedVote[]): string {
  let out = '';
  for (const vote of universe) {
    const set = state.votes.peek(vote.type, vote.round);
    if (set?.has(vote) !== true) out += '0';
    else
      out += blockIdKey(set.get(vote.validatorIndex)?.blockId ?? vote.blockId) === blockIdKey(vote.blockId) ? '2' : '1';
  }
  return out;
}

function name(candidate: Candidate | undefined): string {
  return candidate === undefined ? '' : blockIdKey(candidate.blockId);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
