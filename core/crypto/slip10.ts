/** SLIP-0010: hierarchical keys for ed25519, secp256k1 and NIST P-256 (satoshilabs/slips slip-0010.md). */
import { p256 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concat, u32be, utf8 } from '../bytes.ts';

export type Slip10Curve = 'ed25519' | 'secp256k1' | 'nist256p1';

/** 32 bytes each. */
export interface ExtendedKey {
  readonly privateKey: Uint8Array;
  readonly chainCode: Uint8Array;
}

const SALTS: Readonly<Record<Slip10Curve, string>> = {
  ed25519: 'ed25519 seed',
  secp256k1: 'Bitcoin seed',
  nist256p1: 'Nist256p1 seed',
};

const HARDENED = 0x80000000;

const MAX_PATH_DEPTH = 255;

/** `m/44'/118'/0'/0/0` as indices, the hardened bit included. @throws RangeError that shows the part that is wrong. */
export function parsePath(path: string): readonly number[] {
  const [root, ...parts] = path.split('/');
  if (root !== 'm') throw new RangeError(`derivation path: expected m/…, got ${JSON.stringify(path)}`);
  if (parts.length > MAX_PATH_DEPTH) throw new RangeError(`derivation path: deeper than ${MAX_PATH_DEPTH}`);
  return parts.map((part) => {
    const match = /^(\d{1,10})(['hH]?)$/.exec(part);
    const index = match === null ? HARDENED : Number(match[1]);
    if (index >= HARDENED) throw new RangeError(`derivation path: ${JSON.stringify(part)} is not an index below 2^31`);
    return match?.[2] === '' ? index : index + HARDENED;
  });
}

/** @param seed 16 … 64 bytes. @throws RangeError when the curve cannot follow the path (ed25519 derives hardened keys only). */
export function slip10(curve: Slip10Curve, seed: Uint8Array, path: string): ExtendedKey {
  let key = masterKey(curve, seed);
  for (const index of parsePath(path)) key = child(curve, key, index);
  return key;
}

function split(hash: Uint8Array): ExtendedKey {
  return { privateKey: hash.slice(0, 32), chainCode: hash.slice(32) };
}

function masterKey(curve: Slip10Curve, seed: Uint8Array): ExtendedKey {
  const salt = utf8(SALTS[curve]);
  let key = split(hmac(sha512, salt, seed));
  while (!isValid(curve, key.privateKey)) key = split(hmac(sha512, salt, concat(key.privateKey, key.chainCode)));
  return key;
}

function isValid(curve: Slip10Curve, privateKey: Uint8Array): boolean {
  return curve === 'ed25519' || groupOf(curve).utils.isValidSecretKey(privateKey);
}

function groupOf(curve: 'secp256k1' | 'nist256p1') {
  return curve === 'secp256k1' ? secp256k1 : p256;
}

function child(curve: Slip10Curve, parent: ExtendedKey, index: number): ExtendedKey {
  const hardened = index >= HARDENED;
  if (curve === 'ed25519' && !hardened) throw new RangeError('derivation path: ed25519 derives hardened keys only');
  const data =
    hardened || curve === 'ed25519'
      ? concat(Uint8Array.of(0), parent.privateKey, u32be(index))
      : concat(groupOf(curve).getPublicKey(parent.privateKey, true), u32be(index));
  let next = split(hmac(sha512, parent.chainCode, data));
  if (curve === 'ed25519') return next;
  const field = groupOf(curve).Point.Fn;
  for (;;) {
    const tweak = toScalar(next.privateKey);
    const sum = (tweak + toScalar(parent.privateKey)) % field.ORDER;
    if (tweak < field.ORDER && sum !== 0n) return { privateKey: field.toBytes(sum), chainCode: next.chainCode };
    next = split(hmac(sha512, parent.chainCode, concat(Uint8Array.of(1), next.chainCode, u32be(index))));
  }
}

function toScalar(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}
