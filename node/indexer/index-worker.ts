import { parentPort, workerData } from 'node:worker_threads';
import { ClassicLevel } from 'classic-level';
import { assertNever, defined } from '#core/assert.ts';
import { giveWay } from './give-way.ts';
import type { IndexRequest, IndexResponse } from './worker-protocol.ts';
import { unpackBlock } from './worker-protocol.ts';
import { type IndexTarget, writeBlocks } from './writer.ts';

/** The thread behind {@link ./threaded-writer.ts}: opens the same LevelDB instance and writes to it. */
const port = defined(parentPort, 'the port of a worker thread');
const { path } = workerData as { readonly path: string };
const db = new ClassicLevel<Uint8Array, Uint8Array>(path, {
  keyEncoding: 'view',
  valueEncoding: 'view',
  multithreading: true,
  createIfMissing: false,
});
giveWay();
const opened = db.open();
// Whoever asks first is told of a failure.
opened.catch(() => {});

/** Put by put costs half of what an array does, of which the library copies each operation. */
const target: IndexTarget = { get: (key) => db.getSync(key), batch: () => db.batch() };

async function answer(request: IndexRequest): Promise<void> {
  await opened;
  switch (request.kind) {
    case 'write':
      return writeBlocks(target, request.blocks.map(unpackBlock), request.height);
    case 'close':
      return db.close();
    default:
      return assertNever(request, 'index request');
  }
}

port.on('message', async (request: IndexRequest) => {
  let response: IndexResponse = { kind: 'done' };
  try {
    await answer(request);
  } catch (error) {
    response = { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(response);
});
