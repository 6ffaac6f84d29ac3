import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  DEC_ONE,
  decMul,
  decMulTruncate,
  decOf,
  decQuo,
  decQuoInt,
  decQuoRoundUp,
  decQuoTruncate,
  decRound,
  decTruncate,
  formatDec,
  parseDec,
  parseDecAtomics,
} from './dec.ts';

function dec(text: string): bigint {
  const parsed = parseDec(text, 'test');
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

/** The table of TestArithmetic in the Cosmos SDK's math/legacy_dec_test.go: a, b, mul, mulTruncate, quo, quoRoundUp, quoTruncate. */
const TABLE = [
  ['0', '1', '0', '0', '0', '0', '0'],
  ['1', '-1', '-1', '-1', '-1', '-1', '-1'],
  ['-1', '-1', '1', '1', '1', '1', '1'],
  ['3', '7', '21', '21', '0.428571428571428571', '0.428571428571428572', '0.428571428571428571'],
  ['2', '4', '8', '8', '0.5', '0.5', '0.5'],
  ['1.5', '1.5', '2.25', '2.25', '1', '1', '1'],
  ['3.333', '0.333', '1.109889', '1.109889', '10.009009009009009009', '10.009009009009009010', '10.009009009009009009'],
] as const;

test.each(TABLE)('%s and %s', (a, b, mul, mulTruncate, quo, quoRoundUp, quoTruncate) => {
  expect(decMul(dec(a), dec(b))).toBe(dec(mul));
  expect(decMulTruncate(dec(a), dec(b))).toBe(dec(mulTruncate));
  expect(decQuo(dec(a), dec(b))).toBe(dec(quo));
  expect(decQuoRoundUp(dec(a), dec(b))).toBe(dec(quoRoundUp));
  expect(decQuoTruncate(dec(a), dec(b))).toBe(dec(quoTruncate));
});

test.each([
  ['0', 0n],
  ['0.25', 0n],
  ['0.5', 0n],
  ['0.75', 1n],
  ['1', 1n],
  ['1.5', 2n],
  ['7.5', 8n],
  ['7.6', 8n],
  ['2.5', 2n],
  ['100.1', 100n],
  ['-2.5', -2n],
  ['-1.5', -2n],
])('%s rounds half to even', (text, expected) => {
  expect(decRound(dec(text))).toBe(expected);
});

test('products round half to even in the last place', () => {
  const tiny = 1n;
  expect(decMul(tiny, dec('0.5'))).toBe(0n);
  expect(decMul(3n * tiny, dec('0.5'))).toBe(2n);
  expect(decMulTruncate(3n * tiny, dec('0.5'))).toBe(1n);
  expect(decTruncate(dec('-1.9'))).toBe(-1n);
  expect(decQuoInt(decOf(10n), 3n)).toBe(dec('3.333333333333333333'));
});

test('decimals in text', () => {
  expect(formatDec(dec('-0.5'))).toBe('-0.500000000000000000');
  expect(formatDec(dec('12'))).toBe('12.000000000000000000');
  for (const bad of ['', '1.', '.5', '01', '1.0000000000000000001', '+1', '1e3', '9'.repeat(130)])
    expect(parseDec(bad, 'rate').ok).toBe(false);
  expect(parseDec('9'.repeat(90), 'rate')).toEqual({ ok: false, error: 'rate: does not fit into 315 bits' });
  expect(parseDecAtomics('500000000000000000', 'rate')).toEqual({ ok: true, value: dec('0.5') });
  for (const bad of ['', '0.5', '-', '00']) expect(parseDecAtomics(bad, 'rate').ok).toBe(false);
});

test('what is formatted is what is read; rounding is off by at most one in the last place', () => {
  const any = fc.bigInt({ min: -(1n << 200n), max: 1n << 200n });
  fc.assert(
    fc.property(any, any, (a, b) => {
      expect(dec(formatDec(a))).toBe(a);
      fc.pre(b !== 0n);
      const gap = decQuo(a, b) - decQuoTruncate(a, b);
      expect(gap >= -1n && gap <= 1n).toBe(true);
      const up = decQuoRoundUp(a, b) * b - a * DEC_ONE;
      expect((up < 0n ? -up : up) < (b < 0n ? -b : b)).toBe(true);
    }),
  );
});
