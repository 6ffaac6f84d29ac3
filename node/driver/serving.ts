import { NODE_LIMITS } from '../limits.ts';
import type { PeerId } from './ports.ts';

/**
 * What each peer was given since the last tick. To ask takes a peer a few bytes, to answer takes the disk and megabytes:
 * one that asks for the same again and again must not keep this node busy.
 */
export class Serving {
  readonly #given = new Map<PeerId, { answers: number; bytes: number }>();
  readonly #isBusy: (peer: PeerId) => boolean;

  /** `isBusy`: what waits for this peer already leaves no room for another answer. */
  constructor(isBusy: (peer: PeerId) => boolean) {
    this.#isBusy = isBusy;
  }

  /** False: the question is dropped; an honest peer asks again, or another. */
  admits(peer: PeerId): boolean {
    const given = this.#given.get(peer) ?? { answers: 0, bytes: 0 };
    if (given.answers >= NODE_LIMITS.answersPerTick || given.bytes >= NODE_LIMITS.answeredBytesPerTick) return false;
    if (this.#isBusy(peer)) return false;
    given.answers++;
    this.#given.set(peer, given);
    return true;
  }

  gave(peer: PeerId, bytes: number): void {
    const given = this.#given.get(peer);
    if (given !== undefined) given.bytes += bytes;
  }

  tick(): void {
    this.#given.clear();
  }
}
