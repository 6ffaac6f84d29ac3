import { evidenceHeight } from '#core/types/evidence.ts';
import type { PendingEvidence } from '#node/driver/evidence-pool.ts';
import { Violation } from './violation.ts';

/** Evidence of a height that was over when the network was healed does not still wait for a block at the end. */
export function checkEvidence(node: string, pending: readonly PendingEvidence[], healedAt: bigint): void {
  for (const { evidence } of pending)
    if (evidenceHeight(evidence) <= healedAt)
      throw new Violation(
        'evidence',
        `${node} still waits to see evidence of height ${evidenceHeight(evidence)} committed, healed at ${healedAt}`,
      );
}
