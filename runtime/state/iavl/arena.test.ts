import fc from 'fast-check';
import { expect, test } from 'vitest';
import { idOf } from '../key-id.ts';
import { Arena } from './arena.ts';

test('a search goes where the order of whole keys says, however their first bytes agree and wherever they end', () => {
  // Few different bytes, so that beginnings agree; zeros are what a short key is filled up with.
  const key = fc
    .array(fc.constantFrom(0, 1, 127, 128, 255), { maxLength: 12 })
    .map((bytes) => idOf(Uint8Array.from(bytes)));
  fc.assert(
    fc.property(fc.array(key, { minLength: 1, maxLength: 8 }), key, (keys, wanted) => {
      const arena = new Arena(1);
      const nodes = keys.map((own) => arena.allocate(own));
      arena.search(wanted);
      expect(nodes.map((node) => arena.goesLeft(node))).toEqual(keys.map((own) => wanted < own));
      // Another key in the same place, set or recycled.
      const [first = 0] = nodes;
      arena.setKey(first, wanted);
      expect(arena.goesLeft(first)).toBe(false);
      arena.release(first);
      expect(arena.goesLeft(arena.allocate(`${wanted}\0`))).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});
