/** Blocks, their parts and the commits for them, over the Kv port. */

import { defined } from '#core/assert.ts';
import { concat, concatAll, readU64be, u32be, u64be } from '#core/bytes.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { type Block, readBlock } from '#core/types/block.ts';
import type { BlockId } from '#core/types/block-id.ts';
import { type Height, toHeight } from '#core/types/brand.ts';
import {
  type Commit,
  type ExtendedCommit,
  encodeCommit,
  encodeExtendedCommit,
  readCommit,
  readExtendedCommit,
} from '#core/types/commit.ts';
import type { SignedHeader } from '#core/types/light-block.ts';
import { encodePart, type Part, type PartSet, readPart } from '#core/types/part-set.ts';
import { type BlockMeta, encodeMeta, readMeta } from './block-meta.ts';
import { put, type STORE_PREFIX, stored, storeKey } from './store-records.ts';

export interface BlockStore {
  /** Lowest stored height; 0 when there is none. */
  readonly base: Height;
  /** Highest stored height; 0 when there is none. */
  readonly height: Height;
  /** Lowest height of which header and commit are known: below `base` they are without their block. 0: none. */
  readonly headerBase: Height;
  /** Headers and commits below those that are known, from above to below, without their blocks. One batch, not waited for. */
  saveHeaders(headers: readonly SignedHeader[]): Promise<void>;
  /** Atomic; on disk with the next synced write, which is that of the block's results. Heights follow one another. */
  save(block: Block, blockId: BlockId, parts: PartSet, seenCommit: ExtendedCommit): Promise<void>;
  meta(height: bigint): BlockMeta | undefined;
  block(height: bigint): Block | undefined;
  /** The same as `encodeBlock` has made it: its parts, one behind the other. */
  encodedBlock(height: bigint): Uint8Array | undefined;
  part(height: bigint, index: number): Part | undefined;
  /** The commit for `height` that the block after it contains. */
  commit(height: bigint): Commit | undefined;
  /** The commit with extensions that this node saw when it decided `height`. */
  seenCommit(height: bigint): ExtendedCommit | undefined;
  heightOfHash(hash: Uint8Array): Height | undefined;
  /**
   * Forgets at most `maxBlocks` of the blocks below `retain`, lowest first, in one batch that is not waited for on disk.
   * Never the newest. Answers whether none is left to forget.
   */
  prune(retain: bigint, maxBlocks: number): Promise<boolean>;
  /** Forgets the newest block, unless it is the only one. Atomic; on disk with the next synced write. */
  dropNewest(): Promise<void>;
}

class KvBlockStore implements BlockStore {
  readonly #kv: Kv;
  /** The first block that was ever stored. */
  #first: Height;
  #base: Height;
  #height: Height;
  /** When below the blocks. */
  #headers: Height | undefined;

  constructor(kv: Kv) {
    this.#kv = kv;
    const range = kv.get(storeKey('blockRange'));
    const pruned = kv.get(storeKey('blockBase'));
    this.#first = toHeight(range === undefined ? 0n : readU64be(range));
    this.#base = pruned === undefined ? this.#first : toHeight(readU64be(pruned));
    this.#height = toHeight(range === undefined ? 0n : readU64be(range, 8));
    const headers = kv.get(storeKey('headerBase'));
    this.#headers = headers && toHeight(readU64be(headers));
  }

  get headerBase(): Height {
    return this.#headers !== undefined && this.#headers < this.#base ? this.#headers : this.#base;
  }

  async saveHeaders(headers: readonly SignedHeader[]): Promise<void> {
    const ops: KvOp[] = [];
    let lowest = this.headerBase;
    for (const { header, commit } of headers) {
      if (header.height !== lowest - 1n)
        throw new Error(`block store: expected the header of height ${lowest - 1n}, got ${header.height}`);
      lowest = header.height;
      const key = u64be(lowest);
      const { blockId } = commit;
      ops.push(
        put(storeKey('blockMeta', key), encodeMeta({ blockId, header, size: 0, txCount: 0 })),
        put(storeKey('commit', key), encodeCommit(commit)),
        put(storeKey('blockHash', blockId.hash), key),
      );
    }
    ops.push(put(storeKey('headerBase'), u64be(lowest)));
    await this.#kv.write(ops);
    this.#headers = lowest;
  }

  get base(): Height {
    return this.#base;
  }

  get height(): Height {
    return this.#height;
  }

