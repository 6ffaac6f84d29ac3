import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex, utf8 } from '../bytes.ts';
import { asInt64, asSfixed64, asString, decode, readFields, readVarint } from './proto-reader.ts';
import { lengthDelimited, ProtoWriter } from './proto-writer.ts';

const read = (hex: string, known = [1, 2]) => decode(() => readFields('m', fromHex(hex), { known }));

describe('writer', () => {
  test('examples of the protobuf encoding guide', () => {
    expect(toHex(new ProtoWriter().varint(1, 150).finish())).toBe('089601');
    expect(toHex(new ProtoWriter().string(2, 'testing').finish())).toBe('120774657374696e67');
  });

  test('negative int64 takes ten bytes, zero none', () => {
    expect(toHex(new ProtoWriter().varint(1, -1n).finish())).toBe('08ffffffffffffffffff01');
    expect(new ProtoWriter().varint(1, 0).bytes(2, new Uint8Array(0)).finish()).toHaveLength(0);
    expect(toHex(new ProtoWriter().message(5, new Uint8Array(0)).finish())).toBe('2a00');
  });

  test('grows beyond its first buffer', () => {
    const big = new Uint8Array(100_000).fill(7);
    expect(lengthDelimited(big)).toHaveLength(100_003);
    expect(new ProtoWriter().raw(big).finishDelimited()).toEqual(lengthDelimited(big));
  });

  test('a string of any length and script is its UTF-8 bytes; a delimited message is the message after its length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (text, bytes) => {
        const written = () => new ProtoWriter().string(1, text).raw(bytes);
        expect(written().finish()).toEqual(new ProtoWriter().bytes(1, utf8(text)).raw(bytes).finish());
        expect(written().finishDelimited()).toEqual(lengthDelimited(written().finish()));
      }),
    );
  });
});

describe('reader', () => {
  test('int64 and sfixed64 round-trip', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (value) => {
        const bytes = new ProtoWriter().varint(1, value).sfixed64(2, value).finish();
        let varint = 0n;
        let fixed = 0n;
        for (const field of readFields('m', bytes, { known: [1, 2] })) {
          if (field.number === 1) varint = asInt64('a', field);
          else fixed = asSfixed64('b', field);
        }
        return varint === value && fixed === value;
      }),
    );
  });

  test.each([
    ['unknown field', '1801', 'm: unknown field 3'],
    ['field twice', '08010801', 'm: field 1 occurs twice'],
    ['non-canonical varint', '088000', 'm field 1: non-canonical varint'],
    ['non-canonical tag', '880001', 'm: non-canonical varint'],
    ['truncated varint', '0880', 'm field 1: truncated varint'],
    ['varint over 64 bits', '08ffffffffffffffffff02', 'm field 1: varint exceeds 64 bits'],
    ['length beyond the end', '120501', 'm field 2: length 5 exceeds the 1 bytes that are left'],
    ['group', '0b', 'm field 1: wire type 3 is not allowed'],
    ['huge field number', 'f8ffffff7f01', 'm: field tag 34359738360 exceeds 32 bits'],
  ])('%s is refused', (_name, hex, message) => {
    expect(read(hex)).toEqual({ ok: false, error: message });
  });

  test('strings must be UTF-8 and within the limit', () => {
    const field = (hex: string) => readFields('m', fromHex(hex), { known: [1] })[0];
    expect(decode(() => asString('name', field('0a02c328') as never, 10))).toEqual({
      ok: false,
      error: 'name: expected UTF-8',
    });
    expect(decode(() => asString('name', field('0a03616263') as never, 2)).ok).toBe(false);
  });

  test('canonical varints of every length round-trip', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (value) => {
        const bytes = new ProtoWriter().rawVarint(value).finish();
        const got = readVarint('v', bytes, 0);
        return got.value === value && got.next === bytes.length;
      }),
    );
  });
});

test('a message stands where there was room for it', () => {
  for (const length of [0, 10, 64, 65, 2_000]) {
    const write = () => new ProtoWriter().bytes(1, new Uint8Array(length).fill(7));
    const room = new Uint8Array(3_000);
    const out = write().finish((bytes) => room.subarray(5, 5 + bytes));
    expect(out).toEqual(write().finish());
    expect([out.buffer, out.byteOffset]).toEqual([room.buffer, 5]);
  }
});
