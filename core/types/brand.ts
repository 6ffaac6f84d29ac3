import { expectLength } from '../bytes.ts';
import { MAX_INT64 } from '../int.ts';

declare const brand: unique symbol;
export type Brand<T, B extends string> = T & { readonly [brand]: B };

/** Block height, 0 ≤ h ≤ 2^63 − 1; 0 is the state before the first block. */
export type Height = Brand<bigint, 'Height'>;
/** Consensus round within a height, 0 ≤ r ≤ 2^31 − 1; −1 stands for "none". */
export type Round = Brand<number, 'Round'>;
/** 20-byte validator address. */
export type Address = Brand<Uint8Array, 'Address'>;

/** @throws RangeError outside 0 … 2^63 − 1. */
export function toHeight(value: bigint | number): Height {
  const height = BigInt(value);
  if (height < 0n || height > MAX_INT64) throw new RangeError(`height: expected 0 … 2^63 − 1, got ${height}`);
  return height as Height;
}

export function nextHeight(height: Height): Height {
  return toHeight(height + 1n);
}

const MAX_ROUND = 0x7fffffff;

/** @throws RangeError outside −1 … 2^31 − 1. */
export function toRound(value: number): Round {
  if (!Number.isInteger(value) || value < -1 || value > MAX_ROUND)
    throw new RangeError(`round: expected −1 … 2^31 − 1, got ${value}`);
  return value as Round;
}

export const NO_ROUND = -1 as Round;

/** @throws RangeError unless 20 bytes. */
export function toAddress(bytes: Uint8Array, title = 'address'): Address {
  return expectLength(bytes, 20, title) as Address;
}
