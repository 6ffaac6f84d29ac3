/**
 * Catching up: which blocks to ask of whom, for a node several heights behind. Pure; time is counted in ticks of the
 * caller. What comes back is held until its height begins and then goes through the engine like any other block, so a
 * peer can waste a request at most: nothing it says is believed before two thirds have signed it.
 */

import { type Height, toHeight } from '#core/types/brand.ts';
import type { ExtendedCommit } from '#core/types/commit.ts';
import { CONSENSUS_LIMITS } from './limits.ts';
import type { RoundStatus } from './messages.ts';

export interface SyncedBlock {
  readonly peer: string;
  /** The encoded block. */
  readonly block: Uint8Array;
  readonly commit: ExtendedCommit;
}

export interface BlockRequest {
  readonly peer: string;
  readonly height: Height;
}

interface Open {
  readonly peer: string;
  readonly tick: number;
}

export class BlockSync {
  readonly #open = new Map<bigint, Open>();
  readonly #ready = new Map<bigint, SyncedBlock>();
  /** Peers that did not deliver in time or lied: asked again only when nobody else is left. */
  readonly #slow = new Set<string>();

  /** What to ask now. `peers` are claims; a claimed base or height that is not true costs one request each time. */
  plan(height: Height, peers: Iterable<readonly [string, RoundStatus | undefined]>, tick: number): BlockRequest[] {
    this.#forget(height, tick);
    const ahead = [...peers].filter((entry): entry is [string, RoundStatus] => (entry[1]?.height ?? 0n) > height + 1n);
    const out: BlockRequest[] = [];
    if (this.#suppliedFor(height)) return out;
    // Whoever has answered most of what he was asked is asked for many more; the others for none.
    const free = ahead.filter(([peer]) => this.#openOf(peer) <= CONSENSUS_LIMITS.fewRequestsPerPeer);
    for (let offset = 0; offset < CONSENSUS_LIMITS.maxBlockRequests && free.length > 0; offset++) {
      const wanted = height + BigInt(offset);
      if (this.has(wanted)) continue;
      const peer = this.#choose(wanted, free);
      if (peer === undefined) continue;
      this.#open.set(wanted, { peer, tick });
      out.push({ peer, height: toHeight(wanted) });
    }
    return out;
  }

  /**
   * Whether the next blocks are here or on their way. As long as they are nothing is asked, and then for many at once:
   * one request after the other would cost both sides a write, a read and a wakening for each block.
   */
  #suppliedFor(height: bigint): boolean {
    for (let offset = 0; offset < CONSENSUS_LIMITS.fewBlocksAhead; offset++)
      if (!this.has(height + BigInt(offset))) return false;
    return true;
  }

  #forget(height: bigint, tick: number): void {
    for (const wanted of [...this.#ready.keys()]) if (wanted < height) this.#ready.delete(wanted);
    for (const [wanted, { peer, tick: since }] of [...this.#open]) {
      if (wanted < height) this.#open.delete(wanted);
      else if (tick - since > CONSENSUS_LIMITS.blockRequestTicks) {
        this.#open.delete(wanted);
        this.#slow.add(peer);
      }
    }
  }

  /** Of those that claim to have the block: a prompt one, the least busy, the first. */
  #choose(wanted: bigint, ahead: readonly (readonly [string, RoundStatus])[]): string | undefined {
    let best: { readonly peer: string; readonly load: number } | undefined;
    for (const [peer, status] of ahead) {
      if (status.base === 0n || status.base > wanted || status.height <= wanted) continue;
      const busy = this.#openOf(peer);
      if (busy >= CONSENSUS_LIMITS.maxRequestsPerPeer) continue;
      const load = busy + (this.#slow.has(peer) ? CONSENSUS_LIMITS.maxBlockRequests : 0);
      if (best === undefined || load < best.load) best = { peer, load };
    }
    return best?.peer;
  }

  #openOf(peer: string): number {
    let count = 0;
    for (const open of this.#open.values()) if (open.peer === peer) count++;
    return count;
  }

  /** Whether this peer was asked for this height and has not answered. */
  expects(peer: string, height: bigint): boolean {
    return this.#open.get(height)?.peer === peer;
  }

  /** Whether this block is here, or on its way. */
  has(height: bigint): boolean {
    return this.#ready.has(height) || this.#open.has(height);
  }

  /** Whether this block is here. */
  holds(height: bigint): boolean {
    return this.#ready.has(height);
  }

  /** Answers whether this peer was asked for this height. An empty block means that it has none to give. */
  receive(peer: string, height: bigint, block: Uint8Array, commit: ExtendedCommit | undefined): boolean {
    if (!this.expects(peer, height)) return false;
    this.#open.delete(height);
    if (commit === undefined) this.#slow.add(peer);
    else this.#ready.set(height, { peer, block, commit });
    return true;
  }

  /** The block for the height that begins now; it is handed out once. */
  take(height: bigint): SyncedBlock | undefined {
    const ready = this.#ready.get(height);
    this.#ready.delete(height);
    return ready;
  }

  /** What this peer delivered was not the block. */
  blame(peer: string): void {
    this.#slow.add(peer);
  }

  removePeer(peer: string): void {
    this.#slow.delete(peer);
    for (const [height, open] of [...this.#open]) if (open.peer === peer) this.#open.delete(height);
  }
}
