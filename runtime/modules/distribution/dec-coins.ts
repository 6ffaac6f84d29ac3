/** Fractions of coins (types/dec_coin.go of v0.50): lists sorted by denomination, each once, each positive. */
import { assert } from '#core/assert.ts';
import { DEC_ONE, type Dec, decMul, decMulTruncate, decOf, decQuoTruncate, decTruncate } from '#core/dec.ts';
import { minBig } from '#core/int.ts';
import { addCoins, amountOf, type Coin } from '../../coins.ts';

export interface DecAmount {
  readonly denom: string;
  readonly amount: Dec;
}

export type DecCoins = readonly DecAmount[];

export function decCoinsOf(coins: readonly Coin[]): DecCoins {
  return coins.map(({ denom, amount }) => ({ denom, amount: decOf(amount) }));
}

function mapped(coins: DecCoins, change: (coin: DecAmount) => Dec): DecCoins {
  return coins.map((coin) => ({ denom: coin.denom, amount: change(coin) })).filter(({ amount }) => amount !== 0n);
}

/** As whole coins are: what an amount counts does not matter to a sum. */
export const addDecCoins: (a: DecCoins, b: DecCoins) => DecCoins = addCoins;

/** @throws AssertionError when `b` has more of a denomination than `a`. */
export function subtractDecCoins(a: DecCoins, b: DecCoins): DecCoins {
  for (const { denom, amount } of b) assert(amountOf(a, denom) >= amount, `more ${denom} is taken than there is`);
  return mapped(a, ({ denom, amount }) => amount - amountOf(b, denom));
}

export function mulDecCoins(coins: DecCoins, factor: Dec): DecCoins {
  return mapped(coins, ({ amount }) => decMul(amount, factor));
}

export function mulDecCoinsTruncate(coins: DecCoins, factor: Dec): DecCoins {
  return mapped(coins, ({ amount }) => decMulTruncate(amount, factor));
}

export function quoDecCoinsTruncate(coins: DecCoins, divisor: Dec): DecCoins {
  return mapped(coins, ({ amount }) => decQuoTruncate(amount, divisor));
}

/** The smaller amount of each denomination. */
export function intersectDecCoins(a: DecCoins, b: DecCoins): DecCoins {
  return mapped(a, ({ denom, amount }) => minBig(amount, amountOf(b, denom)));
}

/** Whole coins, and what is left of them. */
export function truncateDecCoins(coins: DecCoins): { readonly whole: readonly Coin[]; readonly rest: DecCoins } {
  const whole = coins
    .map(({ denom, amount }) => ({ denom, amount: decTruncate(amount) }))
    .filter(({ amount }) => amount > 0n);
  return { whole, rest: mapped(coins, ({ amount }) => amount - decTruncate(amount) * DEC_ONE) };
}

export function toProtoDecCoins(coins: DecCoins): { denom: string; amount: string }[] {
  return coins.map(({ denom, amount }) => ({ denom, amount: String(amount) }));
}

/** Of messages that were checked before. */
export function fromProtoDecCoins(coins: readonly { readonly denom: string; readonly amount: string }[]): DecCoins {
  return coins.map(({ denom, amount }) => ({ denom, amount: BigInt(amount) }));
}
