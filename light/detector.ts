/**
 * Comparing what the primary has shown with what witnesses show, and making evidence of a divergence: CometBFT v0.38
 * light/detector.go.
 */
import { equal } from '#core/bytes.ts';
import type { Logger } from '#core/ports/logger.ts';
import { err, ok, type Result } from '#core/result.ts';
import { headerHash } from '#core/types/header.ts';
import { type LightClientAttackEvidence, makeAttackEvidence } from '#core/types/light-attack.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import { compareTime, type Timestamp } from '#core/types/timestamp.ts';
import { LIGHT_LIMITS } from './limits.ts';
import type { Provider } from './provider.ts';
import { fetchLightBlock, type VerifyContext, verifySkipping } from './skipping.ts';

export interface DetectorContext extends VerifyContext {
  readonly logger: Logger;
  readonly wait: (ms: number) => Promise<void>;
  /** How long a witness may lag behind the primary before its silence counts as no answer. */
  readonly witnessLagMs: number;
}

/** What one witness says of a block: the same; another; nothing now; or it is of no use any more. */
export type Comparison =
  | { readonly kind: 'same' }
  | { readonly kind: 'conflict'; readonly block: LightBlock }
  /** The same block, but its validators stand elsewhere in the rotation of proposers, which no hash covers. */
  | { readonly kind: 'priorities' }
  | { readonly kind: 'silent'; readonly message: string }
  | { readonly kind: 'bad'; readonly message: string };

/** Two sources prove blocks that exclude each other: at least a third of the validators have signed both histories. */
export interface Attack {
  readonly witness: string;
  readonly againstPrimary: LightClientAttackEvidence;
  /** Absent when the primary could not prove its own history against the witness's. */
  readonly againstWitness: LightClientAttackEvidence | undefined;
}

const sameBlock = (a: LightBlock, b: LightBlock) => equal(headerHash(a.header), headerHash(b.header));

function compared(block: LightBlock, shown: LightBlock): Comparison {
  if (!sameBlock(block, shown)) return { kind: 'conflict', block: shown };
  // The validators are the same, for the header names them. Each priority is compared: hashes of priorities have collided.
  const same = block.validators.validators.every(
    ({ priority }, i) => priority === shown.validators.validators[i]?.priority,
  );
  return { kind: same ? 'same' : 'priorities' };
}

/** Asks a witness for its block at the height of `block`; one that lags is given time. */
export async function compareWithWitness(
  context: DetectorContext,
  block: LightBlock,
  witness: Provider,
): Promise<Comparison> {
  const { chainId } = context.options;
  const { height } = block.header;
  for (let waited = 0; ; waited += LIGHT_LIMITS.witnessPollMs) {
    const answer = await fetchLightBlock(witness, height, chainId);
    if (answer.ok) return compared(block, answer.value);
    const { kind, message } = answer.error;
    if (kind === 'bad') return { kind: 'bad', message };
    if (kind !== 'too-high') return { kind: 'silent', message };
    // The witness lags, or the primary's block is of a height and time that the chain has not reached.
    const newest = await fetchLightBlock(witness, 0n, chainId);
    if (!newest.ok) {
      if (newest.error.kind === 'bad') return { kind: 'bad', message: newest.error.message };
      return { kind: 'silent', message: newest.error.message };
    }
    const at = newest.value.header;
    if (at.height < height && compareTime(at.time, block.header.time) >= 0)
      return { kind: 'conflict', block: newest.value };
    if (at.height === height) return compared(block, newest.value);
    if (waited >= context.witnessLagMs)
      return { kind: 'silent', message: `${witness.name} has not reached height ${height}` };
    await context.wait(LIGHT_LIMITS.witnessPollMs);
  }
}

interface Divergence {
  /** What the source proves, up to where it leaves the trace: the first is common, the last is the source's own. */
  readonly sourceTrace: readonly LightBlock[];
  /** The block of the examined trace with which the source's history cannot be reconciled. */
  readonly diverging: LightBlock;
}

/** Follows `source` along a verified trace to the first block in which they differ, verifying the source on the way. */
async function examineAgainstTrace(
  context: VerifyContext,
  trace: readonly LightBlock[],
  target: LightBlock,
  source: Provider,
  now: Timestamp,
): Promise<Result<Divergence, string>> {
  const [root] = trace;
  if (root === undefined || target.header.height < root.header.height)
    return err('the conflicting block is below what is trusted');
  let previous = root;
  for (const [i, block] of trace.entries()) {
    const { height } = block.header;
    if (height > target.header.height) {
      // A block of the future: its height is above the target's, and its time is not.
      if (compareTime(block.header.time, target.header.time) > 0)
        return err('the conflicting block is earlier, as it should be');
      if (previous.header.height === target.header.height) return ok({ sourceTrace: [previous], diverging: block });
      const shown = await verifySkipping(context, source, previous, target, now);
      return shown.ok ? ok({ sourceTrace: shown.value, diverging: block }) : err(shown.error.message);
    }
    const own =
      height === target.header.height ? ok(target) : await fetchLightBlock(source, height, context.options.chainId);
    if (!own.ok) return err(own.error.message);
    if (i === 0) {
      if (!sameBlock(own.value, block)) return err('its block at the trusted height is not the trusted one');
      previous = own.value;
      continue;
    }
    const shown = await verifySkipping(context, source, previous, own.value, now);
    if (!shown.ok) return err(shown.error.message);
    if (!sameBlock(own.value, block)) return ok({ sourceTrace: shown.value, diverging: block });
    previous = own.value;
  }
  return err('there is no divergence');
}

function evidenceOf({ sourceTrace, diverging }: Divergence): LightClientAttackEvidence {
  const common = sourceTrace[0] as LightBlock;
  const trusted = sourceTrace[sourceTrace.length - 1] as LightBlock;
  return makeAttackEvidence(diverging, trusted, common);
}

/** Sends evidence until the node takes it: a node judges a block only when the next one has confirmed its commit. */
async function report(context: DetectorContext, evidence: LightClientAttackEvidence, to: Provider): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const sent = await to.reportEvidence(evidence);
    if (sent.ok) {
      context.logger.info('evidence of an attack was taken', { by: to.name });
      return;
    }
    if (attempt >= LIGHT_LIMITS.reportAttempts) {
      context.logger.warn('evidence of an attack was refused', { by: to.name, reason: sent.error });
      return;
    }
    await context.wait(LIGHT_LIMITS.reportPauseMs);
  }
}

/**
 * A witness has shown another block than the primary's `trace` ends with. If it can prove its own, that is an attack:
 * evidence against either side is made, and sent to the other. Else the witness is wrong, and the error says how.
 */
export async function examineConflict(
  context: DetectorContext,
  trace: readonly LightBlock[],
  conflicting: LightBlock,
  primary: Provider,
  witness: Provider,
  now: Timestamp,
): Promise<Result<Attack, string>> {
  const shown = await examineAgainstTrace(context, trace, conflicting, witness, now);
  if (!shown.ok) return shown;
  const againstPrimary = evidenceOf(shown.value);
  // Who is at fault we cannot know: the same from the other side.
  const { sourceTrace, diverging } = shown.value;
  const mirrored = await examineAgainstTrace(context, sourceTrace, diverging, primary, now);
  const againstWitness = mirrored.ok ? evidenceOf(mirrored.value) : undefined;
  await Promise.all([
    report(context, againstPrimary, witness),
    againstWitness === undefined ? undefined : report(context, againstWitness, primary),
  ]);
  return ok({ witness: witness.name, againstPrimary, againstWitness });
}
