/**
 * Verifying signatures: what one signer's public key, mode and signature bytes claim, as a list of single signatures over
 * sign bytes; the rule that the ante checks apply; and a whole transaction outside a chain.
 */
import { assertNever } from '#core/assert.ts';
import { equal } from '#core/bytes.ts';
import type { SignatureCheck, Verifier } from '#core/ports/crypto.ts';
import { ok, type Result } from '#core/result.ts';
import { MultiSignatureSchema } from '#proto/gen/cosmos/crypto/multisig/v1beta1/multisig_pb.ts';
import { SignMode } from '#proto/gen/cosmos/tx/signing/v1beta1/signing_pb.ts';
import type { ModeInfo, ModeInfo_Multi, SignerInfo } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { decodeStrict, encode } from '#proto/message.ts';
import type { ChainParams } from '../context.ts';
import { failSdk } from '../errors.ts';
import { type AccountKey, addressOfKey, type MultisigKey, readAccountKey, type SimpleKey } from './account-key.ts';
import { aminoSignBytes } from './amino-json.ts';
import type { DecodedTx, TxTypes } from './decode.ts';
import { directSignBytes } from './sign-bytes.ts';
import { signersOf } from './signers.ts';

export interface SignatureEntry {
  readonly key: AccountKey;
  readonly info: SignerInfo;
  readonly signature: Uint8Array;
  readonly accountNumber: bigint;
  /** The account's sequence. */
  readonly sequence: bigint;
}

interface SigningContext {
  readonly tx: DecodedTx;
  readonly types: Pick<TxTypes, 'resolveAny'>;
  readonly chainId: string;
}

/** A part of a signature that one simple key made. */
interface Part {
  readonly key: SimpleKey;
  readonly mode: SignMode;
  readonly signature: Uint8Array;
}

function signBytes(
  { tx, types, chainId }: SigningContext,
  { accountNumber, sequence }: SignatureEntry,
  mode: SignMode,
): Result<Uint8Array> {
  if (mode === SignMode.DIRECT) return ok(directSignBytes(tx.raw, chainId, accountNumber));
  if (mode === SignMode.LEGACY_AMINO_JSON) return aminoSignBytes(tx, types, { chainId, accountNumber, sequence });
  return failSdk(
    'notSupported',
    `sign mode ${mode}: expected DIRECT (${SignMode.DIRECT}) or LEGACY_AMINO_JSON (${SignMode.LEGACY_AMINO_JSON})`,
  );
}

/** What must be verified for `entry` to be its key's signature. Failure: it is not even well-formed. */
export function signatureChecks(context: SigningContext, entry: SignatureEntry): Result<readonly SignatureCheck[]> {
  const parts = signatureParts(entry.key, entry.info.modeInfo, entry.signature);
  if (!parts.ok) return parts;
  const checks: SignatureCheck[] = [];
  // A multisignature's parts sign the same, in one or two modes: made once for each.
  const made: Result<Uint8Array>[] = [];
  for (const { key, mode, signature } of parts.value) {
    const message = made[mode] ?? signBytes(context, entry, mode);
    if (!message.ok) return message;
    made[mode] = message;
    checks.push({ publicKey: key.bytes, message: message.value, signature });
  }
  return ok(checks);
}

export function signatureParts(
  key: AccountKey,
  modeInfo: ModeInfo | undefined,
  signature: Uint8Array,
): Result<readonly Part[]> {
  const sum = modeInfo?.sum;
  switch (key.kind) {
    case 'secp256k1':
      if (sum?.case !== 'single') return failSdk('invalidSignerInfo', 'mode_info: expected single, for a simple key');
      return ok([{ key, mode: sum.value.mode, signature }]);
    case 'multisig':
      if (sum?.case !== 'multi') return failSdk('invalidSignerInfo', 'mode_info: expected multi, for a multisig key');
      return multisigParts(key, sum.value, signature);
    default:
      return assertNever(key, 'account key');
  }
}

/** crypto/keys/multisig/multisig.go VerifyMultisignature: the n-th set bit's key made the n-th signature. */
function multisigParts(key: MultisigKey, info: ModeInfo_Multi, signature: Uint8Array): Result<readonly Part[]> {
  const { keys, threshold } = key;
  const signed = signedBits(info, keys.length);
  if (!signed.ok) return signed;
  const decoded = decodeStrict(MultiSignatureSchema, signature);
  if (!decoded.ok) return failSdk('unauthorized', `multisignature: ${decoded.error}`);
  const { signatures } = decoded.value;
  const counts = [signed.value.length, info.modeInfos.length, signatures.length];
  if (counts.some((count) => count !== counts[0]))
    return failSdk(
      'unauthorized',
      `multisignature: ${counts.join(', ')} bits, modes, signatures; expected as many of each`,
    );
  if (signatures.length < threshold)
    return failSdk('unauthorized', `multisignature: ${signatures.length} signatures, expected at least ${threshold}`);
  const parts: Part[] = [];
  for (const [n, at] of signed.value.entries()) {
    const one = keys[at];
    const bytes = signatures[n];
    if (one === undefined || bytes === undefined) return failSdk('unauthorized', 'multisignature: incomplete');
    const inner = signatureParts(one, info.modeInfos[n], bytes);
    if (!inner.ok) return inner;
    parts.push(...inner.value);
  }
  return ok(parts);
}

