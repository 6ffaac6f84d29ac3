/** Account addresses in text, under the chain's own prefix. */
import { EMPTY, utf8 } from '#core/bytes.ts';
import { decodeAddress, encodeAddress } from '#core/codec/bech32.ts';
import { sha256Truncated } from '#core/crypto/hash.ts';
import type { Failure, Result } from '#core/result.ts';
import { ok } from '#core/result.ts';
import type { ChainParams } from './context.ts';
import { failSdk } from './errors.ts';
import { RUNTIME_LIMITS } from './limits.ts';
import { idOf } from './state/key-id.ts';

/**
 * What was asked for lately, in two generations: when the young one is full it becomes the old one. It spares time and
 * changes no answer: what is kept depends on nothing but its key.
 */
class Recent<V> {
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    if (this.#young.size >= RUNTIME_LIMITS.maxRecentAddresses) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}

/** A transaction names the same few addresses several times, in the mempool and in its block again. */
interface RecentAddresses {
  readonly texts: Recent<string>;
  readonly bytes: Recent<Uint8Array>;
}

const recent = new Map<string, RecentAddresses>();

function recentOf(prefix: string): RecentAddresses {
  const known = recent.get(prefix);
  if (known !== undefined) return known;
  // A chain has three of them; a program that works for several chains has some more.
  if (recent.size >= RUNTIME_LIMITS.maxRecentPrefixes) recent.clear();
  const made = { texts: new Recent<string>(), bytes: new Recent<Uint8Array>() };
  recent.set(prefix, made);
  return made;
}

/** Addresses that were just written out: a transfer writes few, and each several times. */
const LAST_ADDRESSES = 4;
const last = {
  prefixes: new Array<string>(LAST_ADDRESSES).fill(''),
  addresses: new Array<Uint8Array>(LAST_ADDRESSES).fill(EMPTY),
  texts: new Array<string>(LAST_ADDRESSES).fill(''),
  next: 0,
};

export function formatAddress({ bech32Prefix }: Pick<ChainParams, 'bech32Prefix'>, address: Uint8Array): string {
  for (let i = 0; i < LAST_ADDRESSES; i++)
    if (last.addresses[i] === address && last.prefixes[i] === bech32Prefix) return last.texts[i] as string;
  const text = addressText(bech32Prefix, address);
  const at = last.next;
  last.prefixes[at] = bech32Prefix;
  last.addresses[at] = address;
  last.texts[at] = text;
  last.next = (at + 1) % LAST_ADDRESSES;
  return text;
}

function addressText(prefix: string, address: Uint8Array): string {
  const { texts } = recentOf(prefix);
  const id = idOf(address);
  const known = texts.get(id);
  if (known !== undefined) return known;
  const text = encodeAddress(prefix, address);
  texts.set(id, text);
  return text;
}

/**
 * Raw bytes of an address of this chain, shared by all who ask for the same. A sound address of another chain is `unauthorized` (a wallet on the wrong network:
 * code 4, as wallets see it from the Cosmos SDK v0.50), anything else `invalidAddress`.
 */
export function parseAddress(
  chain: Pick<ChainParams, 'bech32Prefix'>,
  text: string,
  title: string,
): Result<Uint8Array, Failure> {
  const { bytes: parsed, texts } = recentOf(chain.bech32Prefix);
  const known = parsed.get(text);
  if (known !== undefined) return ok(known);
  if (text.length === 0) return failSdk('invalidAddress', `${title}: empty address string is not allowed`);
  if (text.length > RUNTIME_LIMITS.maxAddressCharacters)
    return failSdk('invalidAddress', `${title}: ${text.length} characters are no address`);
  const decoded = decodeAddress(text);
  if (!decoded.ok) return failSdk('invalidAddress', `${title}: ${decoded.error}`);
  const { prefix, bytes } = decoded.value;
  if (prefix !== chain.bech32Prefix)
    return failSdk('unauthorized', `${title}: invalid Bech32 prefix; expected ${chain.bech32Prefix}, got ${prefix}`);
  parsed.set(text, bytes);
  // In lower case it is how the address is written too.
  if (text === text.toLowerCase()) texts.set(idOf(bytes), text);
  return ok(bytes);
}

/** Address of an account that no key controls: first 20 bytes of SHA-256 of its name (x/auth NewModuleAddress). */
export function moduleAddress(name: string): Uint8Array {
  return sha256Truncated(utf8(name));
}
