/**
 * The index of transactions and block events over a {@link Kv}. It follows the block store: what was committed while
 * the index was down, or lost by it in a crash, is read from there again, so that it needs no synced writes.
 */
import { setImmediate } from 'node:timers/promises';
import type { FinalizeBlockResponse } from '#core/abci.ts';
import { readU64be, u64be } from '#core/bytes.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { Block } from '#core/types/block.ts';
import type { TxRecord } from '#rpc/backend.ts';
import { readTxRecord } from './codec.ts';
import { blockEntries, type IndexedBlock, indexedBlock, sha256 } from './entries.ts';
import {
  heightOfPosition,
  INDEX_PREFIXES,
  indexedHeightKey,
  type Position,
  positionKey,
  readPosition,
  txByHashKey,
} from './keys.ts';
import { INDEX_LIMITS } from './limits.ts';
import { directWriter, type IndexWriter, writeBlocks } from './writer.ts';

/** Where committed blocks and their results are kept. */
export interface IndexSource {
  heights(): { readonly base: bigint; readonly latest: bigint };
  block(height: bigint): Block | undefined;
  results(height: bigint): FinalizeBlockResponse | undefined;
}

export interface CommittedResults {
  readonly block: Block;
  readonly results: FinalizeBlockResponse;
}

export interface Indexer {
  /** The greatest height that is indexed; 0 before the first. */
  indexedHeight(): bigint;
  /** Told of each commit. Resolves when the block, and all before it, are indexed (or the indexer is closed); rejects when the store fails. */
  committed(committed: CommittedResults): Promise<void>;
  /** Indexes every executed block that the source has beyond {@link Indexer.indexedHeight}. */
  catchUp(): Promise<void>;
  /**
   * Forgets the heights from `from` up to, not including, `to`; the source must have their blocks and results still.
   * Doing it again, after a crash, changes nothing.
   */
  prune(from: bigint, to: bigint): Promise<void>;
  txByHash(hash: Uint8Array): TxRecord | undefined;
  txAt(at: Position): TxRecord | undefined;
  /** Finishes the block at hand, and stops. The store stays open: it is its owner's. */
  close(): Promise<void>;
}

export function createIndexer(dependencies: {
  readonly kv: Kv;
  readonly source: IndexSource;
  readonly logger: Logger;
  /** Whether a block's first transaction is the proposer's own: nobody's transaction, and so not in the index. */
  readonly isInjection?: (tx: Uint8Array) => boolean;
  /** Writes to `kv`. Default: on this thread. */
  readonly writer?: IndexWriter;
}): Indexer {
  const { kv, source, writer = directWriter(dependencies.kv) } = dependencies;
  const isInjection = dependencies.isInjection ?? (() => false);
  const logger = dependencies.logger.child('index');
  const fresh = new Map<bigint, CommittedResults>();
  const stored = kv.get(indexedHeightKey);
  let indexed = stored === undefined ? 0n : readU64be(stored);
  let closed = false;
  let running: Promise<void> = Promise.resolve();

  async function advance(to: bigint): Promise<void> {
    while (indexed < to && !closed) {
      const { base, latest } = source.heights();
      let height = indexed + 1n < base ? base : indexed + 1n;
      const found = fresh.get(height) ?? read(height);
      // The newest block is stored before it is executed: without results, its commit is still to come.
      if (found === undefined && height >= latest) return;
      if (found === undefined) logger.warn('A block is not kept and stays out of the index.', { height });
      const blocks = found === undefined ? [] : [ofBlock(found)];
      let txs = found?.block.txs.length ?? 0;
      // What has come meanwhile is written together with it.
      for (let next = fresh.get(height + 1n); next !== undefined; next = fresh.get(height + 1n)) {
        txs += next.block.txs.length;
        if (txs > INDEX_LIMITS.maxTxsTogether) break;
        blocks.push(ofBlock(next));
        height++;
      }
      await writer.write(blocks, height);
      indexed = height;
      for (const told of fresh.keys()) if (told <= height) fresh.delete(told);
    }
  }

  function read(height: bigint): CommittedResults | undefined {
    const block = source.block(height);
    const results = source.results(height);
    return block === undefined || results === undefined ? undefined : { block, results };
  }

  const ofBlock = ({ block, results }: CommittedResults) => indexedBlock(block, results, isInjection);

  async function forgetAll(from: bigint, to: bigint): Promise<void> {
    for (let height = from; height < to && !closed; height++) {
      const found = read(height);
      if (found !== undefined) await forget(kv, ofBlock(found));
    }
  }

  /** One block after the other, whoever asks. */
  function enqueue(to: () => bigint): Promise<void> {
    const next = running.then(() => advance(to()));
    // Whoever asked sees the failure; the next one to ask tries the same block again.
    running = next.catch(() => {});
    return next;
  }

  function txAt(at: Position): TxRecord | undefined {
    const bytes = kv.get(positionKey('txRecord', at));
    if (bytes === undefined) return undefined;
    const record = readTxRecord('index record', bytes);
    return { ...record, hash: sha256(record.tx) };
  }

  return {
    indexedHeight: () => indexed,
    committed(committed) {
      const { height } = committed.block.header;
      if (height > indexed && fresh.size < INDEX_LIMITS.maxFreshBlocks) fresh.set(height, committed);
      return enqueue(() => height);
    },
    catchUp: () => enqueue(() => source.heights().latest),
    prune(from, to) {
      const done = running.then(() => forgetAll(from, to));
      running = done.catch(() => {});
      return done;
    },
    txByHash(hash) {
      const at = kv.get(txByHashKey(hash));
      return at === undefined ? undefined : txAt(readPosition(at));
    },
    txAt,
    async close() {
      closed = true;
      await running;
      await writer.close();
    },
  };
}

