/**
 * A private key under a passphrase, as the Cosmos SDK's `keys export` writes it and its `keys import` reads it (v0.50,
 * crypto/armor.go): the amino bytes of the key, sealed with ChaCha20-Poly1305 under Argon2id of the passphrase. What was
 * written before v0.50 (XSalsa20-Poly1305 under SHA-256 of bcrypt) is opened too.
 */

import { randomBytes } from 'node:crypto';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';
import { argon2id } from '@noble/hashes/argon2.js';
import { encodeBase64, hashSync } from 'bcryptjs';
import { assertNever } from '#core/assert.ts';
import { concat, equal, fromHex, toHex, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { err, ok, type Result } from '#core/result.ts';
import { decodeArmor, encodeArmor } from './armor.ts';

export const ARMOR_TYPE = 'TENDERMINT PRIVATE KEY';
const ALGORITHM = 'secp256k1';
const SALT_BYTES = 16;
/** One pass over 64 MiB in four lanes. */
const ARGON2 = { t: 1, m: 65_536, p: 4, dkLen: 32 } as const;
const BCRYPT_COST = 12;
/** Each key seals one message: its salt is new every time. */
const NONCE = new Uint8Array(12);
const BOX_NONCE_BYTES = 24;
const BOX_TAG_BYTES = 16;
/** tendermint/PrivKeySecp256k1 in amino: the prefix, and the length of what follows. */
const AMINO_PREFIX = Uint8Array.of(0xe1, 0xb0, 0xf7, 0x9b, 32);

const argon2Key = (passphrase: string, salt: Uint8Array): Uint8Array => argon2id(utf8(passphrase), salt, ARGON2);

/** @param privateKey 32 bytes of secp256k1. */
export function armorKey(privateKey: Uint8Array, passphrase: string): string {
  const salt = new Uint8Array(randomBytes(SALT_BYTES));
  const body = chacha20poly1305(argon2Key(passphrase, salt), NONCE).encrypt(concat(AMINO_PREFIX, privateKey));
  const headers = new Map([
    ['kdf', 'argon2'],
    ['salt', toHex(salt).toUpperCase()],
    ['type', ALGORITHM],
  ]);
  return encodeArmor({ type: ARMOR_TYPE, headers, body });
}

type Kdf = 'argon2' | 'bcrypt';

/** The 32 bytes. The error says what is wrong with the armor, or that the passphrase is not the one. */
export function openArmoredKey(text: string, passphrase: string): Result<Uint8Array, string> {
  const armor = decodeArmor(text);
  if (!armor.ok) return armor;
  const { type, headers, body } = armor.value;
  if (type !== ARMOR_TYPE) return err(`armor: expected ${ARMOR_TYPE}, got ${type}`);
  const algorithm = headers.get('type') ?? ALGORITHM;
  if (algorithm !== ALGORITHM) return err(`armor: expected a key of type ${ALGORITHM}, got ${algorithm}`);
  const kdf = headers.get('kdf');
  if (kdf !== 'argon2' && kdf !== 'bcrypt') return err(`armor: expected kdf argon2 or bcrypt, got ${kdf ?? 'none'}`);
  const salt = headers.get('salt') ?? '';
  if (!/^[0-9a-fA-F]{32}$/.test(salt)) return err(`armor: expected a salt of ${2 * SALT_BYTES} hex digits`);
  const bytes = open(kdf, passphrase, fromHex(salt), body);
  if (bytes === undefined) return err('wrong passphrase, or the armor was changed');
  const prefix = bytes.subarray(0, AMINO_PREFIX.length);
  if (!equal(prefix, AMINO_PREFIX) || bytes.length !== AMINO_PREFIX.length + 32)
    return err(`armor: expected a private key of ${ALGORITHM} in amino, got ${bytes.length} other bytes`);
  return ok(bytes.slice(AMINO_PREFIX.length));
}

/** Undefined: it does not open. */
function open(kdf: Kdf, passphrase: string, salt: Uint8Array, body: Uint8Array): Uint8Array | undefined {
  try {
    switch (kdf) {
      case 'argon2':
        return chacha20poly1305(argon2Key(passphrase, salt), NONCE).decrypt(body);
      case 'bcrypt': {
        if (body.length <= BOX_NONCE_BYTES + BOX_TAG_BYTES) return undefined;
        const key = sha256(utf8(hashSync(passphrase, `$2a$${BCRYPT_COST}$${encodeBase64(salt, salt.length)}`)));
        return xsalsa20poly1305(key, body.subarray(0, BOX_NONCE_BYTES)).decrypt(body.subarray(BOX_NONCE_BYTES));
      }
      default:
        return assertNever(kdf, 'kdf');
    }
  } catch {
    return undefined;
  }
}
