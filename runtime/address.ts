/** Account addresses in text, under the chain's own prefix. */
import { toHex, utf8 } from '#core/bytes.ts';
import { decodeAddress, encodeAddress } from '#core/codec/bech32.ts';
import { sha256Truncated } from '#core/crypto/hash.ts';
import type { Failure, Result } from '#core/result.ts';
import { ok } from '#core/result.ts';
import type { ChainParams } from './context.ts';
import { failSdk } from './errors.ts';
import { RUNTIME_LIMITS } from './limits.ts';

/** Texts of addresses that were asked for lately: a transaction names the same few several times. */
const recent = new Map<string, string>();

export function formatAddress(chain: Pick<ChainParams, 'bech32Prefix'>, address: Uint8Array): string {
  const id = `${chain.bech32Prefix}:${toHex(address)}`;
  const known = recent.get(id);
  if (known !== undefined) return known;
  if (recent.size >= RUNTIME_LIMITS.maxRecentAddresses) recent.clear();
  const text = encodeAddress(chain.bech32Prefix, address);
  recent.set(id, text);
  return text;
}

/**
 * Raw bytes of an address of this chain. A sound address of another chain is `unauthorized` (a wallet on the wrong network:
 * code 4, as wallets see it from the Cosmos SDK v0.50), anything else `invalidAddress`.
 */
export function parseAddress(
  chain: Pick<ChainParams, 'bech32Prefix'>,
  text: string,
  title: string,
): Result<Uint8Array, Failure> {
  if (text.length === 0) return failSdk('invalidAddress', `${title}: empty address string is not allowed`);
  if (text.length > RUNTIME_LIMITS.maxAddressCharacters)
    return failSdk('invalidAddress', `${title}: ${text.length} characters are no address`);
  const decoded = decodeAddress(text);
  if (!decoded.ok) return failSdk('invalidAddress', `${title}: ${decoded.error}`);
  const { prefix, bytes } = decoded.value;
  if (prefix !== chain.bech32Prefix)
    return failSdk('unauthorized', `${title}: invalid Bech32 prefix; expected ${chain.bech32Prefix}, got ${prefix}`);
  return ok(bytes);
}

/** Address of an account that no key controls: first 20 bytes of SHA-256 of its name (x/auth NewModuleAddress). */
export function moduleAddress(name: string): Uint8Array {
  return sha256Truncated(utf8(name));
}
