import { DEC_ONE, parseDecAtomics } from '#core/dec.ts';
import { LIMITS } from '#core/limits.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Params } from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import { isDenom } from '../../coins.ts';
import { unbondingNanos } from './state.ts';

/** 100 years: completion times stay within the years that a timestamp can have. */
const MAX_UNBONDING_NANOS = 100n * 366n * 86_400_000_000_000n;
/** Each block stores the whole set once. */
const MAX_HISTORICAL_ENTRIES = 100_000;
const MAX_ENTRIES = 1_000;

/** x/staking/types/params.go Validate, and the limits of this chain. Failure: a sentence that names the field. */
export function checkParams(params: Params): Result<void, string> {
  const nanos = unbondingNanos(params);
  if (nanos <= 0n || nanos > MAX_UNBONDING_NANOS) return err('unbonding_time: expected more than 0, at most 100 years');
  if (params.maxValidators === 0 || params.maxValidators > LIMITS.maxValidators)
    return err(`max_validators: expected 1 … ${LIMITS.maxValidators}, got ${params.maxValidators}`);
  if (params.maxEntries === 0 || params.maxEntries > MAX_ENTRIES)
    return err(`max_entries: expected 1 … ${MAX_ENTRIES}, got ${params.maxEntries}`);
  if (params.historicalEntries > MAX_HISTORICAL_ENTRIES)
    return err(`historical_entries: expected at most ${MAX_HISTORICAL_ENTRIES}, got ${params.historicalEntries}`);
  if (!isDenom(params.bondDenom)) return err(`bond_denom: ${JSON.stringify(params.bondDenom)} is not a denomination`);
  const rate = parseDecAtomics(params.minCommissionRate, 'min_commission_rate');
  if (!rate.ok) return rate;
  return rate.value < 0n || rate.value > DEC_ONE ? err('min_commission_rate: expected 0 … 1') : ok(undefined);
}
