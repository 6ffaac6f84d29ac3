/** Messages that nobody's key can sign: the governance account executes them, when a proposal has passed. */
import { equal } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';
import { formatAddress, moduleAddress, parseAddress } from './address.ts';
import type { ChainParams } from './context.ts';

export const GOV_ACCOUNT = 'gov';

/** x/gov/types/errors.go ErrInvalidSigner. */
const INVALID_SIGNER = 13;

/** The signers of such a message: for `MessageHandler.signers`. */
export function authoritySigners(chain: ChainParams, text: string): Result<readonly Uint8Array[]> {
  const address = parseAddress(chain, text, 'authority');
  return address.ok ? ok([address.value]) : address;
}

/** Refuses everybody but the governance account. */
export function requireAuthority(chain: ChainParams, text: string): Result<void> {
  const address = parseAddress(chain, text, 'authority');
  if (!address.ok) return address;
  const expected = moduleAddress(GOV_ACCOUNT);
  if (equal(address.value, expected)) return ok(undefined);
  return err({
    codespace: 'gov',
    code: INVALID_SIGNER,
    message: `invalid authority; expected ${formatAddress(chain, expected)}, got ${text}: expected gov account as only signer for proposal message`,
  });
}
