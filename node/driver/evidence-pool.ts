/** Evidence that awaits its place in a block, over the Kv port. */

import type { ChainState } from '#consensus/chain-state.ts';
import { isExpired, makeDuplicateVoteEvidence, verifyEvidence } from '#consensus/evidence.ts';
import { equal, prefixEnd, toHex, u64be } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import { LIMITS } from '#core/limits.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { type Kv, type KvOp, PRESENT } from '#core/ports/kv.ts';
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
import { NODE_LIMITS } from '../limits.ts';
import type { BlockStore } from './block-store.ts';
import type { StateStore } from './state-store.ts';
import { storeKey } from './store-records.ts';

/** Where evidence from outside stands after it was looked at. */
export type EvidenceVerdict =
  | { readonly kind: 'new' }
  /** Known, done, too old, or of a height that this node cannot judge yet: nobody is to blame. */
  | { readonly kind: 'ignored'; readonly reason: string }
  /** It convicts nobody: whoever sent it has not checked it. */
  | { readonly kind: 'invalid'; readonly reason: string };

export interface PendingEvidence {
  /** Hexadecimal. */
  readonly id: string;
  readonly evidence: Evidence;
}

export interface EvidencePool {
  /** Two verified votes of one validator. Kept until their height is committed and its time known. */
  report(first: Vote, second: Vote): void;
  /** Evidence of a peer: what is new is verified and waits for a block. On disk with the next commit. */
  receive(state: ChainState, evidence: Evidence): EvidenceVerdict;
  /** The same for a client, who learns why not; on disk when done. */
  add(state: ChainState, evidence: Evidence): Promise<Result<true, string>>;
  /** All that waits for a block, oldest first. */
  list(): readonly PendingEvidence[];
  /** Evidence for the next block, oldest first, together at most `maxBytes`. */
  pending(state: ChainState, maxBytes: bigint): readonly Evidence[];
  /** Whether a block may contain this list after `state`. The error names the item. */
  check(state: ChainState, evidence: readonly Evidence[]): Result<true, string>;
  /** The block after which `state` stands is committed: its evidence is done, the expired is dropped, the reported is made up. */
  committed(state: ChainState, evidence: readonly Evidence[]): Promise<void>;
}

