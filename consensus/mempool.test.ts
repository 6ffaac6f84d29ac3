import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EMPTY } from '#core/bytes.ts';
import { MempoolOrder, type PoolLimits, type PoolTx } from './mempool.ts';

const roomy: PoolLimits = { maxTxs: 1_000, maxBytes: 1_000_000, ttlBlocks: 0n, ttlMs: 0 };

const tx = (key: string, fields: Partial<PoolTx> = {}): PoolTx => ({
  key,
  bytes: EMPTY,
  blockBytes: 10,
  gasWanted: 1n,
  priority: 1n,
  sender: 'alice',
  sequence: 0n,
  height: 1n,
  timeMs: 0,
  ...fields,
});

const keys = (txs: readonly PoolTx[]) => txs.map((item) => item.key);

/** Transactions of few senders, so that queues, conflicts and displacement all happen. */
const txs = fc
  .array(
    fc.record({
      sender: fc.constantFrom('a', 'b', 'c', 'd'),
      sequence: fc.bigInt(0n, 6n),
      priority: fc.bigInt(0n, 5n),
      blockBytes: fc.integer({ min: 1, max: 40 }),
      gasWanted: fc.bigInt(0n, 20n),
    }),
    { maxLength: 60 },
  )
  .map((list) => list.map((fields, i) => tx(`t${i}`, fields)));

const limits = fc.record({
  maxTxs: fc.integer({ min: 1, max: 12 }),
  maxBytes: fc.integer({ min: 10, max: 300 }),
  ttlBlocks: fc.constant(0n),
  ttlMs: fc.constant(0),
});

test('a sender keeps its sequence order, and every step takes the best next transaction', () => {
  fc.assert(
    fc.property(txs, (list) => {
      const pool = new MempoolOrder(roomy);
      for (const item of list) pool.add(item);
      const order = pool.reap(Number.POSITIVE_INFINITY, -1n);
      expect(order.length).toBe(pool.count);
      for (let i = 0; i < order.length; i++) {
        const rest = order.slice(i);
        const here = rest[0] as PoolTx;
        for (const other of rest.slice(1)) {
          if (other.sender === here.sender) expect(other.sequence > here.sequence).toBe(true);
          const isHead = rest.every((third) => third.sender !== other.sender || third.sequence >= other.sequence);
          if (isHead) expect(other.priority <= here.priority).toBe(true);
        }
      }
    }),
  );
});

test('the order of proposal is the same where transactions came in that order, and where they did not', () => {
  const sorted = fc.record({ list: txs, prices: fc.constantFrom(1, 2, 6), backwards: fc.boolean() });
  let inOrder = 0;
  fc.assert(
    fc.property(sorted, ({ list, prices, backwards }) => {
      const pool = new MempoolOrder(roomy);
      const few = list.map((item) => ({ ...item, priority: item.priority % BigInt(prices) }));
      // By falling price, and each sender's in sequence or not.
      if (backwards) few.sort((a, b) => Number(b.priority - a.priority) || Number(a.sequence - b.sequence));
      const admitted = keys(few.filter((item) => pool.add(item).ok)).filter((key) => pool.has(key));
      const order = keys(pool.reap(Number.POSITIVE_INFINITY, -1n));
      // With a bound of gas the senders' queues are merged step by step.
      expect(order).toEqual(keys(pool.reap(Number.POSITIVE_INFINITY, 1n << 60n)));
      if (order.length > 5 && order.every((key, i) => key === admitted[i])) inOrder++;
    }),
    // One of thirteen is in order.
    { numRuns: 400 },
  );
  expect(inOrder).toBeGreaterThan(0);
});

test('limits hold after every admission, counts are exact, and nobody is displaced by one that pays no more', () => {
  fc.assert(
    fc.property(txs, limits, (list, bounds) => {
      const pool = new MempoolOrder(bounds);
      const inside = new Map<string, PoolTx>();
      for (const item of list) {
        const before = new Map(inside);
        const result = pool.add(item);
        if (result.ok) {
          for (const gone of result.value) {
            expect(gone.priority < item.priority).toBe(true);
            if (gone.sender === item.sender) expect(gone.sequence).toBe(item.sequence);
            expect(inside.delete(gone.key)).toBe(true);
          }
          inside.set(item.key, item);
        }
        let bytes = 0;
        for (const held of inside.values()) bytes += held.blockBytes;
        expect(pool.count).toBe(inside.size);
        expect(pool.bytes).toBe(bytes);
        expect(pool.count).toBeLessThanOrEqual(bounds.maxTxs);
        expect(pool.bytes).toBeLessThanOrEqual(bounds.maxBytes);
        if (!result.ok) for (const key of before.keys()) expect(pool.has(key)).toBe(true);
      }
    }),
  );
});

test('what is displaced is always the end of a queue: no gap is left in a sequence', () => {
  fc.assert(
    fc.property(txs, limits, (list, bounds) => {
      const pool = new MempoolOrder(bounds);
      for (const item of list) {
        const result = pool.add(item);
        if (!result.ok) continue;
        const held = pool.reap(Number.POSITIVE_INFINITY, -1n);
        for (const gone of result.value)
          for (const other of held)
            if (other.sender === gone.sender && gone.sender !== item.sender)
              expect(other.sequence < gone.sequence).toBe(true);
      }
    }),
  );
});

test('reaping keeps to bytes and gas, and never skips within a sender', () => {
  fc.assert(
    fc.property(txs, fc.nat(300), fc.bigInt(-1n, 100n), (list, maxBytes, maxGas) => {
      const pool = new MempoolOrder(roomy);
      for (const item of list) pool.add(item);
      const taken = pool.reap(maxBytes, maxGas);
      let bytes = 0;
      let gas = 0n;
      for (const item of taken) {
        bytes += item.blockBytes;
        gas += item.gasWanted;
      }
      expect(bytes).toBeLessThanOrEqual(maxBytes);
      if (maxGas >= 0n) expect(gas <= maxGas).toBe(true);
      const all = pool.reap(Number.POSITIVE_INFINITY, -1n);
      for (const sender of ['a', 'b', 'c', 'd']) {
        const mine = keys(taken.filter((item) => item.sender === sender));
        expect(keys(all.filter((item) => item.sender === sender)).slice(0, mine.length)).toEqual(mine);
      }
    }),
  );
});

test('the same sequence again is taken only for a higher price', () => {
  const pool = new MempoolOrder(roomy);
  expect(pool.add(tx('first', { priority: 5n })).ok).toBe(true);
  expect(pool.add(tx('first', { priority: 5n }))).toEqual({ ok: false, error: { kind: 'duplicate' } });
  const same = pool.add(tx('same', { priority: 5n }));
  expect(!same.ok && same.error.kind).toBe('conflict');
  const more = pool.add(tx('more', { priority: 6n }));
  expect(more.ok && keys(more.value)).toEqual(['first']);
  expect(keys(pool.reap(1_000, -1n))).toEqual(['more']);
});

test('transactions expire by blocks and by time', () => {
  const pool = new MempoolOrder({ ...roomy, ttlBlocks: 3n, ttlMs: 1_000 });
  pool.add(tx('old', { sender: 'a', height: 1n, timeMs: 0 }));
  pool.add(tx('new', { sender: 'b', height: 3n, timeMs: 900 }));
  expect(keys(pool.expire(4n, 1_000))).toEqual([]);
  expect(keys(pool.expire(5n, 1_000))).toEqual(['old']);
  expect(keys(pool.expire(5n, 1_901))).toEqual(['new']);
  expect(pool.count).toBe(0);
  expect(pool.bytes).toBe(0);
});
