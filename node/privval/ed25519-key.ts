import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { concat, expectLength, fromHex } from '#core/bytes.ts';

/** An ed25519 key pair of a node or validator, with a native signer (about 30 µs a signature, RFC 8032). */
export interface Ed25519Key {
  /** 32 bytes, secret. */
  readonly seed: Uint8Array;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes, deterministic. */
  sign(message: Uint8Array): Uint8Array;
}

/** OneAsymmetricKey of an ed25519 seed up to the seed itself (RFC 8410 section 7). */
const PKCS8_PREFIX = fromHex('302e020100300506032b657004220420');

/** @throws RangeError unless the seed has 32 bytes. */
export function ed25519KeyFromSeed(seed: Uint8Array): Ed25519Key {
  expectLength(seed, 32, 'ed25519 seed');
  const key: KeyObject = createPrivateKey({
    key: Buffer.from(concat(PKCS8_PREFIX, seed)),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }));
  return {
    seed: seed.slice(),
    publicKey: spki.slice(-32),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  };
}

export function generateEd25519Key(): Ed25519Key {
  return ed25519KeyFromSeed(new Uint8Array(randomBytes(32)));
}
