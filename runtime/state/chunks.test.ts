import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Chunks } from './chunks.ts';

test('strings are as long as they are asked to be, zero, and none shares a byte with another', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 1_500 }), { maxLength: 60 }), (lengths) => {
      const chunks = new Chunks(4_096);
      const taken = lengths.map((length, i) => {
        const bytes = chunks.take(length);
        expect(bytes).toEqual(new Uint8Array(length));
        return bytes.fill(i + 1);
      });
      for (const [i, bytes] of taken.entries()) expect(bytes).toEqual(new Uint8Array(lengths[i] ?? 0).fill(i + 1));
    }),
  );
});
