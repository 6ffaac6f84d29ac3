import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { stagingKv } from './staging-kv.ts';

const put = (key: string, value = key): KvOp => ({ type: 'put', key: utf8(key), value: utf8(value) });
const del = (key: string): KvOp => ({ type: 'del', key: utf8(key) });

/** A database that says what it was given, and waits for the test where it is told to. */
function recorded(inner: Kv = new MemoryKv()) {
  const batches: { readonly ops: number; readonly sync: boolean }[] = [];
  const gate: { wait: Promise<void> | undefined } = { wait: undefined };
  const kv: Kv = {
    get: (key) => inner.get(key),
    entries: (range) => inner.entries(range),
    async write(ops, options) {
      batches.push({ ops: ops.length, sync: options?.sync === true });
      await gate.wait;
      await inner.write(ops, options);
    },
    close: () => inner.close(),
  };
  return { kv, batches, gate };
}

test('unsynced writes go with the next synced one, in one batch', async () => {
  const { kv, batches } = recorded();
  const staging = stagingKv(kv, { maxStagedBytes: 1_000 });
  await staging.write([put('a')]);
  await staging.write([put('b'), del('a')]);
  expect(batches).toEqual([]);
  expect(staging.get(utf8('b'))).toEqual(utf8('b'));
  expect(staging.get(utf8('a'))).toBeUndefined();
  await staging.write([put('c')], { sync: true });
  expect(batches).toEqual([{ ops: 4, sync: true }]);
});

test('what is on its way is seen, and so is what was written meanwhile', async () => {
  const { kv, batches, gate } = recorded();
  const staging = stagingKv(kv, { maxStagedBytes: 1_000 });
  const opened = Promise.withResolvers<void>();
  gate.wait = opened.promise;
  const first = staging.write([put('a', '1')], { sync: true });
  await Promise.resolve();
  await staging.write([put('b', '2')]);
  const second = staging.write([put('a', '3')], { sync: true });
  expect(staging.get(utf8('a'))).toEqual(utf8('3'));
  expect([...staging.entries({})].map(([key]) => key)).toEqual([utf8('a'), utf8('b')]);
  opened.resolve();
  await Promise.all([first, second]);
  expect(batches).toEqual([
    { ops: 1, sync: true },
    { ops: 2, sync: true },
  ]);
  expect(kv.get(utf8('a'))).toEqual(utf8('3'));
});

test('too much does not wait and is synced, and closing writes what waits', async () => {
  const { kv, batches } = recorded();
  const staging = stagingKv(kv, { maxStagedBytes: 3 });
  await staging.write([put('a'), put('b')]);
  expect(batches).toEqual([{ ops: 2, sync: true }]);
  await staging.write([put('c')]);
  await staging.close();
  expect(batches.at(-1)).toEqual({ ops: 1, sync: false });
  expect(kv.get(utf8('c'))).toEqual(utf8('c'));
});

test('what is held reaches the database when it is released, in one synced batch', async () => {
  const { kv, batches } = recorded();
  const staging = stagingKv(kv, { maxStagedBytes: 0 });
  staging.hold();
  await staging.write([put('a', '1')], { sync: true });
  await staging.write([put('b')]);
  await staging.write([put('a', '2')], { sync: true });
  expect(batches).toEqual([]);
  expect(staging.get(utf8('a'))).toEqual(utf8('2'));
  expect(staging.heldBytes).toBe(6);
  await staging.release();
  expect(batches).toEqual([{ ops: 3, sync: true }]);
  await staging.write([put('c')]);
  expect(batches.at(-1)).toEqual({ ops: 1, sync: false });
});

test('a write that waits for its turn takes nothing with it that is held meanwhile', async () => {
  const { kv, batches, gate } = recorded();
  const staging = stagingKv(kv, { maxStagedBytes: 0 });
  const opened = Promise.withResolvers<void>();
  gate.wait = opened.promise;
  const first = staging.write([put('a')]);
  await Promise.resolve();
  const second = staging.write([put('b')]);
  staging.hold();
  await staging.write([put('c')], { sync: true });
  opened.resolve();
  await Promise.all([first, second]);
  expect(kv.get(utf8('c'))).toBeUndefined();
  expect(staging.get(utf8('c'))).toEqual(utf8('c'));
  await staging.release();
  expect(kv.get(utf8('c'))).toEqual(utf8('c'));
  expect(batches.map(({ ops }) => ops)).toEqual([1, 1, 1]);
});

test('what is held when the database is closed never was', async () => {
  const { kv, batches } = recorded();
  const staging = stagingKv(kv, { maxStagedBytes: 0 });
  await staging.write([put('a')], { sync: true });
  staging.hold();
  await staging.write([put('b')], { sync: true });
  await staging.close();
  expect(batches).toEqual([{ ops: 1, sync: true }]);
});

test('after a failed write nothing is written any more', async () => {
  const { kv, batches } = recorded();
  let full = true;
  const staging = stagingKv(
    { ...kv, write: (ops, options) => (full ? Promise.reject(new Error('disk full')) : kv.write(ops, options)) },
    { maxStagedBytes: 1_000 },
  );
  await expect(staging.write([put('a')], { sync: true })).rejects.toThrow('disk full');
  full = false;
  await expect(staging.write([put('b')], { sync: true })).rejects.toThrow('an earlier write has failed');
  await staging.close();
  expect(batches).toEqual([]);
});

test('reads are those of a database that writes at once, whatever is staged', async () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const op = fc.oneof(
    key.map((name) => del(name)),
    fc.tuple(key, fc.string({ minLength: 1, maxLength: 3 })).map(([name, value]) => put(name, value)),
  );
  const range = fc.record({
    gte: fc.option(key.map(utf8), { nil: undefined }),
    lt: fc.option(key.map(utf8), { nil: undefined }),
    reverse: fc.boolean(),
    limit: fc.option(fc.nat(6), { nil: undefined }),
  });
  const step = fc.record({ ops: fc.array(op, { maxLength: 4 }), sync: fc.boolean(), range });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const model = new MemoryKv();
      const staging = stagingKv(new MemoryKv(), { maxStagedBytes: 20 });
      for (const { ops, sync, range: asked } of steps) {
        await model.write(ops);
        await staging.write(ops, { sync });
        const { gte, lt, limit, reverse } = asked;
        const given = {
          reverse,
          ...(gte === undefined ? {} : { gte }),
          ...(lt === undefined ? {} : { lt }),
          ...(limit === undefined ? {} : { limit }),
        };
        expect([...staging.entries(given)]).toEqual([...model.entries(given)]);
        for (const name of ['a', 'b', 'c', 'd', 'e']) expect(staging.get(utf8(name))).toEqual(model.get(utf8(name)));
      }
    }),
  );
});
