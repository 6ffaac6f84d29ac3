/**
 * The index of transactions and block events over a {@link Kv}. It follows the block store: what was committed while
 * the index was down, or lost by it in a crash, is read from there again, so that it needs no synced writes.
 */
import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Event, FinalizeBlockResponse } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { readU64be, toHex, u64be } from '#core/bytes.ts';
import { type Kv, type KvOp, PRESENT } from '#core/ports/kv.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { Block } from '#core/types/block.ts';
import type { TxRecord } from '#rpc/backend.ts';
import { encodeTxRecord, readTxRecord } from './codec.ts';
import {
  type EventPrefix,
  eventKey,
  heightOfPosition,
  INDEX_PREFIXES,
  indexedHeightKey,
  type Position,
  position,
  positionKey,
  positionValue,
  readPosition,
  txByHashKey,
} from './keys.ts';
import { INDEX_LIMITS } from './limits.ts';

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
}): Indexer {
  const { kv, source } = dependencies;
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
      const succeeded = new Set<string>();
      const ops = found === undefined ? [] : await blockOps(kv, found, isInjection, succeeded);
      // What has come meanwhile goes into the same batch.
      for (let next = fresh.get(height + 1n); next !== undefined; next = fresh.get(height + 1n)) {
        if (ops.length >= INDEX_LIMITS.maxEntriesPerBatch) break;
        ops.push(...(await blockOps(kv, next, isInjection, succeeded)));
        height++;
      }
      await kv.write([...ops, { type: 'put', key: indexedHeightKey, value: u64be(height) }]);
      indexed = height;
      for (const told of fresh.keys()) if (told <= height) fresh.delete(told);
    }
  }

  function read(height: bigint): CommittedResults | undefined {
    const block = source.block(height);
    const results = source.results(height);
    return block === undefined || results === undefined ? undefined : { block, results };
  }

  async function forget(from: bigint, to: bigint): Promise<void> {
    for (let height = from; height < to && !closed; height++) {
      const found = read(height);
      if (found !== undefined) await kv.write(await forgetOps(kv, found, isInjection));
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
      const done = running.then(() => forget(from, to));
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

async function blockOps(
  kv: Kv,
  { block, results }: CommittedResults,
  isInjection: (tx: Uint8Array) => boolean,
  /** Hashes, as hex, of transactions that succeeded since the store was written last. */
  succeeded = new Set<string>(),
): Promise<KvOp[]> {
  const { height } = block.header;
  const ops: KvOp[] = [put(positionKey('blockPosition', position(height, 0)))];
  pushEvents(ops, 'blockEvent', results.events, position(height, 0));
  for (let index = 0; index < results.txResults.length; index++) {
    if (index % INDEX_LIMITS.txsPerTurn === INDEX_LIMITS.txsPerTurn - 1) await setImmediate();
    const tx = defined(block.txs[index], 'the transaction of a result');
    if (index === 0 && isInjection(tx)) continue;
    const result = defined(results.txResults[index], 'a result');
    const at = position(height, index);
    const txHash = sha256(tx);
    ops.push(put(positionKey('txPosition', at)));
    ops.push({ type: 'put', key: positionKey('txRecord', at), value: encodeTxRecord({ height, index, tx, result }) });
    // The same bytes may be committed again, and fail: the hash then goes on naming the one that succeeded.
    const name = toHex(txHash);
    if (result.code === 0 || !(succeeded.has(name) || hasSucceeded(kv, txHash, at)))
      ops.push({ type: 'put', key: txByHashKey(txHash), value: positionValue(at) });
    if (result.code === 0) succeeded.add(name);
    pushEvents(ops, 'txEvent', result.events, at);
  }
  return ops;
}

/** Everything that {@link blockOps} has put for the block, except that a hash may name a later transaction meanwhile. */
async function forgetOps(
  kv: Kv,
  committed: CommittedResults,
  isInjection: (tx: Uint8Array) => boolean,
): Promise<KvOp[]> {
  const { height } = committed.block.header;
  const ops: KvOp[] = [];
  for (const { key } of await blockOps(kv, committed, isInjection)) {
    if (key[0] === INDEX_PREFIXES.txByHash) {
      const at = kv.get(key);
      if (at === undefined || heightOfPosition(readPosition(at)) !== height) continue;
    }
    ops.push({ type: 'del', key });
  }
  return ops;
}

/** SHA-256 by the platform: the index hashes every transaction once more. */
function sha256(tx: Uint8Array): Uint8Array {
  const digest = hash('sha256', tx, 'buffer');
  return new Uint8Array(digest.buffer, digest.byteOffset, digest.length);
}

function hasSucceeded(kv: Kv, hash: Uint8Array, except: Position): boolean {
  const before = kv.get(txByHashKey(hash));
  if (before === undefined || readPosition(before) === except) return false;
  const record = kv.get(positionKey('txRecord', readPosition(before)));
  return record !== undefined && readTxRecord('index record', record).result.code === 0;
}

function put(key: Uint8Array): KvOp {
  return { type: 'put', key, value: PRESENT };
}

function pushEvents(ops: KvOp[], prefix: EventPrefix, events: readonly Event[], at: Position): void {
  events.forEach(({ type, attributes }, event) => {
    if (type === '') return;
    for (const { key, value, index } of attributes) {
      if (!index || key === '' || tooLong(value, INDEX_LIMITS.maxIndexedValueBytes)) continue;
      const composite = `${type}.${key}`;
      if (!tooLong(composite, INDEX_LIMITS.maxIndexedKeyBytes))
        ops.push(put(eventKey(prefix, composite, value, at, event)));
    }
  });
}

function tooLong(text: string, limit: number): boolean {
  // A UTF-16 unit takes at most three bytes.
  return text.length * 3 > limit && Buffer.byteLength(text) > limit;
}
