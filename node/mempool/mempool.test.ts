import { expect, test } from 'vitest';
import type { CheckTxRequest, CheckTxResponse } from '#core/abci.ts';
import { EMPTY, fromUtf8, utf8 } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { NODE_LIMITS } from '../limits.ts';
import { createMempool, type MempoolOptions, refusalResponse, txKey } from './mempool.ts';

/** An application whose transactions read "sender sequence price", and that refuses what `refuse` names. */
function setup(options: Partial<MempoolOptions> = {}) {
  const checks: string[] = [];
  /** Checks whose events nobody wants. */
  const quiet: string[] = [];
  const admitted: string[] = [];
  const refused: string[] = [];
  let blocks = 0;
  const refuse = new Set<string>();
  let available = 0;
  let nowMs = 0;
  const mempool = createMempool(
    { maxTxs: 10, maxBytes: 1_000, maxTxBytes: 100, cacheEntries: 100, ttlMs: 0, ttlBlocks: 0n, ...options },
    {
      app: {
        async checkTx({ tx, type, withoutEvents }: CheckTxRequest): Promise<CheckTxResponse> {
          const text = fromUtf8(tx);
          checks.push(`${type} ${text}`);
          if (withoutEvents === true) quiet.push(text);
          const [sender = '', sequence = '', price = ''] = text.split(' ');
          if (sender === 'garbage')
            return { ...refusalResponse({ codespace: 'sdk', code: 2, message: 'tx parse error' }) };
          if (refuse.has(text))
            return { ...refusalResponse({ codespace: 'sdk', code: 5, message: 'insufficient funds' }) };
          return {
            code: 0,
            codespace: '',
            log: '',
            data: EMPTY,
            gasWanted: 1n,
            gasUsed: 1n,
            events: [],
            priority: BigInt(price),
            sender,
            sequence: BigInt(sequence),
          };
        },
      },
      now: () => nowMs,
      admitted: (key) => admitted.push(fromUtf8(mempool.find(key) ?? EMPTY)),
      refused: (key) => refused.push(key),
      committed: () => {
        blocks += 1;
      },
      available: () => {
        available += 1;
      },
      logger: silentLogger,
    },
  );
  return {
    mempool,
    checks,
    quiet,
    admitted,
    refused,
    blockCount: () => blocks,
    refuse,
    availableCount: () => available,
    advance: (ms: number) => {
      nowMs += ms;
    },
    submit: async (text: string) => {
      const result = await mempool.submit(utf8(text));
      return result.ok ? result.value.code : `${result.error.codespace} ${result.error.code}`;
    },
    content: () => mempool.reap(10_000, -1n).map(fromUtf8),
  };
}

test("a client's transaction is checked and announced; one that is refused is not", async () => {
  const pool = setup();
  pool.refuse.add('b 0 1');
  expect(await pool.submit('a 0 1')).toBe(0);
  expect(await pool.submit('b 0 1')).toBe(5);
  expect(pool.admitted).toEqual(['a 0 1']);
  expect(pool.refused).toEqual([txKey(utf8('b 0 1'))]);
  expect(pool.availableCount()).toBe(1);
  expect(pool.content()).toEqual(['a 0 1']);
});

test('checks run in order of arrival, also when they arrive at once', async () => {
  const pool = setup();
  const texts = Array.from({ length: 8 }, (_, i) => `a ${i} ${i}`);
  await Promise.all(texts.map(pool.submit));
  expect(pool.checks).toEqual(texts.map((text) => `new ${text}`));
  expect(pool.content()).toEqual(texts);
});

test('what waits is known and not checked again, however much was seen since', async () => {
  const pool = setup({ cacheEntries: 2 });
  for (const text of ['a 0 1', 'b 0 1', 'c 0 1']) await pool.submit(text);
  await pool.mempool.update(1n, [utf8('d 0 1'), utf8('e 0 1'), utf8('c 0 1')], [0, 0, 0]);
  pool.checks.length = 0;
  const waiting = utf8('a 0 1');
  expect(pool.mempool.knows(txKey(waiting))).toBe(true);
  expect(pool.mempool.strangers([waiting, utf8('f 0 1')])).toBe(1);
  expect(await pool.submit('a 0 1')).toBe('sdk 19');
  expect(await pool.mempool.receive(waiting, txKey(waiting), 'p')).toEqual({ kind: 'ignore' });
  expect(pool.checks).toEqual([]);
  expect(pool.refused).toEqual([]);
  expect(pool.content()).toEqual(['a 0 1', 'b 0 1']);
  expect(pool.mempool.keys(10)).toEqual(pool.mempool.list(10).map(txKey));
});

test('what was seen is not checked again; what was refused may come again', async () => {
  const pool = setup();
  expect(await pool.submit('a 0 1')).toBe(0);
  expect(await pool.submit('a 0 1')).toBe('sdk 19');
  expect((await pool.mempool.receive(utf8('a 0 1'))).kind).toBe('ignore');
  pool.refuse.add('a 1 1');
  expect(await pool.submit('a 1 1')).toBe(5);
  pool.refuse.clear();
  expect(await pool.submit('a 1 1')).toBe(0);
  expect(pool.checks.filter((line) => line === 'new a 0 1')).toHaveLength(1);
});

test('too large and too many are refused with their codes', async () => {
  const pool = setup({ maxTxs: 1 });
  expect(await pool.submit(`a 0 ${'1'.repeat(100)}`)).toBe('sdk 21');
  expect(await pool.submit('a 0 5')).toBe(0);
  expect(await pool.submit('b 0 5')).toBe('sdk 20');
  expect(await pool.submit('b 0 6')).toBe(0);
  expect(pool.content()).toEqual(['b 0 6']);
});

