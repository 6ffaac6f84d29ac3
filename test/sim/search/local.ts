/**
 * All states of one validator's engine that the search has come across. What a validator does depends on what it has
 * received alone, so each transition runs the production `step` once, however many global states it is part of.
 */
import type { Effect } from '#consensus/effect.ts';
import type { Input } from '#consensus/input.ts';
import { type EngineState, resume } from '#consensus/state.ts';
import { step } from '#consensus/step.ts';
import { GENESIS_TIME, Kit } from '#consensus/test-kit.ts';
import { trusted } from '#consensus/verify-message.ts';
import { assert, defined } from '#core/assert.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { equalBlockId } from '#core/types/block-id.ts';
import { PREVOTE } from '#core/types/vote.ts';
import { cloneEngine } from './clone.ts';
import { encodeControl, encodeTimers, encodeVotes } from './encoding.ts';
import { ROUNDS, type Universe } from './messages.ts';

const SIGNATURE = new Uint8Array(64).fill(7);

/** Messages as bits, thirty in each number. */
export interface Mask {
  readonly low: number;
  readonly high: number;
}

export const NO_MASK: Mask = { low: 0, high: 0 };

export function withBit({ low, high }: Mask, id: number): Mask {
  return id < 30 ? { low: low | (1 << id), high } : { low, high: high | (1 << (id - 30)) };
}

export function hasId({ low, high }: Mask, id: number): boolean {
  return id < 30 ? (low & (1 << id)) !== 0 : (high & (1 << (id - 30))) !== 0;
}

export interface LocalState {
  readonly id: number;
  readonly engine: EngineState;
  readonly control: string;
  readonly sent: Mask;
  readonly received: Mask;
  /** The place of the decided block in the universe. */
  readonly decided: number | undefined;
  /** How it came about, for the trace of a violation. */
  readonly from: { readonly parent: LocalState; readonly what: string } | undefined;
  /** What it has voted: the place of the block in the universe, −1 for nil, by `2 · round` and one more for precommits. */
  readonly voted: readonly (number | undefined)[];
  /** It voted twice in one step. */
  readonly doubled: boolean;
  readonly deliveries: (LocalState | undefined)[];
  /** By the low and the high half of what is new. */
  readonly moves: Map<number, Map<number, readonly LocalState[]>>;
}

export class LocalStates {
  readonly #universe: Universe;
  readonly #self: number;
  readonly #byzantine: Mask;
  readonly #byEncoding = new Map<string, LocalState>();
  readonly all: LocalState[] = [];
  /** Inputs that the engine was given. */
  steps = 0;

  constructor(universe: Universe, self: number, validators: number, byzantine: Mask) {
    this.#universe = universe;
    this.#byzantine = byzantine;
    this.#self = self;
    const engine = new Kit({ validators, self }).fresh();
    const sent = this.#run(engine, NO_MASK, resume(engine), []);
    const timer = defined(engine.timers.get('new-height'), 'first timeout');
    assert(timer.kind === 'schedule-timeout', 'a timeout');
    const { height, round, step: waited } = timer;
    const begun = this.#run(engine, sent, [], [{ kind: 'timeout', height, round, step: waited }]);
    this.#intern(engine, begun, NO_MASK, undefined);
  }

  get first(): LocalState {
    return defined(this.all[0], 'first state');
  }

