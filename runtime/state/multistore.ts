import { assert, defined } from '#core/assert.ts';
import { compare, readU64be, utf8 } from '#core/bytes.ts';
import { encodeCommitmentProof } from '#core/ics23/codec.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { err, ok, type Result } from '#core/result.ts';
import { STATE_LIMITS } from '../limits.ts';
import { StateBranch } from './branch.ts';
import { decodeRoots, encodeRoots, multistoreHash, proveStore, type StoreRoots } from './commit-info.ts';
import { commitKey, DB_PREFIX, orphansKey } from './db-keys.ts';
import type { NodeRef } from './iavl/node.ts';
import { NodeCache, NodeStore } from './iavl/node-store.ts';
import { proveKey } from './iavl/proof.ts';
import { EMPTY_ROOT, type SealedTree, TreeEditor, TreeReader } from './iavl/tree.ts';
import type { KvReader, StateView } from './kv-view.ts';
import type { CommitId, StateProof, StateStore } from './state-store.ts';

export interface MultiStoreOptions {
  /** The first commit's version: the chain's initial height. Default 1. */
  readonly initialVersion?: bigint;
  /** Bytes of decoded nodes kept in memory. Default {@link STATE_LIMITS.nodeCacheBytes}. */
  readonly nodeCacheBytes?: number;
}

/** All stores at the version that the working branch would commit. */
interface SealedState {
  readonly revision: number;
  readonly trees: ReadonlyMap<string, SealedTree>;
  readonly appHash: Uint8Array;
}

/**
 * Named IAVL stores under one app hash, over a {@link Kv} that holds nothing else. A version is one atomic batch: nodes,
 * orphans and the commit record that makes them a version, so a crash leaves the version before or the version after.
 */
export class MultiStore implements StateStore {
  readonly #kv: Kv;
  readonly #stores: ReadonlyMap<string, NodeStore>;
  readonly #initialVersion: number;
  /** Of the last commit: exactly the stores that its app hash covers. */
  #roots: StoreRoots;
  #lastCommit: CommitId | undefined;
  readonly #working: StateBranch;
  #sealed: SealedState | undefined;
  #committing = false;

  /**
   * Opens at the last committed version. A store of `storeNames` that the database lacks starts empty.
   * @throws RangeError when the database holds a store that `storeNames` lacks, or a name is too long or repeated.
   */
  static open(kv: Kv, storeNames: readonly string[], options: MultiStoreOptions = {}): MultiStore {
    return new MultiStore(kv, storeNames, options);
  }

