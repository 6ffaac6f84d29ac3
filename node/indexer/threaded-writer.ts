import { Worker } from 'node:worker_threads';
import { assert } from '#core/assert.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { IndexedBlock } from './entries.ts';
import { INDEX_LIMITS } from './limits.ts';
import { type IndexRequest, type IndexResponse, packBlock } from './worker-protocol.ts';
import type { IndexWriter } from './writer.ts';

/** What the writer needs of a thread; `Worker` of node:worker_threads is one. */
export interface IndexThread {
  postMessage(request: IndexRequest, transfer: readonly ArrayBuffer[]): void;
  on(event: 'message', listener: (response: IndexResponse) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
  /** A thread keeps the process alive while it has work, and no longer. */
  ref(): void;
  unref(): void;
  terminate(): Promise<unknown>;
}

/** What became of a request: `lost` with its thread, half done perhaps. */
type Outcome = 'done' | 'lost';

const spawnWorker = (path: string) => (): IndexThread => {
  const worker = new Worker(new URL('./index-worker.ts', import.meta.url), {
    workerData: { path },
    resourceLimits: INDEX_LIMITS.threadHeapMiB,
  });
  return worker as unknown as IndexThread;
};

/** A few transactions, and little that they tell: one may pay a hundred thousand, and is read without a pause. */
function isSmall(blocks: readonly IndexedBlock[]): boolean {
  let txs = 0;
  let bytes = 0;
  for (const block of blocks) {
    txs += block.txs.length;
    bytes += block.results.length;
  }
  return txs < INDEX_LIMITS.minTxsForThread && bytes < INDEX_LIMITS.minResultBytesForThread;
}

/**
 * Writes the index on a thread that shares the database: on the main one it was a tenth of what a transaction costs. What
 * has few transactions, with short results, is written by `direct`, here: handing it over would cost as much, and a node without load has no
 * further thread. When the thread is lost, the call at hand is made up for here, and the next one starts another: entries are
 * the same whoever writes them, and as often as they are written.
 */
export function threadedWriter(dependencies: {
  readonly path: string;
  readonly direct: IndexWriter;
  readonly logger: Logger;
  readonly spawn?: () => IndexThread;
}): IndexWriter {
  const { path, direct, logger, spawn = spawnWorker(path) } = dependencies;
  let thread: IndexThread | undefined;
  let waiting: { readonly resolve: (outcome: Outcome) => void; readonly reject: (error: Error) => void } | undefined;

  function lose(lost: IndexThread, reason: string): void {
    if (thread !== lost) return;
    thread = undefined;
    logger.warn('The thread that writes the index is lost.', { reason });
    const waits = waiting;
    waiting = undefined;
    waits?.resolve('lost');
  }

  function start(): IndexThread {
    const started = spawn();
    started.on('message', (response) => {
      if (thread !== started) return;
      started.unref();
      const waits = waiting;
      waiting = undefined;
      if (response.kind === 'done') waits?.resolve('done');
      else waits?.reject(new Error(`the index cannot be written: ${response.message}`));
    });
    started.on('error', (error) => lose(started, String(error)));
    started.on('exit', (code) => lose(started, `it ended with code ${code}`));
    return started;
  }

  function call(request: IndexRequest, transfer: readonly ArrayBuffer[]): Promise<Outcome> {
    assert(waiting === undefined, 'the index is written by one call at a time');
    thread ??= start();
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    waiting = { resolve, reject };
    thread.ref();
    thread.postMessage(request, transfer);
    return promise;
  }

  return {
    async write(blocks: readonly IndexedBlock[], height) {
      if (isSmall(blocks)) return direct.write(blocks, height);
      const packed = blocks.map(packBlock);
      const transfer = packed.flatMap((block) => [block.bytes.buffer, block.lengths.buffer] as ArrayBuffer[]);
      if ((await call({ kind: 'write', blocks: packed, height }, transfer)) === 'lost')
        await direct.write(blocks, height);
    },
    async close() {
      if (thread !== undefined) {
        // What it has open must be closed before the database is.
        await call({ kind: 'close' }, []).catch((error: unknown) => logger.warn('The index thread.', { error }));
        const ending = thread;
        thread = undefined;
        await ending?.terminate();
      }
      await direct.close();
    },
  };
}
