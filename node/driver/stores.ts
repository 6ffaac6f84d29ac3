/**
 * Blocks and chain state over the Kv port. The node keeps them in LevelDB, the simulator on its simulated disk. Both stores
 * must lie in one Kv: a height waits for the disk once here, when its results are written, and that write makes what was
 * written before it durable, the block and the state of the height below.
 */

import type { ChainState } from '#consensus/chain-state.ts';
import { decodeChainState, encodeChainState, encodeParams, readParams } from '#consensus/chain-state-codec.ts';
import type { FinalizeBlockResponse } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { concat, EMPTY, readU64be, u32be, u64be } from '#core/bytes.ts';
import { asInt64, asMessage, decode, readFields } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import type { Result } from '#core/result.ts';
import { type Block, readBlock } from '#core/types/block.ts';
import { type BlockId, encodeBlockId, NIL_BLOCK_ID, readBlockId } from '#core/types/block-id.ts';
import { type Height, toHeight } from '#core/types/brand.ts';
import {
  type Commit,
  type ExtendedCommit,
  encodeCommit,
  encodeExtendedCommit,
  readCommit,
  readExtendedCommit,
} from '#core/types/commit.ts';
import type { ConsensusParams } from '#core/types/consensus-params.ts';
import { encodeHeader, type Header, readHeader } from '#core/types/header.ts';
import { encodePart, type Part, type PartSet, readPart } from '#core/types/part-set.ts';
import {
  encodeValidatorSet,
  incrementPriority,
  readValidatorSet,
  type ValidatorSet,
} from '#core/types/validator-set.ts';
import { decodeFinalizeResponse, encodeFinalizeResponse } from './abci-codec.ts';

/** First byte of every key of these stores, which may share one Kv. */
export const STORE_PREFIX = {
  blockRange: 0x01,
  blockMeta: 0x02,
  blockPart: 0x03,
  commit: 0x04,
  seenCommit: 0x05,
  blockHash: 0x06,
  /** The lowest height that is kept, once something was pruned: of blocks, and of what the state says of heights. */
  blockBase: 0x07,
  chainState: 0x10,
  validators: 0x11,
  params: 0x12,
  finalizeResponse: 0x13,
  stateBase: 0x14,
  pendingEvidence: 0x20,
  committedEvidence: 0x21,
  /** There while state sync is under way: nothing else in the node's stores is complete. */
  stateSync: 0x30,
} as const;

export function storeKey(prefix: keyof typeof STORE_PREFIX, ...rest: readonly Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(STORE_PREFIX[prefix]), ...rest);
}

export interface BlockMeta {
  readonly blockId: BlockId;
  readonly header: Header;
  /** Bytes of the encoded block. */
  readonly size: number;
  readonly txCount: number;
}

export interface BlockStore {
  /** Lowest stored height; 0 when there is none. */
  readonly base: Height;
  /** Highest stored height; 0 when there is none. */
  readonly height: Height;
  /** Atomic; on disk with the next synced write, which is that of the block's results. Heights follow one another. */
  save(block: Block, blockId: BlockId, parts: PartSet, seenCommit: ExtendedCommit): Promise<void>;
  meta(height: bigint): BlockMeta | undefined;
  block(height: bigint): Block | undefined;
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
}

function read<T>(what: string, result: Result<T, string>): T {
  if (!result.ok) throw new Error(`the stored ${what} is damaged: ${result.error}`);
  return result.value;
}

function encodeMeta(meta: BlockMeta): Uint8Array {
  return new ProtoWriter()
    .message(1, encodeBlockId(meta.blockId))
    .message(2, encodeHeader(meta.header))
    .varint(3, meta.size)
    .varint(4, meta.txCount)
    .finish();
}

function readMeta(bytes: Uint8Array): BlockMeta {
  let blockId = NIL_BLOCK_ID;
  let header: Header | undefined;
  const numbers = new Map<number, bigint>();
  for (const field of readFields('meta', bytes, { known: [1, 2, 3, 4] })) {
    if (field.number === 1) blockId = readBlockId('meta.block_id', asMessage('meta', field));
    else if (field.number === 2) header = readHeader('meta.header', asMessage('meta', field));
    else numbers.set(field.number, asInt64('meta', field));
  }
  return {
    blockId,
    header: defined(header, 'header of a stored block'),
    size: Number(numbers.get(3) ?? 0n),
    txCount: Number(numbers.get(4) ?? 0n),
  };
}

class KvBlockStore implements BlockStore {
  readonly #kv: Kv;
  /** The first block that was ever stored. */
  #first: Height;
  #base: Height;
  #height: Height;

