import { InvalidArgumentError } from 'commander';
import { MAX_UINT64 } from '#core/int.ts';

/** A whole number of 64 bits from a flag. */
export function unsigned(text: string): bigint {
  if (!/^(0|[1-9]\d{0,19})$/.test(text) || BigInt(text) > MAX_UINT64)
    throw new InvalidArgumentError('expected a whole number below 2^64');
  return BigInt(text);
}
