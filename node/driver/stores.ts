/**
 * Blocks and chain state over the Kv port. The node keeps them in LevelDB, the simulator on its simulated disk. Both stores
 * must lie in one Kv: a height waits for the disk once here, when its results are written, and that write makes what was
 * written before it durable, the block and the state of the height below.
 */

import type { ChainState } from '#consensus/chain-state.ts';
import { decodeChainState, encodeChainState, encodeParams, readParams } from '#consensus/chain-state-codec.ts';
import type { FinalizeBlockResponse } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { concat, concatAll, EMPTY, equal, readU64be, u32be, u64be } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import { minBig } from '#core/int.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import type { Result } from '#core/result.ts';
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
import type { ConsensusParams } from '#core/types/consensus-params.ts';
import type { LightBlock, SignedHeader } from '#core/types/light-block.ts';
import { encodePart, type Part, type PartSet, readPart } from '#core/types/part-set.ts';
import {
  encodeValidatorSet,
  incrementPriority,
  readValidatorSet,
  type ValidatorSet,
  validatorSetHash,
} from '#core/types/validator-set.ts';
import { decodeFinalizeResponse, encodeFinalizeResponse } from './abci-codec.ts';
import { type BlockMeta, encodeMeta, readMeta } from './block-meta.ts';

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
  headerBase: 0x08,
  chainState: 0x10,
  validators: 0x11,
  params: 0x12,
  finalizeResponse: 0x13,
  stateBase: 0x14,
  /** The lowest height of which the validators are known, below `stateBase`, and of which the header is, below `blockBase`. */
  validatorsBase: 0x15,
  pendingEvidence: 0x20,
  committedEvidence: 0x21,
  /** There while state sync is under way: nothing else in the node's stores is complete. */
  stateSync: 0x30,
} as const;

export function storeKey(prefix: keyof typeof STORE_PREFIX, ...rest: readonly Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(STORE_PREFIX[prefix]), ...rest);
}

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

function read<T>(what: string, result: Result<T, string>): T {
  if (!result.ok) throw new Error(`the stored ${what} is damaged: ${result.error}`);
  return result.value;
}

function stored<T>(what: string, bytes: Uint8Array | undefined, reader: (bytes: Uint8Array) => T): T | undefined {
  if (bytes === undefined) return undefined;
  return read(
    what,
    decode(() => reader(bytes)),
  );
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
    return (
      bytes &&
      read(
        'block part',
        decode(() => readPart('part', bytes)),
      )
    );
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
   * results are there already, and lead to it again. `sync`: on disk when it resolves, and all before it.
   */
  save(state: ChainState, options?: { readonly sync: boolean }): Promise<void>;
  /** The state after the block that state sync begins at; `lastParams` are that block's. Atomic and synced. */
  bootstrap(state: ChainState, lastParams: ConsensusParams): Promise<void>;
  /** The validator set of a height, priorities as of that height. */
  validators(height: bigint): ValidatorSet | undefined;
  /**
   * Sets of heights below those that are known, from above to below, as their headers name them. Of sets that do not
   * change one is stored, so their priorities are not those of their height. One batch, not waited for.
   */
  saveValidators(blocks: readonly LightBlock[]): Promise<void>;
  params(height: bigint): ConsensusParams | undefined;
  /** Synced, and with it the block: both must be on disk before what the application commits. */
  saveFinalizeResponse(
    height: bigint,
    response: FinalizeBlockResponse,
    options: { readonly sync: boolean },
  ): Promise<void>;
  finalizeResponse(height: bigint): FinalizeBlockResponse | undefined;
  /** The same as `encodeFinalizeResponse` has made it. */
  encodedResponse(height: bigint): Uint8Array | undefined;
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
  /** When below `#base`. */
  #validatorsBase: bigint | undefined;

  constructor(kv: Kv) {
    this.#kv = kv;
    const base = kv.get(storeKey('stateBase'));
    this.#base = base && toHeight(readU64be(base));
    const validators = kv.get(storeKey('validatorsBase'));
    this.#validatorsBase = validators && readU64be(validators);
  }

  async saveValidators(blocks: readonly LightBlock[]): Promise<void> {
    const ops: KvOp[] = [];
    let lowest = this.#validatorsBase ?? this.base;
    let source = this.#source('validators', lowest);
    let hash = validatorSetHash(defined(this.validators(lowest), `validators of height ${lowest}`));
    for (const { header, validators } of blocks) {
      if (header.height !== lowest - 1n)
        throw new Error(`state store: expected the validators of height ${lowest - 1n}, got ${header.height}`);
      lowest = header.height;
      const isSame = equal(hash, header.validatorsHash);
      if (!isSame) [source, hash] = [lowest, header.validatorsHash];
      const key = storeKey('validators', u64be(lowest));
      ops.push(put(key, isSame ? u64be(source) : concat(u64be(lowest), encodeValidatorSet(validators))));
    }
    ops.push(put(storeKey('validatorsBase'), u64be(lowest)));
    await this.#kv.write(ops);
    this.#validatorsBase = lowest;
  }

  get base(): Height {
    this.#base ??= this.load()?.initialHeight;
    return this.#base ?? toHeight(0n);
  }

  load(): ChainState | undefined {
    const bytes = this.#kv.get(storeKey('chainState'));
    return bytes && read('state', decodeChainState(bytes));
  }

  async save(state: ChainState, options = { sync: false }): Promise<void> {
    const ops: KvOp[] = [];
    const next = state.lastBlockHeight === 0n ? state.initialHeight : state.lastBlockHeight + 1n;
    if (state.lastBlockHeight === 0n) ops.push(this.#putValidators(next, next, state.validators));
    ops.push(this.#putValidators(next + 1n, state.lastHeightValidatorsChanged, state.nextValidators));
    ops.push(put(storeKey('params', u64be(next)), this.#paramsValue(next, state)));
    ops.push(put(storeKey('chainState'), encodeChainState(state)));
    await this.#kv.write(ops, options);
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
    const below = this.#validatorsBase ?? base;
    if (below < base && last > below) return (await this.#pruneBelow(below, last, maxHeights)) && last <= base;
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

  /** What was learnt of heights before the first: nothing above refers to it. */
  async #pruneBelow(from: bigint, last: bigint, maxHeights: number): Promise<boolean> {
    const goal = minBig(last, this.base);
    const end = minBig(goal, from + BigInt(maxHeights));
    const ops: KvOp[] = [put(storeKey('validatorsBase'), u64be(end))];
    for (let height = from; height < end; height++)
      ops.push({ type: 'del', key: storeKey('validators', u64be(height)) });
    this.#validatorsBase = end;
    await this.#kv.write(ops);
    return end === goal;
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
    return from >= height ? set : incrementPriority(set, Number(height - from));
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

  async saveFinalizeResponse(
    height: bigint,
    response: FinalizeBlockResponse,
    options: { readonly sync: boolean },
  ): Promise<void> {
    const ops = [put(storeKey('finalizeResponse', u64be(height)), encodeFinalizeResponse(response))];
    await this.#kv.write(ops, options);
  }

  finalizeResponse(height: bigint): FinalizeBlockResponse | undefined {
    const bytes = this.encodedResponse(height);
    return bytes && read('block results', decodeFinalizeResponse(bytes));
  }

  encodedResponse(height: bigint): Uint8Array | undefined {
    return this.#kv.get(storeKey('finalizeResponse', u64be(height)));
  }
}

export function openStateStore(kv: Kv): StateStore {
  return new KvStateStore(kv);
}
