import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { MempoolOrder, type PoolTx } from '#consensus/mempool.ts';
import type { Application, CheckTxResponse } from '#core/abci.ts';
import { EMPTY } from '#core/bytes.ts';
import { sdkError } from '#core/errors.ts';
import type { Logger } from '#core/ports/logger.ts';
import { err, type Failure, ok, type Result } from '#core/result.ts';
import { ACCEPT, IGNORE, type Verdict } from '../driver/intake.ts';
import type { PeerId, TxSource } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';
import { CheckQueue } from './check-queue.ts';
import { SeenCache } from './seen-cache.ts';

export interface MempoolOptions {
  readonly maxTxs: number;
  readonly maxBytes: number;
  readonly maxTxBytes: number;
  readonly cacheEntries: number;
  readonly ttlMs: number;
  readonly ttlBlocks: bigint;
}

export interface MempoolDependencies {
  readonly app: Pick<Application, 'checkTx'>;
  /** Has the signatures of transactions verified elsewhere before they are checked. Default: nobody has. */
  readonly verifyAhead?: (txs: readonly Uint8Array[]) => Promise<void>;
  readonly now: () => number;
  /** A transaction is in the mempool, by its {@link txKey}: peers are to hear of it. `from`: the peer that sent it. */
  readonly admitted: (key: string, from: PeerId | undefined) => void;
  /** One was not taken in, in the present state. */
  readonly refused: (key: string) => void;
  /** A block has changed the application's state. */
  readonly committed: () => void;
  /** The mempool was empty and no longer is. */
  readonly available: () => void;
  readonly logger: Logger;
}

export interface Mempool extends TxSource {
  /** From a client: checks and admits. The application's answer; a {@link Failure} when it was not asked. */
  submit(tx: Uint8Array): Promise<Result<CheckTxResponse>>;
  /** From a peer: a rejection counts against him. `key`: its {@link txKey}. */
  receive(tx: Uint8Array, key?: string, from?: PeerId): Promise<Verdict>;
  count(): number;
  bytes(): number;
  /** The first `limit` in the order of proposal. */
  list(limit: number): readonly Uint8Array[];
  /** Their {@link txKey}s: none is hashed for it. */
  keys(limit: number): readonly string[];
  /** Its bytes, while it waits here. */
  find(key: string): Uint8Array | undefined;
  /** Whether it waits here, is being checked, or was committed lately. */
  knows(key: string): boolean;
  /** How many of a block's transactions it does not know. */
  strangers(txs: readonly Uint8Array[]): number;
}

type Outcome =
  | { readonly kind: 'admitted'; readonly response: CheckTxResponse }
  | { readonly kind: 'refused-by-app'; readonly response: CheckTxResponse }
  | { readonly kind: 'refused'; readonly failure: Failure };

/** What names a transaction between nodes and in the mempool: its SHA-256, one character a byte. */
export const txKey = (tx: Uint8Array): string => hash('sha256', tx, 'binary');

/** Bytes that a transaction takes in a block: tag, length, content. */
function blockBytes({ length }: Uint8Array): number {
  let bytes = length + 2;
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) bytes++;
  return bytes;
}

/**
 * Transactions that wait for a block. Checks run one at a time and in order, because each sees the state that the one
 * before has left; between two blocks the committed transactions leave and the rest is checked again. That goes before
 * the checks that wait: consensus waits for it, and they are to see what it leaves.
 */
