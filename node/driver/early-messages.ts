import { CONSENSUS_LIMITS } from '#consensus/limits.ts';
import type { PeerMessage } from '#consensus/messages.ts';
import type { PeerId } from './ports.ts';

export type ConsensusMessage = Extract<PeerMessage, { kind: 'proposal' | 'block-part' | 'vote' }>;

interface Early {
  readonly peer: PeerId;
  readonly bytes: Uint8Array;
}

/** Messages of the next height, as they came: they are taken in again when that height begins. */
export class EarlyMessages {
  #kept: Early[] = [];
  #parts = 0;
  readonly #ofSigner = new Map<string, number>();

  /** Votes and proposals have been verified; parts are nobody's word. */
  keep(peer: PeerId, bytes: Uint8Array, message: ConsensusMessage): void {
    if (this.#kept.length >= CONSENSUS_LIMITS.maxEarlyMessages) return;
    if (message.kind === 'block-part') {
      if (this.#parts >= CONSENSUS_LIMITS.maxEarlyParts) return;
      this.#parts++;
    } else this.#ofSigner.set(signerOf(message), (this.#ofSigner.get(signerOf(message)) ?? 0) + 1);
    this.#kept.push({ peer, bytes });
  }

  /** Whether the signer of this message has as many here as are kept of one. */
  isFullFor(message: ConsensusMessage): boolean {
    return (this.#ofSigner.get(signerOf(message)) ?? 0) >= CONSENSUS_LIMITS.maxEarlyOfValidator;
  }

  get counts(): { readonly all: number; readonly parts: number } {
    return { all: this.#kept.length, parts: this.#parts };
  }

  /** All of them; none is left. */
  take(): readonly Early[] {
    const kept = this.#kept;
    this.#kept = [];
    this.#parts = 0;
    this.#ofSigner.clear();
    return kept;
  }
}

function signerOf(message: ConsensusMessage): string {
  switch (message.kind) {
    case 'vote':
      return `vote ${message.vote.validatorIndex}`;
    // A round has one proposer: that of the next one must not take the room of this one's.
    case 'proposal':
      return `proposal ${message.proposal.round}`;
    case 'block-part':
      return message.kind;
  }
}
