/** Vesting as it is stored in its account's record, and as queries and genesis show it. */
import { assertNever, defined } from '#core/assert.ts';
import type { BaseAccountSchema } from '#proto/gen/cosmos/auth/v1beta1/auth_pb.ts';
import * as v from '#proto/gen/cosmos/vesting/v1beta1/vesting_pb.ts';
import { decodeStrict, encode, type MessageInitShape, pack } from '#proto/message.ts';
import { type Coin, toProtoCoin } from '../../coins.ts';
import type { Period, Schedule, Vesting } from './schedule.ts';

type Base = MessageInitShape<typeof BaseAccountSchema>;

function toPeriods(periods: readonly Period[]) {
  return periods.map(({ length, amount }) => ({ length, amount: amount.map(toProtoCoin) }));
}

function toBase(vesting: Vesting, baseAccount?: Base) {
  const { schedule, original, delegatedFree, delegatedVesting } = vesting;
  return {
    ...(baseAccount === undefined ? {} : { baseAccount }),
    originalVesting: original.map(toProtoCoin),
    delegatedFree: delegatedFree.map(toProtoCoin),
    delegatedVesting: delegatedVesting.map(toProtoCoin),
    endTime: schedule.kind === 'permanent' ? 0n : schedule.endTime,
  };
}

/** The account's own type in an Any. */
export function packVesting(vesting: Vesting, baseAccount: Base) {
  const { schedule } = vesting;
  const baseVestingAccount = toBase(vesting, baseAccount);
  switch (schedule.kind) {
    case 'continuous':
      return pack(v.ContinuousVestingAccountSchema, { baseVestingAccount, startTime: schedule.startTime });
    case 'delayed':
      return pack(v.DelayedVestingAccountSchema, { baseVestingAccount });
    case 'periodic': {
      const { startTime, periods } = schedule;
      return pack(v.PeriodicVestingAccountSchema, {
        baseVestingAccount,
        startTime,
        vestingPeriods: toPeriods(periods),
      });
    }
    case 'permanent':
      return pack(v.PermanentLockedAccountSchema, { baseVestingAccount });
    default:
      return assertNever(schedule, 'vesting schedule');
  }
}

const KINDS = ['continuous', 'delayed', 'periodic', 'permanent'] as const satisfies readonly Schedule['kind'][];

/** A byte for the kind, then the message that has the fields of all kinds. */
export function encodeVesting(vesting: Vesting): Uint8Array {
  const { schedule } = vesting;
  const message = encode(v.PeriodicVestingAccountSchema, {
    baseVestingAccount: toBase(vesting),
    startTime: 'startTime' in schedule ? schedule.startTime : 0n,
    vestingPeriods: schedule.kind === 'periodic' ? toPeriods(schedule.periods) : [],
  });
  const out = new Uint8Array(1 + message.length);
  out[0] = KINDS.indexOf(schedule.kind);
  out.set(message, 1);
  return out;
}

export function decodeVesting(bytes: Uint8Array): Vesting {
  const decoded = decodeStrict(v.PeriodicVestingAccountSchema, bytes.subarray(1));
  const record = defined(decoded.ok ? decoded.value : undefined, 'a stored vesting schedule');
  const kind = defined(KINDS[bytes[0] ?? KINDS.length], 'the kind of a stored vesting schedule');
  const base = defined(record.baseVestingAccount, 'the coins of a stored vesting schedule');
  return {
    schedule: scheduleOf(kind, record, base.endTime),
    original: base.originalVesting.map(toCoin),
    delegatedFree: base.delegatedFree.map(toCoin),
    delegatedVesting: base.delegatedVesting.map(toCoin),
  };
}

function toCoin({ denom, amount }: { readonly denom: string; readonly amount: string }): Coin {
  return { denom, amount: BigInt(amount) };
}

function scheduleOf(kind: Schedule['kind'], record: v.PeriodicVestingAccount, endTime: bigint): Schedule {
  const { startTime } = record;
  switch (kind) {
    case 'continuous':
      return { kind, startTime, endTime };
    case 'delayed':
      return { kind, endTime };
    case 'periodic': {
      const periods = record.vestingPeriods.map(({ length, amount }) => ({ length, amount: amount.map(toCoin) }));
      return { kind, startTime, endTime, periods };
    }
    case 'permanent':
      return { kind };
    default:
      return assertNever(kind, 'vesting kind');
  }
}
