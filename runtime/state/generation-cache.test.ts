import { expect, test } from 'vitest';
import { GenerationCache } from './generation-cache.ts';

const RECORD = Uint8Array.of(1, 2, 3);

test('what was dropped takes no room: beside any number of such records another one stays', () => {
  const cache = new GenerationCache<number>(8 * 253);
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
  const cache = new GenerationCache<number>(8 * 253);
  const shelf = cache.shelf();
  cache.put(shelf, 0, RECORD);
  for (let turn = 0; turn < 100; turn++) cache.put(shelf, 1, RECORD);
  expect(cache.get(shelf, 0)).toBe(RECORD);
});

test('more than the limit is never kept, and what was used last is', () => {
  const cache = new GenerationCache<number>(8 * 253);
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

test('what is cut from one chunk cannot keep more chunks than the limit has room for', () => {
  const cache = new GenerationCache<number>(8 * 253);
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
