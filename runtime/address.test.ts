import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeAddress, encodeAddress } from '#core/codec/bech32.ts';
import { formatAddress, parseAddress } from './address.ts';
import { RUNTIME_LIMITS } from './limits.ts';

const chain = { bech32Prefix: 'auton' };

test('text and bytes of an address are what the codec says, at the first question and later', () => {
  const address = fc.uint8Array({ minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(address, fc.constantFrom('auton', 'autonvaloper', 'a'), (bytes, bech32Prefix) => {
      const text = encodeAddress(bech32Prefix, bytes);
      for (let i = 0; i < 2; i++) {
        expect(formatAddress({ bech32Prefix }, bytes)).toBe(text);
        for (const written of [text, text.toUpperCase()]) {
          const parsed = parseAddress({ bech32Prefix }, written, 'it');
          const decoded = decodeAddress(written);
          expect(parsed.ok && parsed.value).toEqual(decoded.ok && decoded.value.bytes);
        }
      }
    }),
  );
});

test('an address that was fine on one chain is refused on another, each time by its own name', () => {
  const text = encodeAddress('other', Uint8Array.of(1, 2, 3));
  expect(parseAddress({ bech32Prefix: 'other' }, text, 'here').ok).toBe(true);
  for (const title of ['from', 'to']) {
    const parsed = parseAddress(chain, text, title);
    expect(parsed.ok ? '' : parsed.error.message).toContain(
      `${title}: invalid Bech32 prefix; expected auton, got other`,
    );
    const broken = parseAddress(chain, 'auton1nothing', title);
    expect(broken.ok ? '' : broken.error.message).toMatch(new RegExp(`^${title}: `));
  }
});

test('more addresses and prefixes than are kept, and such as are kept in the same place', () => {
  const bytesOf = (n: number) => Uint8Array.of(n & 255, (n >>> 8) & 255, n >>> 16);
  const count = 2 * RUNTIME_LIMITS.recentAddresses + 10;
  for (let n = 0; n < count; n++) formatAddress(chain, bytesOf(n));
  for (let n = 0; n < count; n += 4_097)
    expect(formatAddress(chain, bytesOf(n))).toBe(encodeAddress('auton', bytesOf(n)));
  // What follows the first bytes, and the prefix's letters, tell these apart.
  for (let i = 0; i < 40; i++) {
    const bytes = Uint8Array.of(1, 2, 3, 4, i & 1);
    for (const bech32Prefix of ['one', 'two']) {
      const text = encodeAddress(bech32Prefix, bytes);
      expect(formatAddress({ bech32Prefix }, bytes)).toBe(text);
      expect(parseAddress({ bech32Prefix }, text, 'it')).toEqual({ ok: true, value: bytes });
      expect(parseAddress({ bech32Prefix: 'six' }, text, 'it').ok).toBe(false);
    }
  }
});

test('bytes that their owner changes later change nothing', () => {
  const bytes = new Uint8Array(20).fill(9);
  const before = formatAddress(chain, bytes);
  bytes[19] = 8;
  expect(formatAddress(chain, bytes)).toBe(encodeAddress('auton', bytes));
  bytes[19] = 9;
  expect(formatAddress(chain, bytes)).toBe(before);
});
