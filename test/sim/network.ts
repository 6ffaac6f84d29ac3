/** A simulated network: delay, loss, duplication, reordering, partitions in one or both directions. */
import type { Rng } from './rng.ts';
import type { Scheduler } from './scheduler.ts';

export interface NetworkFaults {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** Probabilities of one message. */
  readonly loss: number;
  readonly duplicate: number;
  /** Delayed by up to ten times the maximum. */
  readonly straggle: number;
}

export const CALM: NetworkFaults = { minDelayMs: 1, maxDelayMs: 20, loss: 0, duplicate: 0, straggle: 0 };

export interface NetworkCounts {
  sent: number;
  lost: number;
  duplicated: number;
  straggled: number;
  cut: number;
}

export type Deliver = (from: string, to: string, bytes: Uint8Array) => void;

export class Network {
  readonly #rng: Rng;
  readonly #scheduler: Scheduler;
  readonly #deliver: Deliver;
  readonly counts: NetworkCounts = { sent: 0, lost: 0, duplicated: 0, straggled: 0, cut: 0 };
  faults: NetworkFaults = CALM;
  /** Answers whether nothing passes from one to the other now. */
  cut: (from: string, to: string) => boolean = () => false;
  /** Cuts that never heal: between the twins of a Byzantine validator and the half that each plays for. */
  readonly alwaysCut = new Set<string>();

  constructor(rng: Rng, scheduler: Scheduler, deliver: Deliver) {
    this.#rng = rng;
    this.#scheduler = scheduler;
    this.#deliver = deliver;
  }

  send(from: string, to: string, bytes: Uint8Array): void {
    const { faults, counts } = this;
    counts.sent++;
    if (this.alwaysCut.has(`${from}>${to}`) || this.cut(from, to)) {
      counts.cut++;
      return;
    }
    if (this.#rng.chance(faults.loss)) {
      counts.lost++;
      return;
    }
    const copies = this.#rng.chance(faults.duplicate) ? 2 : 1;
    counts.duplicated += copies - 1;
    for (let i = 0; i < copies; i++) {
      let delay = this.#rng.between(faults.minDelayMs, faults.maxDelayMs);
      if (this.#rng.chance(faults.straggle)) {
        delay *= this.#rng.between(1, 10);
        counts.straggled++;
      }
      this.#scheduler.after(delay, () => this.#deliver(from, to, bytes));
    }
  }
}
