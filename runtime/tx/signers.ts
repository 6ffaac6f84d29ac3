import { equal } from '#core/bytes.ts';
import { ok, type Result } from '#core/result.ts';
import { parseAddress } from '../address.ts';
import type { ChainParams } from '../context.ts';
import { append } from '../usual-fields.ts';
import type { DecodedTx } from './decode.ts';

export interface Signers {
  /** Each once, in the order in which their signatures must stand. */
  readonly all: readonly Uint8Array[];
  readonly feePayer: Uint8Array | undefined;
}

/** Signers of the messages in order, then the fee payer when it is none of them. The first pays unless told otherwise. */
export function signersOf(tx: DecodedTx, chain: ChainParams): Result<Signers> {
  let all: Uint8Array[] = [];
  for (const { handler, message } of tx.messages) {
    const signers = handler.signers(message, chain);
    if (!signers.ok) return signers;
    for (const address of signers.value) all = withAddress(all, address);
  }
  const payer = tx.authInfo.fee?.payer ?? '';
  if (payer === '') return ok({ all, feePayer: all[0] });
  const address = parseAddress(chain, payer, 'fee.payer');
  if (!address.ok) return address;
  return ok({ all: withAddress(all, address.value), feePayer: address.value });
}

/** A transaction has few signers: as many as messages at most, and a payer. */
function withAddress(all: Uint8Array[], address: Uint8Array): Uint8Array[] {
  for (const known of all) if (equal(known, address)) return all;
  return append(all, address);
}
