import { ripemd160 as nobleRipemd160 } from '@noble/hashes/legacy.js';
import { sha256 as nobleSha256, sha512 as nobleSha512 } from '@noble/hashes/sha2.js';
import { SHA256_PADDING_BYTES, sha256Into } from './sha256-into.ts';

/** Up to so many bytes: keys, records, transactions. The library makes several objects for each. */
const SHORT = 1_024;
const shorts = new Uint8Array(SHORT + SHA256_PADDING_BYTES);

/** 32 bytes. FIPS 180-4. */
export function sha256(data: Uint8Array): Uint8Array {
  if (data.length > SHORT) return nobleSha256(data);
  shorts.set(data);
  const digest = new Uint8Array(32);
  sha256Into(shorts, data.length, digest, 0);
  return digest;
}

/** 64 bytes. FIPS 180-4. */
export function sha512(data: Uint8Array): Uint8Array {
  return nobleSha512(data);
}

const fresh = nobleRipemd160.create();
const working = nobleRipemd160.create();

/** 20 bytes. ISO/IEC 10118-3. In an object that is there: a new one costs as much as the hash of a key. */
export function ripemd160(data: Uint8Array): Uint8Array {
  return fresh._cloneInto(working).update(data).digest();
}

/** First 20 bytes of SHA-256: CometBFT's address hash (crypto/tmhash SumTruncated). */
export function sha256Truncated(data: Uint8Array): Uint8Array {
  return sha256(data).slice(0, 20);
}
