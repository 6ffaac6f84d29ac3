/** What may be verified before a transaction's turn comes. */
import type { SignatureCheck } from '#core/ports/crypto.ts';
import type { ChainParams } from '../context.ts';
import type { ModuleTable } from '../module-table.ts';
import { AUTH_STORE, getAccount, getAuthParams } from '../modules/auth/state.ts';
import type { StateView } from '../state/kv-view.ts';
import { readAccountKey } from './account-key.ts';
import type { DecodedTx } from './decode.ts';
import { signersOf } from './signers.ts';
import { signatureChecks } from './verify.ts';

/**
 * The signatures that the ante checks of `tx` would verify on `state`, as far as they are well-formed; empty when the
 * transaction would be refused before. Whether a key owns its account is left to those checks.
 */
export function pendingChecks(
  { table, chain }: { readonly table: ModuleTable; readonly chain: ChainParams },
  state: StateView,
  tx: DecodedTx,
): readonly SignatureCheck[] {
  const signers = signersOf(tx, chain);
  const { signerInfos } = tx.authInfo;
  const { signatures } = tx.raw;
  if (!signers.ok || signers.value.all.length !== signerInfos.length || signatures.length !== signerInfos.length)
    return [];
  const auth = state.store(AUTH_STORE);
  const limit = getAuthParams(auth).txSigLimit;
  const checks: SignatureCheck[] = [];
  for (const [i, address] of signers.value.all.entries()) {
    const info = signerInfos[i];
    const signature = signatures[i];
    const account = getAccount(auth, address);
    const any = account?.pubKey ?? info?.publicKey;
    if (account === undefined || any === undefined || info === undefined || signature === undefined) return [];
    const { accountNumber, sequence } = account;
    const key = readAccountKey(any);
    if (info.sequence !== sequence || !key.ok) return [];
    const context = { tx, types: table, chainId: chain.chainId };
    const found = signatureChecks(context, { key: key.value, info, signature, accountNumber, sequence });
    if (!found.ok) return [];
    checks.push(...found.value);
    if (BigInt(checks.length) > limit) return [];
  }
  return checks;
}
