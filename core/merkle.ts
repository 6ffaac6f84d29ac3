/**
 * The simple Merkle tree of CometBFT (crypto/merkle, spec/core/encoding.md), which is RFC 6962's: leaves are hashed
 * behind a byte 00, inner nodes behind 01, and n > 1 leaves split at the largest power of two below n.
 */
import { assert } from './assert.ts';
import { concat, EMPTY, equal } from './bytes.ts';
import { sha256 } from './crypto/hash.ts';
import { SHA256_PADDING_BYTES, sha256Into } from './crypto/sha256-into.ts';
import { LaneQueue, sha256Many } from './crypto/sha256-queue.ts';
import { LIMITS } from './limits.ts';
import { err, ok, type Result } from './result.ts';

const LEAF_BYTE = 0;
const INNER_BYTE = 1;
const LEAF = Uint8Array.of(LEAF_BYTE);
const INNER = Uint8Array.of(INNER_BYTE);
const HASH_BYTES = 32;
/** From so many leaves on they are hashed four at a time: transactions, results, validators of a large set. */
const MANY_LEAVES = 16;

export interface MerkleProof {
  readonly total: number;
  readonly index: number;
  /** 32 bytes. */
  readonly leafHash: Uint8Array;
  /** Sibling hashes from the leaf's up to the root's child. */
  readonly aunts: readonly Uint8Array[];
}

/** Up to so many bytes a leaf is hashed without allocating: results and votes are shorter. */
const SHORT_LEAF_BYTES = 1_024;
const scratch = new Uint8Array(1 + SHORT_LEAF_BYTES + SHA256_PADDING_BYTES);

function hashScratch(length: number): Uint8Array {
  const hash = new Uint8Array(HASH_BYTES);
  sha256Into(scratch, length, hash, 0);
  return hash;
}

export function merkleLeafHash(leaf: Uint8Array): Uint8Array {
  if (leaf.length > SHORT_LEAF_BYTES) return sha256(concat(LEAF, leaf));
  scratch[0] = LEAF_BYTE;
  scratch.set(leaf, 1);
  return hashScratch(1 + leaf.length);
}

function merkleInnerHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES) return sha256(concat(INNER, left, right));
  scratch[0] = INNER_BYTE;
  scratch.set(left, 1);
  scratch.set(right, 1 + HASH_BYTES);
  return hashScratch(1 + 2 * HASH_BYTES);
}

/** The largest power of two below `n`, n ≥ 2. */
function splitPoint(n: number): number {
  assert(n >= 2 && n <= 0x7fffffff, `${n} leaves cannot be split`);
  return 1 << (31 - Math.clz32(n - 1));
}

/** 32 bytes; SHA-256 of nothing for no leaves. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(EMPTY);
  if (leaves.length >= MANY_LEAVES) return rootOfMany(sha256Many(leaves, LEAF));
  return rootOfHashes(leaves.map(merkleLeafHash), 0, leaves.length);
}

/** {@link merkleRoot} of leaves that are the SHA-256 of each item. */
export function merkleRootOfDigests(items: readonly Uint8Array[]): Uint8Array {
  if (items.length < MANY_LEAVES) return merkleRoot(items.map(sha256));
  const digests = sha256Many(items, EMPTY);
  return merkleRoot(items.map((_, i) => digests.subarray(HASH_BYTES * i, HASH_BYTES * (i + 1))));
}

/**
 * The root over hashes of leaves that follow one another, which are overwritten. Level by level: pairs from the left on, and
 * one that is left over rises, make the same tree as splitting at powers of two.
 */
function rootOfMany(hashes: Uint8Array): Uint8Array {
  const queue = new LaneQueue(
    (pair, bytes, at) => {
      bytes[at] = INNER_BYTE;
      const from = 2 * HASH_BYTES * pair;
      for (let i = 0; i < 2 * HASH_BYTES; i++) bytes[at + 1 + i] = hashes[from + i] as number;
      return at + 1 + 2 * HASH_BYTES;
    },
    hashes,
    (pair) => HASH_BYTES * pair,
  );
  let count = hashes.length >>> 5;
  while (count > 1) {
    const pairs = count >>> 1;
    for (let pair = 0; pair < pairs; pair++) queue.add(pair, 1 + 2 * HASH_BYTES);
    queue.finish();
    if ((count & 1) === 1) hashes.copyWithin(HASH_BYTES * pairs, HASH_BYTES * (count - 1), HASH_BYTES * count);
    count -= pairs;
  }
  return hashes.slice(0, HASH_BYTES);
}

