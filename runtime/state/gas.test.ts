import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { MAX_UINT64, minBig } from '#core/int.ts';
import { gasMeter, infiniteGasMeter, meteredStore, OutOfGas } from './gas.ts';
import { modelStore } from './model-store.test-util.ts';

const key = utf8('balance');
const value = utf8('12345');

test('reads and writes cost what the Cosmos SDK charges', () => {
  const meter = infiniteGasMeter();
  const store = meteredStore(modelStore(), meter);
  let before = 0n;
  const cost = (run: () => void) => {
    run();
    const spent = meter.consumed - before;
    before = meter.consumed;
    return spent;
  };
  expect(cost(() => store.get(key))).toBe(1000n + 3n * 7n);
  expect(cost(() => store.set(key, value))).toBe(2000n + 30n * 12n);
  expect(cost(() => store.get(key))).toBe(1000n + 3n * 12n);
  expect(cost(() => store.has(key))).toBe(1000n);
  expect(cost(() => expect([...store.entries({})]).toHaveLength(1))).toBe(30n + 30n + 3n * 12n);
  expect(cost(() => store.delete(key))).toBe(1000n);
});

test('running out of gas stops before the write, and says what it was for', () => {
  const inner = modelStore();
  const meter = gasMeter(2000n + 30n * 12n - 1n);
  const store = meteredStore(inner, meter);
  let caught: unknown;
  try {
    store.set(key, value);
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(OutOfGas);
  expect((caught as OutOfGas).message).toBe('out of gas in WritePerByte: 2360 gas wanted, the limit is 2359');
  expect(inner.map.size).toBe(0);
  expect(meter.consumed).toBe(2360n);
});

test('the limit itself may be used up', () => {
  const meter = gasMeter(10n);
  meter.consume(10n, 'all');
  expect(meter.consumed).toBe(10n);
  expect(() => meter.consume(1n, 'more')).toThrow(OutOfGas);
  expect(() => meter.consume(-1n, 'refund')).toThrow(/must not be negative/);
});

test('whatever is consumed, and in which sizes, the sum is the one of whole numbers', () => {
  const amount = fc.oneof(
    fc.nat(3_000),
    fc.bigInt({ min: 0n, max: 5_000n }),
    fc.bigInt({ min: 0n, max: MAX_UINT64 }),
    fc.constantFrom(1n << 50n, (1n << 51n) - 1n, 1n << 51n, 1n << 53n, 0x8_0000_0000_0000),
  );
  const limit = fc.option(fc.oneof(fc.bigInt({ min: 0n, max: 20_000n }), fc.bigInt({ min: 0n, max: MAX_UINT64 })), {
    nil: undefined,
  });
  fc.assert(
    fc.property(limit, fc.array(amount, { maxLength: 20 }), (most, amounts) => {
      const meter = gasMeter(most);
      let sum = 0n;
      for (const each of amounts) {
        const wanted = sum + BigInt(each);
        let thrown: unknown;
        try {
          meter.consume(each, 'step');
        } catch (error) {
          thrown = error;
        }
        sum = most === undefined ? wanted : minBig(wanted, MAX_UINT64);
        if (most !== undefined && wanted > most) expect(thrown).toEqual(new OutOfGas('step', most, wanted));
        else expect(thrown).toBeUndefined();
        expect(meter.consumed).toBe(sum);
      }
    }),
  );
});
