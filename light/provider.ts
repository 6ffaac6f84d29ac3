import type { Result } from '#core/result.ts';
import type { Evidence } from '#core/types/evidence.ts';
import type { LightBlock } from '#core/types/light-block.ts';

/**
 * - `not-found`: the source does not have this block (any more);
 * - `too-high`: the height is above the source's newest block;
 * - `unavailable`: no answer;
 * - `bad`: an answer that is wrong in itself.
 */
export interface ProviderFault {
  readonly kind: 'not-found' | 'too-high' | 'unavailable' | 'bad';
  readonly message: string;
}

/** A full node that is asked for light blocks. Nothing that it answers is believed. */
export interface Provider {
  /** How it is called in logs and errors: its address. */
  readonly name: string;
  /** The light block at `height`; 0: the newest. */
  lightBlock(height: bigint): Promise<Result<LightBlock, ProviderFault>>;
  /** Hands it evidence for inclusion in a block. The error says why it was refused. */
  reportEvidence(evidence: Evidence): Promise<Result<true, string>>;
}