/** What x/auth's events show of a signature (signatureDataToBz): its parts, then the whole of them. */
export function shownSignatures(info: ModeInfo | undefined, signature: Uint8Array): readonly Uint8Array[] {
  if (info?.sum.case !== 'multi') return [signature];
  const decoded = decodeStrict(MultiSignatureSchema, signature);
  if (!decoded.ok) return [signature];
  const { modeInfos } = info.sum.value;
  const parts = decoded.value.signatures.flatMap((part, i) => shownSignatures(modeInfos[i], part));
  return [...parts, encode(MultiSignatureSchema, { signatures: parts })];
}

/** Indices of the keys that signed. The compact bit array has one bit a key, the first in the highest bit of a byte. */
function signedBits({ bitarray }: ModeInfo_Multi, keys: number): Result<readonly number[]> {
  if (bitarray === undefined) return failSdk('invalidSignerInfo', 'mode_info.multi.bitarray: missing');
  const { extraBitsStored: extra, elems } = bitarray;
  const count = extra === 0 ? elems.length * 8 : (elems.length - 1) * 8 + extra;
  if (extra > 7 || count !== keys)
    return failSdk('unauthorized', `multisignature: bit array of ${count} bits, expected ${keys}, one a key`);
  const signed: number[] = [];
  for (let i = 0; i < elems.length * 8; i++) {
    if (((elems[i >>> 3] ?? 0) & (0x80 >>> (i & 7))) === 0) continue;
    if (i >= keys) return failSdk('unauthorized', 'multisignature: a bit is set that stands for no key');
    signed.push(i);
  }
  return ok(signed);
}

/** Whether `entry.signature` is the key's, over this transaction. */
export function verifySignature(verifier: Verifier, context: SigningContext, entry: SignatureEntry): Result<void> {
  const checks = signatureChecks(context, entry);
  if (!checks.ok) return checks;
  if (checks.value.every(({ publicKey, message, signature }) => verifier.secp256k1(publicKey, message, signature)))
    return ok(undefined);
  return failSdk(
    'unauthorized',
    `signature verification failed; please verify account number (${entry.accountNumber}), ` +
      `sequence (${entry.sequence}) and chain-id (${context.chainId})`,
  );
}

/** What the one signer's account would have on chain. */
export interface ExpectedSigner {
  readonly accountNumber: bigint;
  readonly sequence: bigint;
  /** 33 bytes; the transaction's own when absent. */
  readonly publicKey?: Uint8Array;
}

/** A transaction with one signer, checked without state: key against address, sequence, signature. */
export function verifySingleSignerTx(
  verifier: Verifier,
  tx: DecodedTx,
  chain: ChainParams,
  expected: ExpectedSigner,
  types: Pick<TxTypes, 'resolveAny'>,
): Result<void> {
  const signers = signersOf(tx, chain);
  if (!signers.ok) return signers;
  const [address] = signers.value.all;
  const [info] = tx.authInfo.signerInfos;
  const [signature] = tx.raw.signatures;
  const counts = [signers.value.all.length, tx.authInfo.signerInfos.length, tx.raw.signatures.length];
  if (address === undefined || info === undefined || signature === undefined || counts.some((count) => count !== 1))
    return failSdk('invalidSignerInfo', `expected one signer, got ${counts.join(', ')} addresses, infos, signatures`);
  const { publicKey, accountNumber, sequence } = expected;
  let key: Result<AccountKey>;
  if (publicKey !== undefined) key = ok({ kind: 'secp256k1', bytes: publicKey });
  else if (info.publicKey !== undefined) key = readAccountKey(info.publicKey);
  else return failSdk('invalidPubKey', 'no public key in the transaction and none given');
  if (!key.ok) return key;
  if (!equal(addressOfKey(key.value), address)) return failSdk('invalidPubKey', 'pubKey does not match signer address');
  if (info.sequence !== sequence)
    return failSdk('wrongSequence', `account sequence mismatch, expected ${sequence}, got ${info.sequence}`);
  const signing = { tx, types, chainId: chain.chainId };
  return verifySignature(verifier, signing, { key: key.value, info, signature, accountNumber, sequence });
}
