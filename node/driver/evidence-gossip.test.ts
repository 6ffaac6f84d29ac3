import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import { toHeight } from '#core/types/brand.ts';
import { type DuplicateVoteEvidence, evidenceId } from '#core/types/evidence.ts';
import { duplicateVote } from '#test/arbitrary/block.ts';
import { NODE_LIMITS } from '../limits.ts';
import { EvidenceGossip } from './evidence-gossip.ts';

const [sample] = fc.sample(duplicateVote, { numRuns: 1, seed: 7 });
if (sample === undefined) throw new Error('a sample');

function pendingAt(height: bigint, round: number) {
  const at = { height: toHeight(height), round } as Partial<DuplicateVoteEvidence['voteA']>;
  const { voteA, voteB } = sample as DuplicateVoteEvidence;
  const evidence = { ...(sample as DuplicateVoteEvidence), voteA: { ...voteA, ...at }, voteB: { ...voteB, ...at } };
  return { id: toHex(evidenceId(evidence)), evidence };
}

test('each peer is told once, again only when it still waits many heights later', () => {
  const gossip = new EvidenceGossip();
  const waits = [pendingAt(5n, 0)];
  expect(gossip.due('a', 8n, 8n, waits)).toHaveLength(1);
  expect(gossip.due('a', 8n, 8n, waits)).toHaveLength(0);
  expect(gossip.due('b', 8n, 8n, waits)).toHaveLength(1);
  const later = 8n + BigInt(NODE_LIMITS.evidenceResendHeights);
  expect(gossip.due('a', later, later - 1n, waits)).toHaveLength(0);
  expect(gossip.due('a', later, later, waits)).toHaveLength(1);
});

test('who has not committed the height of the crime cannot judge it yet', () => {
  const gossip = new EvidenceGossip();
  const waits = [pendingAt(5n, 0)];
  expect(gossip.due('a', 5n, 8n, waits)).toHaveLength(0);
  expect(gossip.due('a', 6n, 8n, waits)).toHaveLength(1);
});

test('who told us is not told, and one status brings a few pieces only', () => {
  const gossip = new EvidenceGossip();
  const waits = Array.from({ length: 20 }, (_, round) => pendingAt(5n, round));
  gossip.heard('a', waits[0]?.id ?? '', 8n);
  const sent: unknown[] = [];
  for (let i = 0; i < 5; i++) {
    const due = gossip.due('a', 8n, 8n, waits);
    expect(due.length).toBeLessThanOrEqual(NODE_LIMITS.evidencePerStatus);
    sent.push(...due);
  }
  expect(sent).toEqual(waits.slice(1).map(({ evidence }) => evidence));
});
