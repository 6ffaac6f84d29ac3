/** Which evidence to tell which peer: each piece to each who can judge it, again while it waits, for messages get lost. */
import type { Evidence } from '#core/types/evidence.ts';
import { evidenceHeight } from '#core/types/evidence.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { PendingEvidence } from './evidence-pool.ts';
import type { PeerId } from './ports.ts';

export class EvidenceGossip {
  /** By peer and id: our height when the peer was told, or told us. */
  readonly #told = new Map<PeerId, Map<string, bigint>>();

  /**
   * What to send to a peer that works on `theirHeight`, while we work on `height`. Called often, mostly without any
   * evidence. A peer that has not committed the height of the crime knows neither its validators nor its time.
   */
  due(peer: PeerId, theirHeight: bigint, height: bigint, pending: readonly PendingEvidence[]): Evidence[] {
    if (pending.length === 0) {
      this.#told.delete(peer);
      return [];
    }
    const before = this.#told.get(peer);
    const told = new Map<string, bigint>();
    const out: Evidence[] = [];
    for (const { id, evidence } of pending) {
      const at = before?.get(id);
      const fresh = at !== undefined && height < at + BigInt(NODE_LIMITS.evidenceResendHeights);
      if (!fresh && out.length < NODE_LIMITS.evidencePerStatus && evidenceHeight(evidence) < theirHeight) {
        out.push(evidence);
        told.set(id, height);
      } else if (at !== undefined) told.set(id, at);
    }
    this.#told.set(peer, told);
    return out;
  }

  /** The peer has told us of it: it need not be told at once. */
  heard(peer: PeerId, id: string, height: bigint): void {
    const told = this.#told.get(peer) ?? new Map<string, bigint>();
    told.set(id, height);
    this.#told.set(peer, told);
  }

  removePeer(peer: PeerId): void {
    this.#told.delete(peer);
  }
}