  private constructor(kv: Kv, storeNames: readonly string[], options: MultiStoreOptions) {
    this.#kv = kv;
    this.#initialVersion = Number(options.initialVersion ?? 1n);
    const names = sortedNames(storeNames);
    const cache = new NodeCache(options.nodeCacheBytes ?? STATE_LIMITS.nodeCacheBytes);
    this.#stores = new Map(names.map((name) => [name, new NodeStore(kv, name, cache)]));
    let saved: StoreRoots = new Map();
    for (const [key, record] of kv.entries(lastCommitRange)) {
      saved = decodeRoots(record);
      this.#lastCommit = { version: readU64be(key, 1), appHash: multistoreHash(hashesOf(saved)) };
    }
    for (const name of saved.keys())
      if (!this.#stores.has(name))
        throw new RangeError(`the database holds a store ${name}; expected only ${names.join(', ')}`);
    this.#roots = saved;
    this.#working = new StateBranch({ store: (name) => this.#lastCommitted(name) });
  }

  get lastCommit(): CommitId | undefined {
    return this.#lastCommit;
  }

  /** The version that the next commit makes. */
  get nextVersion(): bigint {
    return this.#lastCommit === undefined ? BigInt(this.#initialVersion) : this.#lastCommit.version + 1n;
  }

  latest(): StateView {
    return this.#view(this.#roots);
  }

  viewAt(version: bigint): StateView | undefined {
    const roots = this.#rootsAt(version);
    return roots === undefined ? undefined : this.#view(roots);
  }

  workingBranch(): StateBranch {
    return this.#working;
  }

  rollback(): void {
    assert(!this.#committing, 'a commit is under way');
    this.#working.clear();
    this.#sealed = undefined;
  }

  workingHash(): Uint8Array {
    return this.#seal().appHash;
  }

  async commit(): Promise<CommitId> {
    assert(!this.#committing, 'a commit is under way');
    this.#committing = true;
    try {
      const { trees, appHash, revision } = this.#seal();
      const version = this.nextVersion;
      const roots: StoreRoots = new Map([...trees].map(([name, tree]) => [name, tree.root]));
      const ops: KvOp[] = [];
      for (const [name, { puts, orphans }] of trees) {
        for (const put of puts) ops.push(put);
        if (orphans.length > 0)
          ops.push({ type: 'put', key: orphansKey(Number(version), name), value: encodeOrphans(orphans) });
      }
      ops.push({ type: 'put', key: commitKey(Number(version)), value: encodeRoots(roots) });
      await this.#kv.write(ops, { sync: true });
      assert(this.#working.revision === revision, 'the working branch was written to during its commit');
      this.#roots = roots;
      this.#lastCommit = { version, appHash };
      this.#working.clear();
      this.#sealed = undefined;
      return this.#lastCommit;
    } finally {
      this.#committing = false;
    }
  }

  proveAt(version: bigint, store: string, key: Uint8Array): Result<StateProof, string> {
    const roots = this.#rootsAt(version);
    if (roots === undefined) return err(`version ${version} is not kept`);
    const nodes = this.#stores.get(store);
    if (nodes === undefined || !roots.has(store)) return err(`there is no store ${store} at version ${version}`);
    if (key.length === 0) return err('a store key must not be empty');
    const root = roots.get(store);
    if (root === undefined) return err(`store ${store} is empty at version ${version}: ICS-23 has no proof of that`);
    const { value, proof } = proveKey(nodes, root, key);
    const inApp = encodeCommitmentProof({ kind: 'exist', exist: proveStore(hashesOf(roots), store) });
    return ok({ value, commitmentProofs: [encodeCommitmentProof(proof), inApp] });
  }

  /** Applies the working branch's net changes, each store's in key order, to the last committed trees. */
  #seal(): SealedState {
    const revision = this.#working.revision;
    if (this.#sealed?.revision === revision) return this.#sealed;
    const version = Number(this.nextVersion);
    const trees = new Map<string, SealedTree>();
    for (const [name, nodes] of this.#stores) {
      const editor = new TreeEditor(nodes, this.#roots.get(name));
      for (const { key, value } of this.#working.store(name).changes()) {
        if (value === undefined) editor.remove(key);
        else editor.set(key, value);
      }
      trees.set(name, editor.seal(version));
    }
    const appHash = multistoreHash(new Map([...trees].map(([name, tree]) => [name, tree.hash])));
    this.#sealed = { revision, trees, appHash };
    return this.#sealed;
  }

  #rootsAt(version: bigint): StoreRoots | undefined {
    if (version === this.#lastCommit?.version) return this.#roots;
    if (version < 1n || version > BigInt(STATE_LIMITS.maxVersion)) return undefined;
    if (this.#lastCommit === undefined || version > this.#lastCommit.version) return undefined;
    const record = this.#kv.get(commitKey(Number(version)));
    return record === undefined ? undefined : decodeRoots(record);
  }

  /** Reads what is last committed at the time of each call: the ground under the working branch. */
  #lastCommitted(name: string): KvReader {
    const nodes = defined(this.#stores.get(name), `store ${name}`);
    const reader = () => new TreeReader(nodes, this.#roots.get(name));
    return {
      get: (key) => reader().get(key),
      has: (key) => reader().has(key),
      entries: (range) => reader().entries(range),
    };
  }

  #view(roots: StoreRoots): StateView {
    const stores = this.#stores;
    const readers = new Map<string, TreeReader>();
    return {
      store(name) {
        let reader = readers.get(name);
        if (reader === undefined) {
          reader = new TreeReader(defined(stores.get(name), `store ${name}`), roots.get(name));
          readers.set(name, reader);
        }
        return reader;
      },
    };
  }
}

const lastCommitRange = {
  gte: Uint8Array.of(DB_PREFIX.commit),
  lt: Uint8Array.of(DB_PREFIX.commit + 1),
  reverse: true,
  limit: 1,
};

function sortedNames(names: readonly string[]): string[] {
  for (const name of names) {
    const { length } = utf8(name);
    if (length === 0 || length > STATE_LIMITS.storeNameBytes)
      throw new RangeError(`store name ${JSON.stringify(name)}: expected 1 … ${STATE_LIMITS.storeNameBytes} bytes`);
  }
  if (new Set(names).size !== names.length) throw new RangeError(`store names repeat: ${names.join(', ')}`);
  return [...names].sort((a, b) => compare(utf8(a), utf8(b)));
}

function hashesOf(roots: StoreRoots): ReadonlyMap<string, Uint8Array> {
  return new Map([...roots].map(([name, root]) => [name, root?.hash ?? EMPTY_ROOT]));
}

/** version u64 ‖ nonce u32, for each. */
function encodeOrphans(orphans: readonly NodeRef[]): Uint8Array {
  const out = new Uint8Array(orphans.length * 12);
  const view = new DataView(out.buffer);
  for (const [i, { version, nonce }] of orphans.entries()) {
    view.setBigUint64(12 * i, BigInt(version));
    view.setUint32(12 * i + 8, nonce);
  }
  return out;
}
