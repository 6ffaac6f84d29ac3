import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeText, showText, textBytes } from './text.ts';

test('a text fills the end of its field, and zeros stand before it', () => {
  expect(encodeText('prompt', 'née', 6)).toEqual({ ok: true, value: Uint8Array.of(0, 0, 110, 195, 169, 101) });
  expect(encodeText('prompt', '', 2)).toEqual({ ok: true, value: Uint8Array.of(0, 0) });
});

test.each([
  ['née!', 4, 'prompt: the text has 5 bytes in UTF-8; the model reads at most 4'],
  ['\ud83d', 9, 'prompt: the text has half a character (a surrogate without its other half)'],
  ['a\0b', 9, 'prompt: the text has the character U+0000, which stands for nothing here'],
])('%j for a field of %i bytes is refused with a sentence', (text, size, error) => {
  expect(encodeText('prompt', text, size)).toEqual({ ok: false, error });
});

test.each<[string, number[], string]>([
  ['zeros at the end', [104, 105, 0, 0], 'hi'],
  ['a zero in the middle', [104, 0, 105], 'h\\u{0}i'],
  ['line breaks and tabs', [97, 10, 9, 98], 'a\n\tb'],
  ['bytes that are no UTF-8', [97, 0xff, 0xc3, 98], 'a\\xff\\xc3b'],
  ['a longer form than needed, a surrogate', [0xc0, 0xaf, 0xed, 0xa0, 0x80], '\\xc0\\xaf\\xed\\xa0\\x80'],
  ['a character cut off', [0xe2, 0x82], '\\xe2\\x82'],
  ['what steers a terminal', [27, 91, 51, 49, 109], '\\u{1b}[31m'],
  ['what turns the direction', [0xe2, 0x80, 0xae, 97], '\\u{202e}a'],
  ['a byte order mark', [0xef, 0xbb, 0xbf, 97], '\\u{feff}a'],
  ['a backslash', [92, 120, 102, 102], '\\\\xff'],
])('%s', (_what, bytes, shown) => {
  expect(showText(Uint8Array.from(bytes))).toBe(shown);
});

test('texts that fit go in, and come out as they were', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 24 }), (text) => {
      const encoded = encodeText('prompt', text, 96);
      if (!encoded.ok) return;
      const field = encoded.value;
      expect(field.length).toBe(96);
      expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(field).replace(/^\0+/, '')).toBe(text);
    }),
  );
});

test('any bytes are shown, without anything that a terminal obeys, and no two texts look the same', () => {
  const shown = new Map<string, string>();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (field) => {
      const text = showText(field);
      expect(text).not.toMatch(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/u);
      const own = String(textBytes(field));
      expect(shown.get(text) ?? own).toBe(own);
      shown.set(text, own);
    }),
    { numRuns: 2000 },
  );
});
