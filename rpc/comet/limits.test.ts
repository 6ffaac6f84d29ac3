/** Each limit of the JSON-RPC that no other test meets: what is over it is refused with a sentence, what is within is not. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { EMPTY, toHex, utf8 } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { ok } from '#core/result.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toHeight } from '#core/types/brand.ts';
import type { Backend, SearchRequest } from '../backend.ts';
import { DEFAULT_SERVER_LIMITS, RPC_LIMITS } from '../limits.ts';
import { headerAt } from './fake-chain.test-util.ts';
import { createJsonRpc } from './json-rpc.ts';
import { startCometServer } from './server.ts';

function rpcOver(backend: Partial<Backend>) {
  const rpc = createJsonRpc(DEFAULT_SERVER_LIMITS, { backend: backend as Backend, logger: silentLogger });
  return async (method: string, params: unknown) => {
    const { text } = await rpc.post(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
    return JSON.parse(text ?? 'null');
  };
}

afterEach(() => {
  vi.useRealTimers();
});

test('Limit: defaultPerPage, maxPerPage, maxPage', async () => {
  const asked: SearchRequest[] = [];
  const call = rpcOver({
    async searchTxs(request) {
      asked.push(request);
      return ok({ total: 1_000, items: [] });
    },
  });
  const query = 'tx.height > 0';
  for (const [per_page, expected] of [
    [undefined, RPC_LIMITS.defaultPerPage],
    ['0', RPC_LIMITS.defaultPerPage],
    ['1', 1],
    ['100', RPC_LIMITS.maxPerPage],
    ['101', RPC_LIMITS.maxPerPage],
    ['9223372036854775807', RPC_LIMITS.maxPerPage],
  ] as const) {
    expect((await call('tx_search', { query, per_page })).result.total_count).toBe('1000');
    expect(asked.pop()).toMatchObject({ page: 1, perPage: expected });
  }
  for (const page of ['0', '-1', String(RPC_LIMITS.maxPage + 1)])
    expect((await call('tx_search', { query, page })).error.data).toContain('page should be within');
  expect((await call('tx_search', { query, page: '11', per_page: '100' })).error.data).toBe(
    'page should be within [1, 10] range, given 11',
  );
});

test('Limit: maxBlockMetas', async () => {
  const call = rpcOver({
    heights: () => ({ base: toHeight(1), latest: toHeight(500) }),
    blockMeta: (height) => ok({ blockId: NIL_BLOCK_ID, blockBytes: 1, header: headerAt(height), txCount: 0 }),
  });
  const { block_metas } = (await call('blockchain', { minHeight: '1', maxHeight: '400' })).result;
  expect(block_metas).toHaveLength(RPC_LIMITS.maxBlockMetas);
  expect(block_metas[0].header.height).toBe('400');
});

test('Limit: genesisChunkBytes', async () => {
  const document = utf8(JSON.stringify({ text: 'x'.repeat(RPC_LIMITS.genesisChunkBytes) }));
  const call = rpcOver({ genesis: () => document });
  expect((await call('genesis', {})).error.data).toContain('please use the genesis_chunked API instead');
  const chunks = await Promise.all(['0', '1'].map((chunk) => call('genesis_chunked', { chunk })));
  const bytes = chunks.map(({ result }) => Buffer.from(result.data, 'base64'));
  expect(bytes.map(({ length }) => length)).toEqual([
    RPC_LIMITS.genesisChunkBytes,
    document.length - RPC_LIMITS.genesisChunkBytes,
  ]);
  expect(Buffer.concat(bytes).equals(document)).toBe(true);
});

test('Limit: maxQueryDataBytes, maxQueryPathChars', async () => {
  let asked = 0;
  const call = rpcOver({
    async query() {
      asked++;
      return ok({
        code: 0,
        codespace: '',
        log: '',
        info: '',
        index: 0n,
        key: EMPTY,
        value: EMPTY,
        proofOps: [],
        height: 1n,
      });
    },
  });
  const data = (bytes: number) => toHex(new Uint8Array(bytes));
  expect((await call('abci_query', { data: data(RPC_LIMITS.maxQueryDataBytes) })).result.response.code).toBe(0);
  expect((await call('abci_query', { path: 'x'.repeat(RPC_LIMITS.maxQueryPathChars) })).result.response.code).toBe(0);
  expect((await call('abci_query', { data: data(RPC_LIMITS.maxQueryDataBytes + 1) })).error.data).toContain(
    `exceed the limit of ${RPC_LIMITS.maxQueryDataBytes}`,
  );
  expect((await call('abci_query', { path: 'x'.repeat(RPC_LIMITS.maxQueryPathChars + 1) })).error.data).toContain(
    `exceed the limit of ${RPC_LIMITS.maxQueryPathChars}`,
  );
  expect(asked).toBe(2);
});

const accepted = {
  code: 0,
  codespace: '',
  log: '',
  data: EMPTY,
  gasWanted: 1n,
  gasUsed: 0n,
  events: [],
  priority: 0n,
  sender: '',
  sequence: 0n,
};

test('Limit: broadcastCommitTimeoutMs, maxCommitWaiters', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let listeners = 0;
  const call = rpcOver({
    onCommitted() {
      listeners++;
      return () => listeners--;
    },
    broadcastTx: async () => ok(accepted),
  });
  const waiting = Array.from({ length: RPC_LIMITS.maxCommitWaiters }, () =>
    call('broadcast_tx_commit', { tx: 'AAAA' }),
  );
  await vi.waitFor(() => expect(listeners).toBe(RPC_LIMITS.maxCommitWaiters));
  expect((await call('broadcast_tx_commit', { tx: 'AAAA' })).error.data).toBe(
    '100 requests already wait for their block; use broadcast_tx_sync',
  );
  await vi.advanceTimersByTimeAsync(RPC_LIMITS.broadcastCommitTimeoutMs);
  for (const { error } of await Promise.all(waiting))
    expect(error.data).toContain('timed out waiting for tx to be included in a block');
  expect(listeners).toBe(0);
});

test('Limit: maxUriBytes', async () => {
  const backend = { onCommitted: () => () => {}, onConsensus: () => () => {} } as Partial<Backend> as Backend;
  const server = await startCometServer(
    { host: '127.0.0.1', port: 0, corsOrigins: [], limits: DEFAULT_SERVER_LIMITS },
    { backend, logger: silentLogger },
  );
  const status = async (length: number) => (await fetch(`${server.url}/health?x=${'y'.repeat(length)}`)).status;
  expect(await status(RPC_LIMITS.maxUriBytes - 4_096)).toBe(200);
  expect(await status(RPC_LIMITS.maxUriBytes)).toBe(431);
  expect(await status(1)).toBe(200);
  await server.close();
});

test('Limit: maxConnections, one more is closed unread, those that are there are answered, and a place that is free is given', async () => {
  const backend = { onCommitted: () => () => {}, onConsensus: () => () => {} } as Partial<Backend> as Backend;
  const server = await startCometServer(
    { host: '127.0.0.1', port: 0, corsOrigins: [], limits: { ...DEFAULT_SERVER_LIMITS, maxConnections: 2 } },
    { backend, logger: silentLogger },
  );
  const port = Number(new URL(server.url).port);
  async function opened() {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }
  async function answers(socket: Awaited<ReturnType<typeof opened>>): Promise<boolean> {
    const told = Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)]);
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    return told;
  }
  const [first, second] = [await opened(), await opened()];
  expect([await answers(first), await answers(second)]).toEqual([true, true]);
  expect(await answers(await opened())).toBe(false);
  expect(await answers(first)).toBe(true);
  second.destroy();
  await vi.waitFor(async () => expect(await answers(await opened())).toBe(true), { timeout: 10_000 });
  await server.close();
});
