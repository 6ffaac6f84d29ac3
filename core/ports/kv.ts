/**
 * One change of a {@link Kv}. A value is never empty (a bug of the caller): `new char[0]` of LevelDB's binding, classic-level
 * 3.0.0 `DisposeSliceBuffer`, is never freed, so that each empty value would cost 32 bytes for ever.
 */
export type KvOp =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

/** The value of an entry whose key says it all. */
export const PRESENT: Uint8Array = Uint8Array.of(1);

export interface KvRange {
  /** Inclusive. */
  readonly gte?: Uint8Array;
  /** Exclusive. */
  readonly lt?: Uint8Array;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/**
 * An ordered byte store. Reads are synchronous and see every completed `write`; a `write` is atomic, and with
 * `sync: true` it is on disk when the promise resolves. Adapters: LevelDB (`node/storage`), memory (`core/ports/memory-kv.ts`),
 * the simulator's disk.
 */
export interface Kv {
  get(key: Uint8Array): Uint8Array | undefined;
  /** Ascending by bytes unless `reverse`. The iterator must be consumed before the next `write`. */
  entries(range: KvRange): Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
  write(ops: readonly KvOp[], options?: { readonly sync?: boolean }): Promise<void>;
  close(): Promise<void>;
}
