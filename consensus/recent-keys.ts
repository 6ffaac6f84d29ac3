import { KeyQueue } from './key-queue.ts';

/**
 * The last `limit` keys. What has served its purpose goes earlier: {@link age} drops what was there at the call before
 * and is of no use any more.
 */
export class RecentKeys {
  readonly #limit: number;
  /** Both in the order of adding; everything old is older. */
  #old = new KeyQueue();
  #young = new KeyQueue();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#old.size + this.#young.size;
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  add(key: string): void {
    this.#old.delete(key);
    this.#young.add(key);
    if (this.size > this.#limit) (this.#old.size > 0 ? this.#old : this.#young).dropOldest();
  }

  /** Keeps what was added since the call before, and of the rest what is useful. */
  age(useful: (key: string) => boolean): void {
    for (const key of this.#old) if (!useful(key)) this.#old.delete(key);
    if (this.#old.size === 0) {
      [this.#old, this.#young] = [this.#young, this.#old];
      return;
    }
    for (const key of this.#young) this.#old.add(key);
    this.#young.clear();
  }

  clear(): void {
    this.#old.clear();
    this.#young.clear();
  }
}
