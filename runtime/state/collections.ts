/**
 * Typed collections over a store. A collection is a stateless description (where, and how keys and values become bytes);
 * each call is handed the store to work on, so that the same description serves branches, metered and historical views.
 */
import { assert } from '#core/assert.ts';
import { compare, concat, EMPTY, prefixEnd } from '#core/bytes.ts';
import type { KvRange } from '#core/ports/kv.ts';
import { type KeyCodec, pairKey, presentValue, u64Value, type ValueCodec } from './codecs.ts';
import { idOf } from './key-id.ts';
import type { KvReader, KvWriter } from './kv-view.ts';

/**
 * The table of one store's prefixes: one byte each, so none is a prefix of another.
 * @throws AssertionError when two collections share a byte.
 */
export function storeLayout<const T extends Readonly<Record<string, number>>>(
  store: string,
  table: T,
): { readonly [K in keyof T]: Uint8Array } {
  const owners = new Map<number, string>();
  const layout: Record<string, Uint8Array> = {};
  for (const [name, byte] of Object.entries(table)) {
    assert(Number.isInteger(byte) && byte >= 0 && byte <= 255, `store ${store}: prefix of ${name} must be one byte`);
    assert(!owners.has(byte), `store ${store}: ${name} and ${owners.get(byte)} share prefix ${byte}`);
    owners.set(byte, name);
    layout[name] = Uint8Array.of(byte);
  }
  return layout as { readonly [K in keyof T]: Uint8Array };
}

/** One value at a fixed key. */
export interface Item<V> {
  get(store: KvReader): V | undefined;
  has(store: KvReader): boolean;
  set(store: KvWriter, value: V): void;
  delete(store: KvWriter): void;
}

export function item<V>(prefix: Uint8Array, codec: ValueCodec<V>): Item<V> {
  return new Cell(idOf(prefix), codec);
}

class Cell<V> implements Item<V> {
  readonly #id: string;
  readonly #codec: ValueCodec<V>;

  constructor(id: string, codec: ValueCodec<V>) {
    this.#id = id;
    this.#codec = codec;
  }

