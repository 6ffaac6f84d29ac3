import { expect, test } from 'vitest';
import { silentLogger } from '#core/ports/logger.ts';
import { ok } from '#core/result.ts';
import { DEFAULT_SERVER_LIMITS, RPC_LIMITS } from '../limits.ts';
import { createJsonRpc } from './json-rpc.ts';
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