/** What waits is read from `kv` once; afterwards every question is answered from memory. */
export function openEvidencePool(
  kv: Kv,
  stores: { readonly blocks: BlockStore; readonly states: StateStore },
  verifier: Verifier,
): EvidencePool {
  const reports = new Map<string, readonly [Vote, Vote]>();
  const waiting = loadPending(kv);
  /** Of `waiting`, in order; made when asked for. */
  let ordered: readonly PendingEvidence[] | undefined;
  /** Of the block being committed, while the disk takes its time: a peer may tell of it meanwhile. */
  const settling = new Set<string>();
  /** Changes of what waits that are not on disk yet. */
  let unsaved: KvOp[] = [];

  function context(state: ChainState, height: bigint) {
    const validators = stores.states.validators(height);
    // Of heights before a snapshot no parameters are known. From which height on votes carry extensions, all that is asked
    // of them, is the same in today's: a height that has come cannot be moved.
    const params = stores.states.params(height) ?? state.params;
    const meta = stores.blocks.meta(height);
    if (validators === undefined || meta === undefined) return undefined;
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

  function judge(state: ChainState, item: Evidence): EvidenceVerdict {
    const ignored = (reason: string) => ({ kind: 'ignored', reason }) as const;
    const height = evidenceHeight(item);
    if (settling.has(idOf(item)) || kv.get(storeKey('committedEvidence', ...keyOf(item))) !== undefined)
      return ignored('evidence: already in an earlier block');
    const where = context(state, height);
    if (where === undefined) return ignored(`evidence.height: nothing is known of height ${height}`);
    const { params, lastBlockHeight, lastBlockTime } = state;
    const verdict = verifyEvidence(item, { ...where, trusted: trustedFor(state, item) });
    if (verdict.ok) return { kind: 'new' };
    // A block that is not judged yet, or against one that the chain has not made yet, may look otherwise elsewhere.
    const early =
      height > lastBlockHeight ||
      (item.kind === 'light-client-attack' && item.conflictingBlock.header.height >= lastBlockHeight);
    const late = isExpired(params, lastBlockHeight, lastBlockTime, { height, time: where.blockTime });
    return early || late ? ignored(verdict.error) : { kind: 'invalid', reason: verdict.error };
  }

  function checkOne(state: ChainState, item: Evidence): Result<true, string> {
    const verdict = judge(state, item);
    return verdict.kind === 'new' ? ok(true) : err(verdict.reason);
  }

  function keep(item: Evidence): void {
    const bytes = encodeEvidence(item);
    waiting.set(idOf(item), { evidence: item, bytes: bytes.length });
    ordered = undefined;
    unsaved.push({ type: 'put', key: storeKey('pendingEvidence', ...keyOf(item)), value: bytes });
  }

  function drop(id: string, item: Evidence): void {
    if (waiting.delete(id)) ordered = undefined;
    unsaved.push({ type: 'del', key: storeKey('pendingEvidence', ...keyOf(item)) });
  }

  async function save(more: readonly KvOp[] = []): Promise<void> {
    const ops = [...unsaved, ...more];
    unsaved = [];
    if (ops.length > 0) await kv.write(ops, { sync: true });
  }

  function receive(state: ChainState, evidence: Evidence): EvidenceVerdict {
    if (waiting.has(idOf(evidence))) return { kind: 'ignored', reason: 'evidence: known' };
    if (waiting.size >= NODE_LIMITS.maxPendingEvidence)
      return { kind: 'ignored', reason: `evidence: ${waiting.size} pieces wait already` };
    const verdict = judge(state, evidence);
    if (verdict.kind === 'new') keep(evidence);
    return verdict;
  }

  function sorted(): readonly PendingEvidence[] {
    ordered ??= [...waiting]
      .map(([id, { evidence }]) => ({ id, evidence }))
      .sort((a, b) => {
        const [x, y] = [evidenceHeight(a.evidence), evidenceHeight(b.evidence)];
        return x === y ? (a.id < b.id ? -1 : 1) : x < y ? -1 : 1;
      });
    return ordered;
  }

  /** Both votes of a report, once the time of their block is known. */
  function makeUp(state: ChainState): void {
    for (const [name, [first, second]] of reports) {
      if (first.height > state.lastBlockHeight) continue;
      reports.delete(name);
      const where = context(state, first.height);
      if (where !== undefined)
        receive(state, makeDuplicateVoteEvidence(first, second, where.validators, where.blockTime));
    }
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

  return {
    report(first, second) {
      if (reports.size >= NODE_LIMITS.maxEvidenceReports || !contradict(first, second)) return;
      const key = `${first.height}:${first.round}:${first.type}:${toHex(first.validatorAddress)}`;
      if (!reports.has(key)) reports.set(key, [first, second]);
    },
    receive,
    async add(state, evidence) {
      const verdict = receive(state, evidence);
      if (verdict.kind !== 'new' && !waiting.has(idOf(evidence))) return err(verdict.reason);
      await save();
      return ok(true);
    },
    list: sorted,
    pending(state, maxBytes) {
      const out: Evidence[] = [];
      let left = maxBytes;
      for (const { id, evidence } of sorted()) {
        if (out.length === LIMITS.maxEvidencePerBlock) break;
        if (!checkOne(state, evidence).ok) continue;
        left -= BigInt(waiting.get(id)?.bytes ?? 0);
        if (left < 0n) break;
        out.push(evidence);
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
      const done: KvOp[] = [];
      for (const item of evidence) {
        done.push({ type: 'put', key: storeKey('committedEvidence', ...keyOf(item)), value: PRESENT });
        drop(idOf(item), item);
        settling.add(idOf(item));
      }
      const { params, lastBlockHeight, lastBlockTime } = state;
      for (const [id, { evidence: item }] of [...waiting])
        if (isExpired(params, lastBlockHeight, lastBlockTime, { height: evidenceHeight(item), time: item.timestamp }))
          drop(id, item);
      // Only then: a report of what this very block has settled must find it settled, or it would wait for ever.
      await save(done);
      settling.clear();
      makeUp(state);
      await save();
    },
  };
}

/** Evidence of a block that is taken back is not done any more, and waits for another one. */
export function returnedEvidence(evidence: readonly Evidence[]): KvOp[] {
  return evidence.flatMap((item): KvOp[] => [
    { type: 'del', key: storeKey('committedEvidence', ...keyOf(item)) },
    { type: 'put', key: storeKey('pendingEvidence', ...keyOf(item)), value: encodeEvidence(item) },
  ]);
}

const keyOf = (item: Evidence) => [u64be(evidenceHeight(item)), evidenceId(item)] as const;
const idOf = (item: Evidence) => toHex(evidenceId(item));

function loadPending(kv: Kv): Map<string, { readonly evidence: Evidence; readonly bytes: number }> {
  const from = storeKey('pendingEvidence');
  const end = prefixEnd(from);
  const found = new Map<string, { readonly evidence: Evidence; readonly bytes: number }>();
  for (const [, value] of kv.entries(end === undefined ? { gte: from } : { gte: from, lt: end })) {
    const item = decode(() => readEvidence('evidence', value));
    if (item.ok) found.set(idOf(item.value), { evidence: item.value, bytes: value.length });
  }
  return found;
}
