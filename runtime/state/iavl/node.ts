/**
 * Nodes of the IAVL+ tree: values live in leaves, an inner node's key is the least key of its right subtree. Hashes are
 * those of cosmos/iavl v1 (node.go writeHashBytes); the record in the database is our own.
 */
import { assert } from '#core/assert.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { sha256 } from '#core/crypto/hash.ts';

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

export interface InnerNode {
  readonly kind: 'inner';
  readonly key: Uint8Array;
  readonly height: number;
  readonly size: number;
  readonly left: Link;
  readonly right: Link;
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
  return new ProtoWriter()
    .rawVarint(height * 2)
    .rawVarint(size * 2)
    .rawVarint(version * 2)
    .finish();
}

export function leafHash(leaf: LeafNode, version: number): Uint8Array {
  const valueHash = sha256(leaf.value);
  return sha256(
    new ProtoWriter()
      .raw(nodeHeader(0, 1, version))
      .rawVarint(leaf.key.length)
      .raw(leaf.key)
      .rawVarint(valueHash.length)
      .raw(valueHash)
      .finish(),
  );
}

export function innerHash(node: InnerNode, version: number, left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(
    new ProtoWriter()
      .raw(nodeHeader(node.height, node.size, version))
      .rawVarint(left.length)
      .raw(left)
      .rawVarint(right.length)
      .raw(right)
      .finish(),
  );
}

/** version u64 ‖ nonce u32 ‖ height u8 ‖ size u32 ‖ hash. */
export const REF_BYTES = 49;
const LEAF_HEADER = 5;
const LEAF = 0;
const INNER = 1;
const INNER_HEADER = 1 + 2 * REF_BYTES;
const TWO_32 = 0x1_0000_0000;

export function writeRef(view: DataView, at: number, ref: NodeRef): void {
  view.setBigUint64(at, BigInt(ref.version));
  view.setUint32(at + 8, ref.nonce);
  view.setUint8(at + 12, ref.height);
  view.setUint32(at + 13, ref.size);
  new Uint8Array(view.buffer, view.byteOffset + at + 17, 32).set(ref.hash);
}

export function readRef(view: DataView, at: number): NodeRef {
  return {
    kind: 'ref',
    version: view.getUint32(at) * TWO_32 + view.getUint32(at + 4),
    nonce: view.getUint32(at + 8),
    height: view.getUint8(at + 12),
    size: view.getUint32(at + 13),
    hash: new Uint8Array(view.buffer, view.byteOffset + at + 17, 32).slice(),
  };
}

/** Leaf: 00 ‖ key length u32 ‖ key ‖ value. */
export function encodeLeaf(leaf: LeafNode): Uint8Array {
  const out = new Uint8Array(LEAF_HEADER + leaf.key.length + leaf.value.length);
  out[0] = LEAF;
  new DataView(out.buffer).setUint32(1, leaf.key.length);
  out.set(leaf.key, LEAF_HEADER);
  out.set(leaf.value, LEAF_HEADER + leaf.key.length);
  return out;
}

/** Inner: 01 ‖ left ‖ right ‖ key. */
export function encodeInner(key: Uint8Array, left: NodeRef, right: NodeRef): Uint8Array {
  const out = new Uint8Array(INNER_HEADER + key.length);
  const view = new DataView(out.buffer);
  out[0] = INNER;
  writeRef(view, 1, left);
  writeRef(view, 1 + REF_BYTES, right);
  out.set(key, INNER_HEADER);
  return out;
}

/** @throws AssertionError on a record that we did not write: the database is damaged. */
export function decodeNode(record: Uint8Array, title: string): TreeNode {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  if (record[0] === LEAF && record.length >= LEAF_HEADER) {
    const keyEnd = LEAF_HEADER + view.getUint32(1);
    assert(keyEnd <= record.length, `${title}: the leaf's key is cut short`);
    return { kind: 'leaf', key: record.slice(LEAF_HEADER, keyEnd), value: record.slice(keyEnd) };
  }
  assert(
    record[0] === INNER && record.length > INNER_HEADER,
    `${title}: the record is neither a leaf nor an inner node`,
  );
  return inner(record.slice(INNER_HEADER), readRef(view, 1), readRef(view, 1 + REF_BYTES));
}
