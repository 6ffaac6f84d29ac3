import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type MessagePort, workerData } from 'node:worker_threads';
import { ClassicLevel } from 'classic-level';
import { assertNever } from '#core/assert.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { RangeRequest, RangeResponse } from './range-protocol.ts';

/** The thread behind {@link ./range-reader.ts}: opens the same LevelDB instance and reads ranges of it. */
const { port, signal } = workerData as { readonly port: MessagePort; readonly signal: SharedArrayBuffer };
const answered = new Int32Array(signal);
const databases = new Map<string, ClassicLevel<Uint8Array, Uint8Array>>();

/**
 * What closed iterators of LevelDB's binding hold outside the heap until they are collected: their last rows, and room for
 * as many as were asked for. V8 knows nothing of it and would not collect for hours.
 */
let heldBytes = 0;
/** Of one row in that room, and of the iterator itself. */
const ROW_BYTES = 64;
const ITERATOR_BYTES = 512;
/** So many times the bound are collected while others wait. */
const FORCED = 4;

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

let collect: (() => void) | undefined;
let idle: NodeJS.Timeout | undefined;

function collectNow(): void {
  heldBytes = 0;
  collect ??= collector();
  collect();
}

/** Whoever reads waits for this thread: it collects when nobody has asked for a moment, unless that moment never comes. */
function collectWhenMuch(): void {
  if (heldBytes >= FORCED * NODE_LIMITS.maxIteratorGarbageBytes) collectNow();
  else if (heldBytes >= NODE_LIMITS.maxIteratorGarbageBytes) idle = setTimeout(collectNow, NODE_LIMITS.rangeIdleMs);
}

async function database(path: string): Promise<ClassicLevel<Uint8Array, Uint8Array>> {
  const open = databases.get(path);
  if (open !== undefined) return open;
  const db = new ClassicLevel<Uint8Array, Uint8Array>(path, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    multithreading: true,
    createIfMissing: false,
  });
  await db.open();
  databases.set(path, db);
  return db;
}

async function answer(request: RangeRequest): Promise<RangeResponse> {
  switch (request.kind) {
    case 'close': {
      const db = databases.get(request.path);
      databases.delete(request.path);
      await db?.close();
      return { kind: 'closed' };
    }
    case 'read': {
      const db = await database(request.path);
      // abstract-level reads a bound that is present but undefined as the empty key.
      const iterator = db.iterator({
        reverse: request.reverse,
        limit: request.count,
        ...(request.gte === undefined ? {} : { gte: request.gte }),
        ...(request.lt === undefined ? {} : { lt: request.lt }),
      });
      try {
        const rows: [Uint8Array, Uint8Array][] = [];
        // One nextv stops at so many bytes (classic-level's highWaterMarkBytes), whatever count it was asked for.
        let last: typeof rows = [];
        while (rows.length < request.count) {
          last = await iterator.nextv(request.count - rows.length);
          if (last.length === 0) break;
          rows.push(...last);
        }
        heldBytes += ITERATOR_BYTES + ROW_BYTES * request.count;
        for (const [key, value] of last) heldBytes += key.length + value.length;
        return { kind: 'rows', rows };
      } finally {
        await iterator.close();
      }
    }
    default:
      return assertNever(request, 'range request');
  }
}

port.on('message', async (request: RangeRequest) => {
  clearTimeout(idle);
  let response: RangeResponse;
  try {
    response = await answer(request);
  } catch (error) {
    response = { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(response);
  Atomics.store(answered, 0, 1);
  Atomics.notify(answered, 0);
  collectWhenMuch();
});
