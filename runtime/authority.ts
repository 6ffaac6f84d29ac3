/** Messages that nobody's key can sign: the governance account executes them, when a proposal has passed. */
import { equal } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';
import { formatAddress, moduleAddress, parseAddress } from './address.ts';
import type { ChainParams } from './context.ts';
import { failSdk } from './errors.ts';
import { signedBy } from './module.ts';

export const GOV_ACCOUNT = 'gov';

/** x/gov/types/errors.go ErrInvalidSigner. */
const INVALID_SIGNER = 13;

/** The signers of such a message: for `MessageHandler.signers`. */
export function authoritySigners(chain: ChainParams, text: string): Result<readonly Uint8Array[]> {
  return signedBy(parseAddress(chain, text, 'authority'));
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

/** The parameters that a message of the governance account, and of nobody else, sets. @param check what of them is wrong. */
export function authorizedParams<P>(
  chain: ChainParams,
  message: { readonly authority: string; readonly params?: P | undefined },
  check: (params: P) => Result<void, string>,
): Result<P> {
  const allowed = requireAuthority(chain, message.authority);
  if (!allowed.ok) return allowed;
  if (message.params === undefined) return failSdk('invalidRequest', 'params: missing');
  const checked = check(message.params);
  return checked.ok ? ok(message.params) : failSdk('invalidRequest', checked.error);
}
