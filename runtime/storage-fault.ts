/** Failures of the disk under the state: never a verdict about a transaction, always the end of this node's work. */
import type { Kv } from '#core/ports/kv.ts';

/** A read of the state failed on this host. Whoever went on would have another state than everybody else. */
export class StorageFault extends Error {
  override readonly name = 'StorageFault';
}

function fault(cause: unknown): StorageFault {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StorageFault(`the state could not be read: ${reason}`, { cause });
}

/** `kv`, whose failing reads throw {@link StorageFault}, so that nothing takes them for an error of what it executes. */
export function faultingKv(kv: Kv): Kv {
  return {
    get(key) {
      try {
        return kv.get(key);
      } catch (error) {
        throw fault(error);
      }
    },
    *entries(range) {
      // Only the source is guarded: what the consumer throws is its own.
      const source = guardedIterator(() => kv.entries(range)[Symbol.iterator]());
      for (let step = source(); step.done !== true; step = source()) yield step.value;
    },
    write: (ops, options) => kv.write(ops, options),
    close: () => kv.close(),
  };
}

type Entry = readonly [Uint8Array, Uint8Array];

function guardedIterator(open: () => Iterator<Entry>): () => IteratorResult<Entry> {
  let iterator: Iterator<Entry> | undefined;
  return () => {
    try {
      iterator ??= open();
      return iterator.next();
    } catch (error) {
      throw fault(error);
    }
  };
}
