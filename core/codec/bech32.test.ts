import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeAddress, decodeBech32, encodeAddress } from './bech32.ts';

test('an address of any length reads back', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 255 }),
      fc.constantFrom('auton', 'autonvaloper'),
      (bytes, prefix) => {
        expect(decodeAddress(encodeAddress(prefix, bytes))).toEqual({ ok: true, value: { prefix, bytes } });
      },
    ),
  );
});

test('what is no address is refused with a sentence', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 100 }), fc.string({ unit: 'binary', maxLength: 60 })), (text) => {
      const decoded = decodeAddress(text);
      if (!decoded.ok) expect(decoded.error).toMatch(/^(bech32|address): /);
    }),
  );
  expect(decodeBech32('a'.repeat(91))).toEqual({ ok: false, error: 'bech32: 91 characters exceed the limit of 90' });
  expect(decodeAddress('auton')).toMatchObject({ ok: false, error: 'bech32: expected <prefix>1<data>, got "auton"' });
});

test('one changed character breaks the checksum', () => {
  const address = encodeAddress('auton', new Uint8Array(20).fill(7));
  for (let i = 6; i < address.length; i++) {
    const other = address[i] === 'q' ? 'p' : 'q';
    expect(decodeAddress(address.slice(0, i) + other + address.slice(i + 1)).ok).toBe(false);
  }
});
