import { EMPTY } from '#core/bytes.ts';

/** Most versions change a few keys of a store: clearing a large buffer for them would cost more than all the rest. */
const FIRST_CHUNK_BYTES = 1_024;

/**
 * Cuts many small byte strings out of few buffers: each of its own costs the allocator and the collector. Whoever keeps
 * one string keeps its buffer.
 */
export class Chunks {
  readonly #mostBytes: number;
  /** Of the next chunk: each is twice as large as the one before. */
  #bytes = FIRST_CHUNK_BYTES;
  #chunk = EMPTY;
  #at = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  take(bytes: number): Uint8Array {
    if (bytes > this.#mostBytes >>> 2) return new Uint8Array(bytes);
    if (this.#at + bytes > this.#chunk.length) {
      while (this.#bytes < bytes) this.#bytes *= 2;
      this.#chunk = new Uint8Array(this.#bytes);
      this.#at = 0;
      this.#bytes = Math.min(this.#bytes * 2, this.#mostBytes);
    }
    const start = this.#at;
    this.#at += bytes;
    return this.#chunk.subarray(start, this.#at);
  }
}
