import { assert } from '#core/assert.ts';
import type { KvRange } from '#core/ports/kv.ts';
import { STATE_LIMITS } from '../limits.ts';
import type { NodeStore } from './iavl/node-store.ts';
import type { NodeLink } from './iavl/record.ts';
import { type LeafAddress, Tree } from './iavl/tree.ts';
import { idOf, keyOf, type StoreKey, toId } from './key-id.ts';
import type { KvReader } from './kv-view.ts';
import { ABSENT, type LastValues } from './last-values.ts';

/** A version was pruned while somebody still read it. Not a bug: whoever reads over a longer time takes a lease. */
export class PrunedVersionError extends Error {
  override readonly name = 'PrunedVersionError';
  readonly version: bigint;

  constructor(version: bigint, firstKept: bigint) {
    super(`version ${version} was pruned; the first that is kept is ${firstKept}`);
    this.version = version;
  }
}

/** What a view asks of its multistore at each read. */
export interface ViewGround {
  /** @throws PrunedVersionError */
  requireKept(version: bigint): void;
  /** The writer's tree of a store, as long as it stands exactly at this version. */
  writersTree(store: string, version: bigint): Tree | undefined;
  /** What is known of a store, as long as this version is the last one. */
  lastValues(store: string, version: bigint): LastValues | undefined;
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

  constructor(ground: ViewGround, nodes: NodeStore, version: bigint, root: NodeLink | undefined) {
    this.#ground = ground;
    this.#nodes = nodes;
    this.#version = version;
    this.#root = root;
  }

  get(key: StoreKey): Uint8Array | undefined {
    const id = toId(key);
    const values = this.#ground.lastValues(this.#nodes.name, this.#version);
    const known = values?.get(id);
    if (known !== undefined) return known === ABSENT ? undefined : known;
    const value = this.tree().findLeaf(id)?.value;
    values?.learn(id, value);
    return value;
  }

  has(key: StoreKey): boolean {
    const id = toId(key);
    const known = this.#ground.lastValues(this.#nodes.name, this.#version)?.get(id);
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
      for (const leaf of batch) {
        const [id, value] = this.#entryAt(leaf);
        if (last !== undefined && (reverse ? id >= last : id <= last)) continue;
        last = id;
        if ((gte !== undefined && id < gte) || (lt !== undefined && id >= lt)) continue;
        yield [keyOf(id), value];
        if (--left === 0) return;
      }
      if (batch.length < count || last === undefined) return;
      // The least key above `last` is `last` with a zero byte; `lt` is exclusive already.
      if (reverse) lt = lt === undefined || last < lt ? last : lt;
      else gte = `${last}\0`;
    }
  }

  #entryAt({ id, version, nonce }: LeafAddress): readonly [string, Uint8Array] {
    this.#ground.requireKept(this.#version);
    const values = this.#ground.lastValues(this.#nodes.name, this.#version);
    const known = id === undefined ? undefined : values?.get(id);
    if (id !== undefined && known !== undefined) {
      assert(known !== ABSENT, 'a leaf of the last version is taken for absent');
      return [id, known];
    }
    const leaf = this.#nodes.leaf(version, nonce);
    const itsId = id ?? idOf(leaf.key);
    values?.learn(itsId, leaf.value);
    return [itsId, leaf.value];
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
