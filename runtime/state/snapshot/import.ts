import { assert } from '#core/assert.ts';
import { equal } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import type { Kv } from '#core/ports/kv.ts';
import { err, ok, type Result } from '#core/result.ts';
import { STATE_LIMITS } from '../../limits.ts';
import { encodeRoots, multistoreHash } from '../commit-info.ts';
import { commitKey, IMPORTING_KEY, VERSION_RANGE, versionOfKey } from '../db-keys.ts';
import { EMPTY_ROOT } from '../iavl/tree.ts';
import { keptFrom } from '../pruning.ts';
import { checkManifest, type SnapshotManifest } from './format.ts';
import { Rebuild } from './rebuild.ts';

/** Why a chunk was not taken. */
export type ChunkRefusal =
  /** Not the bytes that the manifest names; nothing happened, another peer may have them. */
  | { readonly kind: 'wrong-chunk'; readonly message: string }
  /** The manifest's own bytes make no state with the expected app hash: everything imported is gone again. */
  | { readonly kind: 'bad-snapshot'; readonly message: string };

/**
 * Imports a snapshot into an empty database, chunk after chunk in order. Until the last chunk has led to the expected
 * app hash there is no commit record and the database cannot be opened as a state.
 */
export class SnapshotImport {
  readonly #kv: Kv;
  readonly #manifest: SnapshotManifest;
  readonly #hashes: readonly Uint8Array[];
  readonly #appHash: Uint8Array;
  readonly #rebuild: Rebuild;
  #next = 0;
  #state: 'open' | 'busy' | 'ended' = 'open';

  /**
   * Clears what an import before left behind. Fails with a sentence when the manifest is malformed or there is a state.
   * @param appHash of the state at the snapshot's height, from a header that a light client verified
   */
  static async begin(
    kv: Kv,
    storeNames: readonly string[],
    manifest: SnapshotManifest,
    appHash: Uint8Array,
  ): Promise<Result<SnapshotImport, string>> {
    const hashes = checkManifest(manifest);
    if (!hashes.ok) return hashes;
    const cleared = await discardImport(kv);
    if (!cleared.ok) return cleared;
    await kv.write([{ type: 'put', key: IMPORTING_KEY, value: manifest.hash }], { sync: true });
    return ok(new SnapshotImport(kv, storeNames, manifest, hashes.value, appHash));
  }

  private constructor(
    kv: Kv,
    storeNames: readonly string[],
    manifest: SnapshotManifest,
    hashes: readonly Uint8Array[],
    appHash: Uint8Array,
  ) {
    this.#kv = kv;
    this.#manifest = manifest;
    this.#hashes = hashes;
    this.#appHash = appHash;
    this.#rebuild = new Rebuild(manifest.height, storeNames);
  }

  /** The chunk to apply next. */
  get nextChunk(): number {
    return this.#next;
  }

  /** `done` with the last chunk: then the state can be opened, at the snapshot's height. */
  async applyChunk(index: number, chunk: Uint8Array): Promise<Result<{ readonly done: boolean }, ChunkRefusal>> {
    assert(this.#state === 'open', 'a chunk for an import that is busy or has ended');
    if (index !== this.#next)
      return err({ kind: 'wrong-chunk', message: `chunk ${index}: expected chunk ${this.#next}` });
    if (chunk.length > STATE_LIMITS.snapshotChunkBytes) {
      const message = `chunk ${index}: ${chunk.length} bytes exceed the limit of ${STATE_LIMITS.snapshotChunkBytes}`;
      return err({ kind: 'wrong-chunk', message });
    }
    if (!equal(sha256(chunk), this.#hashes[index] as Uint8Array))
      return err({ kind: 'wrong-chunk', message: `chunk ${index}: its hash is not the one in the manifest` });
    this.#state = 'busy';
    const records = this.#rebuild.feed(chunk);
    if (!records.ok) return this.#refuse(records.error);
    // Waited for: the database may lose an earlier batch though a later one is on disk, and the last one ends the import.
    await this.#kv.write(records.value, { sync: true });
    this.#next++;
    this.#state = 'open';
    return this.#next < this.#hashes.length ? ok({ done: false }) : this.#finish();
  }

  /** Gives up: nothing of the import remains. */
  async abort(): Promise<void> {
    assert(this.#state === 'open', 'an import that is busy or has ended cannot be aborted');
    this.#state = 'ended';
    await wipe(this.#kv);
  }

  async #finish(): Promise<Result<{ readonly done: boolean }, ChunkRefusal>> {
    this.#state = 'busy';
    const finished = this.#rebuild.finish();
    if (!finished.ok) return this.#refuse(finished.error);
    const { roots } = this.#rebuild;
    const hash = multistoreHash(new Map([...roots].map(([name, root]) => [name, root?.hash ?? EMPTY_ROOT])));
    if (!equal(hash, this.#appHash)) return this.#refuse('the imported state has another app hash than the header');
    const commit = { type: 'put', key: commitKey(Number(this.#manifest.height)), value: encodeRoots(roots) } as const;
    await this.#kv.write([commit, keptFrom(this.#manifest.height), { type: 'del', key: IMPORTING_KEY }], {
      sync: true,
    });
    this.#state = 'ended';
    return ok({ done: true });
  }

  async #refuse(message: string): Promise<Result<never, ChunkRefusal>> {
    this.#state = 'ended';
    await wipe(this.#kv);
    return err({ kind: 'bad-snapshot', message });
  }
}

/** Clears an unfinished import, if there is one. Fails with a sentence when the database holds a state. */
export async function discardImport(kv: Kv): Promise<Result<true, string>> {
  if (kv.get(IMPORTING_KEY) === undefined) {
    for (const [key] of kv.entries({ ...VERSION_RANGE, reverse: true, limit: 1 }))
      return err(`the state database is not empty: it has version ${versionOfKey(key)}`);
    return ok(true);
  }
  await wipe(kv);
  return ok(true);
}

/** Piece by piece; the mark of the import goes last, so that a crash meanwhile leaves it. */
async function wipe(kv: Kv): Promise<void> {
  for (;;) {
    const keys: Uint8Array[] = [];
    for (const [key] of kv.entries({ limit: STATE_LIMITS.wipeBatch })) if (!equal(key, IMPORTING_KEY)) keys.push(key);
    if (keys.length === 0) break;
    await kv.write(
      keys.map((key) => ({ type: 'del', key })),
      { sync: true },
    );
  }
  await kv.write([{ type: 'del', key: IMPORTING_KEY }], { sync: true });
}
