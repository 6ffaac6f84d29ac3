import { err, ok, type Result } from '#core/result.ts';

/** A transaction that the application has checked, with what orders it. */
export interface PoolTx {
  /** SHA-256 of the transaction as a text; its name in the pool. */
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Bytes that it takes in a block: its own with the field's tag and length. */
  readonly blockBytes: number;
  readonly gasWanted: bigint;
  /** Fee per gas as the application scales it. */
  readonly priority: bigint;
  readonly sender: string;
  readonly sequence: bigint;
  /** Height of the chain and time when it was admitted. */
  readonly height: bigint;
  readonly timeMs: number;
}

export interface PoolLimits {
  readonly maxTxs: number;
  /** Of {@link PoolTx.blockBytes}, all transactions together. */
  readonly maxBytes: number;
  /** Blocks that a transaction may wait; 0n: without end. */
  readonly ttlBlocks: bigint;
  /** Milliseconds that it may wait; 0: without end. */
  readonly ttlMs: number;
}

export type PoolRefusal =
  | { readonly kind: 'duplicate' }
  /** Its sender has another with the same sequence, paying as much or more. */
  | { readonly kind: 'conflict'; readonly with: PoolTx }
  | { readonly kind: 'full'; readonly txs: number; readonly bytes: number };

interface Entry extends PoolTx {
  /** Order of admission: breaks ties. */
  readonly serial: number;
}

/**
 * Order of the mempool. A sender's transactions keep their sequence order; among the senders' next ones the highest
 * priority goes first, the earlier admitted on a tie. When the pool is full, a transaction displaces the last ones of
 * the senders that pay least, never one of its own sender, and only those that pay less than itself.
 */
