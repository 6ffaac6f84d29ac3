/** Simulated time: events in order of time, then of scheduling. */
export interface Scheduled {
  cancelled: boolean;
}

interface Entry extends Scheduled {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void | Promise<void>;
}

export class Scheduler {
  /** A binary heap, least first. */
  readonly #heap: Entry[] = [];
  #order = 0;
  nowMs = 0;

  at(atMs: number, run: () => void | Promise<void>): Scheduled {
    const entry: Entry = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, run, cancelled: false };
    this.#push(entry);
    return entry;
  }

  after(delayMs: number, run: () => void | Promise<void>): Scheduled {
    return this.at(this.nowMs + delayMs, run);
  }

  /** Runs the next event; false when there is none or it lies beyond `untilMs`. */
  async next(untilMs: number): Promise<boolean> {
    for (;;) {
      const entry = this.#heap[0];
      if (entry === undefined || entry.atMs > untilMs) return false;
      this.#pop();
      if (entry.cancelled) continue;
      this.nowMs = entry.atMs;
      await entry.run();
      return true;
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(heap[at] as Entry, heap[parent] as Entry)) break;
      swap(heap, at, parent);
      at = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    heap[0] = last;
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && before(heap[child] as Entry, heap[least] as Entry)) least = child;
      if (least === at) return;
      swap(heap, at, least);
      at = least;
    }
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.order < b.order;
}

function swap(heap: Entry[], a: number, b: number): void {
  const entry = heap[a] as Entry;
  heap[a] = heap[b] as Entry;
  heap[b] = entry;
}
