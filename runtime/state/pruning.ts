/**
 * Which versions are kept, and how the others are freed: piece by piece, each piece one atomic batch with the place where
 * the next one begins, so that a crash at any point loses no record and leaves none behind.
 */
import { assert } from '#core/assert.ts';
import { concat, readU64be, u32be, u64be } from '#core/bytes.ts';
import { divFloor, minBig } from '#core/int.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { err, ok, type Result } from '#core/result.ts';
import { commitKey, orphansKey, PRUNING_KEY, waningKey } from './db-keys.ts';
import { ORPHAN_BYTES } from './iavl/editor.ts';
import type { NodeStore } from './iavl/node-store.ts';
import { readU32 } from './iavl/record.ts';

/** The names and numbers of the Cosmos SDK (store/pruning/types/options.go, v0.50). */
export type PruningPolicy =
  /** The last 362,880 versions, pruned every 10. */
  | { readonly kind: 'default' }
  /** The last 2 versions, pruned every 10. */
  | { readonly kind: 'everything' }
  /** All versions. */
  | { readonly kind: 'nothing' }
  /** The last `keepRecent` versions, pruned whenever the version is a multiple of `interval`. */
  | { readonly kind: 'custom'; readonly keepRecent: bigint; readonly interval: bigint };

const MIN_KEEP_RECENT = 2n;
const MIN_INTERVAL = 10n;

/** A custom policy keeps at least 2 versions and prunes at most every 10, as in the SDK. */
export function checkPolicy(policy: PruningPolicy): Result<PruningPolicy, string> {
  if (policy.kind !== 'custom') return ok(policy);
  if (policy.keepRecent < MIN_KEEP_RECENT)
    return err(`pruning-keep-recent: expected at least ${MIN_KEEP_RECENT}, got ${policy.keepRecent}`);
  if (policy.interval < MIN_INTERVAL)
    return err(`pruning-interval: expected at least ${MIN_INTERVAL}, got ${policy.interval}`);
  return ok(policy);
}

/** The least version that the policy keeps once `last` is committed; zero or less when none has to go. */
export function leastKept(policy: PruningPolicy, last: bigint): bigint {
  const [keep, interval] = (() => {
    switch (policy.kind) {
      case 'nothing':
        return [0n, 1n];
      case 'default':
        return [362_880n, 10n];
      case 'everything':
        return [2n, 10n];
      case 'custom':
        return [policy.keepRecent, policy.interval];
    }
  })();
  return keep === 0n ? 0n : divFloor(last, interval) * interval - keep + 1n;
}

/** Where pruning is. What `firstKept` no longer uses of the version before it is freed up to `offset`, unless `idle`. */
interface Progress {
  readonly firstKept: bigint;
  readonly idle: boolean;
  /** Bytes into the first orphans record of `firstKept` that is still there. */
  readonly offset: number;
}

const PROGRESS_BYTES = 13;

function encodeProgress({ firstKept, idle, offset }: Progress): Uint8Array {
  return concat(u64be(firstKept), Uint8Array.of(idle ? 1 : 0), u32be(offset));
}

/** What the first version of a database brings with it. */
export function keptFrom(version: bigint): KvOp {
  return { type: 'put', key: PRUNING_KEY, value: encodeProgress({ firstKept: version, idle: true, offset: 0 }) };
}

/** The least version that a database keeps; undefined before its first one. */
export function firstKeptIn(kv: Kv): bigint | undefined {
  const record = kv.get(PRUNING_KEY);
  return record && decodeProgress(record).firstKept;
}

function decodeProgress(record: Uint8Array): Progress {
  assert(record.length === PROGRESS_BYTES, 'the pruning record is damaged');
  return { firstKept: readU64be(record), idle: record[8] === 1, offset: readU32(record, 9) };
}

/** One batch in the making. Reads see what it already says. */
class Batch {
  readonly ops: KvOp[] = [];
  /** Records left of pages in decline, as of this batch. */
  readonly waning = new Map<string, { readonly key: Uint8Array; readonly left: number }>();
  /** Keys of orphans records that it deletes. */
  readonly gone = new Set<string>();
  /** Records freed: leaves and pages. */
  freed = 0;

  get size(): number {
    return this.ops.length + this.waning.size;
  }

  delete(key: Uint8Array): void {
    this.ops.push({ type: 'del', key });
  }
}

export interface PruneOutcome {
  /** Leaves and pages that are gone. */
  readonly freed: number;
  /** Whether nothing is left to do until the next commit, or until a lease ends. */
  readonly done: boolean;
}

