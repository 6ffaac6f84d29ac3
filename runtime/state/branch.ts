import { assert } from '#core/assert.ts';
import type { KvRange } from '#core/ports/kv.ts';
import { STATE_LIMITS } from '../limits.ts';
import { idOf, keyOf, type StoreKey, toId } from './key-id.ts';
import type { KvReader, KvWriter, StateView, StateWriter } from './kv-view.ts';
import { insert, type SortedMap, scan } from './sorted-map.ts';

/** One key's pending change; `value` undefined means deleted. */
export interface Change {
  /** The key as a string (key-id.ts). */
  readonly id: string;
  readonly value: Uint8Array | undefined;
}

function isWriter(store: KvReader): store is KvWriter {
  return 'set' in store && 'delete' in store;
}

/**
 * A copy-on-write overlay. Reads fall through to the parent; writes stay here until {@link Branch.write} hands them to the
 * parent, or the branch is dropped. Branches nest. The parent must not change under an open branch except by its `write`.
 */
export class Branch implements KvWriter {
  readonly #parent: KvReader;
  /** Made with the first change: many branches see none. */
  #changes: Map<string, Change> | undefined;
  /** Changes in key order, brought up to date from `#unindexed` when somebody iterates. */
  #index: SortedMap<Change> | undefined;
  #unindexed: Map<string, Change> | undefined;
  /** Most branches are never iterated: the index begins with the first time. */
  #indexed = false;
  #revision = 0;

  constructor(parent: KvReader) {
    this.#parent = parent;
  }

  /** Grows with each change; two equal readings mean that nothing was written in between. */
  get revision(): number {
    return this.#revision;
  }

  /** Keys with a pending change. */
  get size(): number {
    return this.#changes?.size ?? 0;
  }

  /** Its change, when it has exactly one. */
  get onlyChange(): Change | undefined {
    return this.#changes?.size === 1 ? this.#changes.values().next().value : undefined;
  }

  get(key: StoreKey): Uint8Array | undefined {
    const id = toId(key);
    const change = this.#changes?.get(id);
    return change === undefined ? this.#parent.get(id) : change.value;
  }

  has(key: StoreKey): boolean {
    const id = toId(key);
    const change = this.#changes?.get(id);
    return change === undefined ? this.#parent.has(id) : change.value !== undefined;
  }

  /** @throws RangeError for an empty key, or one longer than the limit. */
  set(key: StoreKey, value: Uint8Array): void {
    this.#change(key, value);
  }

  delete(key: StoreKey): void {
    this.#change(key, undefined);
  }

  entries(range: KvRange): Iterable<readonly [Uint8Array, Uint8Array]> {
    const pending = this.#indexed ? this.#unindexed : this.#changes;
    this.#indexed = true;
    if (pending !== undefined)
      for (const change of pending.values()) this.#index = insert(this.#index, change.id, change);
    this.#unindexed = undefined;
    const { limit, ...unlimited } = range;
    return merge(this.#parent.entries(unlimited), this.#index, range);
  }

  /** Every change in key order; `value` undefined means deleted. */
  changes(): readonly Change[] {
    if (this.#changes === undefined) return [];
    return [...this.#changes.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  }

  /** A child overlay on this one. */
  branch(): Branch {
    return new Branch(this);
  }

  /**
   * Hands all changes to the parent and is empty afterwards: in key order, but for another branch, which has an order of
   * its own. @throws AssertionError on a read-only parent.
   */
  write(): void {
    const parent = this.#parent;
    if (parent instanceof Branch) {
      if (this.#changes !== undefined) for (const change of this.#changes.values()) parent.#keep(change);
    } else {
      assert(isWriter(parent), 'a branch over a read-only store cannot be written');
      for (const { id, value } of this.changes()) {
        if (value === undefined) parent.delete(id);
        else parent.set(id, value);
      }
    }
    this.clear();
  }

  /** Drops all changes. */
  clear(): void {
    this.#changes = undefined;
    this.#unindexed = undefined;
    this.#index = undefined;
    this.#indexed = false;
    this.#revision++;
  }

  #change(key: StoreKey, value: Uint8Array | undefined): void {
    // Not an assertion: a key may be made of what a transaction says, and that must not stop the node.
    if (key.length === 0 || key.length > STATE_LIMITS.keyBytes)
      throw new RangeError(`store key: expected 1 … ${STATE_LIMITS.keyBytes} bytes, got ${key.length}`);
    this.#keep({ id: toId(key), value });
  }

  #keep(change: Change): void {
    this.#changes ??= new Map();
    this.#changes.set(change.id, change);
    if (this.#indexed) {
      this.#unindexed ??= new Map();
      this.#unindexed.set(change.id, change);
    }
    this.#revision++;
  }
}

/** Parent entries with the overlay's changes laid over them. */
function* merge(
  below: Iterable<readonly [Uint8Array, Uint8Array]>,
  index: SortedMap<Change> | undefined,
  range: KvRange,
): Generator<readonly [Uint8Array, Uint8Array], void, undefined> {
  const reverse = range.reverse === true;
  let left = range.limit ?? Number.MAX_SAFE_INTEGER;
  if (left <= 0) return;
  const gte = range.gte === undefined ? undefined : idOf(range.gte);
  const lt = range.lt === undefined ? undefined : idOf(range.lt);
  const changes = scan(index, gte, lt, reverse);
  let change = next(changes);
  for (const entry of below) {
    const id = change === undefined ? '' : idOf(entry[0]);
    while (change !== undefined && (reverse ? change.id > id : change.id < id)) {
      if (change.value !== undefined) {
        yield [keyOf(change.id), change.value];
        if (--left === 0) return;
      }
      change = next(changes);
    }
    let shown: readonly [Uint8Array, Uint8Array] | undefined = entry;
    if (change !== undefined && change.id === id) {
      shown = change.value === undefined ? undefined : [entry[0], change.value];
      change = next(changes);
    }
    if (shown !== undefined) {
      yield shown;
      if (--left === 0) return;
    }
  }
  for (; change !== undefined; change = next(changes)) {
    if (change.value === undefined) continue;
    yield [keyOf(change.id), change.value];
    if (--left === 0) return;
  }
}

function next<T>(iterator: Iterator<T, void, undefined>): T | undefined {
  const step = iterator.next();
  return step.done === true ? undefined : step.value;
}

/** A {@link Branch} of each named store, made when first touched. Nothing is seen by the parent until `write`. */
export class StateBranch implements StateWriter {
  readonly #parent: StateView;
  readonly #stores = new Map<string, Branch>();

  constructor(parent: StateView) {
    this.#parent = parent;
  }

  store(name: string): Branch {
    let branch = this.#stores.get(name);
    if (branch === undefined) {
      branch = new Branch(this.#parent.store(name));
      this.#stores.set(name, branch);
    }
    return branch;
  }

  /** Grows with each change in any store. */
  get revision(): number {
    let sum = 0;
    for (const branch of this.#stores.values()) sum += branch.revision;
    return sum;
  }

  branch(): StateBranch {
    return new StateBranch(this);
  }

  /** Hands the changes of all stores to the parent and is empty afterwards. @throws AssertionError on a read-only parent. */
  write(): void {
    for (const branch of this.#stores.values()) branch.write();
  }

  /** Drops the changes of all stores. */
  clear(): void {
    for (const branch of this.#stores.values()) branch.clear();
  }
}
