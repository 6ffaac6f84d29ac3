import { expect, test, vi } from 'vitest';
import { silentLogger } from '#core/ports/logger.ts';
import { ok } from '#core/result.ts';
import { DEFAULT_SERVER_LIMITS, RPC_LIMITS } from '../limits.ts';
import { createJsonRpc } from './json-rpc.ts';
import { text } from './params.ts';
import { method } from './route.ts';

const request = (name: string, id: number) => ({ jsonrpc: '2.0', id, method: name });

function batchOf(name: string, count: number): string {
  return JSON.stringify(Array.from({ length: count }, (_, id) => request(name, id)));
}

test('a batch lets other work have its turn between its requests', async () => {
  let turns = 0;
  let running = true;
  const count = () => {
    turns++;
    if (running) setImmediate(count);
  };
  const seen: number[] = [];
  const look = method({}, () => {
    seen.push(turns);
    return ok(turns);
  });
  const rpc = createJsonRpc(DEFAULT_SERVER_LIMITS, { logger: silentLogger, methods: new Map([['look', look]]) });
  setImmediate(count);
  await rpc.post(batchOf('look', 10));
  running = false;
  expect(seen.every((turn, i) => i === 0 || turn > (seen[i - 1] ?? 0))).toBe(true);
});

test('a batch does not pile up answers without bound', async () => {
  const size = RPC_LIMITS.maxBatchAnswerChars / 4;
  const big = method({}, () => ok('x'.repeat(size)));
  const rpc = createJsonRpc(DEFAULT_SERVER_LIMITS, { logger: silentLogger, methods: new Map([['big', big]]) });
  const { text = '' } = await rpc.post(batchOf('big', 100));
  expect(text.length).toBeLessThan(2 * RPC_LIMITS.maxBatchAnswerChars);
  const answers = JSON.parse(text) as { id: number; result?: string; error?: { data: string } }[];
  expect(answers.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(answers[0]?.result).toHaveLength(size);
  expect(answers[99]?.error?.data).toContain('exceed');
});

test('broadcasts that follow one another are begun together and in order; nothing passes them', async () => {
  const log: string[] = [];
  const waiting: (() => void)[] = [];
  const broadcast = method({ tx: text }, async ({ tx }) => {
    log.push(`begin ${tx}`);
    await new Promise<void>((resolve) => waiting.push(resolve));
    log.push(`end ${tx}`);
    return ok(tx);
  });
  const look = method({}, () => {
    log.push('look');
    return ok('looked');
  });
  const methods = new Map([
    ['broadcast_tx_sync', broadcast],
    ['look', look],
  ]);
  const rpc = createJsonRpc(DEFAULT_SERVER_LIMITS, { logger: silentLogger, methods });
  const send = (tx: string, id: number) => ({ ...request('broadcast_tx_sync', id), params: { tx } });
  const answering = rpc.post(JSON.stringify([send('a', 0), send('b', 1), request('look', 2), send('c', 3)]));
  await vi.waitFor(() => expect(log).toEqual(['begin a', 'begin b']));
  // The answer of the second is there first.
  for (const resolve of waiting.splice(0).reverse()) resolve();
  await vi.waitFor(() => expect(log).toEqual(['begin a', 'begin b', 'end b', 'end a', 'look', 'begin c']));
  for (const resolve of waiting.splice(0)) resolve();
  const { text: answers = '' } = await answering;
  expect(JSON.parse(answers).map(({ id, result }: { id: number; result: string }) => [id, result])).toEqual([
    [0, 'a'],
    [1, 'b'],
    [2, 'looked'],
    [3, 'c'],
  ]);
});

test('Limit: maxBatchAnswerChars, of broadcasts that were begun together', async () => {
  const size = RPC_LIMITS.maxBatchAnswerChars / 4;
  const big = method({}, () => ok('x'.repeat(size)));
  const methods = new Map([['broadcast_tx_sync', big]]);
  const rpc = createJsonRpc(DEFAULT_SERVER_LIMITS, { logger: silentLogger, methods });
  const { text: body = '' } = await rpc.post(batchOf('broadcast_tx_sync', 10));
  const answers = JSON.parse(body) as { id: number; result?: string; error?: { data: string } }[];
  expect(answers.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(answers[0]?.result).toHaveLength(size);
  expect(answers[9]?.error?.data).toContain('exceed');
});
