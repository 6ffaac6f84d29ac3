/** The thread behind {@link ./sink.ts}: decodes blocks, and writes them to the database. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert, assertNever, defined } from '#core/assert.ts';
import { giveWay } from '../give-way.ts';
import { databaseMessage, openSinkDatabase, type SinkDatabase } from './database.ts';
import type { SinkRequest, SinkResponse } from './sink-protocol.ts';

const port = defined(parentPort, 'the port of a worker thread');
const { url, chainId } = workerData as { readonly url: string; readonly chainId: string };
let database: SinkDatabase | undefined;
giveWay();

async function answer(request: SinkRequest): Promise<SinkResponse> {
  switch (request.kind) {
    case 'connect':
      // Not waited for: a server that is silent by now may never answer that either.
      void database?.close();
      database = undefined;
      database = await openSinkDatabase(url, chainId);
      return { kind: 'connected', lastHeight: await database.lastHeight() };
    case 'write':
      assert(database !== undefined, 'connected before anything is written');
      await database.write(request.block);
      return { kind: 'written' };
    default:
      return assertNever(request, 'request to the sink');
  }
}

port.on('message', async (request: SinkRequest) => {
  try {
    port.postMessage(await answer(request));
  } catch (error) {
    port.postMessage({ kind: 'failed', message: databaseMessage(error) } satisfies SinkResponse);
  }
});
