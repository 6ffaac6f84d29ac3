/**
 * The snapshot part of ABCI 2.0 (names and verdicts of abci/types, CometBFT v0.38) over a state database: what state sync
 * calls. Serving is {@link ./export.ts} with the chunks in files of the node; restoring is here.
 */
import { assertNever, defined } from '#core/assert.ts';
import type { Kv } from '#core/ports/kv.ts';
import type { SnapshotManifest } from './format.ts';
import { SNAPSHOT_FORMAT } from './format.ts';
import { type ChunkRefusal, SnapshotImport } from './import.ts';

/** To be added to the application port. */
export interface SnapshotApplication {
  /** What this node can serve, newest first. */
  listSnapshots(): Promise<readonly SnapshotManifest[]>;
  offerSnapshot(request: OfferSnapshotRequest): Promise<OfferSnapshotResponse>;
  /** Empty when the node does not have the chunk. */
  loadSnapshotChunk(request: LoadSnapshotChunkRequest): Promise<Uint8Array>;
  applySnapshotChunk(request: ApplySnapshotChunkRequest): Promise<ApplySnapshotChunkResponse>;
}

export interface OfferSnapshotRequest {
  readonly snapshot: SnapshotManifest;
  /** After the snapshot's height, verified by the light client. */
  readonly appHash: Uint8Array;
}

export interface OfferSnapshotResponse {
  readonly result: 'accept' | 'abort' | 'reject' | 'rejectFormat' | 'rejectSender';
  /** Why it is not accepted. */
  readonly reason: string;
}

export interface LoadSnapshotChunkRequest {
  readonly height: bigint;
  readonly format: number;
  readonly chunk: number;
}

export interface ApplySnapshotChunkRequest {
  readonly index: number;
  readonly chunk: Uint8Array;
  /** The peer that sent it. */
  readonly sender: string;
}

export interface ApplySnapshotChunkResponse {
  readonly result: 'accept' | 'abort' | 'retry' | 'retrySnapshot' | 'rejectSnapshot';
  /** To be fetched again, before anything else is applied. */
  readonly refetchChunks: readonly number[];
  /** Peers whose chunks are not wanted any more. */
  readonly rejectSenders: readonly string[];
  readonly reason: string;
  /** The state is complete: it can be opened. */
  readonly done: boolean;
}

/** One node's attempts to restore its state; each offer that is accepted ends the one before. */
export class SnapshotRestore {
  readonly #kv: Kv;
  readonly #storeNames: readonly string[];
  #import: SnapshotImport | undefined;

  constructor(kv: Kv, storeNames: readonly string[]) {
    this.#kv = kv;
    this.#storeNames = storeNames;
  }

  async offer({ snapshot, appHash }: OfferSnapshotRequest): Promise<OfferSnapshotResponse> {
    if (snapshot.format !== SNAPSHOT_FORMAT)
      return { result: 'rejectFormat', reason: `expected format ${SNAPSHOT_FORMAT}, got ${snapshot.format}` };
    const begun = await SnapshotImport.begin(this.#kv, this.#storeNames, snapshot, appHash);
    if (!begun.ok) return { result: 'reject', reason: begun.error };
    this.#import = begun.value;
    return { result: 'accept', reason: '' };
  }

  async apply({ index, chunk, sender }: ApplySnapshotChunkRequest): Promise<ApplySnapshotChunkResponse> {
    const running = defined(this.#import, 'an accepted snapshot to apply a chunk of');
    const expected = running.nextChunk;
    const applied = await running.applyChunk(index, chunk);
    const nothing = { refetchChunks: [], rejectSenders: [], reason: '', done: false };
    if (applied.ok) {
      if (applied.value.done) this.#import = undefined;
      return { result: 'accept', ...nothing, done: applied.value.done };
    }
    const refusal: ChunkRefusal = applied.error;
    switch (refusal.kind) {
      case 'wrong-chunk': {
        // Out of order is our own caller's doing; wrong bytes are the sender's.
        const rejectSenders = index === expected && sender !== '' ? [sender] : [];
        return { result: 'retry', ...nothing, refetchChunks: [expected], rejectSenders, reason: refusal.message };
      }
      case 'bad-snapshot':
        this.#import = undefined;
        return { result: 'rejectSnapshot', ...nothing, reason: refusal.message };
      default:
        return assertNever(refusal, 'chunk refusal');
    }
  }
}