  /**
   * What this validator can do next when `pool` is all that was ever sent: a timeout that runs, or the arrival of a
   * smallest set of messages upon which a rule fires, or a timeout that they start and its end. A message upon which
   * none does only joins those received, and may as well arrive later: nothing that was ever sent goes away. So no
   * order is lost by not telling these apart.
   */
  moves(state: LocalState, pool: Mask): readonly LocalState[] {
    if (state.decided !== undefined) return [];
    const low = pool.low & ~state.received.low;
    const high = pool.high & ~state.received.high;
    const byHigh = state.moves.get(low) ?? new Map<number, readonly LocalState[]>();
    const known = byHigh.get(high);
    if (known !== undefined) return known;
    const next = new Set<LocalState>(this.#timeouts(state));
    for (const available of this.#classes(state, { low, high })) this.#gather(state, available, next);
    next.delete(state);
    const moves = this.#oneOfEach(next);
    byHigh.set(high, moves);
    state.moves.set(low, byHigh);
    return moves;
  }

  /**
   * Of successors that differ only in which honest validators' votes have arrived, the first, which has fewest: the
   * others' votes are there to arrive later, and an honest validator has no other vote to give in their place.
   */
  #oneOfEach(next: ReadonlySet<LocalState>): LocalState[] {
    const { low, high } = this.#byzantine;
    const kept = new Map<string, LocalState>();
    for (const state of next) {
      const { sent, received } = state;
      const key = `${state.control}#${encodeTimers(state.engine)}#${sent.low}.${sent.high}#${received.low & low}.${received.high & high}`;
      if (!kept.has(key)) kept.set(key, state);
    }
    return [...kept.values()];
  }

  /**
   * The messages that can make a rule fire together: a proposal by itself, the votes of one type and round, or the votes
   * of the round after (line 55). A Byzantine validator tells nobody two things in one step.
   */
  #classes(state: LocalState, fresh: Mask): number[][] {
    const { facts, messages, votes } = this.#universe;
    const classes = new Map<string, number[]>();
    const put = (key: string, id: number) => {
      const known = classes.get(key);
      if (known === undefined) classes.set(key, [id]);
      else known.push(id);
    };
    for (const { id } of messages.slice(0, messages.length - votes.length))
      if (hasId(fresh, id)) put(`proposal ${id}`, id);
    for (const { id, from, type, round } of facts) {
      if (!hasId(fresh, id)) continue;
      if (state.engine.votes.peek(type, round)?.get(from) !== undefined) continue;
      put(round > state.engine.round ? 'later' : `${type}/${round}`, id);
    }
    return [...classes.values()];
  }

  /** Sets of growing size, in ascending order of numbers; those that contain a set that suffices are left out. */
  #gather(origin: LocalState, available: readonly number[], next: Set<LocalState>): void {
    const sufficient: Mask[] = [];
    let level: { readonly at: LocalState; readonly mask: Mask; readonly from: number }[] = [
      { at: origin, mask: NO_MASK, from: 0 },
    ];
    while (level.length > 0) {
      const following: typeof level = [];
      for (const { at, mask, from } of level)
        for (let i = from; i < available.length; i++) {
          const id = available[i] as number;
          const grown = withBit(mask, id);
          if (this.#speaksTwice(mask, id)) continue;
          if (sufficient.some(({ low, high }) => (grown.low & low) === low && (grown.high & high) === high)) continue;
          const after = this.#deliver(at, id);
          if (after === at) continue;
          if (after.control !== origin.control || !same(after.sent, origin.sent)) {
            sufficient.push(grown);
            next.add(after);
            continue;
          }
          following.push({ at: after, mask: grown, from: i + 1 });
          if (timers(after) === timers(at)) continue;
          for (const ended of this.#timeouts(after)) next.add(ended);
        }
      level = following;
    }
  }

  /** Whether the signer of a message has another one in the set. */
  #speaksTwice(mask: Mask, id: number): boolean {
    const { messages } = this.#universe;
    return messages.some((other) => hasId(mask, other.id) && other.from === messages[id]?.from);
  }

