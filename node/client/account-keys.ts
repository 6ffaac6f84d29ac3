/** Public keys of accounts as people hand them to each other: the JSON of the Cosmos SDK's tools, with its `@type`. */
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { compare } from '#core/bytes.ts';
import { encodeAddress } from '#core/codec/bech32.ts';
import { err, ok, type Result } from '#core/result.ts';
import { create, pack } from '#proto/message.ts';
import type { Json } from '#runtime/module.ts';
import { sdkFromJson, sdkToJson } from '#runtime/sdk-json.ts';
import {
  ACCOUNT_KEY_TYPES,
  type AccountKey,
  addressOfKey,
  MULTISIG_KEY,
  type MultisigKey,
  readAccountKey,
  SECP256K1_KEY,
} from '#runtime/tx/account-key.ts';

/** As it stands in a transaction. */
export function packAccountKey(key: AccountKey): { readonly typeUrl: string; readonly value: Uint8Array } {
  if (key.kind === 'secp256k1') return pack(SECP256K1_KEY, { key: key.bytes });
  const publicKeys = key.keys.map((one) => create(AnySchema, packAccountKey(one)));
  return pack(MULTISIG_KEY, { threshold: key.threshold, publicKeys });
}

export function accountKeyJson(key: AccountKey): Json {
  return sdkToJson(AnySchema, create(AnySchema, packAccountKey(key)), ACCOUNT_KEY_TYPES);
}

/** Failure: a sentence that says what is wrong with it. */
export function accountKeyFromJson(json: Json, path: string): Result<AccountKey, string> {
  const any = sdkFromJson(AnySchema, json, path, ACCOUNT_KEY_TYPES);
  if (!any.ok) return any;
  const key = readAccountKey(any.value);
  return key.ok ? key : err(`${path}: ${key.error.message}`);
}

export function keyAddress(key: AccountKey, prefix: string): string {
  return encodeAddress(prefix, addressOfKey(key));
}

/**
 * @param sorted members in the order of their addresses, so that everybody who names the same members has the same account,
 * as the Cosmos SDK's tools do.
 */
export function multisigKey(
  threshold: number,
  members: readonly AccountKey[],
  sorted: boolean,
): Result<MultisigKey, string> {
  const byAddress = (a: AccountKey, b: AccountKey) => compare(addressOfKey(a), addressOfKey(b));
  const keys = sorted ? members.toSorted(byAddress) : members;
  const key: MultisigKey = { kind: 'multisig', threshold, keys };
  const valid = readAccountKey(packAccountKey(key));
  return valid.ok ? ok(key) : err(valid.error.message);
}