  constructor(kv: Kv) {
    this.#kv = kv;
    const range = kv.get(storeKey('blockRange'));
    const pruned = kv.get(storeKey('blockBase'));
    this.#first = toHeight(range === undefined ? 0n : readU64be(range));
    this.#base = pruned === undefined ? this.#first : toHeight(readU64be(pruned));
    this.#height = toHeight(range === undefined ? 0n : readU64be(range, 8));
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
    const bytes = this.#get('blockMeta', height);
    return (
      bytes &&
      read(
        'block',
        decode(() => readMeta(bytes)),
      )
    );
  }

  block(height: bigint): Block | undefined {
    const meta = this.meta(height);
    if (meta === undefined) return undefined;
    const parts = Array.from({ length: meta.blockId.partSetHeader.total }, (_, i) =>
      defined(this.part(height, i), `part ${i} of block ${height}`),
    );
    return read(
      'block',
      decode(() => readBlock('block', concat(...parts.map((part) => part.bytes)))),
    );
  }

  part(height: bigint, index: number): Part | undefined {
    const bytes = this.#kv.get(storeKey('blockPart', u64be(height), u32be(index)));
    return (
      bytes &&
      read(
        'block part',
        decode(() => readPart('part', bytes)),
      )
    );
  }

  commit(height: bigint): Commit | undefined {
    const bytes = this.#get('commit', height);
    return (
      bytes &&
      read(
        'commit',
        decode(() => readCommit('commit', bytes)),
      )
    );
  }

  seenCommit(height: bigint): ExtendedCommit | undefined {
    const bytes = this.#get('seenCommit', height);
    return (
      bytes &&
      read(
        'commit',
        decode(() => readExtendedCommit('commit', bytes)),
      )
    );
  }

  heightOfHash(hash: Uint8Array): Height | undefined {
    const bytes = this.#kv.get(storeKey('blockHash', hash));
    return bytes && toHeight(readU64be(bytes));
  }

