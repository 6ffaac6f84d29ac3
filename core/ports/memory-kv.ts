import { assert } from '../assert.ts';
import { compare, fromHex, toHex } from '../bytes.ts';
import type { Kv, KvOp, KvRange } from './kv.ts';

/** A {@link Kv} in memory: for tests, the simulator and ephemeral nodes. Values are not copied. */
export class MemoryKv implements Kv {
  readonly #map = new Map<string, Uint8Array>();
  /** Hex keys in order, rebuilt lazily after a write: hex order is byte order. */
  #sorted: string[] | undefined;

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#map.get(toHex(key));
  }

  *entries(range: KvRange): Iterable<readonly [Uint8Array, Uint8Array]> {
    this.#sorted ??= [...this.#map.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const sorted = this.#sorted;
    const start = range.gte === undefined ? 0 : lowerBound(sorted, toHex(range.gte));
    const end = range.lt === undefined ? sorted.length : lowerBound(sorted, toHex(range.lt));
    let left = range.limit ?? Number.POSITIVE_INFINITY;
    for (let n = 0; n < end - start && left > 0; n++, left--) {
      const hex = sorted[range.reverse ? end - 1 - n : start + n] as string;
      yield [fromHex(hex), this.#map.get(hex) as Uint8Array];
    }
  }

  async write(ops: readonly KvOp[]): Promise<void> {
    for (const op of ops) {
      const hex = toHex(op.key);
      assert(op.type === 'del' || op.value.length > 0, 'a value is not empty');
      if (op.type === 'del') {
        if (this.#map.delete(hex)) this.#sorted = undefined;
      } else {
        if (!this.#map.has(hex)) this.#sorted = undefined;
        this.#map.set(hex, op.value);
      }
    }
  }

  async close(): Promise<void> {}

  get size(): number {
    return this.#map.size;
  }

  /** Every entry in byte order; for comparing two stores. */
  dump(): (readonly [Uint8Array, Uint8Array])[] {
    return [...this.entries({})].sort((a, b) => compare(a[0], b[0]));
  }
}

/** First index whose element is ≥ `target`. */
function lowerBound(sorted: readonly string[], target: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) < target) low = middle + 1;
    else high = middle;
  }
  return low;
}
