/** A key and its neighbours in age. */
interface Link {
  readonly key: string;
  older: Link | undefined;
  younger: Link | undefined;
}

/**
 * Keys in the order of adding, each operation in constant time. A plain set is in that order too, but the places of its first
 * entries stay when they are deleted, until it is made anew: who begins at its beginning passes all of them, microseconds
 * in a set of thousands; and an iterator that is kept instead holds every table that the set has outgrown.
 */
export class KeyQueue implements Iterable<string> {
  readonly #links = new Map<string, Link>();
  #oldest: Link | undefined;
  #youngest: Link | undefined;

  get size(): number {
    return this.#links.size;
  }

  has(key: string): boolean {
    return this.#links.has(key);
  }

  /** As the youngest, whether or not it is there. False: it was. */
  add(key: string): boolean {
    const known = this.#links.get(key);
    const link: Link = known ?? { key, older: undefined, younger: undefined };
    if (known === undefined) this.#links.set(key, link);
    else this.#takeOut(known);
    link.older = this.#youngest;
    link.younger = undefined;
    if (this.#youngest === undefined) this.#oldest = link;
    else this.#youngest.younger = link;
    this.#youngest = link;
    return known === undefined;
  }

  delete(key: string): boolean {
    const link = this.#links.get(key);
    if (link === undefined) return false;
    this.#links.delete(key);
    this.#takeOut(link);
    return true;
  }

  #takeOut({ older, younger }: Link): void {
    if (older === undefined) this.#oldest = younger;
    else older.younger = younger;
    if (younger === undefined) this.#youngest = older;
    else younger.older = older;
  }

  dropOldest(): void {
    if (this.#oldest !== undefined) this.delete(this.#oldest.key);
  }

  clear(): void {
    this.#links.clear();
    this.#oldest = undefined;
    this.#youngest = undefined;
  }

  *[Symbol.iterator](): Iterator<string> {
    for (let link = this.#oldest; link !== undefined; link = link.younger) yield link.key;
  }
}