test('of what waits to be checked there is so much in bytes, however few they are', async () => {
  const size = 1_048_576;
  const most = NODE_LIMITS.maxPendingCheckBytes / size;
  const pool = setup({ maxTxs: 1_000, maxTxBytes: size, maxBytes: 1_000 * size });
  const large = (i: number) => pool.submit(`s${i} 0 1 `.padEnd(size, 'x'));
  const answers = await Promise.all(Array.from({ length: most + 2 }, (_, i) => large(i)));
  expect(answers).toEqual([...new Array(most).fill(0), 'sdk 20', 'sdk 20']);
  expect(pool.checks).toHaveLength(most);
  expect(await large(most), 'there is room again').toBe(0);
});

test('events are asked for of what a client submits, not of what a peer sends', async () => {
  const pool = setup();
  const tx = utf8('a 0 1');
  expect((await pool.mempool.receive(tx, txKey(tx), 'a peer')).kind).toBe('accept');
  expect(await pool.submit('b 0 1')).toBe(0);
  expect(pool.checks).toEqual(['new a 0 1', 'new b 0 1']);
  expect(pool.quiet).toEqual(['a 0 1']);
});

test('a peer is blamed only for what is no transaction', async () => {
  const pool = setup();
  pool.refuse.add('a 0 1');
  expect((await pool.mempool.receive(utf8('a 0 1'))).kind).toBe('ignore');
  expect((await pool.mempool.receive(utf8('garbage'))).kind).toBe('reject');
  expect((await pool.mempool.receive(utf8('b 0 1'))).kind).toBe('accept');
  expect(pool.admitted).toEqual(['b 0 1']);
  expect(pool.mempool.knows(txKey(utf8('b 0 1')))).toBe(true);
  expect(pool.mempool.knows(txKey(utf8('a 0 1')))).toBe(false);
  expect(pool.mempool.find(txKey(utf8('a 0 1')))).toBeUndefined();
});

test('after a block its transactions are gone and the rest is checked again, in order', async () => {
  const pool = setup();
  for (const text of ['a 0 1', 'a 1 9', 'b 0 5', 'c 0 3']) await pool.submit(text);
  pool.checks.length = 0;
  pool.refuse.add('c 0 3');
  await pool.mempool.update(1n, [utf8('a 0 1'), utf8('x 0 1')], [0, 0]);
  expect(pool.checks).toEqual(['recheck a 1 9', 'recheck b 0 5', 'recheck c 0 3']);
  expect(pool.content()).toEqual(['a 1 9', 'b 0 5']);
  expect(await pool.submit('x 0 1')).toBe('sdk 19');
  expect(pool.availableCount()).toBe(2);
  expect(pool.blockCount()).toBe(1);
});

test('of each block it says how many transactions it does not know, before and after it is committed', async () => {
  const pool = setup();
  for (const text of ['a 0 1', 'b 0 1']) await pool.submit(text);
  const [first, second] = [['a 0 1', 'x 0 1', 'y 0 1'].map(utf8), ['b 0 1', 'x 0 1'].map(utf8)];
  expect([first, second, first].map((txs) => pool.mempool.strangers(txs))).toEqual([2, 1, 2]);
  await pool.mempool.update(1n, first, [0, 0, 5]);
  expect([first, second].map((txs) => pool.mempool.strangers(txs))).toEqual([1, 0]);
  expect(pool.content()).toEqual(['b 0 1']);
  expect(pool.mempool.strangers([])).toBe(0);
});

test('a block is worked off before the checks that wait', async () => {
  const pool = setup();
  await pool.submit('a 0 1');
  pool.checks.length = 0;
  const waiting = ['a 1 1', 'b 0 1'].map(pool.submit);
  await pool.mempool.update(1n, [], []);
  await Promise.all(waiting);
  expect(pool.checks).toEqual(['recheck a 0 1', 'new a 1 1', 'new b 0 1']);
});

test('a transaction that failed in a block may be sent again', async () => {
  const pool = setup();
  await pool.submit('a 0 1');
  await pool.mempool.update(1n, [utf8('a 0 1')], [7]);
  expect(pool.content()).toEqual([]);
  expect(await pool.submit('a 0 1')).toBe(0);
});

test('Adversarial 18: duplicates from everywhere at once are one transaction, and it can be removed (CVE-2023-34451)', async () => {
  const pool = setup();
  const tx = utf8('a 0 1');
  for (let round = 1n; round <= 3n; round++) {
    await Promise.all([pool.submit('a 0 1'), pool.mempool.receive(tx), pool.submit('a 0 1'), pool.mempool.receive(tx)]);
    expect(pool.content()).toEqual(['a 0 1']);
    const removing = pool.mempool.update(round, [tx], [7]);
    // Arriving while the block that holds it is being worked off.
    const again = pool.mempool.receive(tx);
    await removing;
    await again;
    await pool.mempool.update(round, [tx], [7]);
    expect(pool.content()).toEqual([]);
    expect([pool.mempool.count(), pool.mempool.bytes()]).toEqual([0, 0]);
    expect(pool.mempool.find(txKey(tx))).toBeUndefined();
  }
});

test('transactions expire', async () => {
  const pool = setup({ ttlMs: 1_000 });
  await pool.submit('a 0 1');
  pool.advance(1_001);
  await pool.submit('b 0 1');
  await pool.mempool.update(1n, [], []);
  expect(pool.content()).toEqual(['b 0 1']);
  expect(pool.mempool.count()).toBe(1);
});
