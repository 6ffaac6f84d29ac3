import { assert, defined } from '#core/assert.ts';
import { compare, utf8 } from '#core/bytes.ts';
import { encodeCommitmentProof } from '#core/ics23/codec.ts';
import { divFloorSafe } from '#core/int.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { err, ok, type Result } from '#core/result.ts';
import { STATE_LIMITS } from '../limits.ts';
import { type Change, StateBranch } from './branch.ts';
import { decodeRoots, encodeRoots, multistoreHash, proveStore, type StoreRoots } from './commit-info.ts';
import { commitKey, IMPORTING_KEY, orphansKey, VERSION_RANGE, versionOfKey } from './db-keys.ts';
import { GenerationCache } from './generation-cache.ts';
import { RESIDENT_NODE_BYTES } from './iavl/arena.ts';
import { TreeEditor } from './iavl/editor.ts';
import { NodeStore } from './iavl/node-store.ts';
import { proveKey } from './iavl/proof.ts';
import type { SealedTree } from './iavl/seal.ts';
import { EMPTY_ROOT, Tree } from './iavl/tree.ts';
import type { KvReader, StateView } from './kv-view.ts';
import { LastValues } from './last-values.ts';
import { checkPolicy, keptFrom, type PruneOutcome, Pruner, type PruningPolicy, pruningTarget } from './pruning.ts';
import type { SnapshotSource } from './snapshot/export.ts';
import type { CommitId, StateLease, StateProof, StateStore } from './state-store.ts';
import { PrunedVersionError, StoreAtVersion, type ViewGround } from './view.ts';

export interface MultiStoreOptions {
  /** The first commit's version: the chain's initial height. Default 1. */
  readonly initialVersion?: bigint;
  /** Bytes of tree nodes and values kept in memory. Default {@link STATE_LIMITS.nodeCacheBytes}. */
  readonly nodeCacheBytes?: number;
  /** What {@link MultiStore.pruneStep} may free. Default `nothing`. */
  readonly pruning?: PruningPolicy;
}

/** All stores at the version that the working branch would commit. */
interface SealedState {
  readonly revision: number;
  readonly roots: StoreRoots;
  /** Only of stores that change. */
  readonly trees: ReadonlyMap<string, SealedTree>;
  readonly changes: ReadonlyMap<string, readonly Change[]>;
  readonly appHash: Uint8Array;
}

interface CommittedView extends StateView {
  store(name: string): StoreAtVersion;
}

/** Of the memory for nodes, one part in eight is for values of the last version, and one for pages of old versions. */
const VALUE_SHARE = 8;
const PAGE_SHARE = 8;

/**
 * Named IAVL stores under one app hash, over a {@link Kv} that holds nothing else. A version is one atomic batch: records,
 * orphans and the commit that makes them a version, so a crash leaves the version before or the version after.
 */
export class MultiStore implements StateStore {
  readonly #kv: Kv;
  readonly #stores: ReadonlyMap<string, NodeStore>;
  readonly #lastValues: ReadonlyMap<string, LastValues>;
  /** Edited in place. They show {@link #shown}. */
  readonly #trees: ReadonlyMap<string, Tree>;
  /** The version that the trees stand at; undefined while they are ahead of the last commit. */
  #shown: bigint | undefined;
  readonly #residentNodes: number;
  readonly #initialVersion: number;
  readonly #policy: PruningPolicy;
  readonly #pruner: Pruner;
  readonly #leases = new Set<StateLease>();
  readonly #ground: ViewGround;
  /** Of the last commit: exactly the stores that its app hash covers. */
  #roots: StoreRoots;
  #lastCommit: CommitId | undefined;
  #latest: CommittedView | undefined;
  readonly #working: StateBranch;
  #sealed: SealedState | undefined;
  #committing = false;

  /**
   * Opens at the last committed version. A store of `storeNames` that the database lacks starts empty.
   * @throws RangeError when the database holds a store that `storeNames` lacks, or an unfinished import, or has another
   * layout; when a name is too long or repeated; when the pruning policy is out of range.
   */
  static open(kv: Kv, storeNames: readonly string[], options: MultiStoreOptions = {}): MultiStore {
    return new MultiStore(kv, storeNames, options);
  }

