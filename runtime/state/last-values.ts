import { STATE_LIMITS } from '../limits.ts';
import type { Change } from './branch.ts';
import type { GenerationCache, Shelf } from './generation-cache.ts';

/** Known not to be there. Told from an empty value by being this very array. */
export const ABSENT: Uint8Array = new Uint8Array(0);

/**
 * What was read or written of one store's last version, by the key's id. It goes with the chain from version to version: a commit
 * tells what it changes. So an account that is used again is found without a walk through the tree.
 */
export class LastValues {
  readonly #cache: GenerationCache<string>;
  readonly #shelf: Shelf<string>;

  constructor(cache: GenerationCache<string>) {
    this.#cache = cache;
    this.#shelf = cache.shelf();
  }

  /** {@link ABSENT} for what is known not to be there, undefined for what is not known. */
  get(id: string): Uint8Array | undefined {
    return this.#cache.get(this.#shelf, id);
  }

  /** Of the last version. */
  learn(id: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.#cache.put(this.#shelf, id, ABSENT);
    else if (value.length > STATE_LIMITS.cachedValueBytes) this.#cache.drop(this.#shelf, id);
    // A copy: what was cut from a large transaction, or from a record still to be written, would keep all of it.
    else this.#cache.put(this.#shelf, id, value.slice());
  }

  /** What makes the next version of the last one: what was written will be read. */
  update(changes: readonly Change[]): void {
    for (const { id, value } of changes) this.learn(id, value);
  }
}
