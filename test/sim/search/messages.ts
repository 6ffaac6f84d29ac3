/** Every message that validators can send in two rounds of one height, each with a number. */
import type { Input } from '#consensus/input.ts';
import type { Candidate } from '#consensus/state.ts';
import type { Kit } from '#consensus/test-kit.ts';
import type { VerifiedVote } from '#consensus/verify-message.ts';
import { defined } from '#core/assert.ts';
import { blockIdKey } from '#core/types/block-id.ts';
import { NO_ROUND, toRound } from '#core/types/brand.ts';
import type { Proposal } from '#core/types/proposal.ts';
import { indexOfValidator, proposerOf } from '#core/types/validator-set.ts';
import { PRECOMMIT, PREVOTE, type Vote } from '#core/types/vote.ts';

export const ROUNDS = 2;

export interface SearchMessage {
  readonly id: number;
  readonly name: string;
  /** Validator that signs it. */
  readonly from: number;
  /** What the engine is given at once: a vote, or a proposal with all its parts. */
  readonly inputs: readonly Input[];
}

/** A vote as the search compares it: `value` is the place in {@link Universe.blocks}, −1 for nil. */
export interface VoteFact {
  readonly id: number;
  readonly from: number;
  readonly type: typeof PREVOTE | typeof PRECOMMIT;
  readonly round: number;
  readonly value: number;
}

export class Universe {
  readonly messages: SearchMessage[] = [];
  readonly votes: VerifiedVote[] = [];
  readonly facts: VoteFact[] = [];
  /** The block that each round's proposer makes when it knows of no other. */
  readonly blocks: readonly Candidate[];
  readonly #kit: Kit;
  readonly #ids = new Map<string, number>();

  constructor(kit: Kit, validators: number) {
    this.#kit = kit;
    const set = kit.state.chain.validators;
    const proposers = [0, 1].map((round) => indexOfValidator(set, proposerOf(set, round).address));
    this.blocks = proposers.map((proposer) => kit.block('own', proposer));
    for (const [round, proposer] of proposers.entries())
      this.blocks.forEach((block, value) => {
        if (value === round) this.#proposal(proposer, block, round, NO_ROUND);
        else if (value < round) this.#proposal(proposer, block, round, value);
      });
    for (let from = 0; from < validators; from++)
      for (let round = 0; round < ROUNDS; round++)
        for (const type of [PREVOTE, PRECOMMIT] as const)
          for (let value = -1; value <= round; value++) this.#vote(from, type, round, value);
  }

  #proposal(from: number, block: Candidate, round: number, polRound: number): void {
    const proposal = this.#kit.proposal(block, round, polRound);
    const parts = block.parts.parts.map(
      (part): Input => ({ kind: 'block-part', height: proposal.height, round: toRound(round), part }),
    );
    this.#add(proposalKey(proposal), from, `proposal ${round} by ${from}`, [{ kind: 'proposal', proposal }, ...parts]);
  }

  #vote(from: number, type: typeof PREVOTE | typeof PRECOMMIT, round: number, value: number): void {
    const vote = this.#kit.vote(type, from, round, value < 0 ? undefined : this.blocks[value]);
    const what = `${type === PREVOTE ? 'prevote' : 'precommit'} ${round} of ${value < 0 ? 'nil' : `block ${value}`}`;
    this.#add(voteKey(vote), from, `${what} by ${from}`, [{ kind: 'vote', vote }]);
    this.votes.push(vote);
    this.facts.push({ id: this.messages.length - 1, from, type, round, value });
  }

  #add(key: string, from: number, name: string, inputs: readonly Input[]): void {
    this.#ids.set(key, this.messages.length);
    this.messages.push({ id: this.messages.length, name, from, inputs });
  }

  idOfVote(vote: Vote): number {
    return defined(this.#ids.get(voteKey(vote)), 'a vote of the universe');
  }

  idOfProposal(proposal: Proposal): number {
    return defined(this.#ids.get(proposalKey(proposal)), 'a proposal of the universe');
  }
}

function voteKey({ type, round, validatorIndex, blockId }: Vote): string {
  return `${type}/${round}/${validatorIndex}/${blockIdKey(blockId)}`;
}

function proposalKey({ round, polRound, blockId }: Proposal): string {
  return `proposal/${round}/${polRound}/${blockIdKey(blockId)}`;
}
