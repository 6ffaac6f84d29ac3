/** Account keys of users: BIP-39 mnemonics, BIP-32 derivation, secp256k1 signatures and addresses. Never used by the chain's rules. */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { generateMnemonic, mnemonicToSeedSync, entropyToMnemonic as toMnemonic, validateMnemonic } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { expectLength } from '../bytes.ts';
import { encodeAddress } from '../codec/bech32.ts';
import { ripemd160, sha256 } from './hash.ts';
import { slip10 } from './slip10.ts';

/** BIP-44 path of Cosmos accounts (SLIP-44 coin type 118). */
export const COSMOS_PATH = "m/44'/118'/0'/0/0";

/** @param entropy 16, 20, 24, 28 or 32 bytes. Twelve to twenty-four English words. */
export function entropyToMnemonic(entropy: Uint8Array): string {
  return toMnemonic(entropy, wordlist);
}

/** Twenty-four fresh words. */
export function newMnemonic(): string {
  return generateMnemonic(wordlist, 256);
}

/** Words of the English list with a right checksum. */
export function isMnemonic(mnemonic: string): boolean {
  return validateMnemonic(mnemonic, wordlist);
}

/** 64 bytes. BIP-39: PBKDF2 with 2048 rounds. */
export function mnemonicToSeed(mnemonic: string, passphrase = ''): Uint8Array {
  return mnemonicToSeedSync(mnemonic, passphrase);
}

export interface AccountKeyPair {
  /** 32 bytes. */
  readonly privateKey: Uint8Array;
  /** 33 bytes, compressed. */
  readonly publicKey: Uint8Array;
}

/** @throws RangeError when it is not a mnemonic or not a path. */
export function keyFromMnemonic(mnemonic: string, path = COSMOS_PATH, passphrase = ''): AccountKeyPair {
  if (!isMnemonic(mnemonic))
    throw new RangeError('mnemonic: expected 12 to 24 words of the English list with a right checksum');
  const { privateKey } = slip10('secp256k1', mnemonicToSeed(mnemonic, passphrase), path);
  return keyFromPrivate(privateKey);
}

/** Whether 32 bytes are a scalar of secp256k1: neither 0 nor above the group's order. */
export function isPrivateKey(bytes: Uint8Array): boolean {
  return secp256k1.utils.isValidSecretKey(bytes);
}

/** @throws RangeError unless 32 bytes; Error when it is 0 or not below the group's order. */
export function keyFromPrivate(privateKey: Uint8Array): AccountKeyPair {
  expectLength(privateKey, 32, 'private key');
  return { privateKey, publicKey: secp256k1.getPublicKey(privateKey, true) };
}

/** 64 bytes r ‖ s with low s, over the SHA-256 of the message; deterministic (RFC 6979). */
export function signSecp256k1(privateKey: Uint8Array, message: Uint8Array): Uint8Array {
  return secp256k1.sign(message, privateKey, { lowS: true, prehash: true });
}

/** 20 bytes: RIPEMD-160 of SHA-256 of the compressed key. */
export function accountAddress(publicKey: Uint8Array): Uint8Array {
  return ripemd160(sha256(expectLength(publicKey, 33, 'secp256k1 public key')));
}

export function bech32Address(publicKey: Uint8Array, prefix: string): string {
  return encodeAddress(prefix, accountAddress(publicKey));
}
