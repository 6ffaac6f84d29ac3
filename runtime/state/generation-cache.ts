/** What a cached byte string costs besides its bytes: array and buffer headers, its key, its place in the map. */
const OVERHEAD_BYTES = 250;

/** One store's part of a {@link GenerationCache}. */
export interface Shelf<K> {
  young: Map<K, Uint8Array>;
  old: Map<K, Uint8Array>;
}

/**
 * Byte strings of all stores, in two generations: when the young one is full it becomes the old one, and what was not used
 * since is dropped. At most `limitBytes`, overheads included.
 */
export class GenerationCache<K> {
  readonly #halfBytes: number;
  readonly #shelves: Shelf<K>[] = [];
  #youngBytes = 0;

  constructor(limitBytes: number) {
    this.#halfBytes = limitBytes >>> 1;
  }

  shelf(): Shelf<K> {
    const shelf = { young: new Map<K, Uint8Array>(), old: new Map<K, Uint8Array>() };
    this.#shelves.push(shelf);
    return shelf;
  }

  get(shelf: Shelf<K>, key: K): Uint8Array | undefined {
    const young = shelf.young.get(key);
    if (young !== undefined) return young;
    const old = shelf.old.get(key);
    if (old === undefined) return undefined;
    // Of a chunk that others shared: they go now, and it with them.
    const kept = ownsBuffer(old) ? old : old.slice();
    this.put(shelf, key, kept);
    return kept;
  }

  drop(shelf: Shelf<K>, key: K): void {
    const young = shelf.young.get(key);
    if (young !== undefined) {
      this.#youngBytes -= this.#freed(young);
      shelf.young.delete(key);
    }
    shelf.old.delete(key);
  }

  put(shelf: Shelf<K>, key: K, bytes: Uint8Array): void {
    const before = shelf.young.get(key);
    if (before !== undefined) this.#youngBytes -= this.#freed(before);
    shelf.young.set(key, bytes);
    this.#youngBytes += OVERHEAD_BYTES + bytes.length;
    if (this.#youngBytes <= this.#halfBytes) return;
    for (const each of this.#shelves) {
      each.old = each.young;
      each.young = new Map();
    }
    this.#youngBytes = 0;
  }

  /** What is cut from a chunk frees nothing alone: it counts until its generation goes. */
  #freed(bytes: Uint8Array): number {
    return ownsBuffer(bytes) ? OVERHEAD_BYTES + bytes.length : 0;
  }
}

function ownsBuffer(bytes: Uint8Array): boolean {
  return bytes.byteLength === bytes.buffer.byteLength;
}
