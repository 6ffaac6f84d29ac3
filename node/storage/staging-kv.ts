import { compare } from '#core/bytes.ts';
import type { Kv, KvOp, KvRange } from '#core/ports/kv.ts';

/** The last that was written of each key, by {@link nameOf}. */
type View = ReadonlyMap<string, KvOp>;

/** What was written and is not in the database yet. */
class Layer {
  readonly ops: KvOp[] = [];
  bytes = 0;
  readonly #view = new Map<string, KvOp>();
  /** How many of {@link ops} are in the view. */
  #seen = 0;

  add(op: KvOp): void {
    this.ops.push(op);
    this.bytes += op.key.length + (op.type === 'put' ? op.value.length : 0);
  }

  /** Made when somebody reads: most of what is written is in the database before anybody asks for it. */
  view(): View {
    for (; this.#seen < this.ops.length; this.#seen++) {
      const op = this.ops[this.#seen] as KvOp;
      this.#view.set(nameOf(op.key), op);
    }
    return this.#view;
  }
}

/** A key as a text, a character for each byte. */
const nameOf = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString('latin1');

const written = (op: KvOp): Uint8Array | undefined => (op.type === 'put' ? op.value : undefined);

/** What is held is not staged by the rule of the size, and lost when the database is closed: whoever holds it releases it. */
export interface StagingKv extends Kv {
  hold(): void;
  release(): Promise<void>;
  readonly heldBytes: number;
}

/**
 * A {@link Kv} whose unsynced writes wait in memory for the next synced one and go to the database with it, in one batch:
 * each batch costs its way to another thread and back, and what is not synced nobody relies on after a crash. Reads see
 * them meanwhile. Beyond `maxStagedBytes` they go by themselves, and are waited for as well: LevelDB closes a full log
 * without syncing it (1.20 `MakeRoomForWrite`) and syncs only the next one, so a batch of megabytes that was not waited
 * for may be lost though a later one is on disk. With 0 nothing waits, and nothing may be built on what was not synced.
 */
export function stagingKv(kv: Kv, options: { readonly maxStagedBytes: number }): StagingKv {
  let staged = new Layer();
  let flushing = new Layer();
  /** Apart from `staged`, which a write that was asked for before the hold may be about to take. */
  let holding = new Layer();
  let tail: Promise<unknown> = Promise.resolve();
  let held = false;
  let failed: { readonly error: unknown } | undefined;

  function stage(ops: readonly KvOp[]): void {
    const layer = held ? holding : staged;
    for (const op of ops) layer.add(op);
  }

  /** One after the other, whoever asks: batches reach the database in the order in which they were written. */
  function flush(sync: boolean): Promise<void> {
    const next = tail.then(async () => {
      if (failed !== undefined) throw new Error('an earlier write has failed', { cause: failed.error });
      flushing = staged;
      staged = new Layer();
      try {
        await kv.write(flushing.ops, { sync });
      } catch (error) {
        failed = { error };
        throw error;
      }
      flushing = new Layer();
    });
    tail = next.catch(() => {
      // Whoever waits for it has been told.
    });
    return next;
  }

  function* entries(range: KvRange): Generator<readonly [Uint8Array, Uint8Array], void> {
    const { gte, lt, reverse = false } = range;
    const within = (key: Uint8Array) =>
      (gte === undefined || compare(key, gte) >= 0) && (lt === undefined || compare(key, lt) < 0);
    const order = (a: Uint8Array, b: Uint8Array) => (reverse ? compare(b, a) : compare(a, b));
    const changed = [...new Map([...flushing.view(), ...staged.view(), ...holding.view()]).values()]
      .filter(({ key }) => within(key))
      .map((op) => ({ key: op.key, value: written(op) }))
      .sort((a, b) => order(a.key, b.key));
    let at = 0;
    const { limit: _, ...unlimited } = range;
    for (const [key, value] of kv.entries(unlimited)) {
      for (; at < changed.length; at++) {
        const change = changed[at];
        if (change === undefined || order(change.key, key) >= 0) break;
        if (change.value !== undefined) yield [change.key, change.value];
      }
      const change = changed[at];
      if (change === undefined || order(change.key, key) !== 0) yield [key, value];
    }
    for (const change of changed.slice(at)) if (change.value !== undefined) yield [change.key, change.value];
  }

  function* limited(range: KvRange): Generator<readonly [Uint8Array, Uint8Array], void> {
    let left = range.limit ?? Number.POSITIVE_INFINITY;
    if (left <= 0) return;
    for (const entry of entries(range)) {
      yield entry;
      if (--left <= 0) return;
    }
  }

  const isEmpty = () => staged.ops.length + flushing.ops.length + holding.ops.length === 0;

  return {
    get(key) {
      if (isEmpty()) return kv.get(key);
      const name = nameOf(key);
      const change = holding.view().get(name) ?? staged.view().get(name) ?? flushing.view().get(name);
      return change === undefined ? kv.get(key) : written(change);
    },
    entries: (range) => (isEmpty() ? kv.entries(range) : limited(range)),
    hold() {
      held = true;
    },
    async release() {
      held = false;
      const { ops } = holding;
      holding = new Layer();
      stage(ops);
      await flush(true);
    },
    get heldBytes() {
      return holding.bytes;
    },
    async write(ops, writeOptions) {
      stage(ops);
      if (held) {
        if (failed !== undefined) throw new Error('an earlier write has failed', { cause: failed.error });
      } else if (writeOptions?.sync === true) await flush(true);
      else if (staged.bytes > options.maxStagedBytes) await flush(options.maxStagedBytes > 0);
    },
    async close() {
      if (failed === undefined && staged.ops.length > 0 && !held) await flush(false);
      else await tail;
      await kv.close();
    },
  };
}
