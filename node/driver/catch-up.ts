/** Block sync between executors: asks peers ahead for blocks, serves those behind, and feeds what came to the engine. */

import { BlockSync, type SyncedBlock } from '#consensus/block-sync.ts';
import type { Input } from '#consensus/input.ts';
import { encodePeerMessage, type PeerMessage, type RoundStatus } from '#consensus/messages.ts';
import { type EngineState, votesOfCommit } from '#consensus/state.ts';
import { concat, EMPTY } from '#core/bytes.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { equalPartSetHeader } from '#core/types/block-id.ts';
import type { Height } from '#core/types/brand.ts';
import { FLAG_COMMIT } from '#core/types/commit.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { NODE_LIMITS } from '../limits.ts';
import { IGNORE, takeIn, type Verdict } from './intake.ts';
import type { PeerId } from './ports.ts';
import type { BlockStore } from './stores.ts';

export interface CatchUpDeps {
  readonly state: EngineState;
  readonly blocks: BlockStore;
  readonly verifier: Verifier;
  readonly peers: ReadonlyMap<PeerId, RoundStatus | undefined>;
  readonly send: (peer: PeerId, bytes: Uint8Array) => void;
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

  /** A height begins: its block may be here already. */
  onHeight(): void {
    this.#feed();
    this.#ask();
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

  onResponse(peer: PeerId, { height, block, commit }: Response): Verdict {
    if (!this.#sync.receive(peer, height, block, commit)) return IGNORE;
    const { state } = this.#deps;
    if (height === state.height) {
      const reason = this.#feed();
      if (reason !== undefined) return { kind: 'reject', reason };
    }
    this.#ask();
    return IGNORE;
  }

  #ask(): void {
    const { state, peers, send } = this.#deps;
    for (const { peer, height } of this.#sync.plan(state.height, peers, this.#tick))
      send(peer, encodePeerMessage({ kind: 'block-request', height }));
  }

  /** Hands the block of the current height to the engine, as votes and parts. Answers what is wrong with it. */
  #feed(): string | undefined {
    const ready = this.#sync.take(this.#deps.state.height);
    if (ready === undefined) return undefined;
    const inputs = this.#inputsOf(ready);
    if (typeof inputs === 'string') {
      this.#sync.blame(ready.peer);
      return inputs;
    }
    for (const input of inputs) this.#deps.enqueue(input);
    return undefined;
  }

  #inputsOf({ block, commit }: SyncedBlock): Input[] | string {
    const { state, verifier } = this.#deps;
    const parts = createPartSet(block);
    if (commit.height !== state.height)
      return `block_response.commit.height: expected ${state.height}, got ${commit.height}`;
    if (!equalPartSetHeader(parts.header, commit.blockId.partSetHeader))
      return 'block_response.block: not the block that its commit is for';
    const inputs: Input[] = [];
    for (const vote of votesOfCommit(commit)) {
      if (commit.signatures[vote.validatorIndex]?.flag !== FLAG_COMMIT) continue;
      const { verdict, input } = takeIn(state, verifier, { kind: 'vote', vote });
      if (verdict.kind === 'reject') return `block_response.commit: ${verdict.reason}`;
      if (input !== undefined) inputs.push(input);
    }
    const { height, round } = commit;
    for (const part of parts.parts) inputs.push({ kind: 'block-part', height, round, part });
    return inputs;
  }
}
