import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  compare,
  concat,
  concatAll,
  fromBase64,
  fromHex,
  fromUtf8,
  lengthPrefixed,
  prefixEnd,
  readU64be,
  startsWith,
  toBase64,
  toHex,
  u64be,
  utf8,
} from './bytes.ts';

const bytes = fc.uint8Array({ maxLength: 60 });

test('hex and base64 agree with the platform', () => {
  fc.assert(
    fc.property(bytes, (value) => {
      expect(toHex(value)).toBe(Buffer.from(value).toString('hex'));
      expect(toBase64(value)).toBe(Buffer.from(value).toString('base64'));
      expect(fromHex(toHex(value))).toEqual(value);
      expect(fromBase64(toBase64(value))).toEqual(value);
    }),
  );
});

test.each(['A', 'AB==C', 'AB=', 'A===', 'AB-_', 'AAB=', 'AB=='])('base64 %s is refused', (text) => {
  expect(() => fromBase64(text, 'tx')).toThrow(/^tx: /);
});

test('order is that of LevelDB', () => {
  fc.assert(fc.property(bytes, bytes, (a, b) => compare(a, b) === Math.sign(Buffer.compare(a, b))));
});

test('prefixEnd bounds exactly the keys with the prefix', () => {
  fc.assert(
    fc.property(bytes, bytes, (prefix, key) => {
      const end = prefixEnd(prefix);
      const inRange = compare(key, prefix) >= 0 && (end === undefined || compare(key, end) < 0);
      expect(inRange).toBe(startsWith(key, prefix));
    }),
  );
  expect(prefixEnd(Uint8Array.of(1, 255))).toEqual(Uint8Array.of(2));
});

test('u64 and length prefixes', () => {
  fc.assert(fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (value) => readU64be(u64be(value)) === value));
  expect(lengthPrefixed(Uint8Array.of(9))).toEqual(Uint8Array.of(0, 0, 0, 1, 9));
  expect(() => u64be(-1n)).toThrow(RangeError);
  expect(concat(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2))).toEqual(Uint8Array.of(1, 2));
  // More than a call takes arguments.
  expect(concatAll(Array.from({ length: 200_000 }, () => Uint8Array.of(7)))).toHaveLength(200_000);
});

test('bytes are UTF-8 or refused as the platform says, short or long', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.uint8Array({ max: 0x7f, maxLength: 80 }),
    fc.string({ unit: 'binary', maxLength: 80 }).map((text) => new TextEncoder().encode(text)),
  );
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const attempt = (read: () => string): string | undefined => {
    try {
      return read();
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
      return undefined;
    }
  };
  fc.assert(
    fc.property(bytes, (each) => {
      expect(attempt(() => fromUtf8(each))).toBe(attempt(() => decoder.decode(each)));
    }),
  );
});

test('text as UTF-8 is what the platform encodes, short or long, and nobody else writes into it', () => {
  const unit = fc.oneof(
    fc.string({ unit: 'binary-ascii' }),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('\ud800', '\u007f', '\u0080', 'a'.repeat(63), 'a'.repeat(64), 'a'.repeat(65)),
  );
  const encoder = new TextEncoder();
  fc.assert(
    fc.property(unit, fc.constantFrom(1, 2, 500), (text, times) => {
      const whole = text.repeat(times);
      const first = utf8(whole);
      utf8('something else');
      expect(first).toEqual(encoder.encode(whole));
    }),
  );
});
