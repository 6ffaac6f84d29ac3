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
import { pureVerifier } from '#core/crypto/verify.ts';
import { moduleTable } from '#runtime/module-table.ts';
import { aminoSignBytes as aminoSignBytesOf } from '#runtime/tx/amino-json.ts';
import { type DecodedTx, decodeTx as decode } from '#runtime/tx/decode.ts';
import { directSignBytes as signBytesOf } from '#runtime/tx/sign-bytes.ts';
import { verifySingleSignerTx } from '#runtime/tx/verify.ts';

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

const table = moduleTable();

/** @throws Error that says which rule the bytes break. */
export function decodeTx(txRaw: Uint8Array): DecodedTx {
  const decoded = decode(txRaw, table);
  if (!decoded.ok) throw new Error(decoded.error.message);
  return decoded.value;
}

export interface VerifyTxOptions {
  readonly chainId: string;
  readonly accountNumber: number | bigint;
  readonly sequence: number | bigint;
  readonly pubkey?: Uint8Array;
}

/** Outside a chain an address may have the prefix of any chain that this program can run. */
const PREFIXES = ['auton', 'cosmos'] as const;

export function verifyTx(txRaw: Uint8Array, options: VerifyTxOptions): boolean {
  const { chainId, pubkey } = options;
  const expected = {
    accountNumber: BigInt(options.accountNumber),
    sequence: BigInt(options.sequence),
    ...(pubkey === undefined ? {} : { publicKey: pubkey }),
  };
  const tx = decodeTx(txRaw);
  return PREFIXES.some(
    (bech32Prefix) =>
      verifySingleSignerTx(pureVerifier, tx, { chainId, bech32Prefix, baseDenom: 'uauton' }, expected, table).ok,
  );
}

export function directSignBytes(
  body: Uint8Array,
  authInfo: Uint8Array,
  chainId: string,
  accountNumber: number | bigint,
): Uint8Array {
  return signBytesOf({ bodyBytes: body, authInfoBytes: authInfo }, chainId, BigInt(accountNumber));
}

/** @throws Error when the transaction does not decode, or cannot be shown in this form. */
export function aminoSignBytes(
  txRaw: Uint8Array,
  signer: { readonly chainId: string; readonly accountNumber: number | bigint; readonly sequence: number | bigint },
): Uint8Array {
  const { chainId, accountNumber, sequence } = signer;
  const data = { chainId, accountNumber: BigInt(accountNumber), sequence: BigInt(sequence) };
  const bytes = aminoSignBytesOf(decodeTx(txRaw), table, data);
  if (!bytes.ok) throw new Error(bytes.error.message);
  return bytes.value;
}
