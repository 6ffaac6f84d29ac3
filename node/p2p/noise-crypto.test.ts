import { defaultCrypto } from '@libp2p/noise/crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import { noiseCrypto } from './noise-crypto.ts';

const bytes = (data: { subarray(): Uint8Array }) => toHex(data.subarray());
const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
/** To both sides of where one implementation gives way to another. */
const content = fc.oneof(fc.uint8Array({ maxLength: 700 }), fc.uint8Array({ minLength: 1_100, maxLength: 3_000 }));

test('what is sealed and opened is what the default of noise seals and opens', () => {
  fc.assert(
    fc.property(content, fixed(12), fc.uint8Array({ maxLength: 32 }), fixed(32), (plaintext, nonce, ad, key) => {
      const sealed = defaultCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, key).subarray();
      expect(bytes(noiseCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, key))).toBe(toHex(sealed));
      expect(bytes(noiseCrypto.chaCha20Poly1305Decrypt(sealed, nonce, ad, key))).toBe(toHex(plaintext));
    }),
    { numRuns: 200 },
  );
});

test('a message with any bit turned is refused', () => {
  const [nonce, ad, key] = [new Uint8Array(12), new Uint8Array(0), new Uint8Array(32).fill(9)];
  const property = fc.property(content, fc.nat(), fc.nat(7), (plaintext, place, bit) => {
    const sealed = noiseCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, key).subarray().slice();
    const at = place % sealed.length;
    sealed[at] = (sealed[at] as number) ^ (1 << bit);
    expect(() => noiseCrypto.chaCha20Poly1305Decrypt(sealed, nonce, ad, key)).toThrow();
  });
  fc.assert(property, { numRuns: 200 });
});