/** Empties the index, so that the next catch-up makes it anew. No indexer may be open over `kv`. */
export async function clearIndex(kv: Kv): Promise<void> {
  for (;;) {
    const keys = [...kv.entries({ limit: INDEX_LIMITS.scanChunkEntries })].map(([key]) => key);
    if (keys.length === 0) return;
    await kv.write(keys.map((key) => ({ type: 'del', key })));
  }
}

/** What the work on an index needs that nobody has open. */
export interface ClosedIndex {
  readonly kv: Kv;
  readonly source: IndexSource;
  readonly isInjection: (tx: Uint8Array) => boolean;
}

export function indexedHeightOf(kv: Kv): bigint {
  const stored = kv.get(indexedHeightKey);
  return stored === undefined ? 0n : readU64be(stored);
}

/**
 * Forgets every height above `height`; the source must have their blocks and results still. The mark goes first, so that
 * whoever starts the node after an interruption gets every height again; whoever takes back again has all of them
 * forgotten, whatever the mark says.
 */
export async function rollbackIndex({ kv, source, isInjection }: ClosedIndex, height: bigint): Promise<void> {
  if (indexedHeightOf(kv) > height)
    await kv.write([{ type: 'put', key: indexedHeightKey, value: u64be(height) }], { sync: true });
  let above = height + 1n;
  for (let block = source.block(above); block !== undefined; block = source.block(++above)) {
    const results = source.results(above);
    if (results !== undefined) await forget(kv, indexedBlock(block, results, isInjection));
  }
}

/**
 * Writes the entries of a range of heights anew. Answers how many it has written: heights whose block or results are not
 * kept are passed over. The indexed height moves only where the range goes on from it.
 */
export async function reindex(
  { kv, source, isInjection }: ClosedIndex,
  range: { readonly from: bigint; readonly to: bigint },
  told: (height: bigint) => void,
): Promise<number> {
  let indexed = indexedHeightOf(kv);
  let written = 0;
  for (let { from: height } = range; height <= range.to; height++) {
    const block = source.block(height);
    const results = source.results(height);
    if (block !== undefined && results !== undefined) {
      if (height === indexed + 1n || indexed === 0n) indexed = height;
      await writeBlocks(kv, [indexedBlock(block, results, isInjection)], indexed, () => setImmediate());
      written++;
    }
    told(height);
  }
  return written;
}

/** Everything that was written for the block, except that a hash may name a later transaction meanwhile. */
async function forget(kv: Kv, block: IndexedBlock): Promise<void> {
  let batch: KvOp[] = [];
  let pieces = 0;
  for (const entries of blockEntries(kv, block, new Set())) {
    for (const { key } of entries) {
      if (key[0] === INDEX_PREFIXES.txByHash) {
        const at = kv.get(key);
        if (at === undefined || heightOfPosition(readPosition(at)) !== block.height) continue;
      }
      batch.push({ type: 'del', key });
    }
    if (++pieces % INDEX_LIMITS.txsPerTurn === 0) await setImmediate();
    if (batch.length < INDEX_LIMITS.maxEntriesPerBatch) continue;
    await kv.write(batch);
    batch = [];
  }
  await kv.write(batch);
}
