import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SHA256_PADDING_BYTES, sha256Into } from './sha256-into.ts';

test('equals SHA-256 at every length around its block borders, and for any bytes', () => {
  const check = (message: Uint8Array) => {
    const buffer = new Uint8Array(message.length + SHA256_PADDING_BYTES).fill(0xa5);
    buffer.set(message);
    const out = new Uint8Array(40).fill(7);
    sha256Into(buffer, message.length, out, 5);
    expect(out.subarray(5, 37)).toEqual(sha256(message));
    expect([out[4], out[37]]).toEqual([7, 7]);
    expect(buffer.subarray(0, message.length)).toEqual(message);
    sha256Into(buffer, message.length, buffer, 0);
    expect(buffer.subarray(0, 32)).toEqual(sha256(message));
  };
  for (let length = 0; length <= 260; length++) check(new Uint8Array(length).map((_, i) => i * 31 + length));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 700 }), check), { numRuns: 200 });
});

test('a buffer without room for the padding is refused', () => {
  expect(() => sha256Into(new Uint8Array(64), 56, new Uint8Array(32), 0)).toThrow('too short');
  expect(() => sha256Into(new Uint8Array(64), 8, new Uint8Array(32), 1)).toThrow('too short');
});
