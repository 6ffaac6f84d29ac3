import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, toHex, utf8 } from '#core/bytes.ts';
import { lengthDelimited } from '#core/codec/proto-writer.ts';
import { createFrameReader, FrameError } from './frames.ts';

const read = (reader: ReturnType<typeof createFrameReader>, bytes: Uint8Array) => [...reader.push(bytes)].map(toHex);

test('messages come out whole, however the stream is cut', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (items, sizes) => {
      const stream = concat(...items.map(lengthDelimited));
      const reader = createFrameReader();
      const found: string[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        // The socket's buffer may be used again: what was kept must be a copy.
        const chunk = Buffer.from(stream.slice(at, at + size));
        found.push(...read(reader, chunk));
        chunk.fill(0xee);
        at += size;
      }
      expect(found).toEqual(items.map(toHex));
      expect(reader.pending).toBe(false);
    }),
  );
});

test.each([
  ['a length beyond the limit', Uint8Array.of(0x81, 0x08), 'exceeds the limit of 1024'],
  ['a length of five bytes', Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x01), 'longer than 4 bytes'],
  ['a length with an idle byte', Uint8Array.of(0x81, 0x00), 'non-canonical'],
])('%s is refused before anything is kept', (_name, bytes, sentence) => {
  expect(() => read(createFrameReader(1024), bytes)).toThrow(sentence);
  expect(() => read(createFrameReader(1024), bytes)).toThrow(FrameError);
});

test('the limit itself is within it, and an empty message is one', () => {
  expect(read(createFrameReader(3), lengthDelimited(utf8('abc')))).toEqual([toHex(utf8('abc'))]);
  expect(read(createFrameReader(3), Uint8Array.of(0))).toEqual(['']);
});

test('what comes out is plain bytes: a Buffer would share memory where others copy', () => {
  for (const message of createFrameReader().push(Buffer.from(lengthDelimited(utf8('abc')))))
    expect(Object.getPrototypeOf(message)).toBe(Uint8Array.prototype);
});
