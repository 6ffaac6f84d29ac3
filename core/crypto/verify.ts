import { ed25519 } from '@noble/curves/ed25519.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import type { Verifier } from '../ports/crypto.ts';

/** The reference verdicts, in pure TypeScript. Malformed keys and signatures answer false. */
export const pureVerifier: Verifier = {
  ed25519(publicKey, message, signature) {
    if (publicKey.length !== 32 || signature.length !== 64) return false;
    try {
      return ed25519.verify(signature, message, publicKey, { zip215: true });
    } catch {
      return false;
    }
  },
  secp256k1(publicKey, message, signature) {
    if (publicKey.length !== 33 || signature.length !== 64) return false;
    try {
      return secp256k1.verify(signature, message, publicKey, { lowS: true, prehash: true });
    } catch {
      return false;
    }
  },
};
