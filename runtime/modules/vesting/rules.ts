/** What a schedule must be before an account has it, from a message or from genesis. */
import { MAX_INT64 } from '#core/int.ts';
import { err, ok, type Result } from '#core/result.ts';
import { addCoins, type Coin, formatCoins, parseCoins } from '../../coins.ts';
import { RUNTIME_LIMITS } from '../../limits.ts';
import type { Period } from './schedule.ts';

interface PeriodText {
  readonly length: bigint;
  readonly amount: readonly { readonly denom: string; readonly amount: string }[];
}

export interface Periods {
  readonly periods: readonly Period[];
  readonly total: readonly Coin[];
  /** Seconds since 1970-01-01. */
  readonly endTime: bigint;
}

/**
 * Every period is positive and pays something positive; sum and end fit. A schedule that breaks this made accounts
 * unusable, before their owners had them, and nodes stop (the Cosmos SDK's "Barberry").
 */
export function readPeriods(startTime: bigint, texts: readonly PeriodText[], title: string): Result<Periods, string> {
  if (startTime < 1n || startTime > MAX_INT64)
    return err(`invalid start time of ${startTime}, it must be greater than 0`);
  if (texts.length === 0) return err(`${title}: expected at least one period`);
  if (texts.length > RUNTIME_LIMITS.maxVestingPeriods)
    return err(`${title}: ${texts.length} periods exceed the limit of ${RUNTIME_LIMITS.maxVestingPeriods}`);
  const periods: Period[] = [];
  let total: readonly Coin[] = [];
  let endTime = startTime;
  for (const [i, { length, amount: text }] of texts.entries()) {
    if (length < 1n) return err(`invalid period length of ${length} in period ${i}, length must be greater than 0`);
    const amount = parseCoins(text, `${title}[${i}].amount`);
    if (!amount.ok) return amount;
    if (amount.value.length === 0) return err(`${title}[${i}].amount: expected at least one coin`);
    endTime += length;
    if (endTime > MAX_INT64) return err(`${title}: the end time exceeds 2^63 − 1`);
    total = addCoins(total, amount.value);
    periods.push({ length, amount: amount.value });
  }
  if (total.length > RUNTIME_LIMITS.maxCoins || total.some(({ amount }) => amount > RUNTIME_LIMITS.maxAmount))
    return err(`${title}: the sum ${formatCoins(total).slice(0, 200)} is out of range`);
  return ok({ periods, total, endTime });
}
