/** What a granter lets a grantee spend on fees (x/feegrant of v0.50). Pure. */
import { assert, assertNever } from '#core/assert.ts';
import { type FeegrantError, feegrantError } from '#core/errors.ts';
import { divFloor } from '#core/int.ts';
import { err, type Failure, ok, type Result } from '#core/result.ts';
import { addNanos, compareTime, type Timestamp } from '#core/types/timestamp.ts';
import * as f from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import { decodeStrict, type MessageInitShape, pack, typeUrlOf } from '#proto/message.ts';
import { amountOf, type Coin, parseCoins, subtractCoins, toProtoCoin } from '../../coins.ts';
import { failSdk } from '../../errors.ts';
import { RUNTIME_LIMITS } from '../../limits.ts';

export interface Basic {
  readonly kind: 'basic';
  /** Undefined: without a limit. */
  readonly spendLimit: readonly Coin[] | undefined;
  /** The last moment at which it may be used; undefined: for ever. */
  readonly expiration: Timestamp | undefined;
}

export interface Periodic {
  readonly kind: 'periodic';
  readonly basic: Basic;
  readonly periodNanos: bigint;
  readonly periodSpendLimit: readonly Coin[];
  readonly periodCanSpend: readonly Coin[];
  /** When the next period begins. */
  readonly periodReset: Timestamp;
}

export interface AllowedMessages {
  readonly kind: 'allowed messages';
  readonly allowance: Basic | Periodic;
  /** Type URLs. */
  readonly messages: readonly string[];
}

export type Allowance = Basic | Periodic | AllowedMessages;

export const ALLOWANCE_TYPES = [
  f.BasicAllowanceSchema,
  f.PeriodicAllowanceSchema,
  f.AllowedMsgAllowanceSchema,
] as const;

