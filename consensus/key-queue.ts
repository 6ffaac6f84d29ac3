/**
 * Keys in the order of adding. Where a set deletes its first entries one by one, their places stay until it is made anew,
 * and who begins at its beginning passes all of them: microseconds in a set of thousands. One iterator that goes on is
 * always at the oldest, because whatever it has passed was deleted.
 */
export class KeyQueue implements Iterable<string> {
  readonly #keys = new Set<string>();
  #oldest = this.#keys.values();

  get size(): number {
    return this.#keys.size;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** As the youngest, whether or not it is there. False: it was. */
  add(key: string): boolean {
    const isNew = !this.#keys.delete(key);
    this.#keys.add(key);
    return isNew;
  }

  delete(key: string): boolean {
    return this.#keys.delete(key);
  }

  dropOldest(): void {
    let { done, value } = this.#oldest.next();
    if (done) {
      // It came to an end, and what was added since it does not see.
      this.#oldest = this.#keys.values();
      ({ done, value } = this.#oldest.next());
    }
    if (!done && value !== undefined) this.#keys.delete(value);
  }

  clear(): void {
    this.#keys.clear();
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#keys.values();
  }
}
