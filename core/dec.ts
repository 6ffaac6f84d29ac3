/**
 * Decimals of 18 places as whole numbers of 10^-18, with the roundings of the Cosmos SDK's LegacyDec (math/legacy_dec.go of
 * v0.50): `mul` and `quo` round half to even, truncation is towards zero. Sums, differences and products with whole numbers
 * are those of bigint.
 */
import { assert } from './assert.ts';
import { divFloor, divTrunc } from './int.ts';
import { err, ok, type Result } from './result.ts';

/** In 10^-18. */
export type Dec = bigint;

const DEC_PLACES = 18;
export const DEC_ONE: Dec = 1_000_000_000_000_000_000n;
/** LegacyDec's 256 bits and 18 places. */
const MAX_BITS = 315n;
const MAX_CHARACTERS = 120;

export function decOf(whole: bigint): Dec {
  return whole * DEC_ONE;
}

/** a ÷ 10^18, half to even. */
function chop(a: bigint): bigint {
  if (a < 0n) return -chop(-a);
  const quotient = divFloor(a, DEC_ONE);
  const twice = (a - quotient * DEC_ONE) * 2n;
  if (twice === DEC_ONE) return quotient + (quotient & 1n);
  return twice < DEC_ONE ? quotient : quotient + 1n;
}

export function decMul(a: Dec, b: Dec): Dec {
  return chop(a * b);
}

export function decMulTruncate(a: Dec, b: Dec): Dec {
  return divTrunc(a * b, DEC_ONE);
}

/** @throws AssertionError when b = 0. */
export function decQuo(a: Dec, b: Dec): Dec {
  // First truncated at 36 places, then rounded: as LegacyDec does it.
  return chop(divTrunc(a * DEC_ONE * DEC_ONE, b));
}

export function decQuoTruncate(a: Dec, b: Dec): Dec {
  return divTrunc(a * DEC_ONE, b);
}

/** Away from zero. */
export function decQuoRoundUp(a: Dec, b: Dec): Dec {
  assert(b !== 0n, 'division by zero');
  const scaled = a * DEC_ONE;
  const quotient = divTrunc(scaled, b);
  if (quotient * b === scaled) return quotient;
  return scaled < 0n === b < 0n ? quotient + 1n : quotient - 1n;
}

/** Towards zero. */
export function decQuoInt(a: Dec, b: bigint): Dec {
  return divTrunc(a, b);
}

export function decTruncate(a: Dec): bigint {
  return divTrunc(a, DEC_ONE);
}

/** Half to even. */
export function decRound(a: Dec): bigint {
  return chop(a);
}

/** `-0.500000000000000000`: always 18 places (LegacyDec.String). */
export function formatDec(a: Dec): string {
  const abs = a < 0n ? -a : a;
  const whole = divFloor(abs, DEC_ONE);
  return `${a < 0n ? '-' : ''}${whole}.${String(abs - whole * DEC_ONE).padStart(DEC_PLACES, '0')}`;
}

function bounded(value: bigint, title: string): Result<Dec, string> {
  const abs = value < 0n ? -value : value;
  return abs >> MAX_BITS === 0n ? ok(value) : err(`${title}: does not fit into ${MAX_BITS} bits`);
}

const DECIMAL = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]{1,18}))?$/;

/** `0.5`, `1`, `-2.25`. Failure: a sentence that names `title`. */
export function parseDec(text: string, title: string): Result<Dec, string> {
  const match = text.length > MAX_CHARACTERS ? null : DECIMAL.exec(text);
  if (match === null)
    return err(
      `${title}: expected a decimal of at most 18 places, got ${JSON.stringify(text.slice(0, MAX_CHARACTERS))}`,
    );
  const abs = BigInt(match[2] ?? '0') * DEC_ONE + BigInt((match[3] ?? '').padEnd(DEC_PLACES, '0'));
  return bounded(match[1] === '-' ? -abs : abs, title);
}

const ATOMICS = /^-?(0|[1-9][0-9]*)$/;

/** The digits of a whole number of 10^-18, as protobuf messages carry decimals. */
export function parseDecAtomics(text: string, title: string): Result<Dec, string> {
  if (text.length > MAX_CHARACTERS || !ATOMICS.test(text))
    return err(`${title}: expected a whole number of 10^-18, got ${JSON.stringify(text.slice(0, MAX_CHARACTERS))}`);
  return bounded(BigInt(text), title);
}
