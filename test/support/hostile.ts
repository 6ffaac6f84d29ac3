/** What the played validator of a mini network proposes: blocks that may stand, changed as a test wants. */
import { makeBlock } from '#consensus/block-rules.ts';
import { defined } from '#core/assert.ts';
import { utf8 } from '#core/bytes.ts';
import { type Block, encodeBlock } from '#core/types/block.ts';
import { toRound } from '#core/types/brand.ts';
import { type Commit, toCommit } from '#core/types/commit.ts';
import type { Evidence } from '#core/types/evidence.ts';
import { headerHash } from '#core/types/header.ts';
import { createPartSet } from '#core/types/part-set.ts';
import type { Proposal } from '#core/types/proposal.ts';
import type { MiniNet } from './mini-net.ts';

/** The id of no block. */
export const SOME_ID = {
  hash: new Uint8Array(32).fill(5),
  partSetHeader: { total: 1, hash: new Uint8Array(32).fill(6) },
};

export interface BlockChange {
  readonly lastCommit?: (commit: Commit) => Commit;
  readonly evidence?: readonly Evidence[];
  /** Behind the injection that the simulated application asks for. */
  readonly txs?: readonly Uint8Array[];
  /** Without it: for another application. */
  readonly bare?: true;
}

/** The block that the played validator may propose now, changed. */
export function blockOf(net: MiniNet, change: BlockChange = {}): Block {
  const { state } = net.node('n0').executor;
  const commit = toCommit(defined(net.node('n0').blocks.seenCommit(state.chain.lastBlockHeight), 'a last commit'));
  const lastCommit = change.lastCommit?.(commit) ?? commit;
  const flags = lastCommit.signatures.map(({ flag }) => flag).join('');
  const injection = change.bare === true ? [] : [utf8(`inject:${lastCommit.round}:${flags}`)];
  const txs = [...injection, ...(change.txs ?? [])];
  return makeBlock(state.chain, {
    txs,
    evidence: change.evidence ?? [],
    lastCommit,
    proposerAddress: net.played.address,
  });
}

export function honestBlock(net: MiniNet, change: BlockChange = {}): { encoded: Uint8Array; hash: Uint8Array } {
  const block = blockOf(net, change);
  return { encoded: encodeBlock(block), hash: headerHash(block.header) };
}

/** The proposal and all parts of these bytes, as a block of this hash. */
export async function propose(
  net: MiniNet,
  encoded: Uint8Array,
  hash: Uint8Array,
  change: Partial<Proposal> = {},
): Promise<void> {
  const parts = createPartSet(encoded);
  const { height } = net.node('n0').executor.state;
  await net.attack(net.proposal({ hash, partSetHeader: parts.header }, change));
  for (const part of parts.parts)
    await net.attack({ kind: 'block-part', height, round: change.round ?? toRound(0), part });
}

/** Whether the block that was proposed at `height` is the one that was decided; the chain has gone on either way. */
export async function decides(net: MiniNet, height: bigint, hash: Uint8Array): Promise<boolean> {
  await net.goesOn();
  return String(net.node('n0').blocks.meta(height)?.blockId.hash) === String(hash);
}
