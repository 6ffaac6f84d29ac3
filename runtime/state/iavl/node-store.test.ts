import { expect, test } from 'vitest';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { GenerationCache } from '../generation-cache.ts';
import { NodeStore } from './node-store.ts';

test('a page is kept until it is forgotten, and then read from the database again, where it may be gone', async () => {
  const kv = new MemoryKv();
  const nodes = new NodeStore(kv, 'bank', new GenerationCache(10_000));
  const write = (byte: number) => kv.write([{ type: 'put', key: nodes.key(1, 0), value: Uint8Array.of(byte) }]);
  await write(1);
  expect(nodes.page(1, 0)).toEqual(Uint8Array.of(1));
  await write(2);
  expect(nodes.page(1, 0)).toEqual(Uint8Array.of(1));
  nodes.forget(1, 0);
  expect(nodes.page(1, 0)).toEqual(Uint8Array.of(2));
  nodes.forget(1, 0);
  await kv.write([{ type: 'del', key: nodes.key(1, 0) }]);
  expect(() => nodes.page(1, 0)).toThrow(/is not in the database/);
});
