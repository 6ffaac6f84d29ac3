/**
 * The headers, commits and validator sets before a snapshot, back to where evidence expires: without them a node that begins
 * at a snapshot could not judge evidence that everybody else puts into blocks, nor serve light clients of those heights.
 */
import type { ChainState } from '#consensus/chain-state.ts';
import { isExpired } from '#consensus/evidence.ts';
import { equal, toHex } from '#core/bytes.ts';
import { type Verifier, verifySignature } from '#core/ports/crypto.ts';
import type { Logger } from '#core/ports/logger.ts';
import { err, ok, type Result } from '#core/result.ts';
import { equalBlockId } from '#core/types/block-id.ts';
import { type Commit, commitHash, commitSignBytes, FLAG_ABSENT } from '#core/types/commit.ts';
import type { Header } from '#core/types/header.ts';
import { checkLightBlock, type LightBlock } from '#core/types/light-block.ts';
import type { ValidatorSet } from '#core/types/validator-set.ts';
import type { BlockStore } from '../driver/block-store.ts';
import type { StateStore } from '../driver/state-store.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { SyncSource } from './source.ts';

export interface BackfillDeps {
  readonly providers: SyncSource['providers'];
  readonly blocks: BlockStore;
  readonly states: StateStore;
  readonly verifier: Verifier;
  readonly logger: Logger;
}

/**
 * `header` is that of the block after which `state` stands. Ends at the first block, or at the first whose evidence has
 * expired; or, with a warning, where no source goes on: the node works without, it knows less.
 */
export async function backfill(state: ChainState, header: Header, deps: BackfillDeps): Promise<void> {
  const { blocks, states, logger } = deps;
  const from = header.height;
  let child = header;
  let source = 0;
  let refused = 0;
  let reason = 'there is no source';
  while (child.height > state.initialHeight && refused < deps.providers.length) {
    const provider = deps.providers[source % deps.providers.length];
    if (provider === undefined) break;
    const taken = await takeBatch(provider, state, child, deps.verifier);
    if (taken.blocks.length > 0) {
      await blocks.saveHeaders(taken.blocks);
      await states.saveValidators(taken.blocks);
      child = taken.blocks.at(-1)?.header ?? child;
      refused = 0;
    }
    if (taken.end === 'expired') break;
    if (taken.end === 'more') continue;
    reason = `${provider.name}: ${taken.end.wrong}`;
    logger.warn('a source does not give a header before the snapshot', { height: child.height - 1n, reason });
    source++;
    refused++;
  }
  if (deps.providers.length === 0 || refused >= deps.providers.length)
    logger.warn('headers before the snapshot are missing: evidence of lower heights cannot be judged', {
      lowest: child.height,
      reason,
    });
  else logger.info('headers before the snapshot are here', { from: child.height, to: from });
}

interface Batch {
  /** Verified, from above to below. */
  readonly blocks: readonly LightBlock[];
  readonly end: 'more' | 'expired' | { readonly wrong: string };
}

async function takeBatch(
  provider: SyncSource['providers'][number],
  state: ChainState,
  above: Header,
  verifier: Verifier,
): Promise<Batch> {
  const heights: bigint[] = [];
  for (let height = above.height - 1n; height >= state.initialHeight; height--) {
    if (heights.length === NODE_LIMITS.backfillHeaders) break;
    heights.push(height);
  }
  const answers = await Promise.all(heights.map((height) => provider.lightBlock(height)));
  const blocks: LightBlock[] = [];
  let child = above;
  for (const answer of answers) {
    if (!answer.ok) return { blocks, end: { wrong: answer.error.message } };
    const { header } = answer.value;
    const checked = checkAncestor(state.chainId, child, answer.value, verifier);
    if (!checked.ok) return { blocks, end: { wrong: checked.error } };
    if (isExpired(state.params, state.lastBlockHeight, state.lastBlockTime, header)) return { blocks, end: 'expired' };
    blocks.push(answer.value);
    child = header;
  }
  return { blocks, end: 'more' };
}

/**
 * Whether a light block is the one before `child`, which is verified: its header and parts by the child's last block id,
 * its validators by its header, its commit, which the child carries, by the child's hash of it. That hash leaves out
 * the round: a signature proves it.
 */
function checkAncestor(chainId: string, child: Header, block: LightBlock, verifier: Verifier): Result<true, string> {
  const checked = checkLightBlock(chainId, block);
  if (!checked.ok) return checked;
  const { header, commit, validators } = block;
  if (header.height !== child.height - 1n)
    return err(`header.height: expected ${child.height - 1n}, got ${header.height}`);
  if (!equalBlockId(commit.blockId, child.lastBlockId))
    return err(
      `commit.block_id: expected ${toHex(child.lastBlockId.hash)}, which the next header names, got ${toHex(commit.blockId.hash)}`,
    );
  const hash = commitHash(commit);
  if (!equal(hash, child.lastCommitHash))
    return err(`commit: expected the one of hash ${toHex(child.lastCommitHash)}, got ${toHex(hash)}`);
  return provesRound(chainId, commit, validators, verifier)
    ? ok(true)
    : err('commit.round: its signatures are of another round');
}

function provesRound(chainId: string, commit: Commit, { validators }: ValidatorSet, verifier: Verifier): boolean {
  const index = commit.signatures.findIndex((sig) => sig.flag !== FLAG_ABSENT);
  const sig = commit.signatures[index];
  const validator = validators[index];
  if (sig === undefined || validator === undefined) return false;
  return verifySignature(verifier, validator.publicKey, commitSignBytes(chainId, commit, index), sig.signature);
}
