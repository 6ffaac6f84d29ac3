import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fromHex, toHex } from '#core/bytes.ts';
import { vectorsPath } from './locate.ts';
import { bech32Decode, entropyToMnemonic, mnemonicToSeed, slip10 } from './subject-tx.ts';

const bip39 = vectorsPath('keys', 'bip39-trezor.json');
const slip = vectorsPath('keys', 'slip10.json');
const bip173 = vectorsPath('keys', 'bech32-bip173.json');

test.skipIf(bip39 === undefined)('BIP-39: entropy to mnemonic to seed', () => {
  const { english, passphrase } = JSON.parse(readFileSync(String(bip39), 'utf8')) as {
    english: [string, string, string, string][];
    passphrase: string;
  };
  expect(english.length).toBe(24);
  for (const [entropy, mnemonic, seed] of english) {
    expect(entropyToMnemonic(fromHex(entropy))).toBe(mnemonic);
    expect(toHex(mnemonicToSeed(mnemonic, passphrase))).toBe(seed);
  }
});

interface Slip10Vector {
  curve: string;
  seed: string;
  path: string;
  chain_code: string;
  private: string;
}

test.skipIf(slip === undefined)('SLIP-0010: private keys and chain codes', () => {
  const vectors = JSON.parse(readFileSync(String(slip), 'utf8')) as Slip10Vector[];
  let checked = 0;
  for (const vector of vectors) {
    if (vector.curve === 'curve25519') {
      expect(() => slip10(vector.curve, fromHex(vector.seed), vector.path)).toThrow(/not supported/);
      continue;
    }
    const { privkey, chainCode } = slip10(vector.curve, fromHex(vector.seed), vector.path);
    expect({ ...vector, private: toHex(privkey), chain_code: toHex(chainCode) }).toEqual(vector);
    checked++;
  }
  expect(checked).toBeGreaterThan(30);
});

test.skipIf(bip173 === undefined)('BIP-173: what decodes and what does not', () => {
  const { valid, invalid } = JSON.parse(readFileSync(String(bip173), 'utf8')) as { valid: string[]; invalid: string[] };
  for (const text of valid) expect(bech32Decode(text).prefix.length, text).toBeGreaterThan(0);
  for (const text of invalid) expect(() => bech32Decode(text), text).toThrow(/bech32/);
});
