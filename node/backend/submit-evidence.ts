import type { ChainState } from '#consensus/chain-state.ts';
import { ok } from '#core/result.ts';
import { type Evidence, evidenceHash } from '#core/types/evidence.ts';
import type { Answer } from '#rpc/backend.ts';
import type { EvidencePool } from '../driver/evidence-pool.ts';

/** Evidence from a client: checked against the chain as a block's would be, then handed to the pool. */
export function submitEvidence(pool: EvidencePool, state: ChainState, evidence: Evidence): Answer<Uint8Array> {
  const checked = pool.check(state, [evidence]);
  if (!checked.ok) return { ok: false, error: { kind: 'invalid', message: checked.error } };
  pool.report(evidence.voteA, evidence.voteB);
  return ok(evidenceHash([evidence]));
}
