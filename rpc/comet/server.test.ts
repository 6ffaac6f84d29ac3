import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { err, ok } from '#core/result.ts';
import { toHeight } from '#core/types/brand.ts';
import type { Answer, Backend } from '../backend.ts';
import { DEFAULT_SERVER_LIMITS } from '../limits.ts';
import { type CometServer, startCometServer } from './server.ts';

const LIMITS = {
  ...DEFAULT_SERVER_LIMITS,
  maxBodyBytes: 2_000,
  maxBatch: 3,
  maxConnections: 50,
  // Long enough for whatever is to be answered, on a busy machine too.
  responseTimeoutMs: 1_000,
};

const asked: unknown[] = [];

/** A backend of a chain of ten blocks, of which only the named parts are there. */
const backend = {
  onCommitted: () => () => {},
  onConsensus: () => () => {},
  heights: () => ({ base: toHeight(3), latest: toHeight(10) }),
  genesis: () => utf8('{"chain_id":"test-1"}'),
  mempool: () => ({ count: 0, bytes: 0, txs: [] }),
  appInfo() {
    throw new Error('a secret of the node');
  },
  async query(request: unknown) {
    asked.push(request);
    return ok({
      code: 0,
      codespace: '',
      log: '',
      info: '',
      index: 0n,
      key: EMPTY,
      value: utf8('value'),
      proofOps: [],
      height: 10n,
    });
  },
  // Never answers.
  checkTx: () => new Promise<Answer<never>>(() => {}),
  async broadcastTx() {
    return err({ kind: 'unavailable', message: 'the mempool is closed' });
  },
} as unknown as Backend;

let server: CometServer;

beforeAll(async () => {
  server = await startCometServer(
    { host: '127.0.0.1', port: 0, corsOrigins: ['https://wallet.example'], limits: LIMITS },
    { backend, logger: silentLogger },
  );
});

afterAll(async () => {
  await server?.close();
});

