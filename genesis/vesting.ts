/** Accounts whose coins vest, in the JSON of a genesis document. */
import { MAX_INT64 } from '#core/int.ts';
import { err, ok, type Result } from '#core/result.ts';
import { addCoins, amountOf, type Coin, formatCoins, toProtoCoin } from '#runtime/coins.ts';
import type { Json } from '#runtime/module.ts';
import { exportVesting } from '#runtime/modules/vesting/genesis.ts';
import { readPeriods } from '#runtime/modules/vesting/rules.ts';
import { newVesting, type Vesting } from '#runtime/modules/vesting/schedule.ts';

/** What vests of an account's coins; times are seconds since 1970-01-01. */
export type VestingPlan =
  | {
      readonly kind: 'continuous';
      readonly amount: readonly Coin[];
      readonly startTime: bigint;
      readonly endTime: bigint;
    }
  /** All of it at the end. */
  | { readonly kind: 'delayed'; readonly amount: readonly Coin[]; readonly endTime: bigint }
  /** Each period's coins at its end; `length` in seconds. */
  | {
      readonly kind: 'periodic';
      readonly startTime: bigint;
      readonly periods: readonly { readonly length: bigint; readonly amount: readonly Coin[] }[];
    };

/** The account's JSON around `base`. Failure: a schedule that is none, or more than the account has. */
export function vestingAccount(plan: VestingPlan, base: Json, coins: readonly Coin[]): Result<Json, string> {
  const vesting = vestingOf(plan);
  if (!vesting.ok) return vesting;
  const { original } = vesting.value;
  if (original.length === 0) return err('vesting: expected at least one coin');
  if (original.some(({ denom, amount }) => amount > amountOf(coins, denom)))
    return err(`vesting: ${formatCoins(original)} is more than the account's ${formatCoins(coins) || 'nothing'}`);
  return ok(exportVesting(vesting.value, base));
}

function vestingOf(plan: VestingPlan): Result<Vesting, string> {
  if (plan.kind === 'periodic') {
    const { startTime } = plan;
    const texts = plan.periods.map(({ length, amount }) => ({ length, amount: amount.map(toProtoCoin) }));
    const read = readPeriods(startTime, texts, 'vesting.periods');
    if (!read.ok) return err(`vesting: ${read.error}`);
    const { periods, total, endTime } = read.value;
    return ok(newVesting({ kind: 'periodic', startTime, endTime, periods }, total));
  }
  const { endTime } = plan;
  const original = addCoins(plan.amount, []);
  if (endTime < 1n || endTime > MAX_INT64) return err(`vesting: end time ${endTime}, expected 1 … 2^63 − 1`);
  if (plan.kind === 'delayed') return ok(newVesting({ kind: 'delayed', endTime }, original));
  const { startTime } = plan;
  if (startTime < 1n || startTime >= endTime)
    return err(`vesting: start time ${startTime}, expected 1 or later and before the end time ${endTime}`);
  return ok(newVesting({ kind: 'continuous', startTime, endTime }, original));
}
