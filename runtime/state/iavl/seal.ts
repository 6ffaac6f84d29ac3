/**
 * Makes a version of an edited tree: gives the new nodes their addresses, hashes them (cosmos/iavl v1, node.go
 * writeHashBytes) and lays them out in records.
 *
 * Why these pages: a commit's cost is mostly the number of records that the database takes, and new nodes are paths from
 * the root, so they are put together. But a page stays until all its nodes are unused, and nodes near the leaves live
 * long: there a page holds one path's last levels only. Nodes further up live so shortly that it does not matter.
 */
import { assert } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { SHA256_PADDING_BYTES, sha256Into } from '#core/crypto/sha256-into.ts';
import { divFloorSafe } from '#core/int.ts';
import type { KvOp } from '#core/ports/kv.ts';
import { STATE_LIMITS } from '../../limits.ts';
import { putId } from '../key-id.ts';
import { type Arena, ROOT } from './arena.ts';
import {
  encodeLeaf,
  HASH_BYTES,
  type LeafRecord,
  LINK_BYTES,
  NODE_HEADER_BYTES,
  type NodeLink,
  PAGE_NODES,
  PAGE_PLACE_BITS,
  pageOf,
  putU32,
} from './record.ts';
import { EMPTY_ROOT, type Tree } from './tree.ts';

/** What a version adds to the database. */
export interface SealedTree {
  /** Undefined for an empty tree. An old node when nothing changed, or when deletions left an old subtree. */
  readonly root: NodeLink | undefined;
  /** 32 bytes. */
  readonly hash: Uint8Array;
  readonly puts: readonly KvOp[];
  /** Of the new leaves: worth remembering once they are written. */
  readonly fresh: readonly FreshLeaf[];
  /** Bottoms that this version replaced (editor.ts ORPHAN_BYTES each). */
  readonly orphans: Uint8Array;
}

export interface FreshLeaf {
  readonly nonce: number;
  readonly record: Uint8Array;
}

/** Up to this height a page holds a connected piece of the tree; above, whatever comes. */
const LOW_HEIGHT = 3;

export function seal(tree: Tree, leaves: readonly LeafRecord[], orphans: Uint8Array, version: number): SealedTree {
  assert(version > 0 && version <= STATE_LIMITS.maxVersion, `version ${version} is out of range`);
  if (tree.isEmpty) return { root: undefined, hash: EMPTY_ROOT, puts: [], fresh: [], orphans };
  const puts: KvOp[] = [];
  const fresh: FreshLeaf[] = [];
  if (tree.arena.version(ROOT) === 0) {
    const layout = new Layout(tree.arena);
    layout.place(ROOT, undefined);
    hashNew({ tree, leaves, version, puts, fresh, layout }, ROOT);
    putPages(tree, layout, version, puts);
  }
  const root = tree.arena.read(ROOT);
  return { root, hash: root.hash, puts, fresh, orphans };
}

interface Page {
  readonly number: number;
  /** Links of its nodes, by place. */
  readonly links: number[];
  bottoms: number;
}