async function post(body: string, headers: Record<string, string> = {}) {
  const response = await fetch(server.url, { method: 'POST', body, headers });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

async function call(method: unknown, params?: unknown) {
  const { status, body } = await post(JSON.stringify({ jsonrpc: '2.0', id: 7, method, params }));
  expect(status).toBe(200);
  expect(body).toMatchObject({ jsonrpc: '2.0', id: 7 });
  return body;
}

async function get(path: string) {
  const response = await fetch(`${server.url}${path}`);
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answered
  return { status: response.status, body: (await response.json()) as any };
}

test('listens on loopback at the port it says', () => {
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
});

test('a busy port is named', async () => {
  const port = Number(new URL(server.url).port);
  const again = startCometServer(
    { host: '127.0.0.1', port, corsOrigins: [], limits: LIMITS },
    { backend, logger: silentLogger },
  );
  await expect(again).rejects.toThrow(`cannot listen on 127.0.0.1:${port}`);
});

test('answers health, with the id of the request', async () => {
  expect(await call('health')).toEqual({ jsonrpc: '2.0', id: 7, result: {} });
  expect((await post('{"jsonrpc":"2.0","id":"x","method":"health"}')).body.id).toBe('x');
});

test.each([
  ['not json', 400, -32700, 'Unexpected token'],
  ['', 400, -32700, 'the body is empty'],
  ['[]', 400, -32600, 'the batch is empty'],
  [`${'['.repeat(40)}${']'.repeat(40)}`, 400, -32700, 'nested deeper than 32 levels'],
  ['5', 200, -32600, 'a request is an object, got 5'],
  ['{"id":1}', 200, -32600, 'method: expected a string, got nothing'],
  ['{"id":1,"method":5}', 200, -32600, 'method: expected a string, got 5'],
  ['{"id":{},"method":"health"}', 200, -32600, 'id: expected a string or a number, got {}'],
  ['{"jsonrpc":"1.0","id":1,"method":"health"}', 200, -32600, 'jsonrpc: expected "2.0", got "1.0"'],
  ['[{},{},{},{}]', 400, -32600, 'a batch of 4 requests exceeds the limit of 3'],
])('%s is refused', async (body, status, code, sentence) => {
  const answer = await post(body);
  expect(answer.status).toBe(status);
  expect(answer.body).toMatchObject({ jsonrpc: '2.0', id: null, error: { code } });
  expect(answer.body.error.data).toContain(sentence);
});

test.each([
  ['nothing_like_it', undefined, -32601, 'there is no method "nothing_like_it"'],
  ['__proto__', undefined, -32601, 'there is no method'],
  ['block', { height: 'x' }, -32602, 'height: expected an integer, as decimal digits, got "x"'],
  ['block', { height: 1.5 }, -32602, 'height: expected an integer'],
  ['block', { height: true }, -32602, 'height: expected an integer'],
  ['block', 'x', -32602, 'params: expected an object or an array, got "x"'],
  ['block', [1, 2], -32602, 'params: expected at most 1 (height), got 2'],
  ['block', { height: '0' }, -32603, 'height must be greater than 0, but got 0'],
  ['block', { height: -4 }, -32603, 'height must be greater than 0, but got -4'],
  ['block', { height: '11' }, -32603, 'height 11 must be less than or equal to the current blockchain height 10'],
  ['block', { height: 2 }, -32603, 'height 2 is not available, lowest height is 3'],
  ['validators', { height: '12' }, -32603, 'must be less than or equal to the next height 11'],
  ['validators', { height: 5, page: 0 }, -32603, 'page should be within'],
  ['tx', {}, -32602, 'hash: missing'],
  ['tx', { hash: 'AAAA' }, -32602, 'hash: expected a hash of 32 bytes, got 3'],
  ['tx', { hash: '!' }, -32602, 'hash: expected padded base64'],
  ['tx_search', {}, -32602, 'query: missing'],
  ['tx_search', { query: 'x' }, -32603, 'failed to parse query'],
  ['tx_search', { query: 'tx.height=1', order_by: 'up' }, -32603, 'expected order_by to be either `asc` or `desc`'],
  ['abci_query', { data: 'zz' }, -32602, 'data: expected hex digits only'],
  ['abci_query', { prove: 'yes' }, -32602, 'prove: expected true or false, got "yes"'],
  ['abci_query', { path: 'x'.repeat(300) }, -32603, 'path: 300 characters exceed the limit of 256'],
  ['abci_query', { height: '-1' }, -32603, 'height: expected 0 (the newest) or above, got -1'],
  ['broadcast_tx_sync', { tx: 5 }, -32602, 'tx: expected a string, got 5'],
  ['broadcast_tx_sync', { tx: 'a' }, -32602, 'tx: expected padded base64'],
  ['broadcast_tx_sync', { tx: 'AAAA' }, -32603, 'the mempool is closed'],
  ['broadcast_evidence', { evidence: {} }, -32603, 'evidence.type: expected a string, got nothing'],
  ['genesis_chunked', { chunk: 1 }, -32603, 'there are 1 chunks, from 0 to 0, but 1 was asked for'],
  ['blockchain', { minHeight: 9, maxHeight: 5 }, -32603, "min height 9 can't be greater than max height 5"],
  ['check_tx', { tx: 'AAAA' }, -32603, 'no answer within 1000 ms'],
])('%s %j answers %i: %s', async (method, params, code, sentence) => {
  const { error, result } = await call(method, params);
  expect(result).toBeUndefined();
  expect(error.code).toBe(code);
  expect(error.data).toContain(sentence);
});

test('an unexpected failure does not tell the client what the node knows', async () => {
  const { error } = await call('abci_info');
  expect(error.code).toBe(-32603);
  expect(JSON.stringify(error)).not.toContain('secret');
});

test('parameters by name, by position, and as numbers or strings', async () => {
  const path = '/store/bank/key';
  asked.length = 0;
  await call('abci_query', { path, data: '0aFF', height: '7', prove: true });
  await call('abci_query', [path, '0aFF', 7, true]);
  await get(`/abci_query?path="${path}"&data=0x0aff&height=7&prove=true`);
  await get(`/abci_query?path=${encodeURIComponent(`"${path}"`)}&data=0x0aff&height="7"&prove=true`);
  const expected = { path, data: Uint8Array.of(10, 255), height: 7n, prove: true };
  expect(asked).toEqual([expected, expected, expected, expected]);
  asked.length = 0;
  await call('abci_query', { path: null });
  await get('/abci_query?data="ab"');
  expect(asked).toEqual([
    { path: '', data: EMPTY, height: 0n, prove: false },
    { path: '', data: utf8('ab'), height: 0n, prove: false },
  ]);
});

test('a batch is answered in order; notifications are not answered', async () => {
  const request = (id: number | undefined, method: string) => ({ jsonrpc: '2.0', ...(id && { id }), method });
  const { body } = await post(JSON.stringify([request(1, 'health'), request(undefined, 'health'), request(3, 'nope')]));
  expect(body).toEqual([
    { jsonrpc: '2.0', id: 1, result: {} },
    { jsonrpc: '2.0', id: 3, error: { code: -32601, message: 'Method not found', data: 'there is no method "nope"' } },
  ]);
  expect(await post(JSON.stringify(request(undefined, 'health')))).toEqual({ status: 204, body: undefined });
  const mixed = (await post(JSON.stringify([5, request(2, 'health')]))).body;
  expect(mixed.map((one: { id: unknown }) => one.id)).toEqual([null, 2]);
});

test('a batch has no more time than one request', async () => {
  const slow = (id: number) => ({ jsonrpc: '2.0', id, method: 'check_tx', params: { tx: 'AAAA' } });
  const started = performance.now();
  const { body } = await post(JSON.stringify([slow(1), slow(2), slow(3)]));
  expect(performance.now() - started).toBeLessThan(2.5 * LIMITS.responseTimeoutMs);
  const late = { code: -32603, message: 'Internal error', data: 'no answer within 1000 ms' };
  expect(body.map((one: { error: unknown }) => one.error)).toEqual([late, late, late]);
});

test('GET: the list of methods, a method, and the status of an error', async () => {
  const list = (await get('/')).body.methods.map(({ name }: { name: string }) => name);
  // Every route of CometBFT v0.38's OpenAPI document; those that need a WebSocket are that one's.
  const all =
    'abci_info abci_query block block_by_hash block_results block_search blockchain broadcast_evidence broadcast_tx_async ' +
    'broadcast_tx_commit broadcast_tx_sync check_tx commit consensus_params consensus_state dump_consensus_state genesis ' +
    'genesis_chunked header header_by_hash health net_info num_unconfirmed_txs status tx tx_search unconfirmed_txs validators';
  expect(list).toEqual(all.split(' '));
  expect(await get('/health')).toEqual({ status: 200, body: { jsonrpc: '2.0', id: -1, result: {} } });
  expect(await get('/nothing')).toMatchObject({ status: 404, body: { error: { code: -32601 } } });
  expect(await get('/block?height=x')).toMatchObject({ status: 400, body: { error: { code: -32602 } } });
  expect(await get('/block?height=99')).toMatchObject({ status: 500, body: { error: { code: -32603 } } });
  expect(await get('/a/b')).toMatchObject({ status: 404, body: { error: { code: -32601 } } });
  // Uptime checks ask for no more than the head.
  for (const [path, status] of [
    ['/health', 200],
    ['/', 200],
    ['/nothing', 404],
  ] as const) {
    const head = await fetch(`${server.url}${path}`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([status, '']);
  }
});

test('an empty mempool is an empty list', async () => {
  const empty = { n_txs: '0', total: '0', total_bytes: '0' };
  expect((await call('unconfirmed_txs', { limit: '5' })).result).toEqual({ ...empty, txs: [] });
  expect((await call('num_unconfirmed_txs')).result).toEqual({ ...empty, txs: null });
});

test('a body that is too large is refused with 413', async () => {
  const answer = await post(
    JSON.stringify({ id: 1, method: 'health', params: { x: 'y'.repeat(LIMITS.maxBodyBytes) } }),
  );
  expect(answer.status).toBe(413);
  expect(answer.body.error).toMatchObject({ code: -32600, data: 'the body exceeds the limit of 2000 bytes' });
});

test('Adversarial 24: a compressed body is not unpacked, however small it is (CVE-2019-25072)', async () => {
  const bomb = gzipSync(
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'health', params: { pad: ' '.repeat(1_000_000) } }),
  );
  expect(bomb.length).toBeLessThan(LIMITS.maxBodyBytes);
  const response = await fetch(server.url, { method: 'POST', body: bomb, headers: { 'content-encoding': 'gzip' } });
  const answer = await response.text();
  expect(answer).toMatch(/Parse error|Unsupported|JSON/i);
  expect(answer.length).toBeLessThan(1_000);
  const after = await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'health' }));
  expect(after.body).toMatchObject({ result: {} });
});