export class Pruner {
  readonly #kv: Kv;
  readonly #stores: ReadonlyMap<string, NodeStore>;
  #progress: Progress;
  #running = false;

  /** @param first the version that the first commit makes, for a database without any */
  constructor(kv: Kv, stores: ReadonlyMap<string, NodeStore>, first: bigint) {
    this.#kv = kv;
    this.#stores = stores;
    const record = kv.get(PRUNING_KEY);
    this.#progress = record === undefined ? { firstKept: first, idle: true, offset: 0 } : decodeProgress(record);
  }

  get firstKept(): bigint {
    return this.#progress.firstKept;
  }

  /**
   * Frees versions below `target`, about `budget` database operations long. From the moment of the call a version that
   * begins to go is not kept any more. A call while another is under way, or after one failed, does nothing.
   */
  async step(target: bigint, budget: number): Promise<PruneOutcome> {
    assert(
      Number.isSafeInteger(budget) && budget > 0,
      `pruning budget: expected a positive whole number, got ${budget}`,
    );
    if (this.#running) return { freed: 0, done: false };
    const batch = new Batch();
    const before = this.#progress;
    let progress = before;
    while (batch.size < budget && (!progress.idle || progress.firstKept < target))
      progress = progress.idle ? this.#begin(batch, progress) : this.#free(batch, progress, budget);
    const done = progress.idle && progress.firstKept >= target;
    if (progress === before) return { freed: 0, done };
    for (const { key, left } of batch.waning.values())
      batch.ops.push(left === 0 ? { type: 'del', key } : { type: 'put', key, value: Uint8Array.of(left) });
    batch.ops.push({ type: 'put', key: PRUNING_KEY, value: encodeProgress(progress) });
    // Stays so when the write fails: whether it happened is known only after opening again, and doing it twice would count
    // a page down twice.
    this.#running = true;
    this.#progress = progress;
    // Synced: the database may lose an earlier batch though a later one is on disk, and a step that was lost before one that
    // was not would be done again, which counts pages down twice.
    await this.#kv.write(batch.ops, { sync: true });
    this.#running = false;
    return { freed: batch.freed, done };
  }

  #begin(batch: Batch, { firstKept }: Progress): Progress {
    batch.delete(commitKey(Number(firstKept)));
    return { firstKept: firstKept + 1n, idle: false, offset: 0 };
  }

  #free(batch: Batch, { firstKept, offset }: Progress, budget: number): Progress {
    for (const [name, nodes] of this.#stores) {
      const key = orphansKey(Number(firstKept), name);
      const id = key.join();
      const record = batch.gone.has(id) ? undefined : this.#kv.get(key);
      if (record === undefined) continue;
      let at = offset;
      for (; at < record.length && batch.size < budget; at += ORPHAN_BYTES) this.#freeBottom(batch, nodes, record, at);
      if (at < record.length) return { firstKept, idle: false, offset: at };
      batch.delete(key);
      batch.gone.add(id);
      return { firstKept, idle: !this.#hasOrphans(firstKept, name), offset: 0 };
    }
    return { firstKept, idle: true, offset: 0 };
  }

  #hasOrphans(version: bigint, after: string): boolean {
    const names = [...this.#stores.keys()];
    return names
      .slice(names.indexOf(after) + 1)
      .some((name) => this.#kv.get(orphansKey(Number(version), name)) !== undefined);
  }

  #freeBottom(batch: Batch, nodes: NodeStore, record: Uint8Array, at: number): void {
    const version = readU32(record, at);
    const nonce = readU32(record, at + 4);
    const key = nodes.key(version, nonce);
    const bottoms = record[at + 8] as number;
    const free = () => {
      nodes.forget(version, nonce);
      batch.delete(key);
      batch.freed++;
    };
    if (bottoms === 1) {
      free();
      return;
    }
    const countKey = waningKey(key);
    const id = countKey.join();
    const left = (batch.waning.get(id)?.left ?? this.#kv.get(countKey)?.[0] ?? bottoms) - 1;
    batch.waning.set(id, { key: countKey, left });
    if (left === 0) free();
  }
}

/** The version up to which pruning may go: the policy's, held back by leases. */
export function pruningTarget(policy: PruningPolicy, last: bigint, leased: Iterable<bigint>): bigint {
  let target = minBig(leastKept(policy, last), last);
  for (const version of leased) target = minBig(target, version);
  return target;
}
