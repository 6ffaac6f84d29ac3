import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, EMPTY, toHex, u64be, utf8 } from '../bytes.ts';
import {
  decodeExtension,
  EXTENSION_LIMITS,
  encodeExtension,
  MAX_EXTENSION_BYTES,
  type Opened,
  type OutcomeKind,
  outputRoot,
  sealHash,
  verdictHash,
} from './formats.ts';

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
const kind = fc.constantFrom<OutcomeKind>(0, 1, 2, 3);
const opened = fc.record({ kind, outputRoot: hash, traceRoot: hash, gasUsed: u64, salt: hash });
const byJob = (a: { job: bigint }, b: { job: bigint }): number => (a.job < b.job ? -1 : 1);
const extension = fc.record({
  commitments: fc
    .uniqueArray(fc.record({ job: u64, hash }), { maxLength: EXTENSION_LIMITS.commitments, selector: (c) => c.job })
    .map((list) => list.sort(byJob)),
  openings: fc
    .uniqueArray(
      fc.tuple(u64, opened).map(([job, rest]) => ({ job, ...rest })),
      { maxLength: EXTENSION_LIMITS.openings, selector: (o) => o.job },
    )
    .map((list) => list.sort(byJob)),
});

const sample: Opened = {
  kind: 0,
  outputRoot: new Uint8Array(32).fill(1),
  traceRoot: new Uint8Array(32).fill(2),
  gasUsed: 3n,
  salt: new Uint8Array(32).fill(4),
};
const author = { chainId: 'autonomy-1', job: 7n, address: new Uint8Array(20).fill(9) };

describe('hashes', () => {
  test('stand over the bytes that the formats name, written out here with Node’s own hashing', () => {
    const sha = (hex: string): string => createHash('sha256').update(Buffer.from(hex, 'hex')).digest('hex');
    const tag = (text: string): string => Buffer.from(text).toString('hex');
    expect(toHex(outputRoot(1, 2, utf8('abc')))).toBe(
      sha(`${tag('autonomy/output/v1')}01${'00000002'}${'00000003'}616263`),
    );
    const who = `0000000a${tag('autonomy-1')}0000000000000007${'09'.repeat(20)}`;
    const what = `${'01'.repeat(32)}${'02'.repeat(32)}0000000000000003${'04'.repeat(32)}`;
    expect(toHex(sealHash(author, sample))).toBe(sha(`${tag('autonomy/seal/v1')}${who}${what}`));
    expect(toHex(verdictHash(author, sample))).toBe(sha(`${tag('autonomy/verdict/v1')}${who}00${what}`));
  });

  test('differ when chain, job, author, kind, roots, gas or salt do', () => {
    const base = toHex(verdictHash(author, sample));
    const others = [
      verdictHash({ ...author, chainId: 'autonomy-2' }, sample),
      verdictHash({ ...author, job: 8n }, sample),
      verdictHash({ ...author, address: new Uint8Array(20).fill(8) }, sample),
      verdictHash(author, { ...sample, kind: 1 }),
      verdictHash(author, { ...sample, outputRoot: sample.traceRoot }),
      verdictHash(author, { ...sample, traceRoot: sample.outputRoot }),
      verdictHash(author, { ...sample, gasUsed: 4n }),
      verdictHash(author, { ...sample, salt: sample.traceRoot }),
      sealHash(author, sample),
    ].map(toHex);
    expect(new Set([base, ...others]).size).toBe(others.length + 1);
  });

  test('a salt or root of the wrong length is named', () => {
    expect(() => verdictHash(author, { ...sample, salt: EMPTY })).toThrow('salt: expected 32 bytes, got 0');
    expect(() => sealHash({ ...author, address: EMPTY }, sample)).toThrow('address: expected 20 bytes, got 0');
  });
});

describe('the vote extension', () => {
  test('reads back what was written, within the stated size', () => {
    fc.assert(
      fc.property(extension, (value) => {
        const bytes = encodeExtension(value);
        expect(bytes.length).toBeLessThanOrEqual(MAX_EXTENSION_BYTES);
        expect(decodeExtension(bytes)).toEqual({ ok: true, value });
      }),
    );
  });

  test('one value has one encoding: whatever decodes encodes to the same bytes', () => {
    fc.assert(
      fc.property(extension, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, flip) => {
        const bytes = encodeExtension(value).slice();
        if (bytes.length > 0) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip;
        const decoded = decodeExtension(bytes);
        if (decoded.ok) expect(encodeExtension(decoded.value)).toEqual(bytes);
      }),
    );
  });

  test.each([
    ['a byte too many', Uint8Array.of(1, 1, 0, ...new Uint8Array(41)), '44 bytes, expected 43'],
    ['a byte too few', Uint8Array.of(1, 1, 0, ...new Uint8Array(39)), '42 bytes, expected 43'],
    ['an unknown version', Uint8Array.of(2, 1, 0), 'version 2, expected 1'],
    ['empty lists', Uint8Array.of(1, 0, 0), 'expected no bytes'],
    ['a cut head', Uint8Array.of(1), '1 bytes, expected none or at least 3'],
    ['too many', Uint8Array.of(1, 33, 0), '33 commitments and 0 openings'],
    [
      'a job twice',
      concat(Uint8Array.of(1, 2, 0), u64be(5n), new Uint8Array(32), u64be(5n), new Uint8Array(32)),
      'strictly ascending',
    ],
    ['a kind of its own', concat(Uint8Array.of(1, 0, 1), u64be(5n), Uint8Array.of(4), new Uint8Array(104)), 'kind 4'],
  ])('refuses %s', (_name, bytes, message) => {
    const decoded = decodeExtension(bytes);
    expect(decoded.ok ? 'accepted' : decoded.error).toContain(message);
  });
});
