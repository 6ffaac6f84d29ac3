/**
 * A search through all orders of messages and timeouts among a few validators in two rounds of one height, at most one of them
 * Byzantine: it may send every vote for every block, and every proposal of its turn, to whom it likes, when it likes.
 * Breadth first, so that the first violation is a shortest one. Each distinct state is looked at once.
 */
import { Kit } from '#consensus/test-kit.ts';
import { defined } from '#core/assert.ts';
import { PRECOMMIT, PREVOTE } from '#core/types/vote.ts';
import { hasId, type LocalState, LocalStates, type Mask, NO_MASK, withBit } from './local.ts';
import { Universe, type VoteFact } from './messages.ts';

/** Local states of one validator at most: three numbers of this size make one exact key of a global state. */
const MAX_LOCAL = 2 ** 17;
const WEIGHTS = [MAX_LOCAL * MAX_LOCAL, MAX_LOCAL, 1] as const;

export interface SearchOptions {
  /** Of equal power; three of them are honest. */
  readonly validators: 3 | 4;
  /** Index of the Byzantine validator; `undefined`: there is none, but messages may be lost and validators stop. */
  readonly byzantine: number | undefined;
  /**
   * What the Byzantine validator may send. `all`: every vote for every block and nil, every proposal of its turn.
   * `split`: what parts the others most quickly: in round 0 the proposed block or nil, in round 1 the new block alone.
   */
  readonly menu: 'all' | 'split';
  /** Moves before the first decision at most, and after it: a fork begins with a decision. */
  readonly before: number;
  readonly after: number;
  /** The search ends after this many distinct states. */
  readonly maxStates: number;
}

/** Where the lock rule is all that stands between two blocks: the shortest fork without it lies within these bounds. */
export const FORK_BOUNDS: SearchOptions = {
  validators: 4,
  byzantine: 1,
  menu: 'split',
  before: 4,
  after: 6,
  maxStates: 1_000_000,
};

/** Three validators tolerate no Byzantine one. A message that never arrives and one that stops are among the orders. */
export const NO_BYZANTINE: SearchOptions = {
  validators: 3,
  byzantine: undefined,
  menu: 'all',
  before: 99,
  after: 99,
  maxStates: 1_000_000,
};

export type SearchProperty = 'agreement' | 'locking' | 'double vote' | 'two thirds';

export interface Finding {
  readonly property: SearchProperty;
  readonly depth: number;
  /** What each honest validator received, in order. */
  readonly trace: readonly string[];
}

export interface SearchReport {
  readonly states: number;
  readonly localStates: number;
  readonly steps: number;
  /** States in which a validator had decided. */
  readonly decided: number;
  /** There was nothing left to do in any of them: the bounds have cut nothing off. */
  readonly exhausted: boolean;
  /** All states that are this many moves away from the beginning without a decision on the way were visited. */
  readonly complete: number;
  /** The first of each kind. */
  readonly findings: readonly Finding[];
}

export class Search {
  readonly #options: SearchOptions;
  readonly #universe: Universe;
  readonly #locals: readonly LocalStates[];
  readonly #byzantine: Mask;
  /** Votes for one thing that make a majority: more than two thirds of the validators. */
  readonly #quorum: number;
  readonly #seen = new Set<number>();
  readonly #findings = new Map<SearchProperty, Finding>();
  /** States in which the first validator has just decided. */
  readonly #forks: number[] = [];
  #decided = 0;
  #complete = 0;