  get(store: KvReader): V | undefined {
    const bytes = store.get(this.#id);
    return bytes === undefined ? undefined : this.#codec.decode(bytes);
  }

  has(store: KvReader): boolean {
    return store.has(this.#id);
  }

  set(store: KvWriter, value: V): void {
    store.set(this.#id, this.#codec.encode(value));
  }

  delete(store: KvWriter): void {
    store.delete(this.#id);
  }
}

/** A counter that hands out each number once. */
export interface Sequence {
  /** What `next` will hand out. */
  peek(store: KvReader): bigint;
  /** Hands out a number, starting with `first`. */
  next(store: KvWriter): bigint;
  /** Sets what `next` will hand out; for genesis. */
  set(store: KvWriter, next: bigint): void;
}

export function sequence(prefix: Uint8Array, first = 0n): Sequence {
  const cell = item(prefix, u64Value);
  return {
    peek: (store) => cell.get(store) ?? first,
    next(store) {
      const value = cell.get(store) ?? first;
      cell.set(store, value + 1n);
      return value;
    },
    set: (store, next) => cell.set(store, next),
  };
}

/** Which entries, in the order of their encoded keys. */
export interface MapRange<K> {
  /** Only keys whose encoding begins so (see `PairCodec.prefix`). */
  readonly under?: Uint8Array;
  /** Inclusive lower end. */
  readonly gte?: K;
  /** Exclusive upper end. */
  readonly lt?: K;
  readonly reverse?: boolean;
  readonly limit?: number;
}

export interface CollectionMap<K, V> {
  readonly keyCodec: KeyCodec<K>;
  /** The whole store key of `key`: what a proof of it is asked with. */
  storeKey(key: K): Uint8Array;
  /** The entry of `key`, for who reads it and then writes it: its store key is made once. */
  at(key: K): Item<V>;
  get(store: KvReader, key: K): V | undefined;
  has(store: KvReader, key: K): boolean;
  set(store: KvWriter, key: K, value: V): void;
  delete(store: KvWriter, key: K): void;
  entries(store: KvReader, range?: MapRange<K>): Iterable<readonly [K, V]>;
  /** Without decoding the values. */
  keys(store: KvReader, range?: MapRange<K>): Iterable<K>;
}

export function map<K, V>(prefix: Uint8Array, keyCodec: KeyCodec<K>, valueCodec: ValueCodec<V>): CollectionMap<K, V> {
  const under = idOf(prefix);
  const id = (key: K) => keyCodec.id(key, under);
  return {
    keyCodec,
    storeKey: (key) => concat(prefix, keyCodec.encode(key)),
    at: (key) => new Cell(id(key), valueCodec),
    get(store, key) {
      const bytes = store.get(id(key));
      return bytes === undefined ? undefined : valueCodec.decode(bytes);
    },
    has: (store, key) => store.has(id(key)),
    set: (store, key, value) => store.set(id(key), valueCodec.encode(value)),
    delete: (store, key) => store.delete(id(key)),
    entries: (store, range = {}) =>
      each(
        store.entries(rawRange(prefix, keyCodec, range)),
        ([key, value]) => [keyCodec.decode(key.slice(prefix.length)), valueCodec.decode(value)] as const,
      ),
    keys: (store, range = {}) =>
      each(store.entries(rawRange(prefix, keyCodec, range)), ([key]) => keyCodec.decode(key.slice(prefix.length))),
  };
}

/** A map of keys without values. */
export interface KeySet<K> {
  has(store: KvReader, key: K): boolean;
  add(store: KvWriter, key: K): void;
  delete(store: KvWriter, key: K): void;
  keys(store: KvReader, range?: MapRange<K>): Iterable<K>;
}

export function keySet<K>(prefix: Uint8Array, keyCodec: KeyCodec<K>): KeySet<K> {
  const inner = map(prefix, keyCodec, presentValue);
  return {
    has: inner.has,
    add: (store, key) => inner.set(store, key, true),
    delete: inner.delete,
    keys: (store, range) => each(inner.entries(store, range), ([key]) => key),
  };
}

/** A second order over an indexed map's entries; several entries may share an index key. */
export interface Index<K, V, I> {
  /** Primary keys whose entries have `key` as index key. */
  keysOf(store: KvReader, key: I, range?: { readonly reverse?: boolean; readonly limit?: number }): Iterable<K>;
  /** [index key, primary key] in index order. */
  entries(store: KvReader, range?: MapRange<readonly [I, K]>): Iterable<readonly [I, K]>;
  /** Called by the indexed map. */
  put(store: KvWriter, key: K, value: V): void;
  drop(store: KvWriter, key: K, value: V): void;
}

/** @param of the index key of an entry, or undefined when it is not in this index. */
export function index<K, V, I>(
  prefix: Uint8Array,
  indexCodec: KeyCodec<I>,
  primaryCodec: KeyCodec<K>,
  of: (value: V, key: K) => I | undefined,
): Index<K, V, I> {
  const codec = pairKey(indexCodec, primaryCodec);
  const pairs = keySet(prefix, codec);
  return {
    keysOf: (store, key, range = {}) =>
      each(pairs.keys(store, { ...range, under: codec.prefix(key) }), ([, primary]) => primary),
    entries: pairs.keys,
    put(store, key, value) {
      const at = of(value, key);
      if (at !== undefined) pairs.add(store, [at, key]);
    },
    drop(store, key, value) {
      const at = of(value, key);
      if (at !== undefined) pairs.delete(store, [at, key]);
    },
  };
}

export interface IndexedMap<K, V, X> extends Omit<CollectionMap<K, V>, 'at'> {
  readonly indexes: X;
}

/** A map that keeps its indexes in step with each `set` and `delete`. */
export function indexedMap<K, V, X extends Readonly<Record<string, Pick<Index<K, V, never>, 'put' | 'drop'>>>>(
  prefix: Uint8Array,
  keyCodec: KeyCodec<K>,
  valueCodec: ValueCodec<V>,
  indexes: X,
): IndexedMap<K, V, X> {
  const inner = map(prefix, keyCodec, valueCodec);
  function unindex(store: KvWriter, key: K): void {
    const old = inner.get(store, key);
    if (old !== undefined) for (const one of Object.values(indexes)) one.drop(store, key, old);
  }
  return {
    ...inner,
    indexes,
    set(store, key, value) {
      unindex(store, key);
      inner.set(store, key, value);
      for (const one of Object.values(indexes)) one.put(store, key, value);
    },
    delete(store, key) {
      unindex(store, key);
      inner.delete(store, key);
    },
  };
}

/** The source is taken at the call, not at the first step, so that the snapshot is of that moment. */
function each<T, U>(source: Iterable<T>, change: (value: T) => U): Iterable<U> {
  return (function* () {
    for (const value of source) yield change(value);
  })();
}

function rawRange<K>(prefix: Uint8Array, codec: KeyCodec<K>, range: MapRange<K>): KvRange {
  const base = concat(prefix, range.under ?? EMPTY);
  let gte = base;
  if (range.gte !== undefined) {
    const asked = concat(prefix, codec.encode(range.gte));
    if (compare(asked, base) > 0) gte = asked;
  }
  let lt = prefixEnd(base);
  if (range.lt !== undefined) {
    const asked = concat(prefix, codec.encode(range.lt));
    if (lt === undefined || compare(asked, lt) < 0) lt = asked;
  }
  return {
    gte,
    ...(lt === undefined ? {} : { lt }),
    ...(range.reverse === undefined ? {} : { reverse: range.reverse }),
    ...(range.limit === undefined ? {} : { limit: range.limit }),
  };
}
