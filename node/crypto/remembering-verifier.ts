import { hash } from 'node:crypto';
import { concat } from '#core/bytes.ts';
import type { Verifier } from '#core/ports/crypto.ts';

/**
 * A verifier that remembers which ed25519 signatures it has found good: a vote is met again in a commit, its extension
 * again in the next block's injection, a message again when it is repaired. Key, signature and message together make the
 * name by which one is remembered, so an answer from memory is the answer that was given before. At least `entries` are
 * remembered, at most twice as many. Bad ones are not: whoever sends them is to pay for them.
 */
export function rememberingVerifier(verifier: Verifier, options: { readonly entries: number }): Verifier {
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
      // Fixed lengths before the message: no two of the three read as another three.
      if (publicKey.length !== 32 || signature.length !== 64) return false;
      const name = hash('sha256', concat(publicKey, signature, message), 'base64');
      if (recent.has(name)) return true;
      if (!older.has(name) && !verifier.ed25519(publicKey, message, signature)) return false;
      remember(name);
      return true;
    },
    secp256k1: (publicKey, message, signature) => verifier.secp256k1(publicKey, message, signature),
  };
}
