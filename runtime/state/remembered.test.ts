import { expect, test } from 'vitest';
import { STATE_LIMITS } from '../limits.ts';
import { bytesValue } from './codecs.ts';
import { rememberedArrays, rememberedByBytes, rememberedValue } from './remembered.ts';

function counted() {
  let calls = 0;
  const ask = rememberedByBytes((bytes: Uint8Array) => {
    calls++;
    return { sum: bytes.reduce((sum, byte) => sum + byte, 0), length: bytes.length };
  });
  return { ask, calls: () => calls };
}

test('the same bytes are computed once, other bytes for themselves', () => {
  const { ask, calls } = counted();
  const first = ask(Uint8Array.of(1, 255));
  expect(ask(Uint8Array.of(1, 255))).toBe(first);
  expect(calls()).toBe(1);
  expect(ask(Uint8Array.of(255, 1))).toEqual({ sum: 256, length: 2 });
  expect(ask(new Uint8Array(0))).toEqual({ sum: 0, length: 0 });
  expect(calls()).toBe(3);
});

test('the bytes may be overwritten afterwards', () => {
  const { ask } = counted();
  const bytes = Uint8Array.of(7);
  ask(bytes);
  bytes[0] = 9;
  expect(ask(bytes).sum).toBe(9);
  expect(ask(Uint8Array.of(7)).sum).toBe(7);
});

test('no more than so many are kept, and none that are large', () => {
  const { ask, calls } = counted();
  const numbered = (i: number) => Uint8Array.of(i >>> 8, i);
  for (let i = 0; i <= STATE_LIMITS.rememberedValues; i++) expect(ask(numbered(i)).length).toBe(2);
  const before = calls();
  ask(numbered(0));
  expect(calls()).toBe(before + 1);
  const large = new Uint8Array(STATE_LIMITS.rememberedBytes + 1);
  ask(large);
  ask(large);
  expect(calls()).toBe(before + 3);
});

test('a codec encodes as before', () => {
  const codec = rememberedValue(bytesValue);
  expect(codec.encode(Uint8Array.of(3))).toEqual(Uint8Array.of(3));
  expect(codec.decode(Uint8Array.of(3))).toEqual(Uint8Array.of(3));
});

test('what is shared cannot be changed, small or large', () => {
  const ask = rememberedByBytes((bytes) => ({ list: [bytes.length], inner: { bytes } }));
  for (const bytes of [Uint8Array.of(1), new Uint8Array(STATE_LIMITS.rememberedBytes + 1)]) {
    const { list, inner } = ask(bytes);
    expect(() => list.push(1)).toThrow(TypeError);
    expect(() => {
      inner.bytes = new Uint8Array(0);
    }).toThrow(TypeError);
  }
});

test('an array is decoded once while few others come between; one of the same bytes for itself', () => {
  let calls = 0;
  const codec = rememberedArrays({
    encode: ({ sum }: { readonly sum: number }) => Uint8Array.of(sum),
    decode: (bytes) => ({ sum: (bytes[0] ?? 0) + 0 * calls++ }),
  });
  const arrays = [1, 2, 3, 4, 5].map((sum) => codec.encode({ sum }));
  const [first] = arrays as [Uint8Array];
  const value = codec.decode(first);
  expect(codec.decode(first)).toBe(value);
  expect(calls).toBe(1);
  expect(codec.decode(first.slice())).toEqual(value);
  expect(calls).toBe(2);
  expect(arrays.map((bytes) => codec.decode(bytes).sum)).toEqual([1, 2, 3, 4, 5]);
  expect(codec.decode(first)).toEqual({ sum: 1 });
  expect(calls).toBe(7);
});
