/** Verifying a block through as few others as possible: bisection, as CometBFT v0.38 light/client.go verifySkipping. */
import type { Verifier } from '#core/ports/crypto.ts';
import { err, ok, type Result } from '#core/result.ts';
import { checkLightBlock, type LightBlock } from '#core/types/light-block.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import { LIGHT_LIMITS } from './limits.ts';
import type { Provider, ProviderFault } from './provider.ts';
import { type VerifyFault, type VerifyOptions, verify } from './verifier.ts';

export interface VerifyContext {
  readonly options: VerifyOptions;
  readonly verifier: Verifier;
}

/** Why the way to a block does not hold: what was wrong, and at which height. */
export interface PathFault {
  readonly kind: VerifyFault['kind'] | ProviderFault['kind'];
  readonly height: bigint;
  readonly message: string;
}

/** The source's block, if it is well formed, of this chain and of this height (0: the newest). */
export async function fetchLightBlock(
  source: Provider,
  height: bigint,
  chainId: string,
): Promise<Result<LightBlock, ProviderFault>> {
  const answer = await source.lightBlock(height);
  if (!answer.ok) return answer;
  const block = answer.value;
  const bad = (message: string) => err<ProviderFault>({ kind: 'bad', message: `${source.name}: ${message}` });
  const checked = checkLightBlock(chainId, block);
  if (!checked.ok) return bad(checked.error);
  if (height !== 0n && block.header.height !== height)
    return bad(`expected the block of height ${height}, got ${block.header.height}`);
  return ok(block);
}

/**
 * The blocks by which `target` follows from `trusted`, both included. Where trust does not reach, the block half way is
 * fetched from `source` and verified first; adjacent blocks always reach, or are invalid.
 */
export async function verifySkipping(
  context: VerifyContext,
  source: Provider,
  trusted: LightBlock,
  target: LightBlock,
  now: Timestamp,
): Promise<Result<readonly LightBlock[], PathFault>> {
  const trace = [trusted];
  // Blocks on the way, the target first, each below the one before it.
  let ahead = [target];
  let depth = 0;
  let verified = trusted;
  for (let steps = 0; steps < LIGHT_LIMITS.maxSkips; steps++) {
    const candidate = ahead[depth] as LightBlock;
    const { height } = candidate.header;
    const verdict = verify(verified, candidate, now, context.options, context.verifier);
    if (verdict.ok) {
      trace.push(candidate);
      if (depth === 0) return ok(trace);
      verified = candidate;
      ahead = ahead.slice(0, depth);
      depth = 0;
    } else if (verdict.error.kind !== 'not-enough-trust') {
      return err({ ...verdict.error, height });
    } else {
      if (depth === ahead.length - 1) {
        const middle = verified.header.height + ((height - verified.header.height) >> 1n);
        const between = await fetchLightBlock(source, middle, context.options.chainId);
        if (!between.ok) return err({ ...between.error, height: middle });
        ahead.push(between.value);
      }
      depth++;
    }
  }
  return err({
    kind: 'invalid',
    height: target.header.height,
    message: `more than ${LIGHT_LIMITS.maxSkips} steps did not lead to the block`,
  });
}
