import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compare, toHex } from '../bytes.ts';
import { MemoryKv } from './memory-kv.ts';

test('ranges answer what a sorted list answers', async () => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(key, fc.boolean()), { maxLength: 40 }),
      fc.option(key, { nil: undefined }),
      fc.option(key, { nil: undefined }),
      fc.boolean(),
      fc.integer({ min: 0, max: 10 }),
      async (writes, gte, lt, reverse, limit) => {
        const kv = new MemoryKv();
        const model = new Map<string, Uint8Array>();
        for (const [k, del] of writes) {
          await kv.write([del ? { type: 'del', key: k } : { type: 'put', key: k, value: k }]);
          if (del) model.delete(toHex(k));
          else model.set(toHex(k), k);
        }
        const inRange = [...model.values()]
          .filter((k) => (gte === undefined || compare(k, gte) >= 0) && (lt === undefined || compare(k, lt) < 0))
          .sort(compare);
        if (reverse) inRange.reverse();
        const range = { ...(gte && { gte }), ...(lt && { lt }), reverse, limit };
        expect([...kv.entries(range)].map(([k]) => toHex(k))).toEqual(inRange.slice(0, limit).map(toHex));
        for (const k of model.values()) expect(kv.get(k)).toEqual(k);
      },
    ),
  );
});
