/** Public keys of accounts, as they stand in transactions, and the address that each owns. */
import { concat, fromHex } from '#core/bytes.ts';
import { lengthDelimited, ProtoWriter } from '#core/codec/proto-writer.ts';
import { sha256Truncated } from '#core/crypto/hash.ts';
import { accountAddress } from '#core/crypto/keys.ts';
import { err, ok, type Result } from '#core/result.ts';
import { LegacyAminoPubKeySchema } from '#proto/gen/cosmos/crypto/multisig/keys_pb.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/secp256k1/keys_pb.ts';
import { decodeStrict, typeUrlOf } from '#proto/message.ts';
import { failSdk } from '../errors.ts';
import { RUNTIME_LIMITS } from '../limits.ts';
import type { StoredKey } from '../modules/auth/state.ts';

/** Closed: each kind says how its address is derived, how it verifies and what that costs. */
export type AccountKey = SimpleKey | MultisigKey;

export interface SimpleKey {
  readonly kind: 'secp256k1';
  /** 33 bytes, compressed. */
  readonly bytes: Uint8Array;
}

/** Any `threshold` of the keys sign together. */
export interface MultisigKey {
  readonly kind: 'multisig';
  readonly threshold: number;
  readonly keys: readonly AccountKey[];
}

export const SECP256K1_KEY = PubKeySchema;
export const MULTISIG_KEY = LegacyAminoPubKeySchema;
export const SECP256K1_URL = typeUrlOf(PubKeySchema);
const MULTISIG_URL = typeUrlOf(LegacyAminoPubKeySchema);
const SECP256K1_BYTES = 33;

/** Key types that may stand in a SignerInfo. */
export const ACCOUNT_KEY_TYPES = [PubKeySchema, LegacyAminoPubKeySchema] as const;

export function readAccountKey(any: StoredKey): Result<AccountKey> {
  if (any.value.length > RUNTIME_LIMITS.maxPubKeyBytes)
    return failSdk('invalidPubKey', `public key: ${any.value.length} bytes exceed ${RUNTIME_LIMITS.maxPubKeyBytes}`);
  return readKey(any, 1);
}

function readKey(any: StoredKey, depth: number): Result<AccountKey> {
  if (any.typeUrl === MULTISIG_URL) return readMultisig(any.value, depth);
  if (any.typeUrl !== SECP256K1_URL)
    return failSdk(
      'invalidPubKey',
      `public key type ${any.typeUrl} is not supported, expected ${SECP256K1_URL} or ${MULTISIG_URL}`,
    );
  const read = readKeyBytes(any.value);
  if (!read.ok) return failSdk('invalidPubKey', read.error);
  const key = read.value;
  if (key.length !== SECP256K1_BYTES || (key[0] !== 2 && key[0] !== 3))
    return failSdk('invalidPubKey', `secp256k1 key: expected ${SECP256K1_BYTES} bytes, compressed, got ${key.length}`);
  return ok({ kind: 'secp256k1', bytes: key });
}

/** As it stands in nearly all accounts and transactions: a message with nothing but a key of the right length. */
const USUAL_KEY_BYTES = 2 + SECP256K1_BYTES;

export function isUsualKey(value: Uint8Array): boolean {
  return value.length === USUAL_KEY_BYTES && value[0] === 0x0a && value[1] === SECP256K1_BYTES;
}

function readKeyBytes(value: Uint8Array): Result<Uint8Array, string> {
  if (isUsualKey(value)) return ok(value.subarray(2));
  const decoded = decodeStrict(PubKeySchema, value);
  return decoded.ok ? ok(decoded.value.key) : err(decoded.error);
}

function readMultisig(value: Uint8Array, depth: number): Result<AccountKey> {
  if (depth > RUNTIME_LIMITS.maxMultisigDepth)
    return failSdk('invalidPubKey', `multisig key: nested deeper than ${RUNTIME_LIMITS.maxMultisigDepth}`);
  const decoded = decodeStrict(LegacyAminoPubKeySchema, value);
  if (!decoded.ok) return failSdk('invalidPubKey', decoded.error);
  const { threshold, publicKeys } = decoded.value;
  const count = publicKeys.length;
  if (count > RUNTIME_LIMITS.maxMultisigKeys)
    return failSdk(
      'invalidPubKey',
      `multisig key: ${count} keys exceed the limit of ${RUNTIME_LIMITS.maxMultisigKeys}`,
    );
  if (threshold === 0 || threshold > count)
    return failSdk(
      'invalidPubKey',
      `multisig key: threshold ${threshold}, expected 1 … ${count}, the number of its keys`,
    );
  const keys: AccountKey[] = [];
  for (const any of publicKeys) {
    const key = readKey(any, depth + 1);
    if (!key.ok) return key;
    keys.push(key.value);
  }
  return ok({ kind: 'multisig', threshold, keys });
}

/** How many simple keys stand in it: what `tx_sig_limit` counts. */
export function countKeys(key: AccountKey): number {
  return key.kind === 'multisig' ? key.keys.reduce((sum, one) => sum + countKeys(one), 0) : 1;
}

/** 20 bytes. A multisig key's is the beginning of the SHA-256 of its amino encoding, as its makers compute it. */
export function addressOfKey(key: AccountKey): Uint8Array {
  return key.kind === 'multisig' ? sha256Truncated(aminoKey(key)) : accountAddress(key.bytes);
}

/** Go-amino's registered prefixes (crypto/keys/multisig/amino.go, crypto/keys/secp256k1). */
const AMINO_SECP256K1 = fromHex('eb5ae987');
const AMINO_MULTISIG = fromHex('22c1f7e2');

function aminoKey(key: AccountKey): Uint8Array {
  if (key.kind === 'secp256k1') return concat(AMINO_SECP256K1, lengthDelimited(key.bytes));
  const writer = new ProtoWriter().varint(1, key.threshold);
  for (const one of key.keys) writer.message(2, aminoKey(one));
  return concat(AMINO_MULTISIG, writer.finish());
}
