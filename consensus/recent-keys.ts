/**
 * The last keys: at least `limit` of them, at most twice as many. What has served its purpose goes earlier, by {@link age}.
 */
export class RecentKeys {
  readonly #limit: number;
  /** A key may be in both. */
  #old = new Set<string>();
  #young = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  add(key: string): void {
    if (this.#young.size >= this.#limit) this.#turn();
    this.#young.add(key);
  }

  /** Of what was there at the call before, or is none of the last, only what is useful stays, as long as there is room. */
  age(useful: (key: string) => boolean): void {
    for (const key of this.#old) {
      if (this.#young.size >= this.#limit) break;
      if (useful(key)) this.#young.add(key);
    }
    this.#turn();
  }

  clear(): void {
    this.#old = new Set();
    this.#young = new Set();
  }

  #turn(): void {
    this.#old = this.#young;
    this.#young = new Set();
  }
}