  #deliver(state: LocalState, id: number): LocalState {
    const known = state.deliveries[id];
    if (known !== undefined) return known;
    const { inputs, name } = defined(this.#universe.messages[id], 'message');
    const engine = cloneEngine(state.engine, this.#universe.votes);
    const sent = this.#run(engine, state.sent, [], inputs);
    const after = this.#intern(engine, sent, withBit(state.received, id), { parent: state, what: name });
    state.deliveries[id] = after;
    return after;
  }

  #timeouts(state: LocalState): LocalState[] {
    const out: LocalState[] = [];
    for (const timer of state.engine.timers.values()) {
      assert(timer.kind === 'schedule-timeout', 'a timeout');
      const { height, round, step: waited } = timer;
      if (waited === 'precommit' && round + 1 >= ROUNDS) continue;
      const engine = cloneEngine(state.engine, this.#universe.votes);
      const sent = this.#run(engine, state.sent, [], [{ kind: 'timeout', height, round, step: waited }]);
      out.push(this.#intern(engine, sent, state.received, { parent: state, what: `timeout of ${waited} ${round}` }));
    }
    return out;
  }

  /** Gives the inputs to the engine and answers its questions at once, as the executor does. Returns what has been sent. */
  #run(engine: EngineState, sent: Mask, effects: readonly Effect[], inputs: readonly Input[]): Mask {
    let mask = sent;
    const queue = [...inputs];
    const answers: Input[] = [];
    const perform = (each: readonly Effect[]) => {
      for (const effect of each) {
        mask = this.#published(mask, effect);
        const answer = answerTo(effect);
        if (answer !== undefined) answers.push(answer);
      }
    };
    perform(effects);
    for (;;) {
      const input = answers.shift() ?? queue.shift();
      if (input === undefined) return mask;
      this.steps++;
      perform(step(engine, input).effects);
    }
  }

  #published(sent: Mask, effect: Effect): Mask {
    if (effect.kind !== 'publish') return sent;
    const { message } = effect;
    if (message.kind === 'vote') return withBit(sent, this.#universe.idOfVote(message.vote));
    return message.kind === 'proposal' ? withBit(sent, this.#universe.idOfProposal(message.proposal)) : sent;
  }

  #votesOf(sent: Mask): Pick<LocalState, 'voted' | 'doubled'> {
    const voted: (number | undefined)[] = [];
    let doubled = false;
    for (const { id, type, round, value } of this.#universe.facts) {
      if (!hasId(sent, id)) continue;
      const place = 2 * round + (type === PREVOTE ? 0 : 1);
      doubled ||= voted[place] !== undefined;
      voted[place] = value;
    }
    return { voted, doubled };
  }

  #intern(engine: EngineState, sent: Mask, received: Mask, from: LocalState['from']): LocalState {
    const control = encodeControl(engine);
    const mine = this.#universe.messages.filter((message) => message.from === this.#self);
    const seen = mine.reduce((mask, { id }) => withBit(mask, id), received);
    const key = `${control}#${encodeTimers(engine)}#${encodeVotes(engine, this.#universe.votes)}#${sent.low}.${sent.high}#${seen.low}.${seen.high}`;
    const known = this.#byEncoding.get(key);
    if (known !== undefined) return known;
    const blockId = engine.decided?.blockId;
    const decided = blockId && this.#universe.blocks.findIndex((block) => equalBlockId(block.blockId, blockId));
    const state: LocalState = {
      id: this.all.length,
      engine,
      control,
      sent,
      received: seen,
      decided,
      from,
      ...this.#votesOf(sent),
      deliveries: [],
      moves: new Map(),
    };
    this.all.push(state);
    this.#byEncoding.set(key, state);
    return state;
  }
}

function timers({ engine }: LocalState): number {
  return engine.timers.size;
}

function same(a: Mask, b: Mask): boolean {
  return a.low === b.low && a.high === b.high;
}

/** The application accepts everything, the signer signs everything, and a decided block is never executed. */
function answerTo(effect: Effect): Input | undefined {
  switch (effect.kind) {
    case 'prepare-proposal':
      return { kind: 'prepared', height: effect.request.height, round: effect.round, txs: [utf8('own')], evidence: [] };
    case 'process-proposal': {
      const { height, hash: blockHash } = effect.request;
      return { kind: 'processed', height, round: effect.round, blockHash, accept: true };
    }
    case 'sign-proposal': {
      const proposal = { ...effect.proposal, timestamp: GENESIS_TIME, signature: SIGNATURE };
      return { kind: 'proposal-signed', proposal: trusted.proposal(proposal) };
    }
    case 'sign-vote': {
      const vote = { ...effect.vote, timestamp: effect.minTime, signature: SIGNATURE, extensionSignature: EMPTY };
      return { kind: 'vote-signed', vote: trusted.vote(vote) };
    }
    default:
      return undefined;
  }
}
