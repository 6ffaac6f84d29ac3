import { ripemd160 as libraryRipemd160 } from '@noble/hashes/legacy.js';
import { sha256 as librarySha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHex, toHex, utf8 } from '../bytes.ts';
import { ripemd160, sha256 } from './hash.ts';

test('the digests of the standards’ examples', () => {
  expect(toHex(sha256(utf8('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(ripemd160(utf8('abc'))).toEqual(fromHex('8eb208f7e05d987a9b044a8e98c6b087f15a0bfc'));
  expect(ripemd160(utf8(''))).toEqual(fromHex('9c1185a5c5e9fc54612808977ee8f548b2258d31'));
});

test('any bytes, one after the other, have the digests that a new hash of the library has', () => {
  const check = (data: Uint8Array) => {
    const before = data.slice();
    expect(sha256(data)).toEqual(librarySha256(data));
    expect(ripemd160(data)).toEqual(libraryRipemd160(data));
    expect(data).toEqual(before);
  };
  for (const length of [0, 1, 33, 55, 56, 63, 64, 65, 1_023, 1_024, 1_025, 3_000])
    check(new Uint8Array(length).fill(7));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1_200 }), check), { numRuns: 200 });
});