/** Which new node goes to which page. */
class Layout {
  readonly #arena: Arena;
  readonly pages: Page[] = [];
  #count = 0;
  #upper: Page | undefined;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Addresses a new node and all new ones below it. Answers the node's page; undefined for a leaf. */
  place(link: number, parent: Page | undefined): Page | undefined {
    const arena = this.#arena;
    const height = arena.height(link);
    if (height === 0) {
      arena.setNonce(link, this.#number() << PAGE_PLACE_BITS);
      arena.setBottoms(link, 1);
      return undefined;
    }
    const page = height > LOW_HEIGHT ? this.#upperPage() : (parent ?? this.#newPage());
    arena.setNonce(link, (page.number << PAGE_PLACE_BITS) | page.links.length);
    page.links.push(link);
    const below = height > LOW_HEIGHT ? undefined : page;
    const left = 2 * arena.slot(link);
    const inLeft = arena.version(left) === 0 ? this.place(left, below) : undefined;
    const inRight = arena.version(left + 1) === 0 ? this.place(left + 1, below) : undefined;
    const isBottom = inLeft !== page && inRight !== page;
    if (isBottom) page.bottoms++;
    arena.setBottoms(link, isBottom ? 1 : 0);
    return page;
  }

  /** How many bottoms the page of a node has, once all nodes are placed. */
  bottomsOf(nonce: number): number {
    return (this.#byNumber.get(pageOf(nonce)) as Page).bottoms;
  }

  readonly #byNumber = new Map<number, Page>();

  #upperPage(): Page {
    if (this.#upper === undefined || this.#upper.links.length === PAGE_NODES) this.#upper = this.#newPage();
    return this.#upper;
  }

  #newPage(): Page {
    const page = { number: this.#number(), links: [], bottoms: 0 };
    this.pages.push(page);
    this.#byNumber.set(page.number, page);
    return page;
  }

  #number(): number {
    this.#count++;
    assert(this.#count <= STATE_LIMITS.pagesPerVersion, 'one version makes too many pages of one store');
    return this.#count;
  }
}

/** Longest preimage: three varints of at most 8 bytes, a length byte, two hashes with theirs; a leaf's key on top. */
const FIXED_PREIMAGE_BYTES = 128;
/** Hash preimages are built here, because a version hashes many nodes; never read across calls. */
const scratch = new Uint8Array(FIXED_PREIMAGE_BYTES + STATE_LIMITS.keyBytes + SHA256_PADDING_BYTES);
/** Longer values are hashed where they are. */
const COPIED_VALUE_BYTES = 1024;

/** Writes `value` as an unsigned varint at `at` of the scratch; answers what follows it. Safe integers. */
function putVarint(at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 0x8000_0000) {
    const low = rest % 128;
    scratch[next++] = low + 128;
    rest = divFloorSafe(rest, 128);
  }
  while (rest >= 128) {
    scratch[next++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  scratch[next++] = rest;
  return next;
}

/** Zig-zag varints, as Go's binary.PutVarint writes these non-negative numbers. */
function putHeader(height: number, size: number, version: number): number {
  return putVarint(putVarint(putVarint(0, height * 2), size * 2), version * 2);
}

/** What the preimage of a node's hash begins with. */
export function nodeHeader(height: number, size: number, version: number): Uint8Array {
  return scratch.slice(0, putHeader(height, size, version));
}

/** Writes the hash of a leaf to `out[at …]`. */
export function leafHashInto(leaf: LeafRecord, version: number, out: Uint8Array, at: number): void {
  const { key, value } = leaf;
  if (value.length <= COPIED_VALUE_BYTES) {
    scratch.set(value);
    sha256Into(scratch, value.length, valueHash, 0);
  } else valueHash.set(sha256(value));
  const keyAt = putVarint(putHeader(0, 1, version), key.length);
  scratch.set(key, keyAt);
  const hashAt = keyAt + key.length;
  scratch[hashAt] = HASH_BYTES;
  scratch.set(valueHash, hashAt + 1);
  sha256Into(scratch, hashAt + 1 + HASH_BYTES, out, at);
}

const valueHash = new Uint8Array(HASH_BYTES);

/** Writes the hash of an inner node to `out[at …]`; its children's hashes are `hashes[from …]`, left then right. */
export function innerHashInto(
  node: { readonly height: number; readonly size: number; readonly version: number },
  hashes: Uint8Array,
  from: number,
  out: Uint8Array,
  at: number,
): void {
  let next = putHeader(node.height, node.size, node.version);
  scratch[next++] = HASH_BYTES;
  for (let i = 0; i < HASH_BYTES; i++) scratch[next + i] = hashes[from + i] as number;
  next += HASH_BYTES;
  scratch[next++] = HASH_BYTES;
  for (let i = 0; i < HASH_BYTES; i++) scratch[next + i] = hashes[from + HASH_BYTES + i] as number;
  sha256Into(scratch, next + HASH_BYTES, out, at);
}

interface Sealing {
  readonly tree: Tree;
  readonly leaves: readonly LeafRecord[];
  readonly version: number;
  readonly puts: KvOp[];
  readonly fresh: FreshLeaf[];
  readonly layout: Layout;
}

/** Hashes a new node after those below it, and puts the records of new leaves. */
function hashNew(sealing: Sealing, link: number): void {
  const { tree, leaves, version, layout } = sealing;
  const { arena, nodes } = tree;
  if (arena.height(link) === 0) {
    const leaf = leaves[arena.slot(link)] as LeafRecord;
    leafHashInto(leaf, version, arena.hashes, link * HASH_BYTES);
    const record = encodeLeaf(leaf.key, leaf.value);
    const nonce = arena.nonce(link);
    sealing.fresh.push({ nonce, record });
    sealing.puts.push({ type: 'put', key: nodes.key(version, nonce), value: record });
    arena.setSlot(link, 0);
  } else {
    const left = 2 * arena.slot(link);
    if (arena.version(left) === 0) hashNew(sealing, left);
    if (arena.version(left + 1) === 0) hashNew(sealing, left + 1);
    const node = { height: arena.height(link), size: arena.size(link), version };
    innerHashInto(node, arena.hashes, left * HASH_BYTES, arena.hashes, link * HASH_BYTES);
    if (arena.bottoms(link) > 0) arena.setBottoms(link, layout.bottomsOf(arena.nonce(link)));
  }
  arena.setVersion(link, version);
}

function putPages(tree: Tree, layout: Layout, version: number, puts: KvOp[]): void {
  const { arena, nodes } = tree;
  const chunks = new Chunks();
  for (const page of layout.pages) {
    let bytes = 1;
    for (const link of page.links) bytes += NODE_HEADER_BYTES + arena.keyOf(arena.slot(link)).length;
    const out = chunks.take(bytes);
    out[0] = page.links.length;
    let at = 1;
    for (const link of page.links) at = putNode(arena, arena.slot(link), out, at);
    puts.push({ type: 'put', key: nodes.key(version, page.number << PAGE_PLACE_BITS), value: out });
  }
}

function putNode(arena: Arena, node: number, out: Uint8Array, at: number): number {
  const key = arena.keyOf(node);
  out[at] = key.length >>> 8;
  out[at + 1] = key.length;
  for (let side = 0; side < 2; side++) {
    const to = at + 2 + side * LINK_BYTES;
    const link = 2 * node + side;
    putU32(out, to, arena.version(link));
    putU32(out, to + 4, arena.nonce(link));
    putU32(out, to + 8, arena.size(link));
    out[to + 12] = arena.height(link);
    out[to + 13] = arena.bottoms(link);
    const { hashes } = arena;
    const from = link * HASH_BYTES;
    for (let i = 0; i < HASH_BYTES; i++) out[to + 14 + i] = hashes[from + i] as number;
  }
  putId(out, at + NODE_HEADER_BYTES, key);
  return at + NODE_HEADER_BYTES + key.length;
}

const CHUNK_BYTES = 65_536;

/** Cuts the many small records of a version out of few buffers, which spares the garbage collector. */
class Chunks {
  #chunk = EMPTY;
  #at = 0;

  take(bytes: number): Uint8Array {
    if (bytes > CHUNK_BYTES >>> 2) return new Uint8Array(bytes);
    if (this.#at + bytes > this.#chunk.length) {
      this.#chunk = new Uint8Array(CHUNK_BYTES);
      this.#at = 0;
    }
    const start = this.#at;
    this.#at += bytes;
    return this.#chunk.subarray(start, this.#at);
  }
}
