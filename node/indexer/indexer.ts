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
import { toHeight } from '#core/types/brand.ts';
import type { TxRecord } from '#rpc/backend.ts';
import { encodeFinalizeResponse } from '../driver/abci-codec.ts';
import type { BlockStore } from '../driver/block-store.ts';
import type { StateStore } from '../driver/state-store.ts';
import { BlockEntries, type IndexedBlock, indexedBlock, sha256 } from './entries.ts';
import type { EntrySink } from './entry-memory.ts';
import {
  heightOfPosition,
  INDEX_PREFIXES,
  indexedHeightKey,
  indexOfPosition,
  type Position,
  readNamed,
  txByHashKey,
} from './keys.ts';
import { INDEX_LIMITS } from './limits.ts';
import { resultReader, txReader } from './stored-txs.ts';
import { directWriter, type IndexWriter, kvTarget, writeBlocks } from './writer.ts';

/** Where committed blocks and their results are kept. */
export interface IndexSource {
  heights(): { readonly base: bigint; readonly latest: bigint };
  block(height: bigint): Block | undefined;
  /** As `encodeBlock` of `core/types/block.ts` makes it. */
  encodedBlock(height: bigint): Uint8Array | undefined;
  /** As `encodeFinalizeResponse` of `driver/abci-codec.ts` makes them. */
  results(height: bigint): Uint8Array | undefined;
}

/** The stores of a chain as a source. */
export function storedBlocks(blocks: BlockStore, states: StateStore): IndexSource {
  return {
    heights: () => ({ base: blocks.base, latest: blocks.height }),
    block: (height) => blocks.block(height),
    encodedBlock: (height) => blocks.encodedBlock(height),
    results: (height) => states.encodedResponse(height),
  };
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
  /** Those of them that are kept, in that order. What follows one another of one block is read at once, and others get their turn after it. */
  txsAt(positions: readonly Position[]): Promise<TxRecord[]>;
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
  const fresh = new Map<bigint, IndexedBlock>();
  const readTxsOf = lastRead((height: bigint) => recordReader(source, height));
  const stored = kv.get(indexedHeightKey);
  let indexed = stored === undefined ? 0n : readU64be(stored);
  let closed = false;
  let running: Promise<void> = Promise.resolve();

  async function advance(to: bigint): Promise<void> {
    while (indexed < to && !closed) {
      const { base, latest } = source.heights();
      let height = indexed + 1n < base ? base : indexed + 1n;
      const told = fresh.get(height);
      const found = told ?? readBlock(source, height, isInjection);
      // The newest block is stored before it is executed: without results, its commit is still to come.
      if (found === undefined && height >= latest) return;
      if (found === undefined) logger.warn('A block is not kept and stays out of the index.', { height });
      const blocks = found === undefined ? [] : [found];
      let txs = found?.txs.length ?? 0;
      // What has come meanwhile is written together with it.
      for (let next = fresh.get(height + 1n); next !== undefined; next = fresh.get(height + 1n)) {
        txs += next.txs.length;
        if (txs > INDEX_LIMITS.maxTxsTogether) break;
        blocks.push(next);
        height++;
      }
      await writer.write(blocks, height);
      indexed = height;
      for (const known of fresh.keys()) if (known <= height) fresh.delete(known);
    }
  }

  async function forgetAll(from: bigint, to: bigint): Promise<void> {
    for (let height = from; height < to && !closed; height++) {
      const found = readBlock(source, height, isInjection);
      if (found !== undefined) await forget(kv, found);
    }
  }

  /** One block after the other, whoever asks. */
  function enqueue(to: () => bigint): Promise<void> {
    const next = running.then(() => advance(to()));
    // Whoever asked sees the failure; the next one to ask tries the same block again.
    running = next.catch(() => {});
    return next;
  }

  async function txsAt(positions: readonly Position[]): Promise<TxRecord[]> {
    const found: TxRecord[] = [];
    let height: bigint | undefined;
    let txAt: ReturnType<typeof recordReader>;
    for (const at of positions) {
      if (heightOfPosition(at) !== height) {
        if (height !== undefined) await setImmediate();
        height = heightOfPosition(at);
        txAt = readTxsOf(height);
      }
      const record = txAt?.(indexOfPosition(at));
      if (record !== undefined) found.push(record);
    }
    return found;
  }

  return {
    indexedHeight: () => indexed,
    committed({ block, results }) {
      const { height } = block.header;
      // Bytes: what waits as objects is copied by the collector, and the bytes are there already, for the disk.
      if (height > indexed && fresh.size < INDEX_LIMITS.maxFreshBlocks)
        fresh.set(height, indexedBlock(block, encodeFinalizeResponse(results), isInjection));
      return enqueue(() => height);
    },
    catchUp: () => enqueue(() => source.heights().latest),
    prune(from, to) {
      const done = running.then(() => forgetAll(from, to));
      running = done.catch(() => {});
      return done;
    },
    txByHash(hash) {
      const stored = kv.get(txByHashKey(hash));
      if (stored === undefined) return undefined;
      const { at } = readNamed(stored);
      return readTxsOf(heightOfPosition(at))?.(indexOfPosition(at));
    },
    txsAt,
    async close() {
      closed = true;
      await running;
      await writer.close();
    },
  };
}

function readBlock(
  source: IndexSource,
  height: bigint,
  isInjection: (tx: Uint8Array) => boolean,
): IndexedBlock | undefined {
  const block = source.block(height);
  const results = source.results(height);
  return block === undefined || results === undefined ? undefined : indexedBlock(block, results, isInjection);
}

/** The transactions of a block by their places in it. They stand in the block store alone, with what became of them. */
function recordReader(source: IndexSource, height: bigint): ((index: number) => TxRecord | undefined) | undefined {
  const results = source.results(height);
  const block = results && source.encodedBlock(height);
  if (results === undefined || block === undefined) return undefined;
  const txAt = txReader(block);
  const resultAt = resultReader('block results', results);
  return (index) => {
    const tx = txAt(index);
    const result = resultAt(index);
    return tx && result && { hash: sha256(tx), height: toHeight(height), index, tx, result };
  };
}

/** Who waits for a transaction asks again and again, and mostly for those of one block: what was read last is kept. */
function lastRead<T>(read: (height: bigint) => T | undefined): (height: bigint) => T | undefined {
  let last: { readonly height: bigint; readonly value: T } | undefined;
  return (height) => {
    if (last?.height === height) return last.value;
    const value = read(height);
    if (value !== undefined) last = { height, value };
    return value;
  };
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
    const block = readBlock(source, height, isInjection);
    if (block !== undefined) {
      if (height === indexed + 1n || indexed === 0n) indexed = height;
      await writeBlocks(kvTarget(kv), [block], indexed, { pause: () => setImmediate(), later: true });
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
  const sink: EntrySink = {
    put(entry) {
      const key = entry.slice();
      if (key[0] === INDEX_PREFIXES.txByHash) {
        const stored = kv.get(key);
        if (stored === undefined || heightOfPosition(readNamed(stored).at) !== block.height) return;
      }
      batch.push({ type: 'del', key });
    },
  };
  for (const _ of new BlockEntries(kv, { later: false }, sink).of(block)) {
    if (++pieces % INDEX_LIMITS.txsPerTurn === 0) await setImmediate();
    if (batch.length < INDEX_LIMITS.maxEntriesPerBatch) continue;
    await kv.write(batch);
    batch = [];
  }
  await kv.write(batch);
}
