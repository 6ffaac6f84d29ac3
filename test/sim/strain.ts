/** Processors that are slow or stand still for a while, and clocks that are set. Draws from a generator of its own. */
import type { SimNode } from './node.ts';
import { Rng } from './rng.ts';
import type { Scheduler } from './scheduler.ts';

const MAX_SKEW_MS = 5_000;

export class Strain {
  readonly #rng: Rng;
  readonly #scheduler: Scheduler;
  pauses = 0;
  clockJumps = 0;

  constructor(seed: number, scheduler: Scheduler) {
    this.#rng = new Rng(seed ^ 0x57_a1_2f);
    this.#scheduler = scheduler;
  }

  begin(nodes: readonly SimNode[], untilMs: number): void {
    this.#scheduler.after(this.#rng.between(100, 1_000), () => {
      if (this.#scheduler.nowMs >= untilMs) return;
      this.#strike(this.#rng.pick(nodes));
      this.begin(nodes, untilMs);
    });
  }

  #strike(node: SimNode): void {
    const rng = this.#rng;
    switch (rng.below(4)) {
      case 0:
        this.pauses++;
        node.pause(rng.between(50, rng.pick([200, 3_000])));
        return;
      case 1:
        this.clockJumps++;
        node.skewMs = Math.max(-MAX_SKEW_MS, Math.min(MAX_SKEW_MS, node.skewMs + rng.between(-3_000, 3_000)));
        return;
      case 2:
        node.messageMs = rng.pick([2, 10, 40]);
        break;
      default:
        node.applicationMs = rng.pick([20, 300]);
    }
    this.#scheduler.after(rng.between(100, 2_000), () => relieve(node));
  }

  end(nodes: readonly SimNode[]): void {
    for (const node of nodes) relieve(node);
  }
}

function relieve(node: SimNode): void {
  node.messageMs = 0;
  node.applicationMs = 0;
}
