import type { Result } from '#core/result.ts';
import type { StateBranch } from './branch.ts';
import type { StateView } from './kv-view.ts';
import type { PruneOutcome } from './pruning.ts';
import type { SnapshotSource } from './snapshot/export.ts';

export interface CommitId {
  /** The block height whose commit made it. */
  readonly version: bigint;
  /** 32 bytes. */
  readonly appHash: Uint8Array;
}

export interface StateProof {
  /** `undefined`: the proofs show absence. */
  readonly value: Uint8Array | undefined;
  /** Encoded ics23.CommitmentProof: of the key in its store (`iavlSpec`), then of the store's root in the app hash (`tendermintSpec`). */
  readonly commitmentProofs: readonly [Uint8Array, Uint8Array];
}

/** A version that pruning leaves alone until `release`. */
export interface StateLease {
  readonly version: bigint;
  readonly view: StateView;
  release(): void;
}

/** What the application needs of its store; {@link MultiStore} (multistore.ts) is the implementation. */
export interface StateStore {
  /** `undefined` before the first commit. */
  readonly lastCommit: CommitId | undefined;
  /**
   * What the next commit writes: always the same object, empty again after each commit. Execute on a `branch()` of it.
   * Its own `write` fails, as there is only the committed state below it.
   */
  workingBranch(): StateBranch;
  /** Drops all that was written since the last commit. */
  rollback(): void;
  /** The app hash that `commit` would produce now. */
  workingHash(): Uint8Array;
  /** One atomic synced batch. */
  commit(): Promise<CommitId>;
  /** The committed state at `version`; `undefined` when that version is not kept. Never blocks the writer. */
  viewAt(version: bigint): StateView | undefined;
  /** The last committed state; empty stores before the first commit. */
  latest(): StateView;
  /** Fails with a sentence when the version is not kept, the store unknown, or the store empty (ICS-23 cannot show absence in an empty tree). */
  proveAt(version: bigint, store: string, key: Uint8Array): Result<StateProof, string>;
  /** The least version that is kept; the next one before the first commit. */
  readonly firstVersion: bigint;
  /** Holds pruning at `version` until released: for reads that take longer than one turn of the event loop. */
  lease(version: bigint): Result<StateLease, string>;
  /** Frees a bounded part of what the pruning policy no longer keeps; to be called between blocks until `done`. */
  pruneStep(budget?: number): Promise<PruneOutcome>;
  /** A version to export as a snapshot (snapshot/export.ts), leased until released. */
  snapshotSource(version: bigint): Result<SnapshotSource, string>;
}
