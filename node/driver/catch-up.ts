/** Block sync between executors: asks peers ahead for blocks, serves those behind, and feeds what came to the engine. */

import { BlockSync, type SyncedBlock } from '#consensus/block-sync.ts';
import type { Input } from '#consensus/input.ts';
import { encodePeerMessage, type PeerMessage, type RoundStatus } from '#consensus/messages.ts';
import { type EngineState, votesOfCommit } from '#consensus/state.ts';
import { concat, EMPTY } from '#core/bytes.ts';
import { minBig } from '#core/int.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { equalPartSetHeader } from '#core/types/block-id.ts';
import type { Height } from '#core/types/brand.ts';
import { FLAG_COMMIT } from '#core/types/commit.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { isQuorum } from '#core/types/validator-set.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { BlockStore } from './block-store.ts';
import { IGNORE, takeIn, type Verdict } from './intake.ts';
import type { PeerId } from './ports.ts';

export interface CatchUpDeps {
  readonly state: EngineState;
  readonly blocks: BlockStore;
  readonly verifier: Verifier;
  readonly peers: ReadonlyMap<PeerId, RoundStatus | undefined>;
  readonly send: (peer: PeerId, bytes: Uint8Array) => void;
  /** A block that was held for its height has turned out wrong: the peer who sent it is to blame. */
  readonly fault: (peer: PeerId, reason: string) => void;
  readonly enqueue: (input: Input) => void;
}

type Response = Extract<PeerMessage, { kind: 'block-response' }>;

/** The block as its proposer wrote it: encoding it anew may give other bytes, and so the parts of no decided block. */
function storedBytes(blocks: BlockStore, height: Height): Uint8Array | undefined {
  const total = blocks.meta(height)?.blockId.partSetHeader.total ?? 0;
  const parts = Array.from({ length: total }, (_, i) => blocks.part(height, i)?.bytes).filter(
    (part) => part !== undefined,
  );
  return total === 0 || parts.length < total ? undefined : concat(...parts);
}

/** The lowest block that peers ahead of `height` keep; `undefined` when one of them keeps that very block, or nobody is ahead. */
export function lowestKept(height: bigint, statuses: Iterable<RoundStatus | undefined>): bigint | undefined {
  const bases: bigint[] = [];
  for (const status of statuses) if (status !== undefined && status.height > height) bases.push(status.base);
  return bases.length === 0 || bases.some((base) => base <= height) ? undefined : bases.reduce(minBig);
}

export class CatchUp {
  readonly #deps: CatchUpDeps;
  readonly #sync = new BlockSync();
  #tick = 0;

  constructor(deps: CatchUpDeps) {
    this.#deps = deps;
  }

  tick(): void {
    this.#tick++;
    this.#ask();
  }

  removePeer(peer: PeerId): void {
    this.#sync.removePeer(peer);
  }

  /** A height begins: its block may be here already. Answers whether it is, or somebody was asked for it. */
  onHeight(): boolean {
    const { height } = this.#deps.state;
    const here = this.#sync.has(height);
    const refused = this.#feed();
    if (refused !== undefined) this.#deps.fault(refused.peer, refused.reason);
    this.#ask();
    return (here && refused === undefined) || this.#sync.has(height);
  }

  /** Blocks too large for one message, of which several may wait, are not served here: repair sends their parts. */
  onRequest(peer: PeerId, height: Height): void {
    const { blocks, send } = this.#deps;
    const block = storedBytes(blocks, height);
    const commit = blocks.seenCommit(height);
    const none = encodePeerMessage({ kind: 'block-response', height, block: EMPTY, commit: undefined });
    const full =
      block === undefined || commit === undefined
        ? none
        : encodePeerMessage({ kind: 'block-response', height, block, commit });
    send(peer, full.length <= NODE_LIMITS.maxServedBlockBytes ? full : none);
  }

  /** Whether the block of a height to come is here. */
  holds(height: bigint): boolean {
    return this.#sync.holds(height);
  }

  expects(peer: PeerId, height: bigint): boolean {
    return this.#sync.expects(peer, height);
  }

  onResponse(peer: PeerId, { height, block, commit }: Response): Verdict {
    if (!this.#sync.receive(peer, height, block, commit)) return IGNORE;
    const { state } = this.#deps;
    if (height === state.height) {
      const refused = this.#feed();
      if (refused !== undefined) {
        this.#ask();
        return { kind: 'reject', reason: refused.reason };
      }
    }
    this.#ask();
    return IGNORE;
  }

  #ask(): void {
    const { state, peers, send } = this.#deps;
    for (const { peer, height } of this.#sync.plan(state.height, peers, this.#tick))
      send(peer, encodePeerMessage({ kind: 'block-request', height }));
  }

  /** Hands the block of the current height to the engine, as votes and parts. Answers what is wrong with it, and whose. */
  #feed(): { readonly peer: PeerId; readonly reason: string } | undefined {
    const ready = this.#sync.take(this.#deps.state.height);
    if (ready === undefined) return undefined;
    const inputs = this.#inputsOf(ready);
    if (typeof inputs === 'string') {
      this.#sync.blame(ready.peer);
      return { peer: ready.peer, reason: inputs };
    }
    for (const input of inputs) this.#deps.enqueue(input);
    return undefined;
  }

  /**
   * A block comes with the commit that its sender saw for it, and that commit alone must decide it: were too few votes
   * handed on, the height would stay undecided and nobody be blamed. So it is always the sender of this block who lied,
   * never that of the next one, whose last commit is not looked at here.
   */
  #inputsOf({ block, commit }: SyncedBlock): Input[] | string {
    const { state, verifier } = this.#deps;
    const parts = createPartSet(block);
    if (commit.height !== state.height)
      return `block_response.commit.height: expected ${state.height}, got ${commit.height}`;
    if (!equalPartSetHeader(parts.header, commit.blockId.partSetHeader))
      return 'block_response.block: not the block that its commit is for';
    const inputs: Input[] = [];
    const { validators, totalPower } = state.chain.validators;
    let power = 0n;
    for (const vote of votesOfCommit(commit)) {
      if (commit.signatures[vote.validatorIndex]?.flag !== FLAG_COMMIT) continue;
      const { verdict, input } = takeIn(state, verifier, { kind: 'vote', vote });
      if (verdict.kind === 'reject') return `block_response.commit: ${verdict.reason}`;
      if (input !== undefined) inputs.push(input);
      else if (!state.votes.has(vote)) continue;
      power += validators[vote.validatorIndex]?.power ?? 0n;
    }
    if (!isQuorum(power, totalPower))
      return `block_response.commit: ${power} of ${totalPower} signed, expected more than two thirds`;
    const { height, round } = commit;
    for (const part of parts.parts) inputs.push({ kind: 'block-part', height, round, part });
    return inputs;
  }
}
