/**
 * Remembers signatures that were found good, so that a transaction which passed CheckTx is not verified again in its
 * block. It changes how long a verdict takes, never the verdict: what is remembered is the whole statement (key, message,
 * signature), compared byte by byte, and only when it is true.
 */
import { equal } from '#core/bytes.ts';
import type { SignatureCheck, Verifier } from '#core/ports/crypto.ts';
import { RUNTIME_LIMITS } from '../limits.ts';
import { endOf } from './end-of.ts';

export interface KnownSignatures extends Verifier {
  /** Records a statement that some verifier with the same verdicts has found true. */
  learn(check: SignatureCheck): void;
  /** What is known of this signature is remembered elsewhere. */
  forget(signature: Uint8Array): void;
  /** Whether this statement is remembered as true. */
  knows(check: SignatureCheck): boolean;
  /** The same verdicts, for transactions that are checked one after the other. */
  checking(): CheckingVerifier;
  /** The same verdicts, for executing a block. */
  readonly inBlock: Verifier;
  /** The block is committed: what {@link inBlock} was asked is forgotten, since no transaction comes twice. */
  executed(): void;
}

/** Learns when it is told to: what a transaction that is kept remembers itself need not be copied for it to be forgotten. */
export interface CheckingVerifier extends Verifier {
  /** Learns what it has found true since it was last told to, but for these very signatures. */
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

/** What is full makes room for 2^-so much of it. */
const SPARE_SHIFT = 6;

export function knownSignatures(inner: Verifier, limits: KnownSignatureLimits = DEFAULT_LIMITS): KnownSignatures {
  // By how their signatures end; in the order of learning: the oldest goes first.
  const known = new Map<number, SignatureCheck>();
  let bytes = 0;
  let met: Uint8Array[] = [];
  const drop = (end: number): void => {
    const check = known.get(end);
    if (check === undefined) return;
    known.delete(end);
    bytes -= check.message.length;
  };
  const find = (signature: Uint8Array): SignatureCheck | undefined => {
    if (known.size === 0) return undefined;
    const found = known.get(endOf(signature));
    return found !== undefined && equal(found.signature, signature) ? found : undefined;
  };
  const forget = (signature: Uint8Array): void => {
    if (find(signature) !== undefined) drop(endOf(signature));
  };
  const learn = (check: SignatureCheck): void => {
    if (check.message.length > limits.bytes) return;
    const end = endOf(check.signature);
    drop(end);
    known.set(end, check);
    bytes += check.message.length;
    if (known.size <= limits.signatures && bytes <= limits.bytes) return;
    // A few more than must go: on its way to the oldest a map passes by the places of all that have gone.
    const signatures = limits.signatures - (limits.signatures >>> SPARE_SHIFT);
    const room = limits.bytes - (limits.bytes >>> SPARE_SHIFT);
    for (const oldest of known.keys()) {
      if (known.size <= signatures && bytes <= room) break;
      drop(oldest);
    }
  };
  const ed25519: Verifier['ed25519'] = (publicKey, message, signature) => inner.ed25519(publicKey, message, signature);
  const knows = ({ publicKey, message, signature }: SignatureCheck): boolean => {
    const found = find(signature);
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
    forget,
    ed25519,
    secp256k1,
    checking() {
      let found: SignatureCheck[] = [];
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
          if (found.length === 0) return;
          for (const check of found) if (!except.includes(check.signature)) learnCopy(check);
          found = [];
        },
      };
    },
    inBlock: {
      ed25519,
      secp256k1(publicKey, message, signature) {
        const good = secp256k1(publicKey, message, signature);
        if (good) met.push(signature);
        return good;
      },
    },
    executed() {
      for (const signature of met) forget(signature);
      met = [];
    },
  };
}
