/**
 * Snapshots of the whole state at one version, format 1. The stream is, for each store in byte order of names, its name
 * and its tree's nodes in post-order; it is cut into chunks wherever a chunk is full. What follows from the children
 * (keys, heights, sizes of inner nodes, every hash) is not in it, so nothing of that can be forged.
 *
 *   store: 00 ‖ name length u8 ‖ name
 *   leaf:  01 ‖ version u32 ‖ key length u16 ‖ value length u32 ‖ key ‖ value
 *   inner: 02 ‖ version u32
 */
import type { Snapshot } from '#core/abci.ts';
import { concat, equal } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { divFloorSafe } from '#core/int.ts';
import { err, ok, type Result } from '#core/result.ts';
import { STATE_LIMITS } from '../../limits.ts';
import { HASH_BYTES } from '../iavl/record.ts';

export const SNAPSHOT_FORMAT = 1;

export const ITEM = { store: 0, leaf: 1, inner: 2 } as const;
export const LEAF_ITEM_HEADER_BYTES = 11;
export const INNER_ITEM_BYTES = 5;

/** The hash is the SHA-256 of the metadata: the SHA-256 of each chunk, one after the other. */
export type SnapshotManifest = Snapshot;

export function manifestOf(height: bigint, chunkHashes: readonly Uint8Array[]): SnapshotManifest {
  const metadata = concat(...chunkHashes);
  return { height, format: SNAPSHOT_FORMAT, chunks: chunkHashes.length, hash: sha256(metadata), metadata };
}

/** The chunks' hashes. The error names the field of a peer's manifest that does not fit. */
export function checkManifest(manifest: SnapshotManifest): Result<readonly Uint8Array[], string> {
  const { height, format, chunks, hash, metadata } = manifest;
  if (format !== SNAPSHOT_FORMAT) return err(`snapshot format: expected ${SNAPSHOT_FORMAT}, got ${format}`);
  if (height < 1n || height > BigInt(STATE_LIMITS.maxVersion))
    return err(`snapshot height: expected 1 … ${STATE_LIMITS.maxVersion}, got ${height}`);
  if (!Number.isSafeInteger(chunks) || chunks < 1 || chunks > STATE_LIMITS.snapshotChunks)
    return err(`snapshot chunks: expected 1 … ${STATE_LIMITS.snapshotChunks}, got ${chunks}`);
  if (metadata.length !== chunks * HASH_BYTES)
    return err(`snapshot metadata: expected ${chunks * HASH_BYTES} bytes for ${chunks} chunks, got ${metadata.length}`);
  if (!equal(hash, sha256(metadata))) return err('snapshot hash: it is not the hash of the metadata');
  const count = divFloorSafe(metadata.length, HASH_BYTES);
  return ok(Array.from({ length: count }, (_, i) => metadata.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES)));
}