  async prune(retain: bigint, maxBlocks: number): Promise<boolean> {
    const last = retain > this.#height ? this.#height : retain;
    if (this.#base === 0n || last <= this.#base) return true;
    const most = this.#base + BigInt(maxBlocks);
    const end = last > most ? most : last;
    const ops: KvOp[] = [];
    for (let height: bigint = this.#base; height < end; height++) ops.push(...this.#deletions(height));
    ops.push(put(storeKey('blockBase'), u64be(end)));
    // At once, so that nobody is promised a block that is gone already.
    this.#base = toHeight(end);
    await this.#kv.write(ops);
    return end === last;
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

function put(key: Uint8Array, value: Uint8Array): KvOp {
  return { type: 'put', key, value };
}

export function openBlockStore(kv: Kv): BlockStore {
  return new KvBlockStore(kv);
}

export interface StateStore {
  /** `undefined` before the first `save`. */
  load(): ChainState | undefined;
  /**
   * The state after a block, and what it says of the heights to come. Atomic; on disk with the next synced write: block and
   * results are there already, and lead to it again.
   */
  save(state: ChainState): Promise<void>;
  /** The state after the block that state sync begins at; `lastParams` are that block's. Atomic and synced. */
  bootstrap(state: ChainState, lastParams: ConsensusParams): Promise<void>;
  /** The validator set of a height, priorities as of that height. */
  validators(height: bigint): ValidatorSet | undefined;
  params(height: bigint): ConsensusParams | undefined;
  /** Synced, and with it the block: both must be there before the application commits. */
  saveFinalizeResponse(height: bigint, response: FinalizeBlockResponse): Promise<void>;
  finalizeResponse(height: bigint): FinalizeBlockResponse | undefined;
  /** The lowest height of which validators, parameters and results are kept. */
  readonly base: Height;
  /** Forgets at most `maxHeights` of the heights below `retain`, as {@link BlockStore.prune} does. */
  prune(retain: bigint, maxHeights: number): Promise<boolean>;
}

/** A validator set is stored where it changed, and again every so many heights so that rotation is replayed over few. */
const VALIDATOR_CHECKPOINT = 1_000n;

class KvStateStore implements StateStore {
  readonly #kv: Kv;
  #base: Height | undefined;

  constructor(kv: Kv) {
    this.#kv = kv;
    const base = kv.get(storeKey('stateBase'));
    this.#base = base && toHeight(readU64be(base));
  }

  get base(): Height {
    this.#base ??= this.load()?.initialHeight;
    return this.#base ?? toHeight(0n);
  }

  load(): ChainState | undefined {
    const bytes = this.#kv.get(storeKey('chainState'));
    return bytes && read('state', decodeChainState(bytes));
  }

  async save(state: ChainState): Promise<void> {
    const ops: KvOp[] = [];
    const next = state.lastBlockHeight === 0n ? state.initialHeight : state.lastBlockHeight + 1n;
    if (state.lastBlockHeight === 0n) ops.push(this.#putValidators(next, next, state.validators));
    ops.push(this.#putValidators(next + 1n, state.lastHeightValidatorsChanged, state.nextValidators));
    ops.push(put(storeKey('params', u64be(next)), this.#paramsValue(next, state)));
    ops.push(put(storeKey('chainState'), encodeChainState(state)));
    await this.#kv.write(ops);
  }

  async bootstrap(state: ChainState, lastParams: ConsensusParams): Promise<void> {
    const last = state.lastBlockHeight;
    const whole = (prefix: 'validators' | 'params', height: bigint, value: Uint8Array) =>
      put(storeKey(prefix, u64be(height)), concat(u64be(height), value));
    const sets = [state.lastValidators, state.validators, state.nextValidators];
    await this.#kv.write(
      [
        ...sets.map((set, i) => whole('validators', last + BigInt(i), encodeValidatorSet(set))),
        whole('params', last, encodeParams(lastParams)),
        whole('params', last + 1n, encodeParams(state.params)),
        put(storeKey('stateBase'), u64be(last)),
        put(storeKey('chainState'), encodeChainState(state)),
      ],
      { sync: true },
    );
    this.#base = last;
  }

  async prune(retain: bigint, maxHeights: number): Promise<boolean> {
    const { base } = this;
    const newest = this.load()?.lastBlockHeight ?? 0n;
    const last = retain > newest ? newest : retain;
    if (base === 0n || last <= base) return true;
    const end = last > base + BigInt(maxHeights) ? base + BigInt(maxHeights) : last;
    const ops: KvOp[] = [put(storeKey('stateBase'), u64be(end))];
    const forget = (prefix: 'validators' | 'params' | 'finalizeResponse', height: bigint) =>
      ops.push({ type: 'del', key: storeKey(prefix, u64be(height)) });
    for (let height: bigint = base; height < end; height++) forget('finalizeResponse', height);
    for (const prefix of ['validators', 'params'] as const) {
      // What the kept heights refer to stays, however old; what only the forgotten ones referred to goes.
      const needed = this.#source(prefix, end);
      const before = this.#source(prefix, base);
      if (before < base && before !== needed) forget(prefix, before);
      for (let height: bigint = base; height < end; height++) if (height !== needed) forget(prefix, height);
    }
    this.#base = toHeight(end);
    await this.#kv.write(ops);
    return end === last;
  }

  /** The height whose record is the whole one that the record of `height` refers to. */
  #source(prefix: 'validators' | 'params', height: bigint): bigint {
    return readU64be(defined(this.#entry(prefix, height), `${prefix} of height ${height}`));
  }

  #putValidators(height: bigint, changed: bigint, set: ValidatorSet): KvOp {
    const full = height <= changed || height % VALIDATOR_CHECKPOINT === 0n;
    const checkpoint = height - (height % VALIDATOR_CHECKPOINT);
    const from = full ? height : changed > checkpoint ? changed : checkpoint;
    return put(storeKey('validators', u64be(height)), concat(u64be(from), full ? encodeValidatorSet(set) : EMPTY));
  }

  #paramsValue(height: bigint, state: ChainState): Uint8Array {
    const changed = state.lastHeightParamsChanged;
    return height === changed ? concat(u64be(height), encodeParams(state.params)) : u64be(changed);
  }

  validators(height: bigint): ValidatorSet | undefined {
    const entry = this.#entry('validators', height);
    if (entry === undefined) return undefined;
    const from = readU64be(entry);
    const full = from === height ? entry : this.#entry('validators', from);
    if (full === undefined || full.length <= 8) return undefined;
    const set = read(
      'validator set',
      decode(() => readValidatorSet('validators', full.subarray(8))),
    );
    return from === height ? set : incrementPriority(set, Number(height - from));
  }

  params(height: bigint): ConsensusParams | undefined {
    const entry = this.#entry('params', height);
    if (entry === undefined) return undefined;
    const from = readU64be(entry);
    const full = from === height ? entry : this.#entry('params', from);
    return (
      full &&
      read(
        'parameters',
        decode(() => readParams('params', full.subarray(8))),
      )
    );
  }

  #entry(prefix: 'validators' | 'params', height: bigint): Uint8Array | undefined {
    return height < 0n ? undefined : this.#kv.get(storeKey(prefix, u64be(height)));
  }

  async saveFinalizeResponse(height: bigint, response: FinalizeBlockResponse): Promise<void> {
    const ops = [put(storeKey('finalizeResponse', u64be(height)), encodeFinalizeResponse(response))];
    await this.#kv.write(ops, { sync: true });
  }

  finalizeResponse(height: bigint): FinalizeBlockResponse | undefined {
    const bytes = this.#kv.get(storeKey('finalizeResponse', u64be(height)));
    return bytes && read('block results', decodeFinalizeResponse(bytes));
  }
}

export function openStateStore(kv: Kv): StateStore {
  return new KvStateStore(kv);
}
