import { defined } from '#core/assert.ts';
import { type BlockId, isNilBlockId } from '#core/types/block-id.ts';
import { type Height, type Round, toRound } from '#core/types/brand.ts';
import type { ValidatorSet } from '#core/types/validator-set.ts';
import { PRECOMMIT, PREVOTE, type Vote, type VoteType } from '#core/types/vote.ts';
import { CONSENSUS_LIMITS } from './limits.ts';
import type { VerifiedVote } from './verify-message.ts';
import { type AddedVote, VoteSet } from './vote-set.ts';

interface RoundVotes {
  readonly prevotes: VoteSet;
  readonly precommits: VoteSet;
}

/**
 * All votes of a height. Rounds up to the next one have full vote sets; of later rounds only each validator's highest
 * vote of each type is kept, so that memory is bounded by validators, not by what peers send. How often that one may be
 * replaced while this node stays in its round is bounded too, for each is logged: who is further on still is known to
 * be beyond this round, and once f+1 are the count begins anew.
 */
export class HeightVotes {
  readonly height: Height;
  readonly validators: ValidatorSet;
  readonly #rounds = new Map<number, RoundVotes>();
  readonly #far = new Map<string, VerifiedVote>();
  /** Votes of later rounds that were taken since this round began. */
  readonly #farTaken = new Map<string, number>();
  #round = 0;
  #decision: { readonly round: Round; readonly blockId: BlockId } | undefined;

  constructor(height: Height, validators: ValidatorSet) {
    this.height = height;
    this.validators = validators;
  }

  add(vote: VerifiedVote): AddedVote {
    if (vote.round <= this.#round + 1) return this.#addToSet(vote);
    if (this.has(vote) || !this.mayAdd(vote)) return { kind: 'duplicate' };
    const key = farKey(vote);
    this.#farTaken.set(key, (this.#farTaken.get(key) ?? 0) + 1);
    this.#far.set(key, vote);
    return { kind: 'added' };
  }

  #addToSet(vote: VerifiedVote): AddedVote {
    const votes = this.set(vote.type, vote.round);
    const added = votes.add(vote);
    const majority = vote.type === PRECOMMIT ? votes.majority : undefined;
    if (majority !== undefined && !isNilBlockId(majority)) this.#decision ??= { round: vote.round, blockId: majority };
    return added;
  }

  /** Whether a vote of the same validator for the same block is known. */
  has(vote: Vote): boolean {
    if (vote.round <= this.#round + 1) return this.peek(vote.type, vote.round)?.has(vote) ?? false;
    const known = this.#far.get(farKey(vote));
    return known !== undefined && known.round >= vote.round;
  }

  /** False: nothing more is taken of this validator in this round but votes for a block that may win. */
  mayAdd(vote: Vote): boolean {
    if (vote.round <= this.#round + 1) return this.peek(vote.type, vote.round)?.mayAdd(vote) ?? true;
    return (this.#farTaken.get(farKey(vote)) ?? 0) < CONSENSUS_LIMITS.maxFarVotesPerRound;
  }

  /** The first round in which more than two thirds precommitted a block, and that block. */
  get decision(): { readonly round: Round; readonly blockId: BlockId } | undefined {
    return this.#decision;
  }

  /** Votes of a round up to the next one. */
  set(type: VoteType, round: number): VoteSet {
    let votes = this.#rounds.get(round);
    if (votes === undefined) {
      votes = {
        prevotes: new VoteSet(this.height, toRound(round), PREVOTE, this.validators),
        precommits: new VoteSet(this.height, toRound(round), PRECOMMIT, this.validators),
      };
      this.#rounds.set(round, votes);
    }
    return type === PREVOTE ? votes.prevotes : votes.precommits;
  }

  prevotes(round: number): VoteSet {
    return this.set(PREVOTE, round);
  }

  precommits(round: number): VoteSet {
    return this.set(PRECOMMIT, round);
  }

  /** The votes of a round if any set for it was ever needed; never allocates. */
  peek(type: VoteType, round: number): VoteSet | undefined {
    const votes = this.#rounds.get(round);
    return type === PREVOTE ? votes?.prevotes : votes?.precommits;
  }

  /** Moves votes that were far until now into full sets. Answers conflicts that come to light. */
  setRound(round: Round): { readonly vote: VerifiedVote; readonly added: AddedVote }[] {
    this.#round = round;
    this.#farTaken.clear();
    const moved: { vote: VerifiedVote; added: AddedVote }[] = [];
    for (const [key, vote] of this.#far) {
      if (vote.round > round + 1) continue;
      this.#far.delete(key);
      moved.push({ vote, added: this.#addToSet(vote) });
    }
    return moved;
  }

  /**
   * Line 55: the highest round beyond the current one in which, or beyond which, validators with more than a third of
   * the power have voted, each counted once. At least one of them is honest and has started a round that high.
   */
  skipRound(): Round | undefined {
    const highest = new Map<number, number>();
    const note = (index: number, round: number) => highest.set(index, Math.max(highest.get(index) ?? 0, round));
    for (const vote of this.#far.values()) note(vote.validatorIndex, vote.round);
    const next = this.#rounds.get(this.#round + 1);
    if (next !== undefined)
      for (let i = 0; i < this.validators.validators.length; i++)
        if (next.prevotes.get(i) !== undefined || next.precommits.get(i) !== undefined) note(i, this.#round + 1);
    const ordered = [...highest].sort((a, b) => b[1] - a[1]);
    let power = 0n;
    for (const [index, round] of ordered) {
      power += defined(this.validators.validators[index], 'validator of a verified vote').power;
      if (power * 3n > this.validators.totalPower) return toRound(round);
    }
    return undefined;
  }

  /** Rounds that have vote sets, ascending. */
  rounds(): number[] {
    return [...this.#rounds.keys()].sort((a, b) => a - b);
  }
}

function farKey({ type, validatorIndex }: Vote): string {
  return `${type}:${validatorIndex}`;
}
