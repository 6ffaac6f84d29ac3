/** What shares are worth (x/staking/types/validator.go of v0.50). Slashing changes the rate, never the shares. */
import { assert } from '#core/assert.ts';
import { type Dec, decOf, decQuo, decQuoInt, decQuoTruncate, decTruncate } from '#core/dec.ts';
import type { Validator } from './records.ts';

type Worth = Pick<Validator, 'tokens' | 'shares'>;

/** Whether delegating would divide by zero: there are shares, but all of their tokens were slashed. */
export function hasNoRate({ tokens, shares }: Worth): boolean {
  return tokens === 0n && shares > 0n;
}

export function tokensOf({ tokens, shares }: Worth, some: Dec): Dec {
  return decQuo(some * tokens, shares);
}

export function tokensOfTruncated({ tokens, shares }: Worth, some: Dec): Dec {
  return decQuoTruncate(some * tokens, shares);
}

/** Shares for an amount; there must be tokens. */
export function sharesFor({ tokens, shares }: Worth, amount: bigint): Dec {
  return decQuoInt(shares * amount, tokens);
}

export function sharesForTruncated({ tokens, shares }: Worth, amount: bigint): Dec {
  return decQuoTruncate(shares * amount, decOf(tokens));
}

export function addTokens(
  validator: Validator,
  amount: bigint,
): { readonly validator: Validator; readonly issued: Dec } {
  const issued = validator.shares === 0n ? decOf(amount) : sharesFor(validator, amount);
  return {
    validator: { ...validator, tokens: validator.tokens + amount, shares: validator.shares + issued },
    issued,
  };
}

/** The last shares take all tokens that rounding has left. */
export function removeShares(
  validator: Validator,
  some: Dec,
): { readonly validator: Validator; readonly tokens: bigint } {
  const left = validator.shares - some;
  assert(left >= 0n, 'more shares are removed than there are');
  const tokens = left === 0n ? validator.tokens : decTruncate(tokensOf(validator, some));
  assert(tokens <= validator.tokens, 'more tokens are removed than there are');
  return { validator: { ...validator, tokens: validator.tokens - tokens, shares: left }, tokens };
}
