/** What may be verified before a transaction's turn comes. */
import { equal } from '#core/bytes.ts';
import type { SignatureCheck } from '#core/ports/crypto.ts';
import type { Logger } from '#core/ports/logger.ts';
import { ok } from '#core/result.ts';
import type { ChainParams } from '../context.ts';
import { guarded } from '../guard.ts';
import type { ModuleTable } from '../module-table.ts';
import { AUTH_STORE, getAccount, getAuthParams } from '../modules/auth/state.ts';
import { idOf } from '../state/key-id.ts';
import type { StateView } from '../state/kv-view.ts';
import { readAccountKey } from './account-key.ts';
import type { DecodedTx } from './decode.ts';
import { factsOf } from './facts.ts';
import { signersOf } from './signers.ts';
import { signatureChecks } from './verify.ts';

/** The sequences that accounts are at when those transactions are done that were looked at before. */
export class ExpectedSequences {
  readonly #next = new Map<string, bigint>();

  of(address: Uint8Array, committed: bigint): bigint {
    return this.#next.get(idOf(address)) ?? committed;
  }

  used(address: Uint8Array, sequence: bigint): void {
    this.#next.set(idOf(address), sequence + 1n);
  }
}

export interface PendingCheck {
  readonly check: SignatureCheck;
  /** To be told when it is good: the transaction that it stands in may be decoded still when its turn comes. */
  readonly good: () => void;
}

/**
 * The signatures that the ante checks of `tx` would verify on `state`, as far as they are well-formed; empty when the
 * transaction would be refused before. Whether a key owns its account is left to those checks. `sequences` is what the
 * transactions before this one have used. As in those checks, what a handler throws stops nobody.
 */
export function pendingChecks(
  environment: { readonly table: ModuleTable; readonly chain: ChainParams; readonly logger: Logger },
  state: StateView,
  tx: DecodedTx,
  sequences: ExpectedSequences,
): readonly PendingCheck[] {
  const found = guarded('verifying ahead', environment.logger, () => ok(checksOf(environment, state, tx, sequences)));
  return found.ok ? found.value : [];
}

function checksOf(
  { table, chain }: { readonly table: ModuleTable; readonly chain: ChainParams },
  state: StateView,
  tx: DecodedTx,
  sequences: ExpectedSequences,
): readonly PendingCheck[] {
  const signers = signersOf(tx, chain);
  const { signerInfos } = tx.authInfo;
  const { signatures } = tx.raw;
  if (!signers.ok || signers.value.all.length !== signerInfos.length || signatures.length !== signerInfos.length)
    return [];
  const auth = state.store(AUTH_STORE);
  const limit = getAuthParams(auth).txSigLimit;
  const facts = factsOf(tx);
  const checks: PendingCheck[] = [];
  let known = 0;
  const { all } = signers.value;
  for (let i = 0; i < all.length; i++) {
    const address = all[i] as Uint8Array;
    const info = signerInfos[i];
    const signature = signatures[i];
    const account = getAccount(auth, address);
    const any = account?.pubKey ?? info?.publicKey;
    if (account === undefined || any === undefined || info === undefined || signature === undefined) return [];
    const { accountNumber } = account;
    const sequence = sequences.of(address, account.sequence);
    if (info.sequence !== sequence) return [];
    const isSent = info.publicKey?.typeUrl === any.typeUrl && equal(info.publicKey.value, any.value);
    if (isSent && facts.isVerified(i, chain.chainId, accountNumber)) {
      known++;
      continue;
    }
    const key = readAccountKey(any);
    if (!key.ok) return [];
    const context = { tx, types: table, chainId: chain.chainId };
    const found = signatureChecks(context, { key: key.value, info, signature, accountNumber, sequence });
    if (!found.ok) return [];
    const isSimple = isSent && key.value.kind === 'secp256k1';
    const good = () => {
      if (isSimple) facts.learnVerified(i, chain.chainId, accountNumber);
    };
    for (const check of found.value) checks.push({ check, good });
    if (known + checks.length > limit) return [];
  }
  for (let i = 0; i < all.length; i++) sequences.used(all[i] as Uint8Array, signerInfos[i]?.sequence ?? 0n);
  return checks;
}
