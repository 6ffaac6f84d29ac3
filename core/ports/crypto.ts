import type { PublicKey } from '../crypto/pubkey.ts';

/**
 * Signature verification. Two implementations with the same verdicts: pure (`core/crypto/verify.ts`) and native
 * (`node/crypto`). ed25519 by ZIP-215; secp256k1 over SHA-256 of the message, 64-byte compact signatures, low S only.
 */
export interface Verifier {
  ed25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  secp256k1(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** One signature to verify. */
export interface SignatureCheck {
  /** secp256k1: 33 bytes, compressed; ed25519: 32. */
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/**
 * Verifies many signatures of one kind away from the caller's thread. True is a verdict of {@link Verifier}; a false or a
 * failure says nothing: the caller then verifies by itself. Calls for one kind are answered in their order.
 */
export interface BatchVerifier {
  ed25519(checks: readonly SignatureCheck[]): Promise<readonly boolean[]>;
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
