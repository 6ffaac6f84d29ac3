/** Vesting accounts among `app_state.auth.accounts`, in the JSON of the Cosmos SDK v0.50. */
import { assertNever } from '#core/assert.ts';
import { MAX_INT64 } from '#core/int.ts';
import * as v from '#proto/gen/cosmos/vesting/v1beta1/vesting_pb.ts';
import { typeUrlOf } from '#proto/message.ts';
import { type Coin, formatCoins, parseCoins, toProtoCoin } from '../../coins.ts';
import { asArrayOrEmpty, asInteger, asObject, asString, isAbsent, JsonError, type JsonField } from '../../json.ts';
import type { Json } from '../../module.ts';
import { readPeriods } from './rules.ts';
import type { Schedule, Vesting } from './schedule.ts';

const TYPES = {
  continuous: typeUrlOf(v.ContinuousVestingAccountSchema),
  delayed: typeUrlOf(v.DelayedVestingAccountSchema),
  periodic: typeUrlOf(v.PeriodicVestingAccountSchema),
  permanent: typeUrlOf(v.PermanentLockedAccountSchema),
} as const satisfies Record<Schedule['kind'], string>;

export const VESTING_TYPES: readonly string[] = Object.values(TYPES);

/** All fields of the four account types. */
export const VESTING_FIELDS = ['base_vesting_account', 'start_time', 'vesting_periods'] as const;

export interface VestingJson {
  readonly vesting: Vesting;
  /** The BaseAccount inside. */
  readonly base: JsonField;
}

function asCoins(field: JsonField): readonly Coin[] {
  const texts = asArrayOrEmpty(field).map((entry) => {
    const { denom, amount } = asObject(entry, ['denom', 'amount']);
    return { denom: asString(denom), amount: asString(amount) };
  });
  const coins = parseCoins(texts, field.path);
  if (!coins.ok) throw new JsonError(coins.error);
  return coins.value;
}

function asTime(field: JsonField): bigint {
  return isAbsent(field) ? 0n : asInteger(field, 0n, MAX_INT64);
}

/** @throws JsonError */
export function readVestingAccount(field: JsonField): VestingJson {
  const fields = asObject(field, ['@type', ...VESTING_FIELDS]);
  const base = asObject(fields.base_vesting_account, [
    'base_account',
    'original_vesting',
    'delegated_free',
    'delegated_vesting',
    'end_time',
  ]);
  const original = asCoins(base.original_vesting);
  const schedule = readSchedule(field, asTime(base.end_time), original);
  const [delegatedFree, delegatedVesting] = [asCoins(base.delegated_free), asCoins(base.delegated_vesting)];
  return { vesting: { schedule, original, delegatedFree, delegatedVesting }, base: base.base_account };
}

function readSchedule(field: JsonField, endTime: bigint, original: readonly Coin[]): Schedule {
  const fields = asObject(field, ['@type', ...VESTING_FIELDS]);
  const type = asString(fields['@type']);
  const startTime = asTime(fields.start_time);
  if (type === TYPES.permanent) return { kind: 'permanent' };
  if (type === TYPES.delayed) return { kind: 'delayed', endTime };
  if (type === TYPES.continuous) {
    if (startTime >= endTime)
      throw new JsonError(`${field.path}: start time ${startTime} is not before end time ${endTime}`);
    return { kind: 'continuous', startTime, endTime };
  }
  const texts = asArrayOrEmpty(fields.vesting_periods).map((entry) => {
    const { length, amount } = asObject(entry, ['length', 'amount']);
    return { length: asTime(length), amount: asCoins(amount).map(toProtoCoin) };
  });
  const read = readPeriods(startTime, texts, fields.vesting_periods.path);
  if (!read.ok) throw new JsonError(`${field.path}: ${read.error}`);
  const { periods, total } = read.value;
  if (read.value.endTime !== endTime || formatCoins(total) !== formatCoins(original))
    throw new JsonError(
      `${field.path}: periods end at ${read.value.endTime} with ${formatCoins(total)}, stated otherwise`,
    );
  return { kind: 'periodic', startTime, endTime, periods };
}

export function exportVesting(vesting: Vesting, base: Json): Json {
  const { schedule, original, delegatedFree, delegatedVesting } = vesting;
  const json = {
    '@type': TYPES[schedule.kind],
    base_vesting_account: {
      base_account: base,
      original_vesting: original.map(toProtoCoin),
      delegated_free: delegatedFree.map(toProtoCoin),
      delegated_vesting: delegatedVesting.map(toProtoCoin),
      end_time: schedule.kind === 'permanent' ? '0' : String(schedule.endTime),
    },
  };
  switch (schedule.kind) {
    case 'delayed':
    case 'permanent':
      return json;
    case 'continuous':
      return { ...json, start_time: String(schedule.startTime) };
    case 'periodic':
      return {
        ...json,
        start_time: String(schedule.startTime),
        vesting_periods: schedule.periods.map(({ length, amount }) => ({
          length: String(length),
          amount: amount.map(toProtoCoin),
        })),
      };
    default:
      return assertNever(schedule, 'vesting schedule');
  }
}
