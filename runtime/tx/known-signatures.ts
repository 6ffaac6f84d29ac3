/**
 * Remembers signatures that were found good, so that a transaction which passed CheckTx is not verified again in its
 * block. It changes how long a verdict takes, never the verdict: what is remembered is the whole statement (key, message,
 * signature), compared byte by byte, and only when it is true.
 */
import { equal } from '#core/bytes.ts';
import type { SignatureCheck, Verifier } from '#core/ports/crypto.ts';
import { RUNTIME_LIMITS } from '../limits.ts';
import { idOf } from '../state/key-id.ts';

export interface KnownSignatures extends Verifier {
  /** Records a statement that some verifier with the same verdicts has found true. */
  learn(check: SignatureCheck): void;
  /** What is known of this signature is remembered elsewhere. */
  forget(signature: Uint8Array): void;
  /** Whether this statement is remembered as true. */
  knows(check: SignatureCheck): boolean;
  /** The same verdicts, for a transaction that is checked now. */
  checking(): CheckingVerifier;
  /** The same verdicts, for executing a block. */
  readonly inBlock: Verifier;
  /** The block is committed: what {@link inBlock} was asked is forgotten, since no transaction comes twice. */
  executed(): void;
}

/** Learns when it is told to: what a transaction that is kept remembers itself need not be copied for it to be forgotten. */
export interface CheckingVerifier extends Verifier {
  /** Learns what it has found true, but for these very signatures. */
  learn(except: readonly Uint8Array[]): void;
}

export interface KnownSignatureLimits {
  readonly signatures: number;
  /** Bytes of messages that are kept. */
  readonly bytes: number;
}

const DEFAULT_LIMITS: KnownSignatureLimits = {
  signatures: RUNTIME_LIMITS.maxKnownSignatures,
  bytes: RUNTIME_LIMITS.maxKnownSignatureBytes,
};

export function knownSignatures(inner: Verifier, limits: KnownSignatureLimits = DEFAULT_LIMITS): KnownSignatures {
  // In the order of learning: the oldest goes first.
  const known = new Map<string, SignatureCheck>();
  let bytes = 0;
  const met = new Set<string>();
  const forget = (id: string): void => {
    const check = known.get(id);
    if (check === undefined) return;
    known.delete(id);
    bytes -= check.message.length;
  };
  const learn = (check: SignatureCheck): void => {
    if (check.message.length > limits.bytes) return;
    const id = idOf(check.signature);
    forget(id);
    known.set(id, check);
    bytes += check.message.length;
    for (const oldest of known.keys()) {
      if (known.size <= limits.signatures && bytes <= limits.bytes) break;
      forget(oldest);
    }
  };
  const ed25519: Verifier['ed25519'] = (publicKey, message, signature) => inner.ed25519(publicKey, message, signature);
  const knows = ({ publicKey, message, signature }: SignatureCheck): boolean => {
    if (known.size === 0) return false;
    const found = known.get(idOf(signature));
    return found !== undefined && equal(found.publicKey, publicKey) && equal(found.message, message);
  };
  const learnCopy = ({ publicKey, message, signature }: SignatureCheck): void =>
    learn({ publicKey: publicKey.slice(), message: message.slice(), signature: signature.slice() });
  const secp256k1: Verifier['secp256k1'] = (publicKey, message, signature) => {
    const check = { publicKey, message, signature };
    if (knows(check)) return true;
    if (!inner.secp256k1(publicKey, message, signature)) return false;
    learnCopy(check);
    return true;
  };
  return {
    learn,
    knows,
    forget(signature) {
      if (known.size > 0) forget(idOf(signature));
    },
    ed25519,
    secp256k1,
    checking() {
      const found: SignatureCheck[] = [];
      return {
        ed25519,
        secp256k1(publicKey, message, signature) {
          const check = { publicKey, message, signature };
          if (knows(check)) return true;
          if (!inner.secp256k1(publicKey, message, signature)) return false;
          found.push(check);
          return true;
        },
        learn(except) {
          for (const check of found) if (!except.includes(check.signature)) learnCopy(check);
        },
      };
    },
    inBlock: {
      ed25519,
      secp256k1(publicKey, message, signature) {
        const good = secp256k1(publicKey, message, signature);
        if (good) met.add(idOf(signature));
        return good;
      },
    },
    executed() {
      for (const id of met) forget(id);
      met.clear();
    },
  };
}
