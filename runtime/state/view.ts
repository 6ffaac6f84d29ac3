import type { KvRange } from '#core/ports/kv.ts';
import { STATE_LIMITS } from '../limits.ts';
import type { NodeStore } from './iavl/node-store.ts';
import type { NodeLink } from './iavl/record.ts';
import { Tree } from './iavl/tree.ts';
import { idOf, type StoreKey, toId } from './key-id.ts';
import type { KvReader } from './kv-view.ts';

/** A version was pruned while somebody still read it. Not a bug: whoever reads over a longer time takes a lease. */
export class PrunedVersionError extends Error {
  override readonly name = 'PrunedVersionError';
  readonly version: bigint;

  constructor(version: bigint, firstKept: bigint) {
    super(`version ${version} was pruned; the first that is kept is ${firstKept}`);
    this.version = version;
  }
}

/** Read, and not there. */
const ABSENT = false;

/** What a view asks of its multistore at each read. */
export interface ViewGround {
  /** @throws PrunedVersionError */
  requireKept(version: bigint): void;
  /** The writer's tree of a store, as long as it stands exactly at this version. */
  writersTree(store: string, version: bigint): Tree | undefined;
}

/**
 * One store at one version. While that is the writer's version it reads the writer's resident nodes, afterwards the
 * database: it never holds the writer up, and holds no memory worth counting.
 */
export class StoreAtVersion implements KvReader {
  readonly #ground: ViewGround;
  readonly #nodes: NodeStore;
  readonly #version: bigint;
  readonly #root: NodeLink | undefined;
  #own: Tree | undefined;
  /** What was read of the last committed state: a transaction reads the same entries in the mempool, proposal and block. */
  readonly #known: Map<string, Uint8Array | typeof ABSENT> | undefined;
  /** Bytes of its keys and values. */
  #knownBytes = 0;

  /** @param remembers for a version that is not pruned while it is read from: the last. */
  constructor(ground: ViewGround, nodes: NodeStore, version: bigint, root: NodeLink | undefined, remembers = false) {
    this.#known = remembers ? new Map() : undefined;
    this.#ground = ground;
    this.#nodes = nodes;
    this.#version = version;
    this.#root = root;
  }

  get(key: StoreKey): Uint8Array | undefined {
    const id = toId(key);
    const known = this.#known?.get(id);
    if (known !== undefined) return known === ABSENT ? undefined : known;
    const value = this.tree().findLeaf(id)?.value;
    if (this.#known !== undefined) this.#remember(this.#known, id, value);
    return value;
  }

  #remember(known: Map<string, Uint8Array | typeof ABSENT>, id: string, value: Uint8Array | undefined): void {
    const bytes = id.length + (value?.length ?? 0);
    if (bytes > STATE_LIMITS.readEntryBytes) return;
    if (known.size >= STATE_LIMITS.readEntries || this.#knownBytes + bytes > STATE_LIMITS.readBytes) {
      known.clear();
      this.#knownBytes = 0;
    }
    known.set(id, value ?? ABSENT);
    this.#knownBytes += bytes;
  }

  has(key: StoreKey): boolean {
    const id = toId(key);
    const known = this.#known?.get(id);
    return known === undefined ? this.tree().has(id) : known !== ABSENT;
  }

  *entries(range: KvRange): Generator<readonly [Uint8Array, Uint8Array], void, undefined> {
    const { reverse = false } = range;
    let gte = range.gte === undefined ? undefined : idOf(range.gte);
    let lt = range.lt === undefined ? undefined : idOf(range.lt);
    let left = range.limit ?? Number.MAX_SAFE_INTEGER;
    let last: string | undefined;
    // Two more than wanted: the outermost may lie outside of the range.
    for (let count = Math.min(16, left + 2); left > 0; count = Math.min(count * 4, left + 2, STATE_LIMITS.scanBatch)) {
      const batch = this.tree().collect({ gte, lt, reverse }, count);
      for (const { version, nonce } of batch) {
        this.#ground.requireKept(this.#version);
        const { key, value } = this.#nodes.leaf(version, nonce);
        const id = idOf(key);
        if (last !== undefined && (reverse ? id >= last : id <= last)) continue;
        last = id;
        if ((gte !== undefined && id < gte) || (lt !== undefined && id >= lt)) continue;
        yield [key, value];
        if (--left === 0) return;
      }
      if (batch.length < count || last === undefined) return;
      // The least key above `last` is `last` with a zero byte; `lt` is exclusive already.
      if (reverse) lt = lt === undefined || last < lt ? last : lt;
      else gte = `${last}\0`;
    }
  }

  /** To read from until the next turn of the event loop. */
  tree(): Tree {
    this.#ground.requireKept(this.#version);
    const writers = this.#ground.writersTree(this.#nodes.name, this.#version);
    if (writers !== undefined) {
      this.#own = undefined;
      return writers;
    }
    this.#own ??= new Tree(this.#nodes, this.#root);
    if (this.#own.arena.count > STATE_LIMITS.viewNodes) this.#own.reset(this.#root);
    return this.#own;
  }
}