export class MempoolOrder {
  readonly #limits: PoolLimits;
  readonly #byKey = new Map<string, Entry>();
  /** Ascending by sequence. */
  readonly #bySender = new Map<string, Entry[]>();
  #bytes = 0;
  #serial = 0;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#byKey.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): PoolTx | undefined {
    return this.#byKey.get(key);
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** Admits; answers what had to make room for it. */
  add(tx: PoolTx): Result<readonly PoolTx[], PoolRefusal> {
    if (this.#byKey.has(tx.key)) return err({ kind: 'duplicate' });
    const queue = this.#bySender.get(tx.sender);
    const rival = queue?.find((entry) => entry.sequence === tx.sequence);
    if (rival !== undefined && rival.priority >= tx.priority) return err({ kind: 'conflict', with: rival });
    const displaced = this.#makeRoom(tx, rival);
    if (displaced === undefined) return err({ kind: 'full', txs: this.count, bytes: this.#bytes });
    for (const entry of displaced) this.remove(entry.key);
    // Field by field: what a spread has copied, one field more is kept apart from.
    const { key, bytes, blockBytes, gasWanted, priority, sender, sequence, height, timeMs } = tx;
    const serial = this.#serial++;
    const entry = { key, bytes, blockBytes, gasWanted, priority, sender, sequence, height, timeMs, serial };
    this.#insert(entry, displaced.length === 0 ? queue : this.#bySender.get(sender));
    return ok(displaced);
  }

  remove(key: string): PoolTx | undefined {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return undefined;
    this.#byKey.delete(key);
    this.#bytes -= entry.blockBytes;
    const queue = this.#bySender.get(entry.sender);
    if (queue === undefined || queue.length === 1) this.#bySender.delete(entry.sender);
    else
      this.#bySender.set(
        entry.sender,
        queue.filter((other) => other !== entry),
      );
    return entry;
  }

  /** Removes and answers what has waited too long. */
  expire(height: bigint, nowMs: number): readonly PoolTx[] {
    const { ttlBlocks, ttlMs } = this.#limits;
    const expired = [...this.#byKey.values()].filter(
      (entry) => (ttlBlocks > 0n && height - entry.height > ttlBlocks) || (ttlMs > 0 && nowMs - entry.timeMs > ttlMs),
    );
    for (const entry of expired) this.remove(entry.key);
    return expired;
  }

  /**
   * In order of proposal, together at most `maxBytes` and `maxGas` (−1n: no bound). One that does not fit is passed
   * over together with the later ones of its sender.
   */
  reap(maxBytes: number, maxGas: bigint): readonly PoolTx[] {
    if (this.#bytes <= maxBytes && maxGas < 0n && this.#isSorted()) return [...this.#byKey.values()];
    const heap = new HeadHeap([...this.#bySender.values()]);
    const taken: PoolTx[] = [];
    let bytes = 0;
    let gas = 0n;
    for (let head = heap.top(); head !== undefined; head = heap.top()) {
      if (bytes + head.blockBytes > maxBytes || (maxGas >= 0n && gas + head.gasWanted > maxGas)) {
        heap.dropQueue();
        continue;
      }
      taken.push(head);
      bytes += head.blockBytes;
      gas += head.gasWanted;
      heap.advance();
    }
    return taken;
  }

  /** Whether all were admitted in the order of proposal, as most often when one price is usual. */
  #isSorted(): boolean {
    let before: Entry | undefined;
    for (const entry of this.#byKey.values()) {
      if (before !== undefined && entry.priority > before.priority) return false;
      before = entry;
    }
    for (const queue of this.#bySender.values())
      for (let i = 1; i < queue.length; i++)
        if ((queue[i - 1] as Entry).serial > (queue[i] as Entry).serial) return false;
    return true;
  }

  /** Which entries must go for `tx` to fit, its rival among them; `undefined` when it cannot. */
  #makeRoom(tx: PoolTx, rival: Entry | undefined): readonly Entry[] | undefined {
    const { maxTxs, maxBytes } = this.#limits;
    if (tx.blockBytes > maxBytes || maxTxs < 1) return undefined;
    const displaced = rival === undefined ? [] : [rival];
    let count = this.count - displaced.length;
    let bytes = this.#bytes - (rival?.blockBytes ?? 0);
    const fits = () => count < maxTxs && bytes + tx.blockBytes <= maxBytes;
    if (fits()) return displaced;
    const tails = [...this.#bySender.entries()]
      .filter(([sender]) => sender !== tx.sender)
      .map(([, queue]) => ({ queue, left: queue.length }));
    while (!fits()) {
      let victim: { queue: Entry[]; left: number } | undefined;
      for (const tail of tails) {
        const entry = tail.queue[tail.left - 1];
        const worst = victim?.queue[victim.left - 1];
        if (entry !== undefined && entry.priority < tx.priority && (worst === undefined || goesBefore(worst, entry)))
          victim = tail;
      }
      const entry = victim?.queue[victim.left - 1];
      if (victim === undefined || entry === undefined) return undefined;
      victim.left -= 1;
      displaced.push(entry);
      count -= 1;
      bytes -= entry.blockBytes;
    }
    return displaced;
  }

  /** @param queue its sender's, as it stands. */
  #insert(entry: Entry, queue: readonly Entry[] | undefined): void {
    this.#byKey.set(entry.key, entry);
    this.#bytes += entry.blockBytes;
    if (queue === undefined) {
      this.#bySender.set(entry.sender, [entry]);
      return;
    }
    let at = queue.length;
    while (at > 0 && (queue[at - 1] as Entry).sequence > entry.sequence) at -= 1;
    this.#bySender.set(entry.sender, [...queue.slice(0, at), entry, ...queue.slice(at)]);
  }
}

function goesBefore(a: Entry, b: Entry): boolean {
  return a.priority === b.priority ? a.serial < b.serial : a.priority > b.priority;
}

/** A binary heap of the senders' queues, ordered by their first remaining entry. */
class HeadHeap {
  readonly #nodes: { readonly queue: readonly Entry[]; at: number; head: Entry }[] = [];

  constructor(queues: readonly (readonly Entry[])[]) {
    for (const queue of queues) {
      const head = queue[0];
      if (head !== undefined) this.#nodes.push({ queue, at: 0, head });
    }
    for (let i = (this.#nodes.length >> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  top(): Entry | undefined {
    return this.#nodes[0]?.head;
  }

  /** The top has been taken: its queue goes on with its next entry. */
  advance(): void {
    const node = this.#nodes[0];
    if (node === undefined) return;
    node.at += 1;
    const next = node.queue[node.at];
    if (next === undefined) this.dropQueue();
    else {
      node.head = next;
      this.#sink(0);
    }
  }

  /** Forgets the top's whole queue. */
  dropQueue(): void {
    const last = this.#nodes.pop();
    if (last === undefined || this.#nodes.length === 0) return;
    this.#nodes[0] = last;
    this.#sink(0);
  }

  #sink(start: number): void {
    const nodes = this.#nodes;
    for (let at = start; ; ) {
      let best = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        const candidate = nodes[child];
        const holder = nodes[best];
        if (candidate !== undefined && holder !== undefined && goesBefore(candidate.head, holder.head)) best = child;
      }
      const here = nodes[at];
      const other = nodes[best];
      if (best === at || here === undefined || other === undefined) return;
      nodes[at] = other;
      nodes[best] = here;
      at = best;
    }
  }
}
