import fc from 'fast-check';
import { expect, test } from 'vitest';
import { timestamp } from '#test/arbitrary/block.ts';
import {
  addMillis,
  compareTime,
  encodeTimestamp,
  formatTime,
  fromNanos,
  parseTime,
  readTimestamp,
  toNanos,
  ZERO_TIME,
} from './timestamp.ts';

test('text, bytes and nanoseconds round-trip', () => {
  fc.assert(
    fc.property(timestamp, (time) => {
      expect(parseTime(formatTime(time))).toEqual(time);
      expect(readTimestamp('t', encodeTimestamp(time))).toEqual(time);
      expect(fromNanos(toNanos(time))).toEqual(time);
    }),
  );
});

test('agrees with the platform calendar to the millisecond', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }),
      (date) => {
        const time = parseTime(date.toISOString());
        expect(toNanos(time)).toBe(BigInt(date.getTime()) * 1_000_000n);
        expect(new Date(formatTime(time)).getTime()).toBe(date.getTime());
      },
    ),
  );
});

test('offsets and Go zero time', () => {
  expect(parseTime('2019-10-13T18:14:44.5+02:00')).toEqual(parseTime('2019-10-13T16:14:44.5Z'));
  expect(formatTime(ZERO_TIME)).toBe('0001-01-01T00:00:00Z');
});

test.each([
  '2023-02-29T00:00:00Z',
  '2023-13-01T00:00:00Z',
  '2023-01-01',
  '2023-01-01T24:00:00Z',
  '2023-01-01T00:00:00.1234567890Z',
  'x',
])('%s is refused by name', (text) => {
  expect(() => parseTime(text, 'genesis_time')).toThrow(/^genesis_time: /);
});

test('order follows nanoseconds', () => {
  fc.assert(
    fc.property(timestamp, fc.bigInt(1n, 10_000n), (time, millis) => {
      expect(compareTime(time, addMillis(time, millis))).toBe(-1);
      expect(compareTime(addMillis(time, millis), time)).toBe(1);
      expect(compareTime(time, time)).toBe(0);
    }),
  );
});
