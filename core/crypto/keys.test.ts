import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHex, toHex, utf8 } from '../bytes.ts';
import { bech32Address, isMnemonic, keyFromMnemonic, keyFromPrivate, newMnemonic, signSecp256k1 } from './keys.ts';
import { parsePath, slip10 } from './slip10.ts';
import { pureVerifier } from './verify.ts';

test('a fresh mnemonic gives a key whose signatures verify', () => {
  const mnemonic = newMnemonic();
  expect(mnemonic.split(' ')).toHaveLength(24);
  expect(isMnemonic(mnemonic)).toBe(true);
  const key = keyFromMnemonic(mnemonic);
  const message = utf8('a message');
  const signature = signSecp256k1(key.privateKey, message);
  expect(pureVerifier.secp256k1(key.publicKey, message, signature)).toBe(true);
  expect(pureVerifier.secp256k1(key.publicKey, utf8('another'), signature)).toBe(false);
});

test('the same key signs the same way, and has one address a prefix', () => {
  const key = keyFromPrivate(new Uint8Array(32).fill(1));
  expect(toHex(signSecp256k1(key.privateKey, utf8('x')))).toBe(toHex(signSecp256k1(key.privateKey, utf8('x'))));
  expect(bech32Address(key.publicKey, 'auton').startsWith('auton1')).toBe(true);
});

test('wrong mnemonics, keys and paths are refused by name', () => {
  expect(() => keyFromMnemonic('abandon abandon')).toThrow(/^mnemonic: expected 12 to 24 words/);
  expect(() => keyFromPrivate(new Uint8Array(31))).toThrow('private key: expected 32 bytes, got 31');
  expect(() => keyFromPrivate(new Uint8Array(32))).toThrow();
  for (const path of ['44', "m/x'", 'm/2147483648', 'm//0', 'm/-1', 'm/1.5', `m${'/0'.repeat(256)}`])
    expect(() => parsePath(path), path).toThrow(/^derivation path: /);
  expect(() => slip10('ed25519', fromHex('000102030405060708090a0b0c0d0e0f'), 'm/0')).toThrow(/hardened keys only/);
});

test('any path that is written reads back', () => {
  const index = fc.record({ value: fc.integer({ min: 0, max: 0x7fffffff }), hardened: fc.boolean() });
  fc.assert(
    fc.property(fc.array(index, { maxLength: 10 }), (indices) => {
      const text = ['m', ...indices.map(({ value, hardened }) => `${value}${hardened ? "'" : ''}`)].join('/');
      expect(parsePath(text)).toEqual(indices.map(({ value, hardened }) => (hardened ? value + 0x80000000 : value)));
    }),
  );
});
