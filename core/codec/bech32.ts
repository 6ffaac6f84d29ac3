/** Bech32 (BIP-173) for addresses: `auton1…`, `autonvaloper1…`. */
import { bech32 } from '@scure/base';
import { err, ok, type Result } from '../result.ts';

/** BIP-173 allows 90 characters. */
const MAX_CHARACTERS = 90;
/** Longest address: the Cosmos SDK's MaxAddrLen. */
const MAX_ADDRESS_BYTES = 255;
/** A prefix and 255 bytes in groups of five bits, with separator and checksum: addresses may exceed BIP-173's limit. */
const MAX_ADDRESS_CHARACTERS = 512;

export interface Bech32 {
  readonly prefix: string;
  /** Groups of five bits, most significant first. */
  readonly words: readonly number[];
}

/** Checksum and case as BIP-173 says. The error says what was wrong with the text. */
export function decodeBech32(text: string): Result<Bech32, string> {
  return decodeUpTo(text, MAX_CHARACTERS);
}

function decodeUpTo(text: string, limit: number): Result<Bech32, string> {
  if (text.length > limit) return err(`bech32: ${text.length} characters exceed the limit of ${limit}`);
  // The library accepts only text with a separator in it; its type says so.
  if (!hasSeparator(text)) return err(`bech32: expected <prefix>1<data>, got ${JSON.stringify(text)}`);
  try {
    const { prefix, words } = bech32.decode(text, limit);
    return ok({ prefix, words });
  } catch (error) {
    return err(`bech32: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function hasSeparator(text: string): text is `${string}1${string}` {
  return text.includes('1');
}

/** The address bytes behind `prefix`: 1 … 255 of them. */
export function encodeAddress(prefix: string, address: Uint8Array): string {
  return bech32.encode(prefix, bech32.toWords(address), MAX_ADDRESS_CHARACTERS);
}

export interface DecodedAddress {
  readonly prefix: string;
  readonly bytes: Uint8Array;
}

/** Bytes of an address, with whatever prefix it has. */
export function decodeAddress(text: string): Result<DecodedAddress, string> {
  const decoded = decodeUpTo(text, MAX_ADDRESS_CHARACTERS);
  if (!decoded.ok) return decoded;
  try {
    const bytes = bech32.fromWords([...decoded.value.words]);
    if (bytes.length === 0 || bytes.length > MAX_ADDRESS_BYTES)
      return err(`address: expected 1 … ${MAX_ADDRESS_BYTES} bytes, got ${bytes.length}`);
    return ok({ prefix: decoded.value.prefix, bytes });
  } catch (error) {
    return err(`bech32: ${error instanceof Error ? error.message : String(error)}`);
  }
}
