import { assert } from '#core/assert.ts';
import { MAX_UINT64, minBig } from '#core/int.ts';
import type { KvRange } from '#core/ports/kv.ts';
import type { StoreKey } from './key-id.ts';
import type { KvReader, KvWriter, StateView, StateWriter } from './kv-view.ts';

/**
 * Leaves a message handler when its gas is used up. The transaction runner, and nobody else, catches it: whatever the
 * handler wrote is in a branch that the runner then drops.
 */
export class OutOfGas extends Error {
  override readonly name = 'OutOfGas';
  /** What was being paid for. */
  readonly descriptor: string;
  readonly limit: bigint;
  /** What would have been consumed. */
  readonly wanted: bigint;

  constructor(descriptor: string, limit: bigint, wanted: bigint) {
    super(`out of gas in ${descriptor}: ${wanted} gas wanted, the limit is ${limit}`);
    this.descriptor = descriptor;
    this.limit = limit;
    this.wanted = wanted;
  }
}

/** Counts gas of one transaction (or block). Gas is in units of the Cosmos SDK's gas. */
export interface GasMeter {
  /** `undefined` when infinite. */
  readonly limit: bigint | undefined;
  /** Never above `limit`, except by the operation that ran out: as in the Cosmos SDK, that one is counted. */
  readonly consumed: bigint;
  /** @param amount a number where it is a safe integer anyway. @throws OutOfGas when `consumed` passes `limit`. */
  consume(amount: bigint | number, descriptor: string): void;
}

/** Up to here a meter counts in numbers: sums of two of them are exact. */
const MOST_SMALL = 0x8_0000_0000_0000;

/** A transaction pays some forty times: what fits is added up as numbers, everything else as before. */
class CountingMeter implements GasMeter {
  readonly limit: bigint | undefined;
  #small = 0;
  readonly #mostSmall: number;
  /** Once it has grown too large for a number, or above the limit. */
  #large: bigint | undefined;

  constructor(limit: bigint | undefined) {
    this.limit = limit;
    this.#mostSmall = limit === undefined || limit > MOST_SMALL ? MOST_SMALL : Number(limit);
  }

  get consumed(): bigint {
    return this.#large ?? BigInt(this.#small);
  }

  consume(amount: bigint | number, descriptor: string): void {
    if (amount < 0) assert(false, `gas for ${descriptor} must not be negative`);
    if (this.#large === undefined && amount <= MOST_SMALL) {
      const wanted = this.#small + Number(amount);
      if (wanted <= this.#mostSmall) {
        this.#small = wanted;
        return;
      }
    }
    this.#consumeLarge(BigInt(amount), descriptor);
  }

  #consumeLarge(amount: bigint, descriptor: string): void {
    const { limit } = this;
    const wanted = this.consumed + amount;
    this.#large = limit === undefined ? wanted : minBig(wanted, MAX_UINT64);
    if (limit !== undefined && wanted > limit) throw new OutOfGas(descriptor, limit, wanted);
  }
}

/** @param limit gas units, or undefined for a meter that only counts. */
export function gasMeter(limit: bigint | undefined): GasMeter {
  return new CountingMeter(limit);
}

export function infiniteGasMeter(): GasMeter {
  return gasMeter(undefined);
}

/** The Cosmos SDK's KVGasConfig (store/types/gas.go, v0.50). */
const COSTS = {
  has: 1000,
  delete: 1000,
  readFlat: 1000,
  readPerByte: 3,
  writeFlat: 2000,
  writePerByte: 30,
  iterNextFlat: 30,
} as const;

/** What a byte more of a value takes that is read once and written once. */
export const GAS_PER_CHANGED_BYTE = COSTS.readPerByte + COSTS.writePerByte;

/** Bytes of key and value are charged where the Cosmos SDK's gaskv charges them. */
function payRead(meter: GasMeter, key: StoreKey, value: Uint8Array | undefined): void {
  meter.consume(COSTS.readPerByte * (key.length + (value === undefined ? 0 : value.length)), 'ReadPerByte');
}

function meteredGet(inner: KvReader, meter: GasMeter, key: StoreKey): Uint8Array | undefined {
  meter.consume(COSTS.readFlat, 'ReadFlat');
  const value = inner.get(key);
  payRead(meter, key, value);
  return value;
}

function meteredHas(inner: KvReader, meter: GasMeter, key: StoreKey): boolean {
  meter.consume(COSTS.has, 'Has');
  return inner.has(key);
}

function meteredEntries(inner: KvReader, meter: GasMeter, range: KvRange): Iterable<readonly [Uint8Array, Uint8Array]> {
  const below = inner.entries(range);
  return (function* () {
    meter.consume(COSTS.iterNextFlat, 'IterNextFlat');
    for (const entry of below) {
      payRead(meter, entry[0], entry[1]);
      meter.consume(COSTS.iterNextFlat, 'IterNextFlat');
      yield entry;
    }
  })();
}

class MeteredReader implements KvReader {
  readonly #inner: KvReader;
  readonly #meter: GasMeter;

  constructor(inner: KvReader, meter: GasMeter) {
    this.#inner = inner;
    this.#meter = meter;
  }

  get(key: StoreKey): Uint8Array | undefined {
    return meteredGet(this.#inner, this.#meter, key);
  }

  has(key: StoreKey): boolean {
    return meteredHas(this.#inner, this.#meter, key);
  }

  entries(range: KvRange): Iterable<readonly [Uint8Array, Uint8Array]> {
    return meteredEntries(this.#inner, this.#meter, range);
  }
}

class MeteredStore implements KvWriter {
  readonly #inner: KvWriter;
  readonly #meter: GasMeter;

  constructor(inner: KvWriter, meter: GasMeter) {
    this.#inner = inner;
    this.#meter = meter;
  }

  get(key: StoreKey): Uint8Array | undefined {
    return meteredGet(this.#inner, this.#meter, key);
  }

  has(key: StoreKey): boolean {
    return meteredHas(this.#inner, this.#meter, key);
  }

  entries(range: KvRange): Iterable<readonly [Uint8Array, Uint8Array]> {
    return meteredEntries(this.#inner, this.#meter, range);
  }

  set(key: StoreKey, value: Uint8Array): void {
    this.#meter.consume(COSTS.writeFlat, 'WriteFlat');
    this.#meter.consume(COSTS.writePerByte * (key.length + value.length), 'WritePerByte');
    this.#inner.set(key, value);
  }

  delete(key: StoreKey): void {
    this.#meter.consume(COSTS.delete, 'Delete');
    this.#inner.delete(key);
  }
}

/** A store that charges `meter` for each read and write before doing it. */
export function meteredStore(inner: KvWriter, meter: GasMeter): KvWriter {
  return new MeteredStore(inner, meter);
}

/** Each store of `state` by `make`, made once: a transaction asks for the same few again and again. */
function eachOnce<S>(make: (name: string) => S): (name: string) => S {
  const made = new Map<string, S>();
  return (name) => {
    let store = made.get(name);
    if (store === undefined) {
      store = make(name);
      made.set(name, store);
    }
    return store;
  };
}

/** All stores of `state`, each charging `meter`. */
export function meteredState(state: StateWriter, meter: GasMeter): StateWriter {
  return { store: eachOnce((name) => meteredStore(state.store(name), meter)) };
}

/** All stores of `state`, read only, each charging `meter`. */
export function meteredView(state: StateView, meter: GasMeter): StateView {
  return { store: eachOnce((name) => new MeteredReader(state.store(name), meter)) };
}
