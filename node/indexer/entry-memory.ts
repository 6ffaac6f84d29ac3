import { MAX_KEY_BYTES } from './keys.ts';
import { INDEX_LIMITS } from './limits.ts';

/** Takes entries. A key and its value are read before it returns: the memory they are in is that of the next entry as well. */
export interface EntrySink {
  put(key: Uint8Array, value: Uint8Array): void;
}

/**
 * Where entries are made, one after the other: a block has thousands, and memory of its own for each costs more than what
 * stands in it.
 */
export class EntryMemory {
  readonly key = new Uint8Array(MAX_KEY_BYTES);
  readonly #sink: EntrySink;
  readonly #keys: (Uint8Array | undefined)[] = [];
  #value = new Uint8Array(64);
  #values: (Uint8Array | undefined)[] = [];

  constructor(sink: EntrySink) {
    this.#sink = sink;
  }

  /** Memory for a value of so many bytes; what has been written of it already is there. */
  value(length: number): Uint8Array {
    if (length <= this.#value.length) return this.#value;
    const larger = new Uint8Array(2 * length);
    larger.set(this.#value);
    this.#values = [];
    this.#value = larger;
    return larger;
  }

  /** Hands over an entry that has memory of its own. */
  whole(key: Uint8Array, value: Uint8Array): void {
    this.#sink.put(key, value);
  }

  /** Hands over an entry of the first bytes of both. */
  put(keyLength: number, valueLength: number): void {
    this.#sink.put(cut(this.key, this.#keys, keyLength), cut(this.#value, this.#values, valueLength));
  }
}

/** Pieces of each length are made once, if they are short. */
function cut(memory: Uint8Array, pieces: (Uint8Array | undefined)[], length: number): Uint8Array {
  if (length > INDEX_LIMITS.maxReusedPieceBytes) return memory.subarray(0, length);
  const known = pieces[length];
  if (known !== undefined) return known;
  const piece = memory.subarray(0, length);
  pieces[length] = piece;
  return piece;
}