test('any content type, and none, is read as JSON', async () => {
  for (const type of ['application/json', 'text/plain', 'application/json-rpc; charset=utf-8'])
    expect((await post('{"id":1,"method":"health"}', { 'content-type': type })).status).toBe(200);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const request = httpRequest(server.url, { method: 'POST' }, (response) => resolve(response.resume().statusCode));
    request.on('error', reject);
    request.end('{"id":1,"method":"health"}');
  });
  expect(status).toBe(200);
});

test('CORS: listed origins only', async () => {
  const ask = (origin: string, method: string) => fetch(server.url, { method, headers: { origin } });
  const allowed = await ask('https://wallet.example', 'OPTIONS');
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get('access-control-allow-origin')).toBe('https://wallet.example');
  expect(allowed.headers.get('access-control-allow-methods')).toContain('POST');
  const refused = await ask('https://other.example', 'OPTIONS');
  expect(refused.headers.get('access-control-allow-origin')).toBeNull();
  expect((await ask('https://wallet.example', 'GET')).headers.get('access-control-allow-origin')).not.toBeNull();
});

test('the genesis document, whole and in chunks', async () => {
  expect((await call('genesis')).result).toEqual({ genesis: { chain_id: 'test-1' } });
  const { result } = await call('genesis_chunked', {});
  expect(result).toEqual({ chunk: '0', total: '1', data: Buffer.from('{"chain_id":"test-1"}').toString('base64') });
});

test('a connection on which nothing moves is closed', async () => {
  const { port } = new URL(server.url);
  const closed = Promise.withResolvers<void>();
  const socket = connect(Number(port), '127.0.0.1');
  socket.on('close', () => closed.resolve());
  socket.resume();
  await closed.promise;
});