interface AnyBytes {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

function fail(kind: FeegrantError, message: string): { readonly ok: false; readonly error: Failure } {
  return err(feegrantError(kind, message));
}

/** An allowance from outside. */
export function readAllowance(any: AnyBytes | undefined): Result<Allowance> {
  const decoded = decodeAllowance(any);
  if (!decoded.ok) return decoded;
  const allowance = decoded.value;
  const periodic = allowance.kind === 'allowed messages' ? allowance.allowance : allowance;
  const fair = periodic.kind === 'periodic' ? checkPeriodic(periodic) : ok(undefined);
  return fair.ok ? decoded : fair;
}

/** What a new periodic allowance must be; after use it may have less. */
function checkPeriodic({ basic: { spendLimit }, periodSpendLimit }: Periodic): Result<void> {
  if (periodSpendLimit.length === 0) return failSdk('invalidCoins', 'period_spend_limit: expected at least one coin');
  if (spendLimit !== undefined && periodSpendLimit.some(({ denom }) => amountOf(spendLimit, denom) === 0n))
    return failSdk('invalidCoins', 'period spend limit has different currency than basic spend limit');
  return ok(undefined);
}

function decodeAllowance(any: AnyBytes | undefined): Result<Allowance> {
  if (any === undefined) return fail('noAllowance', 'allowance is empty: no allowance');
  if (any.typeUrl !== typeUrlOf(f.AllowedMsgAllowanceSchema)) return readPlain(any);
  const decoded = decodeStrict(f.AllowedMsgAllowanceSchema, any.value);
  if (!decoded.ok) return failSdk('unpackAny', decoded.error);
  const { allowance, allowedMessages: messages } = decoded.value;
  if (messages.length === 0)
    return fail('noMessages', "allowed messages shouldn't be empty: allowed messages are empty");
  if (messages.length > RUNTIME_LIMITS.maxAllowedMessages)
    return failSdk(
      'invalidRequest',
      `allowed_messages: ${messages.length} exceed ${RUNTIME_LIMITS.maxAllowedMessages}`,
    );
  if (allowance === undefined) return fail('noAllowance', 'allowance is empty: no allowance');
  const inner = readPlain(allowance);
  return inner.ok ? ok({ kind: 'allowed messages', allowance: inner.value, messages }) : inner;
}

function readPlain(any: AnyBytes): Result<Basic | Periodic> {
  if (any.typeUrl === typeUrlOf(f.BasicAllowanceSchema)) {
    const decoded = decodeStrict(f.BasicAllowanceSchema, any.value);
    return decoded.ok ? readBasic(decoded.value) : failSdk('unpackAny', decoded.error);
  }
  if (any.typeUrl !== typeUrlOf(f.PeriodicAllowanceSchema))
    return failSdk('invalidType', `allowance: ${any.typeUrl.slice(0, 200)} is none here`);
  const decoded = decodeStrict(f.PeriodicAllowanceSchema, any.value);
  return decoded.ok ? readPeriodic(decoded.value) : failSdk('unpackAny', decoded.error);
}

function readLimit(coins: f.BasicAllowance['spendLimit'], title: string): Result<readonly Coin[]> {
  const parsed = parseCoins(coins, title);
  return parsed.ok ? parsed : failSdk('invalidCoins', parsed.error);
}

function readTime(time: { readonly seconds: bigint; readonly nanos: number }, title: string): Result<Timestamp> {
  const { seconds, nanos } = time;
  if (seconds < 0n || seconds > MAX_SECONDS || nanos < 0 || nanos > 999_999_999)
    return failSdk('invalidRequest', `${title}: expected a time in the years 1970 … 9999`);
  return ok({ seconds, nanos });
}

const MAX_SECONDS = 253_402_300_799n; // 9999-12-31T23:59:59Z
/** 10,000 years, as google.protobuf.Duration allows. */
const MAX_PERIOD_SECONDS = 315_576_000_000n;
const NANOS = 1_000_000_000n;

function readBasic({ spendLimit, expiration }: f.BasicAllowance): Result<Basic> {
  if (expiration !== undefined && expiration.seconds < 0n)
    return fail('invalidDuration', 'expiration time cannot be negative: invalid duration');
  const limit = readLimit(spendLimit, 'spend_limit');
  if (!limit.ok) return limit;
  const until = expiration === undefined ? ok(undefined) : readTime(expiration, 'expiration');
  if (!until.ok) return until;
  return ok({ kind: 'basic', spendLimit: limit.value.length === 0 ? undefined : limit.value, expiration: until.value });
}

function readPeriodic(message: f.PeriodicAllowance): Result<Periodic> {
  const { period, periodReset } = message;
  if (message.basic === undefined) return failSdk('invalidRequest', 'basic: missing');
  const basic = readBasic(message.basic);
  if (!basic.ok) return basic;
  const limit = readLimit(message.periodSpendLimit, 'period_spend_limit');
  if (!limit.ok) return limit;
  const canSpend = readLimit(message.periodCanSpend, 'period_can_spend');
  if (!canSpend.ok) return canSpend;
  const { seconds = 0n, nanos = 0 } = period ?? {};
  if (seconds < 0n || seconds > MAX_PERIOD_SECONDS || nanos < 0 || nanos > 999_999_999)
    return fail('invalidDuration', `period: expected 0 s … 10000 years, got ${seconds} s: invalid duration`);
  const reset = readTime(periodReset ?? { seconds: 0n, nanos: 0 }, 'period_reset');
  if (!reset.ok) return reset;
  return ok({
    kind: 'periodic',
    basic: basic.value,
    periodNanos: seconds * NANOS + BigInt(nanos),
    periodSpendLimit: limit.value,
    periodCanSpend: canSpend.value,
    periodReset: reset.value,
  });
}

function toBasic({ spendLimit, expiration }: Basic): MessageInitShape<typeof f.BasicAllowanceSchema> {
  return {
    spendLimit: (spendLimit ?? []).map(toProtoCoin),
    ...(expiration === undefined ? {} : { expiration }),
  };
}

export function packAllowance(allowance: Allowance): AnyBytes {
  switch (allowance.kind) {
    case 'basic':
      return pack(f.BasicAllowanceSchema, toBasic(allowance));
    case 'periodic': {
      const { periodNanos, periodReset } = allowance;
      const nanos = periodNanos % NANOS;
      return pack(f.PeriodicAllowanceSchema, {
        basic: toBasic(allowance.basic),
        period: { seconds: divFloor(periodNanos, NANOS), nanos: Number(nanos) },
        periodSpendLimit: allowance.periodSpendLimit.map(toProtoCoin),
        periodCanSpend: allowance.periodCanSpend.map(toProtoCoin),
        periodReset,
      });
    }
    case 'allowed messages':
      return pack(f.AllowedMsgAllowanceSchema, {
        allowance: { ...packAllowance(allowance.allowance) },
        allowedMessages: [...allowance.messages],
      });
    default:
      return assertNever(allowance, 'allowance');
  }
}

export function expirationOf(allowance: Allowance): Timestamp | undefined {
  switch (allowance.kind) {
    case 'basic':
      return allowance.expiration;
    case 'periodic':
      return allowance.basic.expiration;
    case 'allowed messages':
      return allowance.allowance.kind === 'basic'
        ? allowance.allowance.expiration
        : allowance.allowance.basic.expiration;
    default:
      return assertNever(allowance, 'allowance');
  }
}

/** What is left of an allowance; undefined when it is used up. */
export type Remainder = Allowance | undefined;

/** Spends `fee` for messages of the types `messages` at the block's time `now`. */
export function useAllowance(
  allowance: Allowance,
  fee: readonly Coin[],
  messages: readonly string[],
  now: Timestamp,
): Result<Remainder> {
  switch (allowance.kind) {
    case 'basic':
      return useBasic(allowance, fee, now, 'basic allowance');
    case 'periodic':
      return usePeriodic(allowance, fee, now);
    case 'allowed messages': {
      if (messages.some((message) => !allowance.messages.includes(message)))
        return fail('messageNotAllowed', 'message does not exist in allowed messages: message not allowed');
      const inner = allowance.allowance;
      const left = inner.kind === 'basic' ? useBasic(inner, fee, now, 'basic allowance') : usePeriodic(inner, fee, now);
      return left.ok && left.value !== undefined ? ok({ ...allowance, allowance: left.value }) : left;
    }
    default:
      return assertNever(allowance, 'allowance');
  }
}

function useBasic(basic: Basic, fee: readonly Coin[], now: Timestamp, what: string): Result<Basic | undefined> {
  const { spendLimit, expiration } = basic;
  if (expiration !== undefined && compareTime(expiration, now) < 0)
    return fail('feeLimitExpired', `${what}: fee allowance expired`);
  if (spendLimit === undefined) return ok(basic);
  const left = subtractCoins(spendLimit, fee);
  if (left === undefined) return fail('feeLimitExceeded', `${what}: fee limit exceeded`);
  return ok(left.length === 0 ? undefined : { ...basic, spendLimit: left });
}

function usePeriodic(periodic: Periodic, fee: readonly Coin[], now: Timestamp): Result<Periodic | undefined> {
  const renewed = renew(periodic, now);
  const basic = useBasic(renewed.basic, fee, now, 'absolute limit');
  if (!basic.ok) return basic;
  const periodCanSpend = subtractCoins(renewed.periodCanSpend, fee);
  if (periodCanSpend === undefined) return fail('feeLimitExceeded', 'period limit: fee limit exceeded');
  return ok(basic.value === undefined ? undefined : { ...renewed, basic: basic.value, periodCanSpend });
}

/** Begins a new period when the last one is over. Periods that passed unused add up to nothing. */
function renew(periodic: Periodic, now: Timestamp): Periodic {
  const { basic, periodSpendLimit, periodNanos, periodReset } = periodic;
  if (compareTime(now, periodReset) < 0) return periodic;
  const { spendLimit } = basic;
  const isTheLast = spendLimit !== undefined && subtractCoins(spendLimit, periodSpendLimit) === undefined;
  const next = later(periodReset, periodNanos);
  return {
    ...periodic,
    periodCanSpend: isTheLast ? spendLimit : periodSpendLimit,
    periodReset: compareTime(now, next) > 0 ? later(now, periodNanos) : next,
  };
}

/** The calendar of timestamps ends with the year 9999. */
function later(time: Timestamp, nanos: bigint): Timestamp {
  const sum = addNanos(time, nanos);
  return sum.seconds > MAX_SECONDS ? { seconds: MAX_SECONDS, nanos: 0 } : sum;
}

/** @throws AssertionError when our own record is malformed. */
export function readStoredAllowance(any: AnyBytes | undefined): Allowance {
  const allowance = decodeAllowance(any);
  assert(allowance.ok, 'a stored allowance does not read back');
  return allowance.value;
}
