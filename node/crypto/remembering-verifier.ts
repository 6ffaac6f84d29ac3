import { hash } from 'node:crypto';
import { concat } from '#core/bytes.ts';
import type { SignatureCheck, Verifier } from '#core/ports/crypto.ts';

export interface RememberingVerifier extends Verifier {
  /** Whether this ed25519 signature is remembered as good. */
  knows(check: SignatureCheck): boolean;
  /** Remembers an ed25519 signature that some verifier with the same verdicts has found good. */
  learn(check: SignatureCheck): void;
}

// Fixed lengths before the message: no two of the three read as another three.
const nameOf = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): string | undefined =>
  publicKey.length === 32 && signature.length === 64
    ? hash('sha256', concat(publicKey, signature, message), 'base64')
    : undefined;

/**
 * A verifier that remembers which ed25519 signatures it has found good: a vote is met again in a commit, its extension
 * again in the next block's injection, a message again when it is repaired. Key, signature and message together make the
 * name by which one is remembered, so an answer from memory is the answer that was given before. At least `entries` are
 * remembered, at most twice as many. Bad ones are not: whoever sends them is to pay for them.
 */
export function rememberingVerifier(verifier: Verifier, options: { readonly entries: number }): RememberingVerifier {
  let recent = new Set<string>();
  let older = new Set<string>();

  function remember(name: string): void {
    if (recent.size >= options.entries) {
      older = recent;
      recent = new Set();
    }
    recent.add(name);
  }

  return {
    ed25519(publicKey, message, signature) {
      const name = nameOf(publicKey, message, signature);
      if (name === undefined) return false;
      if (recent.has(name)) return true;
      if (!older.has(name) && !verifier.ed25519(publicKey, message, signature)) return false;
      remember(name);
      return true;
    },
    secp256k1: (publicKey, message, signature) => verifier.secp256k1(publicKey, message, signature),
    knows({ publicKey, message, signature }) {
      const name = nameOf(publicKey, message, signature);
      return name !== undefined && (recent.has(name) || older.has(name));
    },
    learn({ publicKey, message, signature }) {
      const name = nameOf(publicKey, message, signature);
      if (name !== undefined) remember(name);
    },
  };
}
