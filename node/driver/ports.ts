/**
 * What the one effect executor needs of the world. The node and the simulator run the same executor over different
 * adapters of these ports.
 */

import type { UnsignedProposal, UnsignedVote } from '#consensus/effect.ts';
import type { PublicKey } from '#core/crypto/pubkey.ts';
import type { Result } from '#core/result.ts';
import type { Timestamp } from '#core/types/timestamp.ts';

/** A connected peer, as the transport names it. */
export type PeerId = string;

/**
 * The write-ahead log of consensus: one sequence of records, opaque bytes to the adapter, which only appends, syncs and
 * reads back. Framing, checksums and the cutting of a torn tail are `consensus/wal-codec.ts`'s.
 */
export interface Wal {
  /**
   * Everything that survived, in order of appending, as one byte string: the concatenation of the framed records of
   * all files that are kept. Called once, before any append.
   */
  read(): Promise<Uint8Array>;
  /** Cuts the log to its first `length` bytes of what {@link Wal.read} returned: the torn tail of a crash. Synced. */
  truncate(length: number): Promise<void>;
  /** Adds the bytes of one framed record. It may stay in memory until {@link Wal.sync}. */
  append(frame: Uint8Array): Promise<void>;
  /** Resolves when everything appended is on disk (fsync). A failure is thrown: the node must stop on it. */
  sync(): Promise<void>;
  /**
   * The caller has marked the end of a height: everything before the last `end-height` marker may be dropped when the
   * adapter sees fit (rotation), once the marker is on disk. Must never drop anything appended after the marker.
   */
  rotate(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Signs with the validator's key, guarded by the last-sign rule (`consensus/last-sign.ts`): the new last-sign state is
 * on disk before a signature is returned. `node/driver/guarded-signer.ts` is the implementation over a bare key and a
 * file; a remote signer implements the port itself.
 */
export interface Signer {
  readonly publicKey: PublicKey;
  /**
   * The answer may carry an earlier `timestamp` than asked for: the one that was signed before, when the same vote is
   * signed again after a crash. `withExtension`: also sign the vote's extension, even an empty one.
   * An error value is a refusal (double-sign protection). Thrown: the signer is unusable.
   */
  signVote(
    chainId: string,
    vote: UnsignedVote & { readonly timestamp: Timestamp },
    withExtension: boolean,
  ): Promise<Result<SignedVoteParts, string>>;
  signProposal(
    chainId: string,
    proposal: UnsignedProposal & { readonly timestamp: Timestamp },
  ): Promise<Result<SignedProposalParts, string>>;
}

export interface SignedVoteParts {
  readonly timestamp: Timestamp;
  readonly signature: Uint8Array;
  /** Empty unless asked for. */
  readonly extensionSignature: Uint8Array;
}

export interface SignedProposalParts {
  readonly timestamp: Timestamp;
  readonly signature: Uint8Array;
}

/** Where the guarded signer keeps its last-sign state. */
export interface LastSignStore {
  /** `undefined` when nothing was ever signed. */
  load(): Promise<Uint8Array | undefined>;
  /** Atomic replacement, synced (write to a temporary file, fsync, rename, fsync of the folder). */
  save(bytes: Uint8Array): Promise<void>;
}

/**
 * Sends encoded peer messages. Neither call waits for delivery, and both may lose it: repair is the executor's.
 * What arrives goes to `Executor.receive(peer, bytes)`, whose verdict says whether gossip forwards it.
 */
export interface Transport {
  /** First delivery: gossip to everybody. */
  publish(bytes: Uint8Array): void;
  /** Over the direct stream of that peer. Unknown peers are ignored. */
  send(peer: PeerId, bytes: Uint8Array): void;
  /** Whether so much waits for this peer that another block would be dropped. Absent: never. */
  isBusy?(peer: PeerId): boolean;
  /** What this peer sent earlier has turned out wrong only now: counts as a refused message does. */
  fault?(peer: PeerId, reason: string): void;
}

export interface Timers {
  /** Runs `run` once after `delayMs` unless cancelled. */
  set(delayMs: number, run: () => void): TimerHandle;
}

export interface TimerHandle {
  cancel(): void;
}

/** The mempool, as consensus sees it. */
export interface TxSource {
  /** Transactions in order of proposal, together at most `maxBytes` (each counted with its protobuf framing, as CometBFT's ComputeProtoSizeForTxs) and `maxGas` (−1: no bound). */
  reap(maxBytes: number, maxGas: bigint): readonly Uint8Array[];
  isEmpty(): boolean;
  /** The block at `height` is committed: drop its transactions, recheck the rest. `codes[i]` is the result of `txs[i]`. */
  update(height: bigint, txs: readonly Uint8Array[], codes: readonly number[]): Promise<void>;
}

/** A mempool that never has anything. */
export const noTxs: TxSource = {
  reap: () => [],
  isEmpty: () => true,
  update: async () => {},
};

/** The node cannot go on: log, and end the process with a code that is not 0. Called at most once. */
export type Fatal = (error: unknown) => void;