/** {@link merkleRoot} of leaves that are hashed already ({@link merkleLeafHash}): for leaves too large to hash in JavaScript. */
export function merkleRootOfLeafHashes(leafHashes: readonly Uint8Array[]): Uint8Array {
  return leafHashes.length === 0 ? sha256(EMPTY) : rootOfHashes(leafHashes, 0, leafHashes.length);
}

function rootOfHashes(hashes: readonly Uint8Array[], from: number, to: number): Uint8Array {
  if (to - from === 1) return hashes[from] as Uint8Array;
  const middle = from + splitPoint(to - from);
  return merkleInnerHash(rootOfHashes(hashes, from, middle), rootOfHashes(hashes, middle, to));
}

/** The root, and a proof of each leaf. */
export function merkleProofs(leaves: readonly Uint8Array[]): {
  readonly root: Uint8Array;
  readonly proofs: readonly MerkleProof[];
} {
  const hashes = leaves.map(merkleLeafHash);
  const aunts: Uint8Array[][] = leaves.map(() => []);
  function build(from: number, to: number): Uint8Array {
    if (to - from === 1) return hashes[from] as Uint8Array;
    const middle = from + splitPoint(to - from);
    const left = build(from, middle);
    const right = build(middle, to);
    for (let i = from; i < to; i++) (aunts[i] as Uint8Array[]).push(i < middle ? right : left);
    return merkleInnerHash(left, right);
  }
  const root = leaves.length === 0 ? sha256(EMPTY) : build(0, leaves.length);
  const proofs = hashes.map((leafHash, index) => ({
    total: leaves.length,
    index,
    leafHash,
    aunts: aunts[index] as Uint8Array[],
  }));
  return { root, proofs };
}

/** What hashes a leaf: {@link merkleLeafHash}, or the same by other means. */
export type MerkleLeafHash = (leaf: Uint8Array) => Uint8Array;

/** Whether `leaf` stands at `proof.index` of the `proof.total` leaves under `root`. The error says what does not fit. */
export function verifyMerkleProof(
  proof: MerkleProof,
  root: Uint8Array,
  leaf: Uint8Array,
  leafHash: MerkleLeafHash = merkleLeafHash,
): Result<true, string> {
  if (!equal(proof.leafHash, leafHash(leaf))) return err('merkle proof: leaf_hash is not the hash of the leaf');
  const computed = computeMerkleRoot(proof);
  if (!computed.ok) return computed;
  return equal(computed.value, root) ? ok(true) : err('merkle proof: the computed root differs from the expected root');
}

/** The root that a proof leads to. The error names the field that is out of range. */
export function computeMerkleRoot(proof: MerkleProof): Result<Uint8Array, string> {
  const { total, index, leafHash, aunts } = proof;
  if (!Number.isSafeInteger(total) || total < 1 || total > 0x7fffffff)
    return err(`merkle proof: total must be 1 … 2^31 − 1, got ${total}`);
  if (!Number.isSafeInteger(index) || index < 0 || index >= total)
    return err(`merkle proof: index must be 0 … ${total - 1}, got ${index}`);
  if (leafHash.length !== HASH_BYTES) return err(`merkle proof: leaf_hash must be 32 bytes, got ${leafHash.length}`);
  if (aunts.length > LIMITS.maxMerkleAunts)
    return err(`merkle proof: at most ${LIMITS.maxMerkleAunts} aunts, got ${aunts.length}`);
  if (aunts.some((aunt) => aunt.length !== HASH_BYTES)) return err('merkle proof: every aunt must be 32 bytes');
  const sides = merkleSides(total, index);
  if (sides.length !== aunts.length)
    return err(`merkle proof: leaf ${index} of ${total} takes ${sides.length} aunts, got ${aunts.length}`);
  let hash = leafHash;
  for (const [level, aunt] of aunts.entries())
    hash = sides[level] === 'left' ? merkleInnerHash(hash, aunt) : merkleInnerHash(aunt, hash);
  return ok(hash);
}

/** On which side of its sibling the path from leaf `index` of `total` lies, from the leaf up: one for each aunt. */
export function merkleSides(total: number, index: number): ('left' | 'right')[] {
  const sides: ('left' | 'right')[] = [];
  let size = total;
  let at = index;
  while (size > 1) {
    const left = splitPoint(size);
    sides.push(at < left ? 'left' : 'right');
    size = at < left ? left : size - left;
    at = at < left ? at : at - left;
  }
  return sides.reverse();
}
