/** Who may change parameters: the account of the governance module, which acts when a proposal has passed. */
import { equal } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';
import { formatAddress, moduleAddress, parseAddress } from './address.ts';
import type { ChainParams } from './context.ts';

export const GOV_ACCOUNT = 'gov';

/** x/gov/types/errors.go ErrInvalidSigner. */
const INVALID_SIGNER = 13;

/** The signers of a message by the authority: for `MessageHandler.signers`. */
export function authoritySigners(authority: string, chain: ChainParams): Result<readonly Uint8Array[]> {
  const address = parseAddress(chain, authority, 'authority');
  return address.ok ? ok([address.value]) : address;
}

/** Refuses everybody but governance. */
export function requireAuthority(authority: string, chain: ChainParams): Result<void> {
  const address = parseAddress(chain, authority, 'authority');
  if (!address.ok) return address;
  const expected = moduleAddress(GOV_ACCOUNT);
  if (equal(address.value, expected)) return ok(undefined);
  return err({
    codespace: 'gov',
    code: INVALID_SIGNER,
    message: `invalid authority; expected ${formatAddress(chain, expected)}, got ${authority}: expected gov account as only signer for proposal message`,
  });
}
