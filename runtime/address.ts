/** Account addresses in text, under the chain's own prefix. */
import { equal, utf8 } from '#core/bytes.ts';
import { decodeAddress, encodeAddress } from '#core/codec/bech32.ts';
import { sha256Truncated } from '#core/crypto/hash.ts';
import type { Failure, Result } from '#core/result.ts';
import { ok } from '#core/result.ts';
import type { ChainParams } from './context.ts';
import { failSdk } from './errors.ts';
import { RUNTIME_LIMITS } from './limits.ts';

/** An address of one chain, both ways; the text in lower case. */
interface KnownAddress {
  readonly prefix: string;
  readonly text: string;
  readonly bytes: Uint8Array;
}

/**
 * Addresses that were met lately: a transaction names the same few several times, in the mempool and in its block again.
 * Each stands where some of its characters say, or some of its bytes, until another comes there: no text is hashed for it.
 * What is kept depends on nothing but the address, so it spares time and changes no answer.
 */
const SLOTS = RUNTIME_LIMITS.recentAddresses;
const byText = new Array<KnownAddress | undefined>(SLOTS).fill(undefined);
const byBytes = new Array<KnownAddress | undefined>(SLOTS).fill(undefined);

/** Characters at the end, which are a checksum, and bytes in front: they differ from address to address. */
const TELLING_CHARACTERS = 6;
const TELLING_BYTES = 4;

function slotOfText(text: string): number {
  let sum = 0;
  for (let i = Math.max(0, text.length - TELLING_CHARACTERS); i < text.length; i++)
    sum = (Math.imul(sum, 31) + text.charCodeAt(i)) | 0;
  return sum & (SLOTS - 1);
}

function slotOfBytes(prefix: string, bytes: Uint8Array): number {
  let sum = prefix.length;
  for (let i = 0; i < TELLING_BYTES && i < bytes.length; i++) sum = (Math.imul(sum, 31) + (bytes[i] as number)) | 0;
  return sum & (SLOTS - 1);
}

/** The last few: a transfer writes out what was just read, and each several times. */
const LAST_ADDRESSES = 4;
const last = new Array<KnownAddress | undefined>(LAST_ADDRESSES).fill(undefined);
let nextLast = 0;

function meet(address: KnownAddress): void {
  for (let i = 0; i < LAST_ADDRESSES; i++) if (last[i] === address) return;
  last[nextLast] = address;
  nextLast = (nextLast + 1) % LAST_ADDRESSES;
}

export function formatAddress({ bech32Prefix: prefix }: Pick<ChainParams, 'bech32Prefix'>, bytes: Uint8Array): string {
  // These arrays are nobody's to write to.
  for (let i = 0; i < LAST_ADDRESSES; i++) {
    const met = last[i];
    if (met !== undefined && met.bytes === bytes && met.prefix === prefix) return met.text;
  }
  const slot = slotOfBytes(prefix, bytes);
  let known = byBytes[slot];
  if (known === undefined || known.prefix !== prefix || !equal(known.bytes, bytes)) {
    known = { prefix, text: encodeAddress(prefix, bytes), bytes: bytes.slice() };
    byBytes[slot] = known;
  }
  meet(known);
  return known.text;
}

/**
 * Raw bytes of an address of this chain, shared by all who ask for the same. A sound address of another chain is
 * `unauthorized` (a wallet on the wrong network: code 4, as wallets see it from the Cosmos SDK v0.50), anything else
 * `invalidAddress`.
 */
export function parseAddress(
  chain: Pick<ChainParams, 'bech32Prefix'>,
  text: string,
  title: string,
): Result<Uint8Array, Failure> {
  const slot = slotOfText(text);
  const known = byText[slot];
  if (known !== undefined && known.text === text && known.prefix === chain.bech32Prefix) {
    meet(known);
    return ok(known.bytes);
  }
  if (text.length === 0) return failSdk('invalidAddress', `${title}: empty address string is not allowed`);
  if (text.length > RUNTIME_LIMITS.maxAddressCharacters)
    return failSdk('invalidAddress', `${title}: ${text.length} characters are no address`);
  const decoded = decodeAddress(text);
  if (!decoded.ok) return failSdk('invalidAddress', `${title}: ${decoded.error}`);
  const { prefix, bytes } = decoded.value;
  if (prefix !== chain.bech32Prefix)
    return failSdk('unauthorized', `${title}: invalid Bech32 prefix; expected ${chain.bech32Prefix}, got ${prefix}`);
  // In lower case it is how the address is written too; few write it otherwise.
  if (text === text.toLowerCase()) {
    const met = { prefix, text, bytes };
    byText[slot] = met;
    byBytes[slotOfBytes(prefix, bytes)] = met;
    meet(met);
  }
  return ok(bytes);
}

/** Address of an account that no key controls: first 20 bytes of SHA-256 of its name (x/auth NewModuleAddress). */
export function moduleAddress(name: string): Uint8Array {
  return sha256Truncated(utf8(name));
}
