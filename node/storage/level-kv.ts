import { ClassicLevel } from 'classic-level';
import { assert } from '#core/assert.ts';
import { concat } from '#core/bytes.ts';
import type { Kv, KvOp, KvRange } from '#core/ports/kv.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { RangeReader } from './range-reader.ts';

export interface LevelKvOptions {
  /** Folder of the database; created with its parents when absent. */
  readonly path: string;
  /** Bytes of uncompressed blocks that LevelDB caches. */
  readonly cacheBytes: number;
  /** Bytes that are gathered in memory before they become a table; twice as many may be held. Default: LevelDB's, 4 MiB. */
  readonly writeBufferBytes?: number;
}

/** A database that another process holds. */
export class DatabaseLockedError extends Error {
  override readonly name = 'DatabaseLockedError';
}

type Level = ClassicLevel<Uint8Array, Uint8Array>;

/**
 * Bytes of an operation, on average, up to which a batch is chained. The memory of a chained batch is freed by the collector,
 * which does not see it: blocks and their results, few and large, would pile up. Where operations are small, what they take as
 * objects makes the collector come in time.
 */
const CHAINED_OP_BYTES = 512;

/** The {@link Kv} port over LevelDB. @throws DatabaseLockedError, Error when the database cannot be opened. */
export async function openLevelKv(
  options: LevelKvOptions,
  dependencies: { readonly rangeReader: RangeReader },
): Promise<Kv> {
  const { path } = options;
  const { rangeReader } = dependencies;
  const db = new ClassicLevel<Uint8Array, Uint8Array>(path, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    multithreading: true,
    cacheSize: options.cacheBytes,
    ...(options.writeBufferBytes === undefined ? {} : { writeBufferSize: options.writeBufferBytes }),
  });
  await openOrExplain(db, path);
  return {
    get(key) {
      const value = db.getSync(key);
      // LevelDB answers with a Buffer, whose slice() does not copy: it must not reach code that relies on copies.
      return value && new Uint8Array(value.buffer, value.byteOffset, value.length);
    },
    entries: (range) => readRange(rangeReader, path, range),
    async write(ops: readonly KvOp[], writeOptions = {}) {
      if (ops.length === 0) return;
      let bytes = 0;
      for (const op of ops) {
        assert(op.type === 'del' || op.value.length > 0, 'a value is not empty');
        bytes += op.key.length + (op.type === 'put' ? op.value.length : 0);
      }
      const sync = writeOptions.sync ?? false;
      if (bytes > CHAINED_OP_BYTES * ops.length) await db.batch(ops as KvOp[], { sync });
      else await writeChained(db, ops, sync);
    },
    async close() {
      rangeReader.release(path);
      await db.close();
    },
  };
}

/** One call of LevelDB for each operation: a third of what an array of them costs, whose fields are looked up one by one. */
async function writeChained(db: Level, ops: readonly KvOp[], sync: boolean): Promise<void> {
  const batch = db.batch();
  for (const op of ops) {
    if (op.type === 'put') batch.put(op.key, op.value);
    else batch.del(op.key);
  }
  await batch.write({ sync });
}

async function openOrExplain(db: Level, path: string): Promise<void> {
  try {
    await db.open();
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    if (cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED')
      throw new DatabaseLockedError(`${path} is in use by another process`, { cause: error });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the database ${path} cannot be opened: ${reason}`, { cause: error });
  }
}

/** Chunk after chunk: few entries first, because most reads of ranges want one. */
function* readRange(
  reader: RangeReader,
  path: string,
  range: KvRange,
): Generator<readonly [Uint8Array, Uint8Array], void> {
  const reverse = range.reverse ?? false;
  let { gte, lt } = range;
  let left = range.limit ?? Number.POSITIVE_INFINITY;
  let count = Math.min(left, 16);
  while (left > 0) {
    const rows = reader.read(path, { gte, lt, reverse, count });
    yield* rows;
    left -= rows.length;
    const last = rows.at(-1);
    if (last === undefined || rows.length < count) return;
    // The least key above `last` is `last` with a zero byte; `lt` is exclusive already.
    if (reverse) lt = last[0];
    else gte = concat(last[0], Uint8Array.of(0));
    count = Math.min(left, NODE_LIMITS.rangeChunkEntries);
  }
}
