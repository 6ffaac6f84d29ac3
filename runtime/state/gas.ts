import { assert } from '#core/assert.ts';
import { MAX_UINT64, minBig } from '#core/int.ts';
import type { KvRange } from '#core/ports/kv.ts';
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
  /** @throws OutOfGas when `consumed` passes `limit`. */
  consume(amount: bigint, descriptor: string): void;
}

/** @param limit gas units, or undefined for a meter that only counts. */
export function gasMeter(limit: bigint | undefined): GasMeter {
  let consumed = 0n;
  return {
    limit,
    get consumed() {
      return consumed;
    },
    consume(amount, descriptor) {
      assert(amount >= 0n, `gas for ${descriptor} must not be negative`);
      const wanted = consumed + amount;
      if (limit === undefined) {
        consumed = wanted;
        return;
      }
      consumed = minBig(wanted, MAX_UINT64);
      if (wanted > limit) throw new OutOfGas(descriptor, limit, wanted);
    },
  };
}

export function infiniteGasMeter(): GasMeter {
  return gasMeter(undefined);
}

export interface KvGasCosts {
  readonly has: bigint;
  readonly delete: bigint;
  readonly readFlat: bigint;
  readonly readPerByte: bigint;
  readonly writeFlat: bigint;
  readonly writePerByte: bigint;
  readonly iterNextFlat: bigint;
}

/** The Cosmos SDK's KVGasConfig (store/types/gas.go, v0.50). */
export const KV_GAS_COSTS: KvGasCosts = {
  has: 1000n,
  delete: 1000n,
  readFlat: 1000n,
  readPerByte: 3n,
  writeFlat: 2000n,
  writePerByte: 30n,
  iterNextFlat: 30n,
};

/** A reader that charges `meter`. Bytes of key and value are charged where the Cosmos SDK's gaskv charges them. */
export function meteredReader(inner: KvReader, meter: GasMeter, costs: KvGasCosts = KV_GAS_COSTS): KvReader {
  function payRead(key: Uint8Array, value: Uint8Array | undefined): void {
    meter.consume(costs.readPerByte * BigInt(key.length + (value?.length ?? 0)), 'ReadPerByte');
  }
  return {
    get(key) {
      meter.consume(costs.readFlat, 'ReadFlat');
      const value = inner.get(key);
      payRead(key, value);
      return value;
    },
    has(key) {
      meter.consume(costs.has, 'Has');
      return inner.has(key);
    },
    entries(range: KvRange) {
      const below = inner.entries(range);
      return (function* () {
        meter.consume(costs.iterNextFlat, 'IterNextFlat');
        for (const entry of below) {
          payRead(entry[0], entry[1]);
          meter.consume(costs.iterNextFlat, 'IterNextFlat');
          yield entry;
        }
      })();
    },
  };
}

/** A store that charges `meter` for each read and write before doing it. */
export function meteredStore(inner: KvWriter, meter: GasMeter, costs: KvGasCosts = KV_GAS_COSTS): KvWriter {
  return {
    ...meteredReader(inner, meter, costs),
    set(key, value) {
      meter.consume(costs.writeFlat, 'WriteFlat');
      meter.consume(costs.writePerByte * BigInt(key.length + value.length), 'WritePerByte');
      inner.set(key, value);
    },
    delete(key) {
      meter.consume(costs.delete, 'Delete');
      inner.delete(key);
    },
  };
}

/** All stores of `state`, each charging `meter`. */
export function meteredState(state: StateWriter, meter: GasMeter, costs: KvGasCosts = KV_GAS_COSTS): StateWriter {
  return { store: (name) => meteredStore(state.store(name), meter, costs) };
}

/** All stores of `state`, read only, each charging `meter`. */
export function meteredView(state: StateView, meter: GasMeter, costs: KvGasCosts = KV_GAS_COSTS): StateView {
  return { store: (name) => meteredReader(state.store(name), meter, costs) };
}
