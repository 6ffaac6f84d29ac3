/** Public keys of accounts, as they stand in transactions, and the address that each owns. */
import { accountAddress } from '#core/crypto/keys.ts';
import { ok, type Result } from '#core/result.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/secp256k1/keys_pb.ts';
import { decodeStrict, typeUrlOf } from '#proto/message.ts';
import { failSdk } from '../errors.ts';
import type { StoredKey } from '../modules/auth/state.ts';

/** Closed: each kind says how its address is derived, how it verifies and what that costs. */
export interface AccountKey {
  readonly kind: 'secp256k1';
  /** 33 bytes, compressed. */
  readonly bytes: Uint8Array;
}

export const SECP256K1_KEY = PubKeySchema;
const SECP256K1_URL = typeUrlOf(PubKeySchema);
const SECP256K1_BYTES = 33;

/** Key types that may stand in a SignerInfo. */
export const ACCOUNT_KEY_TYPES = [PubKeySchema] as const;

export function readAccountKey(any: StoredKey): Result<AccountKey> {
  if (any.typeUrl !== SECP256K1_URL)
    return failSdk('invalidPubKey', `public key type ${any.typeUrl} is not supported, expected ${SECP256K1_URL}`);
  const decoded = decodeStrict(PubKeySchema, any.value);
  if (!decoded.ok) return failSdk('invalidPubKey', decoded.error);
  const { key } = decoded.value;
  if (key.length !== SECP256K1_BYTES || (key[0] !== 2 && key[0] !== 3))
    return failSdk('invalidPubKey', `secp256k1 key: expected ${SECP256K1_BYTES} bytes, compressed, got ${key.length}`);
  return ok({ kind: 'secp256k1', bytes: key });
}

/** 20 bytes. */
export function addressOfKey(key: AccountKey): Uint8Array {
  return accountAddress(key.bytes);
}
