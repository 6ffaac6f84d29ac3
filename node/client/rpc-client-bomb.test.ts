import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRpcClient } from './rpc-client.ts';

const LIMIT = 1_000_000;
/** A hundred times the limit, once unpacked. */
const zeros = Buffer.alloc(100 * LIMIT);
const bombs = new Map<string, Buffer>([
  ['gzip', gzipSync(zeros)],
  ['br', brotliCompressSync(zeros)],
  ['gzip, gzip', gzipSync(gzipSync(zeros))],
]);
let encoding = 'gzip';
const server = createServer((_request, response) => {
  response.setHeader('content-encoding', encoding);
  response.end(bombs.get(encoding));
});
let url = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

test('Limit: compressed bombs from an RPC server that is asked for a light block are read no further than the limit', async () => {
  const client = createRpcClient(url, { maxResponseBytes: LIMIT, timeoutMs: 20_000 });
  for (const each of bombs.keys()) {
    encoding = each;
    expect(bombs.get(each)?.length).toBeLessThan(LIMIT);
    await expect(client.call('commit')).rejects.toThrow(`the answer exceeds the limit of ${LIMIT} bytes`);
  }
});
