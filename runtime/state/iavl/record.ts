/**
 * What the tree keeps in the database. A record is one leaf, or a page of inner nodes that one version made; a node's
 * address is (version, nonce), where the nonce holds the page's number and the node's place in the page. A node is stored
 * as its two links, with the children's hashes, so that neither hashing nor a proof ever reads a sibling.
 */
import { assert } from '#core/assert.ts';
import { idOf, putId } from '../key-id.ts';

/** A node as its parent (or the commit record) knows it. */
export interface NodeLink {
  /** The version that made the node, part of its hash. */
  readonly version: number;
  /** page · 64 + place. */
  readonly nonce: number;
  /** Leaves below. */
  readonly size: number;
  readonly height: number;
  /**
   * Zero when the page holds a child of this node: then the page lives at least as long as that child does. Otherwise
   * the number of such nodes in the page: when all of them are unused, the whole page is. One for a leaf.
   */
  readonly bottoms: number;
  /** 32 bytes. */
  readonly hash: Uint8Array;
}

export interface LeafRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A leaf that is not in the database yet; its key as its id. */
export interface NewLeaf {
  readonly id: string;
  readonly value: Uint8Array;
}

export const PAGE_PLACE_BITS = 6;
export const PAGE_NODES = 1 << PAGE_PLACE_BITS;
export const HASH_BYTES = 32;
/** version u32 ‖ nonce u32 ‖ size u32 ‖ height u8 ‖ bottoms u8 ‖ hash. */
export const LINK_BYTES = 14 + HASH_BYTES;
/** key length u16 ‖ left ‖ right; then the key. */
export const NODE_HEADER_BYTES = 2 + 2 * LINK_BYTES;
/** 00 ‖ key length u16; then key and value. */
export const LEAF_HEADER_BYTES = 3;

export const pageOf = (nonce: number): number => nonce >>> PAGE_PLACE_BITS;

/** `value` below 2^32, big-endian. */
export function putU32(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

export function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

export function writeLink(out: Uint8Array, at: number, link: NodeLink): void {
  putU32(out, at, link.version);
  putU32(out, at + 4, link.nonce);
  putU32(out, at + 8, link.size);
  out[at + 12] = link.height;
  out[at + 13] = link.bottoms;
  out.set(link.hash, at + 14);
}

export function readLink(bytes: Uint8Array, at: number): NodeLink {
  return {
    version: readU32(bytes, at),
    nonce: readU32(bytes, at + 4),
    size: readU32(bytes, at + 8),
    height: bytes[at + 12] as number,
    bottoms: bytes[at + 13] as number,
    hash: bytes.slice(at + 14, at + LINK_BYTES),
  };
}

export function encodeLeaf(key: Uint8Array, value: Uint8Array): Uint8Array {
  const out = new Uint8Array(LEAF_HEADER_BYTES + key.length + value.length);
  putLeaf(out, { id: idOf(key), value });
  return out;
}

/** Fills `out`, which has a leaf record's length and holds zeros. */
export function putLeaf(out: Uint8Array, { id, value }: NewLeaf): void {
  out[1] = id.length >>> 8;
  out[2] = id.length;
  putId(out, LEAF_HEADER_BYTES, id);
  out.set(value, LEAF_HEADER_BYTES + id.length);
}

/** Views of `record`. @throws AssertionError on a record that we did not write: the database is damaged. */
export function decodeLeaf(record: Uint8Array): LeafRecord {
  assert(record[0] === 0 && record.length > LEAF_HEADER_BYTES, 'a leaf record is damaged');
  const keyEnd = LEAF_HEADER_BYTES + readU16(record, 1);
  assert(keyEnd <= record.length, 'a leaf record is cut short');
  return { key: record.subarray(LEAF_HEADER_BYTES, keyEnd), value: record.subarray(keyEnd) };
}

/** Where the page's node with this nonce begins. @throws AssertionError when it has none: the database is damaged. */
export function placeInPage(page: Uint8Array, nonce: number): number {
  const place = nonce & (PAGE_NODES - 1);
  assert(place < (page[0] as number), 'a page lacks the node that a link names');
  let at = 1;
  for (let i = 0; i < place; i++) at += NODE_HEADER_BYTES + readU16(page, at);
  assert(at + NODE_HEADER_BYTES + readU16(page, at) <= page.length, 'a page is cut short');
  return at;
}

/** Links and keys of all nodes of a page. */
export function decodePage(page: Uint8Array): { readonly left: NodeLink; readonly right: NodeLink }[] {
  return Array.from({ length: page[0] as number }, (_, place) => {
    const at = placeInPage(page, place);
    return { left: readLink(page, at + 2), right: readLink(page, at + 2 + LINK_BYTES) };
  });
}
