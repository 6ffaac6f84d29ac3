/** Hashes of nodes, as cosmos/iavl v1 makes them (node.go writeHashBytes): one at a time, or all new ones of a version. */
import { sha256 } from '#core/crypto/hash.ts';
import { SHA256_PADDING_BYTES, sha256Into } from '#core/crypto/sha256-into.ts';
import { LANE_MESSAGE_BYTES } from '#core/crypto/sha256-lanes.ts';
import { LaneQueue } from '#core/crypto/sha256-queue.ts';
import { divFloorSafe } from '#core/int.ts';
import { STATE_LIMITS } from '../../limits.ts';
import { idOf, putId } from '../key-id.ts';
import type { Arena } from './arena.ts';
import { HASH_BYTES, type LeafRecord, type NewLeaf } from './record.ts';

/** Three varints of at most 8 bytes, a length byte, two hashes with theirs; a leaf's key on top. */
const FIXED_PREIMAGE_BYTES = 128;
/** Single preimages are built here; never read across calls. */
const scratch = new Uint8Array(FIXED_PREIMAGE_BYTES + STATE_LIMITS.keyBytes + SHA256_PADDING_BYTES);
const valueHash = new Uint8Array(HASH_BYTES);
/** Longer values are hashed where they are. */
const COPIED_VALUE_BYTES = 1024;
/** Longer keys do not go through the lanes: the rest of a leaf's preimage has room beside them. */
const LANE_KEY_BYTES = LANE_MESSAGE_BYTES - FIXED_PREIMAGE_BYTES;

/** Writes `value` as an unsigned varint at `at`; answers what follows it. Safe integers. */
function putVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 0x8000_0000) {
    const low = rest % 128;
    out[next++] = low + 128;
    rest = divFloorSafe(rest, 128);
  }
  while (rest >= 128) {
    out[next++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  out[next++] = rest;
  return next;
}

/** Zig-zag varints, as Go's binary.PutVarint writes these non-negative numbers. */
function putHeader(out: Uint8Array, at: number, height: number, size: number, version: number): number {
  return putVarint(out, putVarint(out, putVarint(out, at, height * 2), size * 2), version * 2);
}

/** What the preimage of a node's hash begins with. */
export function nodeHeader(height: number, size: number, version: number): Uint8Array {
  return scratch.slice(0, putHeader(scratch, 0, height, size, version));
}

/** The preimage of a leaf; the hash of its value is `hashes[from …]`. Answers what follows it. */
function putLeaf(out: Uint8Array, at: number, id: string, version: number, hashes: Uint8Array, from: number): number {
  const keyAt = putVarint(out, putHeader(out, at, 0, 1, version), id.length);
  putId(out, keyAt, id);
  const hashAt = keyAt + id.length;
  out[hashAt] = HASH_BYTES;
  for (let i = 0; i < HASH_BYTES; i++) out[hashAt + 1 + i] = hashes[from + i] as number;
  return hashAt + 1 + HASH_BYTES;
}

/** What follows a header in an inner node's preimage: its children's hashes, `hashes[from …]`, left then right. */
function putChildren(out: Uint8Array, at: number, hashes: Uint8Array, from: number): number {
  const right = at + 1 + HASH_BYTES;
  out[at] = HASH_BYTES;
  out[right] = HASH_BYTES;
  for (let i = 0; i < HASH_BYTES; i++) {
    out[at + 1 + i] = hashes[from + i] as number;
    out[right + 1 + i] = hashes[from + HASH_BYTES + i] as number;
  }
  return right + 1 + HASH_BYTES;
}

/** Writes the hash of a leaf to `out[at …]`. */
export function leafHashInto({ key, value }: LeafRecord, version: number, out: Uint8Array, at: number): void {
  newLeafHashInto({ id: idOf(key), value }, version, out, at);
}

function newLeafHashInto({ id, value }: NewLeaf, version: number, out: Uint8Array, at: number): void {
  if (value.length <= COPIED_VALUE_BYTES) {
    scratch.set(value);
    sha256Into(scratch, value.length, valueHash, 0);
  } else valueHash.set(sha256(value));
  sha256Into(scratch, putLeaf(scratch, 0, id, version, valueHash, 0), out, at);
}

/** Writes the hash of an inner node to `out[at …]`; its children's hashes are `hashes[from …]`, left then right. */
export function innerHashInto(
  node: { readonly height: number; readonly size: number; readonly version: number },
  hashes: Uint8Array,
  from: number,
  out: Uint8Array,
  at: number,
): void {
  const next = putHeader(scratch, 0, node.height, node.size, node.version);
  sha256Into(scratch, putChildren(scratch, next, hashes, from), out, at);
}

/**
 * Hashes new nodes as of `version`, children before parents.
 * @param byHeight links of the new nodes by their height; a leaf's slot is its place in `leaves`
 */
export function hashNodes(
  arena: Arena,
  leaves: readonly NewLeaf[],
  byHeight: readonly (readonly number[])[],
  version: number,
): void {
  hashLeaves(arena, leaves, byHeight[0] ?? [], version);
  const { hashes } = arena;
  const queue = new LaneQueue(
    (link, bytes, at) => {
      const next = putHeader(bytes, at, arena.height(link), arena.size(link), version);
      return putChildren(bytes, next, hashes, 2 * HASH_BYTES * arena.slot(link));
    },
    hashes,
    (link) => link * HASH_BYTES,
  );
  for (let height = 1; height < byHeight.length; height++) {
    for (const link of byHeight[height] ?? []) queue.add(link, FIXED_PREIMAGE_BYTES >>> 1);
    queue.finish();
  }
}

function hashLeaves(arena: Arena, leaves: readonly NewLeaf[], links: readonly number[], version: number): void {
  const leafOf = (i: number): NewLeaf => leaves[arena.slot(links[i] as number)] as NewLeaf;
  const valueHashes = new Uint8Array(links.length * HASH_BYTES);
  const values = new LaneQueue(
    (i, bytes, at) => {
      const { value } = leafOf(i);
      bytes.set(value, at);
      return at + value.length;
    },
    valueHashes,
    (i) => i * HASH_BYTES,
  );
  for (let i = 0; i < links.length; i++) {
    const { value } = leafOf(i);
    if (value.length <= COPIED_VALUE_BYTES) values.add(i, value.length);
    else valueHashes.set(sha256(value), i * HASH_BYTES);
  }
  values.finish();
  const nodes = new LaneQueue(
    (i, bytes, at) => putLeaf(bytes, at, leafOf(i).id, version, valueHashes, i * HASH_BYTES),
    arena.hashes,
    (i) => (links[i] as number) * HASH_BYTES,
  );
  const fixed = putHeader(scratch, 0, 0, 1, version) + 1 + HASH_BYTES;
  for (let i = 0; i < links.length; i++) {
    const leaf = leafOf(i);
    const { length } = leaf.id;
    if (length <= LANE_KEY_BYTES) nodes.add(i, fixed + putVarint(scratch, 0, length) + length);
    else newLeafHashInto(leaf, version, arena.hashes, (links[i] as number) * HASH_BYTES);
  }
  nodes.finish();
}
