import { ripemd160 as nobleRipemd160 } from '@noble/hashes/legacy.js';
import { sha256 as nobleSha256, sha512 as nobleSha512 } from '@noble/hashes/sha2.js';

/** 32 bytes. FIPS 180-4. */
export function sha256(data: Uint8Array): Uint8Array {
  return nobleSha256(data);
}

/** 64 bytes. FIPS 180-4. */
export function sha512(data: Uint8Array): Uint8Array {
  return nobleSha512(data);
}

/** 20 bytes. ISO/IEC 10118-3. */
export function ripemd160(data: Uint8Array): Uint8Array {
  return nobleRipemd160(data);
}

/** First 20 bytes of SHA-256: CometBFT's address hash (crypto/tmhash SumTruncated). */
export function sha256Truncated(data: Uint8Array): Uint8Array {
  return sha256(data).slice(0, 20);
}
