/**
 * Blocks, results and events in PostgreSQL, for explorers that outgrow the index of one node. It follows the block store as
 * the index does: what was committed while the database was away is written when it is back, as long as its blocks are kept.
 * Nothing waits for it.
 */
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { assert } from '#core/assert.ts';
import type { Logger } from '#core/ports/logger.ts';
import { INDEX_LIMITS } from '../limits.ts';
import { type KeptBlocks, readSinkBlock, type SinkBlock } from './rows.ts';
import type { SinkRequest, SinkResponse } from './sink-protocol.ts';

export interface PsqlSink {
  /** A block, and its results, are stored. */
  committed(): void;
  /** What is half written is taken back by the database. */
  close(): Promise<void>;
}

export interface SinkOptions {
  /** postgres://user:password@host:port/database */
  readonly url: string;
  readonly chainId: string;
}

export function startPsqlSink(options: SinkOptions, kept: KeptBlocks, logger: Logger): PsqlSink {
  const thread = sinkThread(options);
  let closed = false;
  /**
   * The next one; 0: the database is still to be asked. Heights above it that are there by another node, which may have begun
   * above those that it does not keep, are no reason to leave out the ones between.
   */
  let height = 0n;
  /** Of who waits for a block, and of who waits before the next attempt. */
  let waking = Promise.withResolvers<void>();
  let pausing = Promise.withResolvers<void>();

  async function pause(ms: number): Promise<void> {
    pausing = Promise.withResolvers();
    const timer = setTimeout(pausing.resolve, ms);
    await pausing.promise;
    clearTimeout(timer);
  }

  /** Writes block after block, until something fails. @param works told when there is nothing left to write, or something is written */
  async function follow(works: () => void): Promise<void> {
    const there = await thread.connect();
    if (height > there || height === 0n) height = there + 1n;
    while (!closed) {
      waking = Promise.withResolvers();
      const { base, latest } = kept.source.heights();
      if (height < base) {
        if (height > 1n)
          logger.warn('Blocks are not kept and stay out of PostgreSQL.', { from: height, to: base - 1n });
        height = base;
      }
      const block = readSinkBlock(kept, height);
      if (block !== undefined) {
        await thread.write(block);
        works();
        // The newest block is stored before it is executed: its results are still to come.
      } else if (height >= latest) {
        works();
        await waking.promise;
        continue;
      } else {
        logger.warn('The results of a block are not kept: it stays out of PostgreSQL.', { height });
        await setImmediate();
      }
      height++;
    }
  }

  async function run(): Promise<void> {
    const [first, longest] = INDEX_LIMITS.psqlRetryMs;
    let delay: number = first;
    let said: string | undefined;
    while (!closed) {
      let isWorking = false;
      try {
        await follow(() => {
          if (!isWorking) logger.info('PostgreSQL is written');
          isWorking = true;
          [delay, said] = [first, undefined];
        });
      } catch (error) {
        if (closed) return;
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== said) logger.warn('PostgreSQL cannot be written; it is tried again.', { reason });
        said = reason;
        await pause(delay);
        delay = Math.min(2 * delay, longest);
      }
    }
  }

  const running = run();
  return {
    committed: () => waking.resolve(),
    async close() {
      closed = true;
      waking.resolve();
      pausing.resolve();
      await thread.end();
      await running;
    },
  };
}

interface SinkThread {
  /** Connects, anew if need be, and answers the greatest height that is there. */
  connect(): Promise<bigint>;
  write(block: SinkBlock): Promise<void>;
  end(): Promise<void>;
}

/** One request at a time. A thread that is lost fails the one at hand; the next starts another. */
function sinkThread(options: SinkOptions): SinkThread {
  let thread: Worker | undefined;
  let waiting: PromiseWithResolvers<SinkResponse> | undefined;
  let ended = false;

  function settle(of: Worker, response: SinkResponse): void {
    if (thread !== of) return;
    const waits = waiting;
    waiting = undefined;
    waits?.resolve(response);
  }

  function start(): Worker {
    const started = new Worker(new URL('./sink-worker.ts', import.meta.url), {
      workerData: options,
      resourceLimits: INDEX_LIMITS.psqlHeapMiB,
    });
    const lose = (message: string): void => {
      settle(started, { kind: 'failed', message });
      if (thread === started) thread = undefined;
    };
    started.on('message', (response: SinkResponse) => settle(started, response));
    started.on('error', (error) => lose(`its thread is lost: ${String(error)}`));
    started.on('exit', (code) => lose(`its thread has ended with code ${code}`));
    return started;
  }

  async function ask(request: SinkRequest, transfer: readonly ArrayBuffer[] = []): Promise<SinkResponse> {
    assert(waiting === undefined, 'PostgreSQL is asked one thing at a time');
    if (ended) throw new Error('the node is being closed');
    thread ??= start();
    waiting = Promise.withResolvers();
    const { promise } = waiting;
    thread.postMessage(request, transfer);
    const response = await promise;
    if (response.kind === 'failed') throw new Error(response.message);
    return response;
  }

  return {
    async connect() {
      const response = await ask({ kind: 'connect' });
      assert(response.kind === 'connected', 'the answer to who connects');
      return response.lastHeight;
    },
    async write(block) {
      if (thread === undefined) throw new Error('its thread is lost');
      // Copies change hands: what a view is a part of would be copied with it.
      const [bytes, results] = [new Uint8Array(block.block), new Uint8Array(block.results)];
      await ask({ kind: 'write', block: { ...block, block: bytes, results } }, [bytes.buffer, results.buffer]);
    },
    async end() {
      ended = true;
      if (thread === undefined) return;
      const ends = thread.terminate();
      settle(thread, { kind: 'failed', message: 'the node is being closed' });
      // A thread that looks up a name ends when that does: many seconds without a name server, for which no store is kept open.
      const waited = Promise.withResolvers<void>();
      const timer = setTimeout(waited.resolve, INDEX_LIMITS.psqlCloseMs);
      await Promise.race([ends, waited.promise]);
      clearTimeout(timer);
    },
  };
}
