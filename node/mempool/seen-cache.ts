import { KeyQueue } from '#consensus/key-queue.ts';

/** The last `limit` keys; the one not touched for longest goes first. */
export class SeenCache {
  readonly #limit: number;
  readonly #keys = new KeyQueue();

  constructor(limit: number) {
    this.#limit = limit;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** False when the key was there already. */
  add(key: string): boolean {
    const isNew = this.#keys.add(key);
    if (this.#keys.size > this.#limit) this.#keys.dropOldest();
    return isNew;
  }

  delete(key: string): void {
    this.#keys.delete(key);
  }
}