  private constructor(kv: Kv, storeNames: readonly string[], options: MultiStoreOptions) {
    this.#kv = kv;
    this.#initialVersion = Number(options.initialVersion ?? 1n);
    const policy = checkPolicy(options.pruning ?? { kind: 'nothing' });
    if (!policy.ok) throw new RangeError(policy.error);
    this.#policy = policy.value;
    if (kv.get(IMPORTING_KEY) !== undefined)
      throw new RangeError('the state database holds an unfinished snapshot import: import again, or discard it');
    const names = sortedNames(storeNames);
    const bytes = options.nodeCacheBytes ?? STATE_LIMITS.nodeCacheBytes;
    const [valueBytes, pageBytes] = [divFloorSafe(bytes, VALUE_SHARE), divFloorSafe(bytes, PAGE_SHARE)];
    this.#residentNodes = divFloorSafe(bytes - valueBytes - pageBytes, RESIDENT_NODE_BYTES);
    const [values, pages] = [new GenerationCache<string>(valueBytes), new GenerationCache<number>(pageBytes)];
    this.#stores = new Map(names.map((name) => [name, new NodeStore(kv, name, pages)]));
    this.#lastValues = new Map(names.map((name) => [name, new LastValues(values)]));
    let saved: StoreRoots = new Map();
    for (const [key] of kv.entries({ ...VERSION_RANGE, reverse: true, limit: 1 })) {
      const version = versionOfKey(key);
      saved = decodeRoots(defined(kv.get(commitKey(version)), `the commit record of version ${version}`));
      this.#lastCommit = { version: BigInt(version), appHash: multistoreHash(hashesOf(saved)) };
    }
    for (const name of saved.keys())
      if (!this.#stores.has(name))
        throw new RangeError(`the database holds a store ${name}; expected only ${names.join(', ')}`);
    this.#roots = saved;
    this.#trees = new Map([...this.#stores].map(([name, nodes]) => [name, new Tree(nodes, saved.get(name))]));
    this.#shown = this.#lastVersion;
    this.#pruner = new Pruner(kv, this.#stores, this.nextVersion);
    this.#ground = {
      requireKept: (version) => {
        if (version !== 0n && version < this.firstVersion) throw new PrunedVersionError(version, this.firstVersion);
      },
      writersTree: (store, version) => (version === this.#shown ? this.#readable(store) : undefined),
      lastValues: (store, version) => (version === this.#lastVersion ? this.#lastValues.get(store) : undefined),
    };
    this.#working = new StateBranch({ store: (name) => this.#lastCommitted(name) });
  }

  get lastCommit(): CommitId | undefined {
    return this.#lastCommit;
  }

  /** The version that the next commit makes. */
  get nextVersion(): bigint {
    return this.#lastCommit === undefined ? BigInt(this.#initialVersion) : this.#lastCommit.version + 1n;
  }

  /** The least version that is kept; the next one before the first commit. */
  get firstVersion(): bigint {
    return this.#pruner.firstKept;
  }

  latest(): CommittedView {
    this.#latest ??= this.#view(this.#lastVersion, this.#roots);
    return this.#latest;
  }

  viewAt(version: bigint): StateView | undefined {
    const roots = this.#rootsAt(version);
    return roots === undefined ? undefined : this.#view(version, roots);
  }

  /** Holds pruning at `version` until released: for reads that take longer than one turn of the event loop. */
  lease(version: bigint): Result<StateLease, string> {
    const view = this.viewAt(version);
    if (view === undefined) return err(`version ${version} is not kept`);
    const lease: StateLease = { version, view, release: () => void this.#leases.delete(lease) };
    this.#leases.add(lease);
    return ok(lease);
  }

  /** A version to export (snapshot/export.ts), leased until released. */
  snapshotSource(version: bigint): Result<SnapshotSource, string> {
    const roots = this.#rootsAt(version);
    const lease = this.lease(version);
    if (!lease.ok) return lease;
    const stores = [...(roots ?? [])].map(([name, root]) => ({ name, nodes: this.#nodesOf(name), root }));
    return ok({ version, stores, release: lease.value.release });
  }

  /**
   * Frees what the pruning policy no longer keeps, about `budget` database operations of it, in one atomic batch that is
   * on disk when it resolves. To be called between blocks until it says `done`; a version that is leased stops it.
   */
  async pruneStep(budget: number = STATE_LIMITS.pruneBudget): Promise<PruneOutcome> {
    const leased = [...this.#leases].map(({ version }) => version);
    return this.#pruner.step(pruningTarget(this.#policy, this.#lastVersion, leased), budget);
  }

  workingBranch(): StateBranch {
    return this.#working;
  }

  rollback(): void {
    assert(!this.#committing, 'a commit is under way');
    this.#working.clear();
    this.#resetTrees();
  }

  workingHash(): Uint8Array {
    return this.#seal().appHash;
  }

  async commit(): Promise<CommitId> {
    assert(!this.#committing, 'a commit is under way');
    this.#committing = true;
    try {
      const { roots, trees, changes, appHash, revision } = this.#seal();
      const version = this.nextVersion;
      const ops: KvOp[] = [];
      for (const [name, { puts, orphans }] of trees) {
        for (const put of puts) ops.push(put);
        if (orphans.length > 0) ops.push({ type: 'put', key: orphansKey(Number(version), name), value: orphans });
      }
      ops.push({ type: 'put', key: commitKey(Number(version)), value: encodeRoots(roots) });
      if (this.#lastCommit === undefined) ops.push(keptFrom(version));
      await this.#kv.write(ops, { sync: true });
      assert(this.#working.revision === revision, 'the working branch was written to during its commit');
      for (const [name, some] of changes) this.#lastValues.get(name)?.update(some);
      this.#roots = roots;
      this.#lastCommit = { version, appHash };
      this.#latest = undefined;
      this.#shown = version;
      this.#working.clear();
      this.#sealed = undefined;
      this.#trim();
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
    const { value, proof } = proveKey(new StoreAtVersion(this.#ground, nodes, version, root).tree(), key);
    const inApp = encodeCommitmentProof({ kind: 'exist', exist: proveStore(hashesOf(roots), store) });
    return ok({ value, commitmentProofs: [encodeCommitmentProof(proof), inApp] });
  }

  #nodesOf(name: string): NodeStore {
    return defined(this.#stores.get(name), `store ${name}`);
  }

  /** Zero before the first commit. */
  get #lastVersion(): bigint {
    return this.#lastCommit?.version ?? 0n;
  }

  /** Applies the working branch's net changes, each store's in key order, to the last committed trees. */
  #seal(): SealedState {
    const revision = this.#working.revision;
    if (this.#sealed?.revision === revision) return this.#sealed;
    this.#resetTrees();
    this.#shown = undefined;
    const version = Number(this.nextVersion);
    const roots = new Map<string, SealedTree['root']>();
    const trees = new Map<string, SealedTree>();
    const allChanges = new Map<string, readonly Change[]>();
    for (const [name, tree] of this.#trees) {
      const changes = this.#working.store(name).changes();
      if (changes.length === 0) {
        roots.set(name, this.#roots.get(name));
        continue;
      }
      const editor = new TreeEditor(tree);
      for (const { id, value } of changes) {
        if (value === undefined) editor.remove(id);
        else editor.set(id, value);
      }
      const sealed = editor.seal(version);
      trees.set(name, sealed);
      allChanges.set(name, changes);
      roots.set(name, sealed.root);
    }
    this.#sealed = { revision, roots, trees, changes: allChanges, appHash: multistoreHash(hashesOf(roots)) };
    return this.#sealed;
  }

  /** Back to the last commit, when something was sealed since, or began to be. */
  #resetTrees(): void {
    if (this.#shown !== undefined) return;
    const sealed = this.#sealed;
    for (const [name, tree] of this.#trees)
      if (sealed === undefined || sealed.trees.has(name)) tree.reset(this.#roots.get(name));
    this.#sealed = undefined;
    this.#shown = this.#lastVersion;
  }

  #rootsAt(version: bigint): StoreRoots | undefined {
    if (this.#lastCommit === undefined || version > this.#lastCommit.version) return undefined;
    if (version < 1n || version < this.firstVersion) return undefined;
    if (version === this.#lastCommit.version) return this.#roots;
    const record = this.#kv.get(commitKey(Number(version)));
    return record === undefined ? undefined : decodeRoots(record);
  }

  /** Reads what is last committed at the time of each call: the ground under the working branch. */
  #lastCommitted(name: string): KvReader {
    this.#nodesOf(name);
    return {
      get: (key) => this.latest().store(name).get(key),
      has: (key) => this.latest().store(name).has(key),
      entries: (range) => this.latest().store(name).entries(range),
    };
  }

  #view(version: bigint, roots: StoreRoots): CommittedView {
    const stores = this.#stores;
    const ground = this.#ground;
    const readers = new Map<string, StoreAtVersion>();
    return {
      store(name) {
        let reader = readers.get(name);
        if (reader === undefined) {
          const nodes = defined(stores.get(name), `store ${name}`);
          reader = new StoreAtVersion(ground, nodes, version, roots.get(name));
          readers.set(name, reader);
        }
        return reader;
      },
    };
  }

  /** The writer's tree for readers, whose reads must not fill the memory. Only while nothing unsaved is in it. */
  #readable(name: string): Tree {
    const tree = defined(this.#trees.get(name), `store ${name}`);
    tree.trim(this.#residentNodes);
    return tree;
  }

  /** Brings all trees together under the limit, each by its share. */
  #trim(): void {
    let total = 0;
    for (const tree of this.#trees.values()) total += tree.arena.count;
    if (total <= this.#residentNodes) return;
    for (const tree of this.#trees.values()) tree.trim(divFloorSafe(tree.arena.count * this.#residentNodes, total));
  }
}

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
