/** Verifying signatures in SIGN_MODE_DIRECT: the rule that the ante checks apply, and a whole transaction outside a chain. */
import { equal } from '#core/bytes.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { ok, type Result } from '#core/result.ts';
import { SignMode } from '#proto/gen/cosmos/tx/signing/v1beta1/signing_pb.ts';
import type { SignerInfo } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import type { ChainParams } from '../context.ts';
import { failSdk } from '../errors.ts';
import { type AccountKey, addressOfKey, readAccountKey } from './account-key.ts';
import type { DecodedTx } from './decode.ts';
import { directSignBytes } from './sign-bytes.ts';
import { signersOf } from './signers.ts';

export interface SignatureEntry {
  readonly key: AccountKey;
  readonly info: SignerInfo;
  readonly signature: Uint8Array;
  readonly accountNumber: bigint;
  /** The account's sequence; for the error's text. */
  readonly sequence: bigint;
}

/** Whether `entry.signature` is the key's, over the transaction's own bytes. */
export function verifySignature(
  verifier: Verifier,
  tx: DecodedTx,
  chainId: string,
  entry: SignatureEntry,
): Result<void> {
  const { sum } = entry.info.modeInfo ?? { sum: { case: undefined } };
  if (sum.case === 'multi') return failSdk('notSupported', 'multisignatures are not supported');
  if (sum.case !== 'single') return failSdk('invalidSignerInfo', 'mode_info: missing');
  if (sum.value.mode !== SignMode.DIRECT)
    return failSdk('notSupported', `sign mode ${sum.value.mode}: expected DIRECT (${SignMode.DIRECT})`);
  const message = directSignBytes(tx.raw, chainId, entry.accountNumber);
  if (verifier.secp256k1(entry.key.bytes, message, entry.signature)) return ok(undefined);
  return failSdk(
    'unauthorized',
    `signature verification failed; please verify account number (${entry.accountNumber}), ` +
      `sequence (${entry.sequence}) and chain-id (${chainId})`,
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
  return verifySignature(verifier, tx, chain.chainId, { key: key.value, info, signature, accountNumber, sequence });
}
