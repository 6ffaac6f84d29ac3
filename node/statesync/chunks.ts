import type { ApplySnapshotChunkRequest, ApplySnapshotChunkResponse, Snapshot } from '#core/abci.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { PeerId } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';
import { encodeSnapshotMessage, type SnapshotMessage } from './messages.ts';

export interface ChunkFetchDeps {
  /** Who offers the snapshot, as of now. */
  readonly holders: () => readonly PeerId[];
  readonly send: (peer: PeerId, bytes: Uint8Array) => void;
  readonly apply: (request: ApplySnapshotChunkRequest) => Promise<ApplySnapshotChunkResponse>;
  /** Resolves when something may have changed: a chunk has come, a peer has gone, or a little time is over. */
  readonly changed: () => Promise<void>;
  readonly nowMs: () => number;
}

/** Fetches the chunks of one snapshot from all who offer it, a few ahead, and applies them in order. */
export class ChunkFetch {
  readonly #snapshot: Snapshot;
  readonly #deps: ChunkFetchDeps;
  /** Asked and not answered. */
  readonly #open = new Map<number, { readonly peer: PeerId; readonly deadlineMs: number }>();
  readonly #ready = new Map<number, { readonly peer: PeerId; readonly chunk: Uint8Array }>();
  /** Did not deliver in time: asked only when nobody else is left. */
  readonly #slow = new Set<PeerId>();
  /** Do not have it, or sent wrong bytes: not asked again. */
  readonly #refused = new Set<PeerId>();
  #next = 0;
  #failures = 0;

  constructor(snapshot: Snapshot, deps: ChunkFetchDeps) {
    this.#snapshot = snapshot;
    this.#deps = deps;
  }

  /** Answers whether it was asked for. */
  receive(peer: PeerId, message: Extract<SnapshotMessage, { kind: 'chunk-response' }>): boolean {
    const { height, format, index, chunk } = message;
    if (height !== this.#snapshot.height || format !== this.#snapshot.format) return false;
    if (this.#open.get(index)?.peer !== peer) return false;
    this.#open.delete(index);
    if (chunk === undefined) this.#refused.add(peer);
    else this.#ready.set(index, { peer, chunk });
    return true;
  }

  /** Resolves when the last chunk is applied. The error says why it came to nothing. */
  async run(): Promise<Result<true, string>> {
    const { chunks } = this.#snapshot;
    while (this.#next < chunks) {
      const holders = this.#deps.holders().filter((peer) => !this.#refused.has(peer));
      if (holders.length === 0) return err('no peer is left that has its chunks');
      if (this.#failures > NODE_LIMITS.maxChunkFailures)
        return err(`chunk ${this.#next} of ${chunks} and others failed to come ${this.#failures} times`);
      this.#expire(holders);
      this.#ask(holders);
      const ready = this.#ready.get(this.#next);
      if (ready === undefined) {
        await this.#deps.changed();
        continue;
      }
      this.#ready.delete(this.#next);
      const refusal = await this.#apply(ready.peer, ready.chunk);
      if (refusal !== undefined) return err(refusal);
    }
    return ok(true);
  }

  /** Answers why the snapshot cannot be used. */
  async #apply(peer: PeerId, chunk: Uint8Array): Promise<string | undefined> {
    const applied = await this.#deps.apply({ index: this.#next, chunk, sender: peer });
    for (const sender of applied.rejectSenders) this.#refused.add(sender);
    switch (applied.result) {
      case 'accept':
        this.#next++;
        return undefined;
      case 'retry':
        this.#failures++;
        for (const index of applied.refetchChunks) this.#ready.delete(index);
        for (const [index, { peer: sender }] of [...this.#ready])
          if (this.#refused.has(sender)) this.#ready.delete(index);
        return undefined;
      default:
        return `${applied.result}: ${applied.reason}`;
    }
  }

  #expire(holders: readonly PeerId[]): void {
    const now = this.#deps.nowMs();
    for (const [index, { peer, deadlineMs }] of [...this.#open]) {
      if (now < deadlineMs && holders.includes(peer)) continue;
      this.#open.delete(index);
      this.#slow.add(peer);
      this.#failures++;
    }
  }

  #ask(holders: readonly PeerId[]): void {
    const { chunks, height, format } = this.#snapshot;
    const end = Math.min(chunks, this.#next + NODE_LIMITS.chunkRequests);
    for (let index = this.#next; index < end; index++) {
      if (this.#open.has(index) || this.#ready.has(index)) continue;
      const peer = this.#choose(holders);
      if (peer === undefined) return;
      this.#open.set(index, { peer, deadlineMs: this.#deps.nowMs() + NODE_LIMITS.chunkTimeoutMs });
      this.#deps.send(peer, encodeSnapshotMessage({ kind: 'chunk-request', height, format, index }));
    }
  }

  /** The least busy; of the slow ones only when there are no others. */
  #choose(holders: readonly PeerId[]): PeerId | undefined {
    const prompt = holders.filter((peer) => !this.#slow.has(peer));
    let best: { readonly peer: PeerId; readonly load: number } | undefined;
    for (const peer of prompt.length > 0 ? prompt : holders) {
      const load = [...this.#open.values()].filter((open) => open.peer === peer).length;
      if (load < NODE_LIMITS.chunkRequestsPerPeer && (best === undefined || load < best.load)) best = { peer, load };
    }
    return best?.peer;
  }
}