  async save(block: Block, blockId: BlockId, parts: PartSet, seenCommit: ExtendedCommit): Promise<void> {
    const { height } = block.header;
    if (this.#height !== 0n && height !== this.#height + 1n)
      throw new Error(`block store: expected height ${this.#height + 1n}, got ${height}`);
    const first = this.#first === 0n ? height : this.#first;
    const size = parts.parts.reduce((sum, part) => sum + part.bytes.length, 0);
    const key = u64be(height);
    const ops: KvOp[] = [
      put(storeKey('blockMeta', key), encodeMeta({ blockId, header: block.header, size, txCount: block.txs.length })),
      ...parts.parts.map((part) => put(storeKey('blockPart', key, u32be(part.index)), encodePart(part))),
      put(storeKey('seenCommit', key), encodeExtendedCommit(seenCommit)),
      put(storeKey('blockHash', blockId.hash), key),
      put(storeKey('blockRange'), concat(u64be(first), key)),
    ];
    if (block.lastCommit.height > 0n)
      ops.push(put(storeKey('commit', u64be(block.lastCommit.height)), encodeCommit(block.lastCommit)));
    await this.#kv.write(ops);
    if (this.#base === 0n) this.#base = height;
    this.#first = first;
    this.#height = height;
  }

  meta(height: bigint): BlockMeta | undefined {
    return stored('block', this.#get('blockMeta', height), readMeta);
  }

  block(height: bigint): Block | undefined {
    return stored('block', this.encodedBlock(height), (bytes) => readBlock('block', bytes));
  }

  encodedBlock(height: bigint): Uint8Array | undefined {
    const meta = height < this.#base ? undefined : this.meta(height);
    if (meta === undefined) return undefined;
    const parts = Array.from({ length: meta.blockId.partSetHeader.total }, (_, i) =>
      defined(this.part(height, i), `part ${i} of block ${height}`),
    );
    return concatAll(parts.map((part) => part.bytes));
  }

  part(height: bigint, index: number): Part | undefined {
    const bytes = this.#kv.get(storeKey('blockPart', u64be(height), u32be(index)));
    return stored('block part', bytes, (part) => readPart('part', part));
  }

  commit(height: bigint): Commit | undefined {
    return stored('commit', this.#get('commit', height), (bytes) => readCommit('commit', bytes));
  }

  seenCommit(height: bigint): ExtendedCommit | undefined {
    return stored('commit', this.#get('seenCommit', height), (bytes) => readExtendedCommit('commit', bytes));
  }

  heightOfHash(hash: Uint8Array): Height | undefined {
    const bytes = this.#kv.get(storeKey('blockHash', hash));
    return bytes && toHeight(readU64be(bytes));
  }

  async prune(retain: bigint, maxBlocks: number): Promise<boolean> {
    const last = retain > this.#height ? this.#height : retain;
    const from = this.headerBase;
    if (from === 0n || last <= from) return true;
    const most = from + BigInt(maxBlocks);
    const end = last > most ? most : last;
    const ops: KvOp[] = [];
    for (let height: bigint = from; height < end; height++) ops.push(...this.#deletions(height));
    // At once, so that nobody is promised a block that is gone already.
    if (end > this.#base) {
      ops.push(put(storeKey('blockBase'), u64be(end)));
      this.#base = toHeight(end);
    }
    if (this.#headers !== undefined) {
      ops.push(put(storeKey('headerBase'), u64be(end)));
      this.#headers = toHeight(end);
    }
    await this.#kv.write(ops);
    return end === last;
  }

  async dropNewest(): Promise<void> {
    const height = this.#height;
    if (height <= this.#base) throw new Error(`block store: block ${height} is the only one`);
    const before = toHeight(height - 1n);
    await this.#kv.write([
      ...this.#deletions(height),
      // It came with the block.
      { type: 'del', key: storeKey('commit', u64be(before)) },
      put(storeKey('blockRange'), concat(u64be(this.#first), u64be(before))),
    ]);
    this.#height = before;
  }

  #deletions(height: bigint): KvOp[] {
    const meta = this.meta(height);
    if (meta === undefined) return [];
    const key = u64be(height);
    const parts = Array.from({ length: meta.blockId.partSetHeader.total }, (_, i) =>
      storeKey('blockPart', key, u32be(i)),
    );
    const keys = [
      storeKey('blockMeta', key),
      storeKey('commit', key),
      storeKey('seenCommit', key),
      storeKey('blockHash', meta.blockId.hash),
      ...parts,
    ];
    return keys.map((each) => ({ type: 'del', key: each }) as const);
  }

  #get(prefix: keyof typeof STORE_PREFIX, height: bigint): Uint8Array | undefined {
    return height < 0n ? undefined : this.#kv.get(storeKey(prefix, u64be(height)));
  }
}

export function openBlockStore(kv: Kv): BlockStore {
  return new KvBlockStore(kv);
}
