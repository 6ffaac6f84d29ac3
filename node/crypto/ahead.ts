import type { BatchVerifier, SignatureCheck } from '#core/ports/crypto.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { RememberingVerifier } from './remembering-verifier.ts';

/**
 * Verifies ed25519 signatures before their turn. When the promise resolves the good ones are remembered, and whoever asks
 * the verifier for them is answered at once; the others it verifies as if nobody had asked before. `undefined`: too few
 * are unknown for another thread to be worth the way there and back, and nothing is done.
 */
export type VerifyAhead = (checks: readonly SignatureCheck[]) => Promise<void> | undefined;

export function createVerifyAhead(dependencies: {
  readonly batch: Pick<BatchVerifier, 'ed25519'>;
  readonly memory: Pick<RememberingVerifier, 'knows' | 'learn'>;
}): VerifyAhead {
  const { batch, memory } = dependencies;
  return (checks) => {
    if (checks.length < NODE_LIMITS.minChecksAhead) return undefined;
    const unknown = checks.filter((check) => !memory.knows(check));
    if (unknown.length < NODE_LIMITS.minChecksAhead) return undefined;
    return batch.ed25519(unknown).then((verdicts) => {
      for (const [i, check] of unknown.entries()) if (verdicts[i] === true) memory.learn(check);
    });
  };
}
