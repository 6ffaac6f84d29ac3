/** A source whose blocks have their signatures verified on other threads before the light client looks at them. */
import { equal } from '#core/bytes.ts';
import type { SignatureCheck } from '#core/ports/crypto.ts';
import { commitSignBytes, FLAG_COMMIT } from '#core/types/commit.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import { isQuorum } from '#core/types/validator-set.ts';
import type { Provider } from '#light/provider.ts';
import type { VerifyAhead } from '../crypto/ahead.ts';
import { NODE_LIMITS } from '../limits.ts';

export function verifyingAhead(provider: Provider, chainId: string, verifyAhead: VerifyAhead): Provider {
  return {
    name: provider.name,
    async lightBlock(height) {
      const answer = await provider.lightBlock(height);
      if (answer.ok) await verifyAhead(checksOf(chainId, answer.value));
      return answer;
    },
    reportEvidence: (evidence) => provider.reportEvidence(evidence),
  };
}

/**
 * The signatures with which two thirds of the block's own validators are together: what the light client verifies of it.
 * None of an absurdly large set: it is for the light client to see first whether anybody trusted has signed.
 */
export function checksOf(chainId: string, { commit, validators }: LightBlock): readonly SignatureCheck[] {
  const checks: SignatureCheck[] = [];
  let power = 0n;
  for (const [index, { flag, validatorAddress, signature }] of commit.signatures.entries()) {
    const validator = validators.validators[index];
    if (flag !== FLAG_COMMIT || validator === undefined || !equal(validator.address, validatorAddress)) continue;
    power += validator.power;
    if (validator.publicKey.type === 'ed25519') {
      if (checks.length === NODE_LIMITS.maxLightChecksAhead) return [];
      const message = commitSignBytes(chainId, commit, index);
      checks.push({ publicKey: validator.publicKey.bytes, message, signature });
    }
    if (isQuorum(power, validators.totalPower)) break;
  }
  return checks;
}
