import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHex, toHex, utf8 } from '../bytes.ts';
import { ripemd160, sha256 } from './hash.ts';
import { hash160 } from './hash160.ts';

test('the address of the key of private key 1, as Bitcoin has it (BIP-173, test vectors)', () => {
  const key = fromHex('0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798');
  expect(toHex(hash160(key))).toBe('751e76e8199196d454941c45d1b3a323f1433bd6');
});

test('it is one hash of the other, whatever was hashed before', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 128 }), (bytes) => {
      expect(hash160(bytes)).toEqual(ripemd160(sha256(bytes)));
    }),
  );
  expect(() => hash160(utf8('x'.repeat(129)))).toThrow(/129 bytes exceed 128/);
});
