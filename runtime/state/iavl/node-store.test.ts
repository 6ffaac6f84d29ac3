import { expect, test } from 'vitest';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { NodeStore, RecordCache } from './node-store.ts';

const RECORD = Uint8Array.of(1, 2, 3);

test('what was dropped takes no room: beside any number of such records another one stays', () => {
  const cache = new RecordCache(8 * 253);
  const shelf = cache.shelf();
  cache.put(shelf, 0, RECORD);
  for (let id = 1; id < 100; id++) {
    cache.put(shelf, id, RECORD);
    cache.drop(shelf, id);
    expect(cache.get(shelf, id)).toBeUndefined();
  }
  expect(cache.get(shelf, 0)).toBe(RECORD);
});

test('the same record again takes the room of one', () => {
  const cache = new RecordCache(8 * 253);
  const shelf = cache.shelf();
  cache.put(shelf, 0, RECORD);
  for (let turn = 0; turn < 100; turn++) cache.put(shelf, 1, RECORD);
  expect(cache.get(shelf, 0)).toBe(RECORD);
});

test('more than the limit is never kept, and what was used last is', () => {
  const cache = new RecordCache(8 * 253);
  const shelf = cache.shelf();
  for (let id = 0; id < 1_000; id++) {
    cache.put(shelf, id, RECORD);
    cache.get(shelf, 0);
  }
  const kept = Array.from({ length: 1_000 }, (_, id) => id).filter((id) => shelf.young.has(id) || shelf.old.has(id));
  expect(kept.length).toBeLessThanOrEqual(9);
  expect(kept).toContain(0);
  expect(kept).toContain(999);
});

test('records cut from one chunk cannot keep more chunks than the limit has room for', () => {
  const cache = new RecordCache(8 * 253);
  const shelf = cache.shelf();
  const chunks = new Set<ArrayBufferLike>();
  for (let id = 0; id < 1_000; id += 4) {
    const chunk = new Uint8Array(4 * RECORD.length);
    for (let i = 0; i < 4; i++) cache.put(shelf, id + i, chunk.subarray(i * RECORD.length, (i + 1) * RECORD.length));
    // One of four stays, and so does its chunk; the first is used all the time.
    for (let i = 1; i < 4; i++) cache.drop(shelf, id + i);
    expect(cache.get(shelf, 0)).toHaveLength(RECORD.length);
  }
  for (const record of [...shelf.young.values(), ...shelf.old.values()]) chunks.add(record.buffer);
  expect(chunks.size).toBeLessThanOrEqual(4);
  expect(cache.get(shelf, 0)?.buffer.byteLength).toBe(RECORD.length);
});

test('a forgotten record is read from the database again, where it may be gone', async () => {
  const kv = new MemoryKv();
  const nodes = new NodeStore(kv, 'bank', new RecordCache(10_000));
  await kv.write([{ type: 'put', key: nodes.key(1, 0), value: Uint8Array.of(9) }]);
  nodes.remember(1, 0, RECORD);
  expect(nodes.page(1, 0)).toBe(RECORD);
  nodes.forget(1, 0);
  expect(nodes.page(1, 0)).toEqual(Uint8Array.of(9));
  nodes.forget(1, 0);
  await kv.write([{ type: 'del', key: nodes.key(1, 0) }]);
  expect(() => nodes.page(1, 0)).toThrow(/is not in the database/);
});
