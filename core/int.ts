/**
 * Integer arithmetic. The division operator is banned elsewhere in the deterministic layers, so that every division
 * says how it rounds and what it assumes of its operands.
 */
import { assert } from './assert.ts';

/** ⌊a ÷ b⌋ for any signs, b ≠ 0. */
export function divFloor(a: bigint, b: bigint): bigint {
  assert(b !== 0n, 'division by zero');
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

/** ⌈a ÷ b⌉ for any signs, b ≠ 0. */
export function divCeil(a: bigint, b: bigint): bigint {
  return -divFloor(-a, b);
}

/** a ÷ b rounded towards zero, as Go's `/` does. */
export function divTrunc(a: bigint, b: bigint): bigint {
  assert(b !== 0n, 'division by zero');
  return a / b;
}

/** ⌊a ÷ b⌋ for safe non-negative integers, b > 0. */
export function divFloorSafe(a: number, b: number): number {
  assert(
    Number.isSafeInteger(a) && Number.isSafeInteger(b) && a >= 0 && b > 0,
    `${a} ÷ ${b}: expected safe a ≥ 0, b > 0`,
  );
  return (a - (a % b)) / b;
}

/** ⌈a ÷ b⌉ for safe non-negative integers, b > 0. */
export function divCeilSafe(a: number, b: number): number {
  const floor = divFloorSafe(a, b);
  return a % b === 0 ? floor : floor + 1;
}

export function minBig(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

export function maxBig(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

export const MAX_INT64 = 0x7fffffffffffffffn;
export const MIN_INT64 = -0x8000000000000000n;
export const MAX_UINT64 = 0xffffffffffffffffn;
