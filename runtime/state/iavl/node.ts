/**
 * Nodes of the IAVL+ tree: values live in leaves, an inner node's key is the least key of its right subtree. Hashes are
 * those of cosmos/iavl v1 (node.go writeHashBytes); the record in the database is our own.
 */
import { assert } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { divFloorSafe } from '#core/int.ts';
import { STATE_LIMITS } from '../../limits.ts';

/** A node that is in the database, as its parent (or the commit record) knows it. */
export interface NodeRef {
  readonly kind: 'ref';
  /** The version that made the node, part of its hash. */
  readonly version: number;
  /** Place among the nodes that this version made. */
  readonly nonce: number;
  readonly height: number;
  /** Leaves below. */
  readonly size: number;
  /** 32 bytes. */
  readonly hash: Uint8Array;
}

export interface LeafNode {
  readonly kind: 'leaf';
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Immutable once saved. Until then it belongs to one editor, which changes it in place. */
export interface InnerNode {
  readonly kind: 'inner';
  readonly key: Uint8Array;
  height: number;
  size: number;
  left: Link;
  right: Link;
}

export type TreeNode = LeafNode | InnerNode;

/** A child: in the database, or new and not yet saved. Below a saved node all children are saved. */
export type Link = NodeRef | TreeNode;

export function heightOf(link: Link): number {
  return link.kind === 'leaf' ? 0 : link.height;
}

export function sizeOf(link: Link): number {
  return link.kind === 'leaf' ? 1 : link.size;
}

export function inner(key: Uint8Array, left: Link, right: Link): InnerNode {
  const height = Math.max(heightOf(left), heightOf(right)) + 1;
  return { kind: 'inner', key, height, size: sizeOf(left) + sizeOf(right), left, right };
}

/** Zig-zag varints, as Go's binary.PutVarint writes these non-negative numbers. */
export function nodeHeader(height: number, size: number, version: number): Uint8Array {
  return scratch.slice(0, putHeader(height, size, version));
}

/** Longest preimage: three varints of at most 8 bytes, two length bytes, two hashes; a leaf's key comes on top. */
const FIXED_PREIMAGE_BYTES = 128;
/** Hash preimages are built here, because a version hashes many nodes; never read across calls. */
const scratch = new Uint8Array(FIXED_PREIMAGE_BYTES + STATE_LIMITS.keyBytes);

/** Writes ⌊value⌋ as an unsigned varint at `at` of the scratch; answers what follows it. Safe integers. */
function putVarint(at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 128) {
    const low = rest % 128;
    scratch[next++] = low + 128;
    rest = divFloorSafe(rest, 128);
  }
  scratch[next++] = rest;
  return next;
}

function putHeader(height: number, size: number, version: number): number {
  return putVarint(putVarint(putVarint(0, height * 2), size * 2), version * 2);
}

function putBytes(at: number, bytes: Uint8Array): number {
  const start = putVarint(at, bytes.length);
  scratch.set(bytes, start);
  return start + bytes.length;
}

export function leafHash(leaf: LeafNode, version: number): Uint8Array {
  const valueHash = sha256(leaf.value);
  return sha256(scratch.subarray(0, putBytes(putBytes(putHeader(0, 1, version), leaf.key), valueHash)));
}

export function innerHash(node: InnerNode, version: number, left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(scratch.subarray(0, putBytes(putBytes(putHeader(node.height, node.size, version), left), right)));
}

/** version u64 ‖ nonce u32 ‖ height u8 ‖ size u32 ‖ hash. */
export const REF_BYTES = 49;
const LEAF_HEADER = 5;
const LEAF = 0;
const INNER = 1;
const INNER_HEADER = 1 + 2 * REF_BYTES;
const TWO_32 = 0x1_0000_0000;

export function writeRef(out: Uint8Array, at: number, ref: NodeRef): void {
  putU32(out, at, divFloorSafe(ref.version, TWO_32));
  putU32(out, at + 4, ref.version % TWO_32);
  putU32(out, at + 8, ref.nonce);
  out[at + 12] = ref.height;
  putU32(out, at + 13, ref.size);
  out.set(ref.hash, at + 17);
}

/** `value` below 2^32, big-endian. */
export function putU32(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = (value >>> 16) & 255;
  out[at + 2] = (value >>> 8) & 255;
  out[at + 3] = value & 255;
}

export function readRef(view: DataView, at: number): NodeRef {
  return {
    kind: 'ref',
    version: view.getUint32(at) * TWO_32 + view.getUint32(at + 4),
    nonce: view.getUint32(at + 8),
    height: view.getUint8(at + 12),
    size: view.getUint32(at + 13),
    hash: new Uint8Array(view.buffer, view.byteOffset + at + 17, 32),
  };
}

const ARENA_CHUNK_BYTES = 32_768;

/** Cuts the many small records of a version out of few buffers, which spares the garbage collector. */
export class Arena {
  #chunk = EMPTY;
  #at = 0;

  take(bytes: number): Uint8Array {
    if (bytes > ARENA_CHUNK_BYTES >>> 2) return new Uint8Array(bytes);
    if (this.#at + bytes > this.#chunk.length) {
      this.#chunk = new Uint8Array(ARENA_CHUNK_BYTES);
      this.#at = 0;
    }
    const start = this.#at;
    this.#at += bytes;
    return this.#chunk.subarray(start, this.#at);
  }
}

/** Leaf: 00 ‖ key length u32 ‖ key ‖ value. */
export function encodeLeaf(leaf: LeafNode, arena: Arena): Uint8Array {
  const out = arena.take(LEAF_HEADER + leaf.key.length + leaf.value.length);
  out[0] = LEAF;
  putU32(out, 1, leaf.key.length);
  out.set(leaf.key, LEAF_HEADER);
  out.set(leaf.value, LEAF_HEADER + leaf.key.length);
  return out;
}

/** Inner: 01 ‖ left ‖ right ‖ key. */
export function encodeInner(key: Uint8Array, left: NodeRef, right: NodeRef, arena: Arena): Uint8Array {
  const out = arena.take(INNER_HEADER + key.length);
  out[0] = INNER;
  writeRef(out, 1, left);
  writeRef(out, 1 + REF_BYTES, right);
  out.set(key, INNER_HEADER);
  return out;
}

/** The node keeps views of `record`. @throws AssertionError on a record that we did not write: the database is damaged. */
export function decodeNode(record: Uint8Array, title: string): TreeNode {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  if (record[0] === LEAF && record.length >= LEAF_HEADER) {
    const keyEnd = LEAF_HEADER + view.getUint32(1);
    assert(keyEnd <= record.length, `${title}: the leaf's key is cut short`);
    return { kind: 'leaf', key: record.subarray(LEAF_HEADER, keyEnd), value: record.subarray(keyEnd) };
  }
  assert(
    record[0] === INNER && record.length > INNER_HEADER,
    `${title}: the record is neither a leaf nor an inner node`,
  );
  return inner(record.subarray(INNER_HEADER), readRef(view, 1), readRef(view, 1 + REF_BYTES));
}
