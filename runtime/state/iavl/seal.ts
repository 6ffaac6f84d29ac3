/**
 * Makes a version of an edited tree: gives the new nodes their addresses, hashes them (cosmos/iavl v1, node.go
 * writeHashBytes) and lays them out in records.
 *
 * Why these pages: a commit's cost is mostly the number of records that the database takes, and new nodes are paths from
 * the root, so they are put together. But a page stays until all its nodes are unused, and nodes near the leaves live
 * long: there a page holds one path's last levels only. Nodes further up live so shortly that it does not matter.
 */
import { assert } from '#core/assert.ts';
import type { KvOp } from '#core/ports/kv.ts';
import { STATE_LIMITS } from '../../limits.ts';
import { Chunks } from '../chunks.ts';
import { putId } from '../key-id.ts';
import { type Arena, ROOT } from './arena.ts';
import { hashNodes } from './hash.ts';
import {
  HASH_BYTES,
  LEAF_HEADER_BYTES,
  LINK_BYTES,
  type NewLeaf,
  NODE_HEADER_BYTES,
  type NodeLink,
  PAGE_NODES,
  PAGE_PLACE_BITS,
  putLeaf,
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
  /** Bottoms that this version replaced (editor.ts ORPHAN_BYTES each). */
  readonly orphans: Uint8Array;
}

/** Up to this height a page holds a connected piece of the tree; above, whatever comes. */
const LOW_HEIGHT = 3;

export function seal(tree: Tree, leaves: readonly NewLeaf[], orphans: Uint8Array, version: number): SealedTree {
  assert(version > 0 && version <= STATE_LIMITS.maxVersion, `version ${version} is out of range`);
  if (tree.isEmpty) return { root: undefined, hash: EMPTY_ROOT, puts: [], orphans };
  const puts: KvOp[] = [];
  if (tree.arena.version(ROOT) === 0) {
    const layout = new Layout(tree.arena);
    layout.place(ROOT, undefined);
    hashNodes(tree.arena, leaves, layout.byHeight, version);
    const keys = new Chunks(KEY_CHUNK_BYTES);
    const sealing = { tree, layout, version, puts, keys };
    putLeaves(sealing, leaves);
    markInner(sealing);
    putPages(sealing);
  }
  const root = tree.arena.read(ROOT);
  return { root, hash: root.hash, puts, orphans };
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
  /** Links of the new nodes, by height. */
  readonly byHeight: number[][] = [];
  #count = 0;
  #upper: Page | undefined;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Addresses a new node and all new ones below it. Answers the node's page; undefined for a leaf. */
  place(link: number, parent: Page | undefined): Page | undefined {
    const arena = this.#arena;
    const height = arena.height(link);
    let peers = this.byHeight[height];
    if (peers === undefined) {
      peers = [];
      this.byHeight[height] = peers;
    }
    peers.push(link);
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

  #upperPage(): Page {
    if (this.#upper === undefined || this.#upper.links.length === PAGE_NODES) this.#upper = this.#newPage();
    return this.#upper;
  }

  #newPage(): Page {
    const page = { number: this.#number(), links: [], bottoms: 0 };
    this.pages.push(page);
    return page;
  }

  #number(): number {
    this.#count++;
    assert(this.#count <= STATE_LIMITS.pagesPerVersion, 'one version makes too many pages of one store');
    return this.#count;
  }
}

interface Sealing {
  readonly tree: Tree;
  readonly layout: Layout;
  readonly version: number;
  readonly puts: KvOp[];
  /** Where the records' keys are cut from. */
  readonly keys: Chunks;
}

function put({ tree, version, puts, keys }: Sealing, nonce: number, record: Uint8Array): void {
  const { nodes } = tree;
  puts.push({ type: 'put', key: nodes.keyInto(keys.take(nodes.keyBytes), version, nonce), value: record });
}

function putLeaves(sealing: Sealing, leaves: readonly NewLeaf[]): void {
  const { arena } = sealing.tree;
  const chunks = new Chunks(LEAF_CHUNK_BYTES);
  for (const link of sealing.layout.byHeight[0] ?? []) {
    const leaf = leaves[arena.slot(link)] as NewLeaf;
    const record = chunks.take(LEAF_HEADER_BYTES + leaf.id.length + leaf.value.length);
    putLeaf(record, leaf);
    put(sealing, arena.nonce(link), record);
    arena.setSlot(link, 0);
    arena.setVersion(link, sealing.version);
  }
}

/** Tells the links of new inner nodes what is known only once all nodes have their places. */
function markInner({ tree, layout, version }: Sealing): void {
  const { arena } = tree;
  for (const page of layout.pages)
    for (const link of page.links) {
      arena.setVersion(link, version);
      if (arena.bottoms(link) > 0) arena.setBottoms(link, page.bottoms);
    }
}

function putPages(sealing: Sealing): void {
  const { arena } = sealing.tree;
  const chunks = new Chunks(PAGE_CHUNK_BYTES);
  for (const page of sealing.layout.pages) {
    let bytes = 1;
    for (const link of page.links) bytes += NODE_HEADER_BYTES + arena.keyOf(arena.slot(link)).length;
    const out = chunks.take(bytes);
    out[0] = page.links.length;
    let at = 1;
    for (const link of page.links) at = putNode(arena, arena.slot(link), out, at);
    put(sealing, page.number << PAGE_PLACE_BITS, out);
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

const KEY_CHUNK_BYTES = 16_384;
/** Small, because whoever keeps one value keeps the chunk. */
const LEAF_CHUNK_BYTES = 8_192;
const PAGE_CHUNK_BYTES = 65_536;
