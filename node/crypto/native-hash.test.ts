import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import { merkleLeafHash } from '#core/merkle.ts';
import { nativeLeafHash } from './native-hash.ts';

test('a leaf has the same hash natively', () => {
  const leaf = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ minLength: 1_000, maxLength: 3_000 }));
  fc.assert(
    fc.property(leaf, (bytes) => {
      expect(toHex(nativeLeafHash(bytes))).toBe(toHex(merkleLeafHash(bytes)));
    }),
  );
});
