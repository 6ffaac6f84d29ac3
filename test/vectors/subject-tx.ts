/** The part of the conformance door for transactions and keys. */
import { decodeBech32 } from '#core/codec/bech32.ts';
import {
  bech32Address,
  keyFromMnemonic,
  signSecp256k1,
  entropyToMnemonic as toMnemonic,
  mnemonicToSeed as toSeed,
} from '#core/crypto/keys.ts';
import { slip10 as derive, type Slip10Curve } from '#core/crypto/slip10.ts';

export function signFromMnemonic(mnemonic: string, hdPath: string, signBytes: Uint8Array): Uint8Array {
  return signSecp256k1(keyFromMnemonic(mnemonic, hdPath).privateKey, signBytes);
}

export function address(pubkey33: Uint8Array, prefix: string): string {
  return bech32Address(pubkey33, prefix);
}

export function entropyToMnemonic(bytes: Uint8Array): string {
  return toMnemonic(bytes);
}

export function mnemonicToSeed(mnemonic: string, passphrase: string): Uint8Array {
  return toSeed(mnemonic, passphrase);
}

const CURVES: readonly string[] = ['ed25519', 'secp256k1', 'nist256p1'] satisfies Slip10Curve[];

function isCurve(curve: string): curve is Slip10Curve {
  return CURVES.includes(curve);
}

export function slip10(
  curve: string,
  seed: Uint8Array,
  path: string,
): { readonly privkey: Uint8Array; readonly chainCode: Uint8Array } {
  if (!isCurve(curve))
    throw Object.assign(new Error(`slip10: curve ${curve} is not supported`), { code: 'unsupported' });
  const { privateKey, chainCode } = derive(curve, seed, path);
  return { privkey: privateKey, chainCode };
}

export function bech32Decode(text: string): { readonly prefix: string; readonly words: readonly number[] } {
  const decoded = decodeBech32(text);
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
}
