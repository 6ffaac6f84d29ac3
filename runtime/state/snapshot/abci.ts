/**
 * The snapshot part of ABCI 2.0 (names and verdicts of abci/types, CometBFT v0.38) over a state database: what state sync
 * calls. Serving is {@link ./export.ts} with the chunks in files of the node; restoring is here.
 */
import type {
  ApplySnapshotChunkRequest,
  ApplySnapshotChunkResponse,
  OfferSnapshotRequest,
  OfferSnapshotResponse,
} from '#core/abci.ts';
import { assertNever, defined } from '#core/assert.ts';
import type { Kv } from '#core/ports/kv.ts';
import { SNAPSHOT_FORMAT } from './format.ts';
import { type ChunkRefusal, SnapshotImport } from './import.ts';

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