  constructor(options: SearchOptions) {
    this.#options = options;
    const { validators } = options;
    this.#quorum = Math.floor((2 * validators) / 3) + 1;
    this.#universe = new Universe(new Kit({ validators, self: -1 }), validators);
    this.#byzantine = this.#universe.messages
      .filter(({ from, id }) => from === options.byzantine && (options.menu === 'all' || this.#splits(id)))
      .reduce((mask, { id }) => withBit(mask, id), NO_MASK);
    const honest = Array.from({ length: validators }, (_, index) => index).filter((i) => i !== options.byzantine);
    this.#locals = honest.map((index) => new LocalStates(this.#universe, index, validators, this.#byzantine));
  }

  #splits(id: number): boolean {
    const vote = this.#universe.facts.find((fact) => fact.id === id);
    return vote === undefined || vote.round === 0 || vote.value === 1;
  }

  run(): SearchReport {
    const { before, after } = this.#options;
    this.#seen.add(0);
    const undecided = this.#levels([0], before, 0);
    const decided = this.#levels(this.#forks, after, before);
    return {
      states: this.#seen.size,
      localStates: this.#locals.reduce((sum, { all }) => sum + all.length, 0),
      steps: this.#locals.reduce((sum, { steps }) => sum + steps, 0),
      decided: this.#decided,
      complete: this.#complete,
      exhausted: undecided === 0 && decided === 0,
      findings: [...this.#findings.values()],
    };
  }

  /** Breadth first for at most `moves` moves. Answers how many states were left to go on from. */
  #levels(start: readonly number[], moves: number, depth: number): number {
    let level = [...start];
    for (let i = 1; i <= moves && level.length > 0 && !this.#over; i++) {
      level = this.#expand(level, depth + i);
      if (depth === 0 && !this.#over) this.#complete = i;
    }
    return level.length;
  }

  get #over(): boolean {
    return this.#findings.has('agreement') || this.#seen.size >= this.#options.maxStates;
  }

  #expand(level: readonly number[], depth: number): number[] {
    const next: number[] = [];
    const state: LocalState[] = [];
    for (const key of level) {
      this.#decode(key, state);
      const pool = this.#pool(state);
      for (const [i, locals] of this.#locals.entries()) {
        const before = defined(state[i], 'local state');
        for (const after of locals.moves(before, pool)) {
          if (after.id >= MAX_LOCAL) throw new Error(`more than ${MAX_LOCAL} states of one validator`);
          const reached = key + (after.id - before.id) * (WEIGHTS[i] as number);
          if (this.#seen.has(reached)) continue;
          this.#seen.add(reached);
          state[i] = after;
          if (state.filter((each) => each.decided !== undefined).length === 1 && after.decided !== undefined)
            this.#forks.push(reached);
          else next.push(reached);
          this.#check(state, after, depth);
        }
        state[i] = before;
      }
      if (this.#over) break;
    }
    return next;
  }

  #decode(key: number, into: LocalState[]): void {
    let rest = key;
    for (const [i, locals] of this.#locals.entries()) {
      const weight = WEIGHTS[i] as number;
      const id = Math.floor(rest / weight);
      rest -= id * weight;
      into[i] = defined(locals.all[id], 'local state');
    }
  }

  #pool(state: readonly LocalState[]): Mask {
    let { low, high } = this.#byzantine;
    for (const { sent } of state) {
      low |= sent.low;
      high |= sent.high;
    }
    return { low, high };
  }

  /** `changed` is the one that has moved. What the others did was checked before, and a larger pool only excuses more. */
  #check(state: readonly LocalState[], changed: LocalState, depth: number): void {
    const { decided } = changed;
    if (state.some((each) => each.decided !== undefined)) this.#decided++;
    if (decided !== undefined) {
      if (state.some((each) => each.decided !== undefined && each.decided !== decided))
        this.#found('agreement', state, depth);
      const pool = this.#pool(state);
      if (![0, 1].some((round) => this.#hasQuorum(pool, PRECOMMIT, round, decided)))
        this.#found('two thirds', state, depth);
    }
    if (changed.doubled) this.#found('double vote', state, depth);
    // Lines 23 and 29: whoever precommitted a block prevotes another one only after 2f+1 prevoted that one since.
    const lock = changed.voted[1] ?? -1;
    const later = changed.voted[2] ?? -1;
    if (lock >= 0 && later >= 0 && lock !== later && !this.#hasQuorum(this.#pool(state), PREVOTE, 0, later))
      this.#found('locking', state, depth);
  }

  #found(property: SearchProperty, state: readonly LocalState[], depth: number): void {
    if (this.#findings.has(property)) return;
    this.#findings.set(property, { property, depth, trace: state.map(traceOf) });
  }

  #hasQuorum(pool: Mask, type: VoteFact['type'], round: number, value: number): boolean {
    const matching = this.#universe.facts.filter((v) => v.type === type && v.round === round && v.value === value);
    return matching.filter(({ id }) => hasId(pool, id)).length >= this.#quorum;
  }
}

function traceOf(state: LocalState): string {
  const steps: string[] = [];
  for (let at = state; at.from !== undefined; at = at.from.parent) steps.push(at.from.what);
  return steps.reverse().join(', ');
}
