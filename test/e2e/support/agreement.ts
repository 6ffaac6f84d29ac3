/** What nodes that have been through something must still agree on. */
import { expect } from 'vitest';
import type { TestNode } from './network.ts';

interface Meta {
  readonly block_id: { readonly hash: string };
  readonly header: { readonly height: string; readonly app_hash: string; readonly evidence_hash: string };
}

/** SHA-256 of nothing: the evidence hash of a block without evidence. */
const NO_EVIDENCE = 'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855';
/** As many as one answer has at most. */
const METAS = 20n;

interface Facts {
  readonly hash: string;
  readonly appHash: string;
}

async function factsOf(
  node: TestNode,
  from: bigint,
  to: bigint,
): Promise<ReadonlyMap<string, Facts & { evidence: string }>> {
  const all = new Map<string, Facts & { evidence: string }>();
  for (let low = from; low <= to; low += METAS) {
    const high = low + METAS - 1n < to ? low + METAS - 1n : to;
    const { block_metas } = await node.rpc.call<{ block_metas: readonly Meta[] }>('blockchain', {
      minHeight: String(low),
      maxHeight: String(high),
    });
    for (const { block_id, header } of block_metas)
      all.set(header.height, { hash: block_id.hash, appHash: header.app_hash, evidence: header.evidence_hash });
  }
  return all;
}

/** The same block hash and application hash at every height on every node; no evidence unless some is expected. */
export async function expectSameBlocks(
  nodes: readonly TestNode[],
  from: bigint,
  to: bigint,
  expected: { readonly evidence: boolean } = { evidence: false },
): Promise<void> {
  const all = await Promise.all(nodes.map((node) => factsOf(node, from, to)));
  for (let height = from; height <= to; height++) {
    const first = all[0]?.get(String(height));
    expect(first, `block ${height} of ${nodes[0]?.name}`).toBeDefined();
    for (const [i, facts] of all.entries())
      expect(facts.get(String(height)), `block ${height} of ${nodes[i]?.name}`).toEqual(first);
    if (!expected.evidence) expect(first?.evidence, `evidence of block ${height}`).toBe(NO_EVIDENCE);
  }
}

/** Nobody has seen two signatures of one validator for one place, and nobody has given up. */
export async function expectNoDoubleSigns(nodes: readonly TestNode[]): Promise<void> {
  for (const node of nodes) {
    const lines = await node.log();
    for (const sentence of ['a validator signed two votes', 'the node cannot go on'])
      expect(
        lines.filter((line) => line.msg === sentence),
        node.name,
      ).toEqual([]);
  }
}