export function createMempool(options: MempoolOptions, dependencies: MempoolDependencies): Mempool {
  const { app, now, admitted, refused: turnedAway, committed, available, logger } = dependencies;
  const order = new MempoolOrder(options);
  const seen = new SeenCache(options.cacheEntries);
  let height = 0n;
  let pending = 0;
  let pendingBytes = 0;
  /** Of the block at hand, which is asked about before it is executed, and when it is committed. */
  let hashed: { readonly txs: readonly Uint8Array[]; readonly keys: readonly string[] } | undefined;

  function keysOf(txs: readonly Uint8Array[]): readonly string[] {
    if (hashed?.txs !== txs) hashed = { txs, keys: txs.map(txKey) };
    return hashed.keys;
  }
  /** What waits may have been seen so long ago that it is forgotten there. */
  const knows = (key: string): boolean => seen.has(key) || order.has(key);
  const queue = new CheckQueue({ verifyAhead: dependencies.verifyAhead, nextTurn: () => setImmediate() });

  /** The outcome at once where the application is not asked. */
  function check(tx: Uint8Array, known?: string, from?: PeerId): Outcome | Promise<Outcome> {
    if (tx.length > options.maxTxBytes)
      return refused('txTooLarge', `a transaction of ${tx.length} bytes exceeds the limit of ${options.maxTxBytes}`);
    const key = known ?? txKey(tx);
    if (!seen.add(key) || order.has(key)) return refused('txInMempoolCache', 'tx already exists in cache');
    if (pending >= NODE_LIMITS.maxPendingChecks || pendingBytes + tx.length > NODE_LIMITS.maxPendingCheckBytes) {
      seen.delete(key);
      const most = `${NODE_LIMITS.maxPendingChecks} of ${NODE_LIMITS.maxPendingCheckBytes} bytes`;
      return refused(
        'mempoolIsFull',
        `${pending} transactions of ${pendingBytes} bytes wait to be checked, which are to be at most ${most}`,
      );
    }
    pending += 1;
    pendingBytes += tx.length;
    return queue.check(tx, () => admit(tx, key, from));
  }

  async function admit(tx: Uint8Array, key: string, from: PeerId | undefined): Promise<Outcome> {
    let response: CheckTxResponse;
    try {
      // A client may be shown them, a peer is not.
      response = await app.checkTx({ tx, type: 'new', withoutEvents: from !== undefined });
    } finally {
      pending -= 1;
      pendingBytes -= tx.length;
    }
    if (response.code !== 0) {
      // It may be right later: funds may arrive, a sequence be reached.
      seen.delete(key);
      turnedAway(key);
      return { kind: 'refused-by-app', response };
    }
    const wasEmpty = order.count === 0;
    const { gasWanted, priority, sender, sequence } = response;
    const added = order.add({
      key,
      bytes: tx,
      blockBytes: blockBytes(tx),
      gasWanted,
      priority,
      sender,
      sequence,
      height,
      timeMs: now(),
    });
    if (!added.ok) {
      seen.delete(key);
      turnedAway(key);
      if (added.error.kind === 'full')
        return refused(
          'mempoolIsFull',
          `mempool is full: ${order.count} txs, ${order.bytes} bytes; pay a higher price`,
        );
      return refused('conflict', `another transaction of ${sender} with sequence ${sequence} pays as much or more`);
    }
    for (const gone of added.value) seen.delete(gone.key);
    if (wasEmpty) available();
    admitted(key, from);
    return { kind: 'admitted', response };
  }

  async function update(newHeight: bigint, txs: readonly Uint8Array[], codes: readonly number[]): Promise<void> {
    height = newHeight;
    keysOf(txs).forEach((key, i) => {
      order.remove(key);
      // A failed one may be sent again; a committed one is refused without asking the application.
      if (codes[i] === 0) seen.add(key);
      else seen.delete(key);
    });
    hashed = undefined;
    for (const gone of order.expire(newHeight, now())) seen.delete(gone.key);
    const rest = order.reap(Number.POSITIVE_INFINITY, -1n);
    let dropped = 0;
    for (const [i, { key, bytes }] of rest.entries()) {
      if (i % NODE_LIMITS.rechecksPerTurn === NODE_LIMITS.rechecksPerTurn - 1) await setImmediate();
      const response = await app.checkTx({ tx: bytes, type: 'recheck' });
      if (response.code === 0) continue;
      order.remove(key);
      seen.delete(key);
      dropped += 1;
    }
    if (dropped > 0) logger.info('transactions are no longer valid', { dropped, left: order.count });
    committed();
    if (order.count > 0) available();
  }

  function first(limit: number): readonly PoolTx[] {
    return limit === 0 ? [] : order.reap(Number.POSITIVE_INFINITY, -1n).slice(0, limit);
  }

  return {
    async submit(tx) {
      const outcome = await check(tx);
      if (outcome.kind === 'refused') return err(outcome.failure);
      return ok(outcome.response);
    },
    async receive(tx, key, from) {
      const outcome = await check(tx, key, from);
      if (outcome.kind === 'admitted') return ACCEPT;
      // Honest peers may have another state; only what no state makes a transaction is held against them.
      const undecodable =
        outcome.kind === 'refused-by-app' &&
        outcome.response.codespace === 'sdk' &&
        outcome.response.code === sdkError('txDecode', '').code;
      return undecodable ? { kind: 'reject', reason: outcome.response.log } : IGNORE;
    },
    find: (key) => order.get(key)?.bytes,
    knows,
    strangers: (txs) => keysOf(txs).reduce((sum, key) => (knows(key) ? sum : sum + 1), 0),
    count: () => order.count,
    bytes: () => order.bytes,
    list: (limit) => first(limit).map((tx) => tx.bytes),
    keys: (limit) => first(limit).map((tx) => tx.key),
    reap: (maxBytes, maxGas) => order.reap(maxBytes, maxGas).map((tx) => tx.bytes),
    isEmpty: () => order.count === 0,
    update: (newHeight, txs, codes) => queue.first(() => update(newHeight, txs, codes)),
  };
}

function refused(kind: Parameters<typeof sdkError>[0], message: string): Outcome {
  return { kind: 'refused', failure: sdkError(kind, message) };
}

/** What a client sees of a refusal that the application was not asked about. */
export function refusalResponse(failure: Failure): CheckTxResponse {
  return {
    code: failure.code,
    codespace: failure.codespace,
    log: failure.message,
    data: EMPTY,
    gasWanted: 0n,
    gasUsed: 0n,
    events: [],
    priority: 0n,
    sender: '',
    sequence: 0n,
  };
}
