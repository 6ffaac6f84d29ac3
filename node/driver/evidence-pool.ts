/** Evidence that awaits its place in a block, over the Kv port. */

import type { ChainState } from '#consensus/chain-state.ts';
import { isExpired, makeDuplicateVoteEvidence, verifyEvidence } from '#consensus/evidence.ts';
import { EMPTY, equal, prefixEnd, toHex, u64be } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import { LIMITS } from '#core/limits.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { err, ok, type Result } from '#core/result.ts';
import { extensionsEnabled } from '#core/types/consensus-params.ts';
import {
  contradict,
  type Evidence,
  encodeEvidence,
  evidenceHeight,
  evidenceId,
  readEvidence,
} from '#core/types/evidence.ts';
import type { SignedHeader } from '#core/types/light-block.ts';
import type { Vote } from '#core/types/vote.ts';
import { type BlockStore, type StateStore, storeKey } from './stores.ts';

export interface EvidencePool {
  /** Two verified votes of one validator. Kept until their height is committed and its time known. */
  report(first: Vote, second: Vote): void;
  /** Evidence from outside: verified, then kept for a block. The error says why not. */
  add(state: ChainState, evidence: Evidence): Promise<Result<true, string>>;
  /** Evidence for the next block, oldest first, together at most `maxBytes`. */
  pending(state: ChainState, maxBytes: bigint): readonly Evidence[];
  /** Whether a block may contain this list after `state`. The error names the item. */
  check(state: ChainState, evidence: readonly Evidence[]): Result<true, string>;
  /** The block after which `state` stands is committed: its evidence is done, the expired is dropped, the reported is made up. */
  committed(state: ChainState, evidence: readonly Evidence[]): Promise<void>;
}

/** Reports of one unfinished height that are kept: one for each validator of the largest set would fit. */
const MAX_REPORTS = 10_000;

export function openEvidencePool(
  kv: Kv,
  stores: { readonly blocks: BlockStore; readonly states: StateStore },
  verifier: Verifier,
): EvidencePool {
  const reports = new Map<string, readonly [Vote, Vote]>();

  const keyOf = (item: Evidence) => [u64be(evidenceHeight(item)), evidenceId(item)] as const;

  function context(state: ChainState, height: bigint) {
    const validators = stores.states.validators(height);
    const params = stores.states.params(height);
    const meta = stores.blocks.meta(height);
    if (validators === undefined || params === undefined || meta === undefined) return undefined;
    return {
      chainId: state.chainId,
      validators,
      blockTime: meta.header.time,
      extensions: extensionsEnabled(params, height),
      params: state.params,
      height: state.lastBlockHeight,
      time: state.lastBlockTime,
      verifier,
    };
  }

  function checkOne(state: ChainState, item: Evidence): Result<true, string> {
    const height = evidenceHeight(item);
    if (kv.get(storeKey('committedEvidence', ...keyOf(item))) !== undefined)
      return err('evidence: already in an earlier block');
    const where = context(state, height);
    return where === undefined
      ? err(`evidence.height: nothing is known of height ${height}`)
      : verifyEvidence(item, { ...where, trusted: trustedFor(state, item) });
  }

  /**
   * What an attack's block is compared with. Only commits that blocks carry count, for they are the same on every node;
   * the newest block's own commit is not. A block above the newest can only be convicted by its time.
   */
  function trustedFor(state: ChainState, item: Evidence): SignedHeader | undefined {
    if (item.kind !== 'light-client-attack') return undefined;
    const wanted = item.conflictingBlock.header.height;
    const height = wanted > state.lastBlockHeight ? state.lastBlockHeight - 1n : wanted;
    if (height >= state.lastBlockHeight) return undefined;
    const header = stores.blocks.meta(height)?.header;
    const commit = stores.blocks.commit(height);
    return header && commit && { header, commit };
  }

  function* stored(): Iterable<readonly [Uint8Array, Evidence]> {
    const from = storeKey('pendingEvidence');
    const end = prefixEnd(from);
    for (const [key, value] of kv.entries(end === undefined ? { gte: from } : { gte: from, lt: end })) {
      const item = decode(() => readEvidence('evidence', value));
      if (item.ok) yield [key, item.value];
    }
  }

  return {
    report(first, second) {
      if (reports.size >= MAX_REPORTS || !contradict(first, second)) return;
      const key = `${first.height}:${first.round}:${first.type}:${toHex(first.validatorAddress)}`;
      if (!reports.has(key)) reports.set(key, [first, second]);
    },
    async add(state, evidence) {
      const checked = checkOne(state, evidence);
      if (!checked.ok) return checked;
      const key = storeKey('pendingEvidence', ...keyOf(evidence));
      await kv.write([{ type: 'put', key, value: encodeEvidence(evidence) }], { sync: true });
      return ok(true);
    },
    pending(state, maxBytes) {
      const out: Evidence[] = [];
      let left = maxBytes;
      for (const [, item] of stored()) {
        if (out.length >= LIMITS.maxEvidencePerBlock) break;
        if (!checkOne(state, item).ok) continue;
        left -= BigInt(encodeEvidence(item).length);
        if (left < 0n) break;
        out.push(item);
      }
      return out;
    },
    check(state, evidence) {
      const seen: Uint8Array[] = [];
      for (const [i, item] of evidence.entries()) {
        const checked = checkOne(state, item);
        if (!checked.ok) return err(`evidence[${i}]: ${checked.error}`);
        const id = evidenceId(item);
        if (seen.some((other) => equal(other, id))) return err(`evidence[${i}]: occurs twice in the block`);
        seen.push(id);
      }
      return ok(true);
    },
    async committed(state, evidence) {
      const ops: KvOp[] = [];
      for (const item of evidence) {
        ops.push({ type: 'put', key: storeKey('committedEvidence', ...keyOf(item)), value: EMPTY });
        ops.push({ type: 'del', key: storeKey('pendingEvidence', ...keyOf(item)) });
      }
      const { params, lastBlockHeight, lastBlockTime } = state;
      for (const [key, item] of stored())
        if (isExpired(params, lastBlockHeight, lastBlockTime, { height: evidenceHeight(item), time: item.timestamp }))
          ops.push({ type: 'del', key });
      for (const [name, [first, second]] of reports) {
        if (first.height > state.lastBlockHeight) continue;
        reports.delete(name);
        const where = context(state, first.height);
        if (where === undefined) continue;
        const item = makeDuplicateVoteEvidence(first, second, where.validators, where.blockTime);
        if (checkOne(state, item).ok)
          ops.push({ type: 'put', key: storeKey('pendingEvidence', ...keyOf(item)), value: encodeEvidence(item) });
      }
      if (ops.length > 0) await kv.write(ops, { sync: true });
    },
  };
}
