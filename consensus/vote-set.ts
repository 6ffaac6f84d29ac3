import { defined } from '#core/assert.ts';
import { type BlockId, blockIdKey } from '#core/types/block-id.ts';
import type { Height, Round } from '#core/types/brand.ts';
import { type ExtendedCommit, toCommitSig } from '#core/types/commit.ts';
import { isQuorum, type ValidatorSet } from '#core/types/validator-set.ts';
import type { Vote, VoteType } from '#core/types/vote.ts';
import { type BitArray, bitArray } from './bit-array.ts';
import { CONSENSUS_LIMITS } from './limits.ts';
import type { VerifiedVote } from './verify-message.ts';

export type AddedVote =
  | { readonly kind: 'added' }
  | { readonly kind: 'duplicate' }
  /** The validator has voted for something else before. `counted`: the vote still counts towards its block. */
  | { readonly kind: 'conflict'; readonly first: VerifiedVote; readonly counted: boolean };

interface Tally {
  readonly blockId: BlockId;
  /** Power of everybody who voted for it, equivocators included: what the paper's 2f+1 counts. */
  power: bigint;
  /** Power of those who voted for it first. */
  firstPower: bigint;
  readonly votes: Map<number, VerifiedVote>;
}

/**
 * The votes of one type in one round. An equivocator counts for each of its blocks, as in the paper. To bound memory a
 * validator's further votes are taken only for blocks that have more than a third of the power without it: honest
 * votes bring every block there that can win.
 */
export class VoteSet {
  readonly height: Height;
  readonly round: Round;
  readonly type: VoteType;
  readonly validators: ValidatorSet;
  readonly #first = new Map<number, VerifiedVote>();
  readonly #tallies = new Map<string, Tally>();
  readonly #countOf = new Map<number, number>();
  #power = 0n;
  #majority: BlockId | undefined;

  constructor(height: Height, round: Round, type: VoteType, validators: ValidatorSet) {
    this.height = height;
    this.round = round;
    this.type = type;
    this.validators = validators;
  }

  add(vote: VerifiedVote): AddedVote {
    const index = vote.validatorIndex;
    const power = defined(this.validators.validators[index], 'validator of a verified vote').power;
    const key = blockIdKey(vote.blockId);
    const first = this.#first.get(index);
    const tally = this.#tallies.get(key);
    if (tally?.votes.has(index)) return { kind: 'duplicate' };
    if (first !== undefined && !this.#mayCount(index, tally)) return { kind: 'conflict', first, counted: false };
    const counted = tally ?? { blockId: vote.blockId, power: 0n, firstPower: 0n, votes: new Map() };
    this.#tallies.set(key, counted);
    counted.votes.set(index, vote);
    counted.power += power;
    this.#countOf.set(index, (this.#countOf.get(index) ?? 0) + 1);
    if (first === undefined) {
      this.#first.set(index, vote);
      this.#power += power;
      counted.firstPower += power;
    }
    if (this.#majority === undefined && isQuorum(counted.power, this.validators.totalPower))
      this.#majority = counted.blockId;
    return first === undefined ? { kind: 'added' } : { kind: 'conflict', first, counted: true };
  }

  /** False: this validator has voted for as many blocks as are taken of it; what proves its crime is known. */
  mayAdd(vote: Vote): boolean {
    const { validatorIndex: index } = vote;
    return !this.#first.has(index) || this.#mayCount(index, this.#tallies.get(blockIdKey(vote.blockId)));
  }

  #mayCount(index: number, tally: Tally | undefined): boolean {
    if ((this.#countOf.get(index) ?? 0) < CONSENSUS_LIMITS.maxConflictingVotesPerValidator) return true;
    return tally !== undefined && tally.firstPower * 3n > this.validators.totalPower;
  }

  /** Whether this validator's vote for this block is known. */
  has(vote: Vote): boolean {
    return this.#tallies.get(blockIdKey(vote.blockId))?.votes.has(vote.validatorIndex) ?? false;
  }

  /** The first vote of a validator. */
  get(index: number): VerifiedVote | undefined {
    return this.#first.get(index);
  }

  /** The vote that counts towards the majority's block if there is one, else the first. */
  best(index: number): VerifiedVote | undefined {
    const tally = this.#majority && this.#tallies.get(blockIdKey(this.#majority));
    return tally?.votes.get(index) ?? this.#first.get(index);
  }

  /** The block, or nil, that more than two thirds of the power voted for. */
  get majority(): BlockId | undefined {
    return this.#majority;
  }

  /** More than two thirds of the power voted, for whatever: the paper's "2f + 1 ⟨…, ∗⟩". */
  get hasTwoThirdsAny(): boolean {
    return isQuorum(this.#power, this.validators.totalPower);
  }

  get hasAll(): boolean {
    return this.#first.size === this.validators.validators.length;
  }

  get size(): number {
    return this.#first.size;
  }

  get power(): bigint {
    return this.#power;
  }

  bits(): BitArray {
    return bitArray(this.validators.validators.length, (i) => this.#first.has(i));
  }

  /** Who is known to have voted for this block, whatever else. */
  bitsFor(blockId: BlockId): BitArray {
    const votes = this.#tallies.get(blockIdKey(blockId))?.votes;
    return bitArray(this.validators.validators.length, (i) => votes?.has(i) ?? false);
  }

  /** Votes in order of validator index; one a validator. */
  list(): VerifiedVote[] {
    const out: VerifiedVote[] = [];
    for (let i = 0; i < this.validators.validators.length; i++) {
      const vote = this.best(i);
      if (vote !== undefined) out.push(vote);
    }
    return out;
  }

  /** The commit for the majority's block. Call only on precommits with such a majority. */
  toExtendedCommit(): ExtendedCommit {
    const blockId = defined(this.#majority, 'majority');
    return {
      height: this.height,
      round: this.round,
      blockId,
      signatures: this.validators.validators.map((_, i) => toCommitSig(this.best(i), blockId)),
    };
  }
}
