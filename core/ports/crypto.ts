import type { PublicKey } from '../crypto/pubkey.ts';

/**
 * Signature verification. Two implementations with the same verdicts: pure (`core/crypto/verify.ts`) and native
 * (`node/crypto`). ed25519 by ZIP-215; secp256k1 over SHA-256 of the message, 64-byte compact signatures, low S only.
 */
export interface Verifier {
  ed25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  secp256k1(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** One secp256k1 signature to verify. */
export interface SignatureCheck {
  /** 33 bytes, compressed. */
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/**
 * Verifies many secp256k1 signatures away from the caller's thread, with the verdicts of {@link Verifier}. Answers in the
 * order of the calls. A false or a failure says nothing: the caller then verifies by itself.
 */
export interface BatchVerifier {
  secp256k1(checks: readonly SignatureCheck[]): Promise<readonly boolean[]>;
}

/** Verifies by the type of a consensus key. */
export function verifySignature(
  verifier: Verifier,
  key: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return key.type === 'ed25519'
    ? verifier.ed25519(key.bytes, message, signature)
    : verifier.secp256k1(key.bytes, message, signature);
}
