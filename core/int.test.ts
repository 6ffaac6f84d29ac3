import fc from 'fast-check';
import { expect, test } from 'vitest';
import { divCeil, divCeilSafe, divFloor, divFloorSafe, divTrunc } from './int.ts';

test('rounding: q·b + r = a with the remainder on the right side', () => {
  const nonZero = fc.bigInt(-1_000n, 1_000n).filter((b) => b !== 0n);
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 70n), 2n ** 70n), nonZero, (a, b) => {
      const rest = a - divFloor(a, b) * b;
      expect(rest === 0n || rest > 0n === b > 0n).toBe(true);
      expect(divCeil(a, b) - divFloor(a, b)).toBe(rest === 0n ? 0n : 1n);
      expect(divTrunc(a, b)).toBe(a / b);
    }),
  );
});

test('safe integers agree with bigint', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.integer({ min: 1 }), (a, b) => {
      expect(BigInt(divFloorSafe(a, b))).toBe(divFloor(BigInt(a), BigInt(b)));
      expect(BigInt(divCeilSafe(a, b))).toBe(divCeil(BigInt(a), BigInt(b)));
    }),
  );
});
