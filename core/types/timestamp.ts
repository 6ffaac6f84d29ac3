import { asInt32, asInt64, DecodeError, readFields } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { divFloor, divFloorSafe } from '../int.ts';

/** UTC time: seconds since 1970-01-01 and 0 … 999,999,999 nanoseconds. google.protobuf.Timestamp. */
export interface Timestamp {
  readonly seconds: bigint;
  readonly nanos: number;
}

const NANOS_PER_SECOND = 1_000_000_000n;
const MIN_SECONDS = -62_135_596_800n; // 0001-01-01T00:00:00Z
const MAX_SECONDS = 253_402_300_799n; // 9999-12-31T23:59:59Z

/** Go's zero time.Time, 0001-01-01T00:00:00Z: the timestamp of what has none. */
export const ZERO_TIME: Timestamp = { seconds: MIN_SECONDS, nanos: 0 };

export function encodeTimestamp(time: Timestamp): Uint8Array {
  return new ProtoWriter().varint(1, time.seconds).varint(2, time.nanos).finish();
}

/** @throws DecodeError outside the years 1 … 9999, or with nanoseconds out of range. */
export function readTimestamp(title: string, bytes: Uint8Array): Timestamp {
  let seconds = 0n;
  let nanos = 0;
  for (const field of readFields(title, bytes, { known: [1, 2] })) {
    if (field.number === 1) seconds = asInt64(`${title}.seconds`, field);
    else nanos = asInt32(`${title}.nanos`, field);
  }
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS)
    throw new DecodeError(`${title}: ${seconds} s is outside the years 1 … 9999`);
  if (nanos < 0 || nanos > 999_999_999) throw new DecodeError(`${title}: ${nanos} ns is outside 0 … 999999999`);
  return { seconds, nanos };
}

/** Nanoseconds since 1970-01-01. */
export function toNanos(time: Timestamp): bigint {
  return time.seconds * NANOS_PER_SECOND + BigInt(time.nanos);
}

export function fromNanos(nanos: bigint): Timestamp {
  const seconds = divFloor(nanos, NANOS_PER_SECOND);
  return { seconds, nanos: Number(nanos - seconds * NANOS_PER_SECOND) };
}

export function fromMillis(millis: bigint): Timestamp {
  return fromNanos(millis * 1_000_000n);
}

export function addNanos(time: Timestamp, nanos: bigint): Timestamp {
  return fromNanos(toNanos(time) + nanos);
}

export function addMillis(time: Timestamp, millis: bigint): Timestamp {
  return fromNanos(toNanos(time) + millis * 1_000_000n);
}

export function compareTime(a: Timestamp, b: Timestamp): -1 | 0 | 1 {
  if (a.seconds !== b.seconds) return a.seconds < b.seconds ? -1 : 1;
  return a.nanos === b.nanos ? 0 : a.nanos < b.nanos ? -1 : 1;
}

/** RFC 3339 with nanoseconds, trailing zeros dropped, `Z`: Go's time.RFC3339Nano. */
export function formatTime(time: Timestamp): string {
  const days = divFloor(time.seconds, 86_400n);
  const rest = Number(time.seconds - days * 86_400n);
  const { year, month, day } = civilFromDays(days);
  const second = rest % 60;
  const minute = divFloorSafe(rest % 3600, 60);
  const hour = divFloorSafe(rest, 3600);
  const fraction = time.nanos === 0 ? '' : `.${String(time.nanos).padStart(9, '0').replace(/0+$/, '')}`;
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T${pad(hour, 2)}:${pad(minute, 2)}:${pad(second, 2)}${fraction}Z`;
}

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;

/** @throws RangeError that names `title` when the text is not RFC 3339 (with `Z` or an offset) or not a valid date. */
export function parseTime(text: string, title = 'time'): Timestamp {
  const match = RFC3339.exec(text);
  if (match === null) throw new RangeError(`${title}: expected RFC 3339, got ${JSON.stringify(text)}`);
  const [, year, month, day, hour, minute, second] = match.map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const days = daysFromCivil(BigInt(year), month, day);
  const check = civilFromDays(days);
  if (
    check.year !== BigInt(year) ||
    check.month !== month ||
    check.day !== day ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  )
    throw new RangeError(`${title}: ${JSON.stringify(text)} is not a date`);
  const zone = match[8] as string;
  const offset =
    zone === 'Z' ? 0 : (zone.startsWith('-') ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6)));
  const seconds = days * 86_400n + BigInt(hour * 3600 + minute * 60 + second) - BigInt(offset) * 60n;
  return { seconds, nanos: Number((match[7] ?? '').padEnd(9, '0')) };
}

function pad(value: bigint | number, width: number): string {
  return String(value).padStart(width, '0');
}

/** Proleptic Gregorian calendar, eras of 400 years that begin on 1 March (H. Hinnant, chrono-compatible low-level date algorithms). */
function civilFromDays(days: bigint): { year: bigint; month: number; day: number } {
  const z = days + 719_468n;
  const era = divFloor(z, 146_097n);
  const doe = z - era * 146_097n;
  const yoe = divFloor(doe - divFloor(doe, 1460n) + divFloor(doe, 36_524n) - divFloor(doe, 146_096n), 365n);
  const doy = doe - (365n * yoe + divFloor(yoe, 4n) - divFloor(yoe, 100n));
  const mp = divFloor(5n * doy + 2n, 153n);
  const day = Number(doy - divFloor(153n * mp + 2n, 5n) + 1n);
  const month = Number(mp < 10n ? mp + 3n : mp - 9n);
  return { year: yoe + era * 400n + (month <= 2 ? 1n : 0n), month, day };
}

function daysFromCivil(year: bigint, month: number, day: number): bigint {
  const y = month <= 2 ? year - 1n : year;
  const era = divFloor(y, 400n);
  const yoe = y - era * 400n;
  const mp = BigInt(month > 2 ? month - 3 : month + 9);
  const doy = divFloor(153n * mp + 2n, 5n) + BigInt(day) - 1n;
  const doe = yoe * 365n + divFloor(yoe, 4n) - divFloor(yoe, 100n) + doy;
  return era * 146_097n + doe - 719_468n;
}
