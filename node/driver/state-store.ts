/** The chain state over the Kv port, and what it says of heights: validators, parameters, results of blocks. */

import type { ChainState } from '#consensus/chain-state.ts';
import { decodeChainState, encodeChainState, encodeParams, readParams } from '#consensus/chain-state-codec.ts';
import type { FinalizeBlockResponse } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { concat, EMPTY, equal, readU64be, u64be } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import { minBig } from '#core/int.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { type Height, toHeight } from '#core/types/brand.ts';
import type { ConsensusParams } from '#core/types/consensus-params.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import {
  encodeValidatorSet,
  incrementPriority,
  readValidatorSet,
  type ValidatorSet,
  validatorSetHash,
} from '#core/types/validator-set.ts';
import { decodeFinalizeResponse, encodeFinalizeResponse } from './abci-codec.ts';
import { put, sound, stored, storeKey } from './store-records.ts';

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
  /** Forgets at most `maxHeights` of the heights below `retain`, as the block store does. */
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
    return bytes && sound('state', decodeChainState(bytes));
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
    const set = sound(
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
    return stored('parameters', full, (bytes) => readParams('params', bytes.subarray(8)));
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
    return bytes && sound('block results', decodeFinalizeResponse(bytes));
  }

  encodedResponse(height: bigint): Uint8Array | undefined {
    return this.#kv.get(storeKey('finalizeResponse', u64be(height)));
  }
}

export function openStateStore(kv: Kv): StateStore {
  return new KvStateStore(kv);
}
