import { crc32, deflateSync } from 'node:zlib';
import { encode as encodePng } from 'fast-png';
import { expect, test } from 'vitest';
import { NODE_LIMITS } from '../limits.ts';
import { decodePicture, encodePicture, pictureFormat } from './pictures.ts';

const SIZE = { width: 16, height: 8 };

/** A picture whose neighbours differ little: what a JPEG keeps. */
const rgb = {
  ...SIZE,
  channels: 3 as const,
  data: Uint8Array.from({ length: 16 * 8 * 3 }, (_, i) => 40 + (Math.floor(i / 3) % 16) * 10 + (i % 3) * 20),
};
const jpeg = encodePicture(rgb, 'JPEG', 1);
const png = encodePicture(rgb, 'PNG', 1);

function bytes(at: number, ...values: number[]): Uint8Array {
  const out = jpeg.slice();
  out.set(values, at);
  return out;
}

/** Where a marker stands in the JPEG. */
function marker(code: number): number {
  const at = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === code);
  expect(at).toBeGreaterThan(0);
  return at;
}

test.each([
  ['a.PNG', 'PNG'],
  ['b.jpg', 'JPEG'],
  ['c.JPEG', 'JPEG'],
  ['d.gif', undefined],
])('%s is %s by its name', (name, format) => {
  expect(pictureFormat(name)).toBe(format);
});

test('a picture goes through a JPEG and comes back nearly the same, through a PNG exactly', () => {
  const back = decodePicture(jpeg, 'x.jpg', 'JPEG', SIZE);
  expect(back).toMatchObject({ ...SIZE, channels: 3 });
  rgb.data.forEach((v, i) => {
    expect(Math.abs(v - (back.data[i] ?? 999))).toBeLessThanOrEqual(12);
  });
  expect(Array.from(decodePicture(png, 'x.png', 'PNG', SIZE).data)).toEqual([...rgb.data]);
});

test('grey, enlarged, becomes a JPEG of three equal colours', () => {
  const grey = { width: 2, height: 1, channels: 1 as const, data: Uint8Array.of(20, 220) };
  const back = decodePicture(encodePicture(grey, 'JPEG', 8), 'g.jpg', 'JPEG', { width: 16, height: 8 });
  expect([0, 1, 2].map((c) => Math.abs((back.data[c] ?? 0) - 20) < 6)).toEqual([true, true, true]);
  expect(Math.abs((back.data[15 * 3] ?? 0) - 220)).toBeLessThan(6);
});

const refused = (file: Uint8Array, format: 'PNG' | 'JPEG' = 'JPEG', size = SIZE) => {
  try {
    decodePicture(file, 'the file', format, size);
    return 'taken';
  } catch (error) {
    return error instanceof Error ? error.message : 'not an error';
  }
};

test('another size than the model’s is refused by the head alone, whatever the rest would be', () => {
  const frame = marker(0xc0);
  const huge = bytes(frame + 5, 0xff, 0xff, 0xff, 0xff).subarray(0, frame + 10);
  expect(refused(huge)).toBe('the file has 65535 x 65535 pixels of 8 bits; the model takes 16 x 8 of 8');
  const wide = encodePng({ width: 3, height: 1, channels: 1, depth: 8, data: new Uint8Array(3) });
  expect(refused(wide, 'PNG')).toBe('the file has 3 x 1 pixels of 8 bits; the model takes 16 x 8 of 8');
  const bomb = wide.slice();
  bomb.set([0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff], 16);
  expect(refused(bomb, 'PNG')).toContain('2147483647 x 2147483647');
  const deep = encodePng({ ...SIZE, channels: 1, depth: 16, data: new Uint16Array(128) });
  expect(refused(deep, 'PNG')).toContain('pixels of 16 bits');
});

/** The PNG with a chunk before the one of that type; checksums are not looked at where a chunk is left out. */
function withChunk(before: string, type: string, data: Uint8Array): Uint8Array {
  const at = Buffer.from(png).indexOf(before) - 4;
  const chunk = new Uint8Array(data.length + 12);
  new DataView(chunk.buffer).setUint32(0, data.length);
  chunk.set(new TextEncoder().encode(type), 4);
  chunk.set(data, 8);
  new DataView(chunk.buffer).setUint32(data.length + 8, crc32(chunk.subarray(4, data.length + 8)));
  return Uint8Array.from([...png.subarray(0, at), ...chunk, ...png.subarray(at)]);
}

test('a PNG whose pixels inflate to more than it has is refused, and no other chunk is inflated', () => {
  const bomb = new Uint8Array(deflateSync(new Uint8Array(1 << 22)));
  expect(refused(withChunk('IDAT', 'IDAT', bomb), 'PNG')).toMatch(/^the file is no PNG: .*larger than \d+ bytes/);
  const profile = Uint8Array.from([...new TextEncoder().encode('name'), 0, 0, ...bomb]);
  expect(refused(withChunk('IDAT', 'iCCP', profile), 'PNG')).toBe('taken');
  expect(refused(png.subarray(0, png.length - 20), 'PNG')).toMatch(/^the file is no PNG: /);
});

test('a PNG with a second head, which would be the one that counts, is refused before its pixels are decoded', () => {
  const head = png.slice(16, 29);
  new DataView(head.buffer).setUint32(0, 30_000);
  new DataView(head.buffer).setUint32(4, 30_000);
  expect(refused(withChunk('IDAT', 'IHDR', head), 'PNG')).toBe('the file is no PNG: a second chunk "IHDR"');
});

test('hostile JPEGs are refused with a sentence, before they cost much', () => {
  const frame = marker(0xc0);
  const second = jpeg.slice(frame, frame + 2 + ((jpeg[frame + 2] ?? 0) << 8) + (jpeg[frame + 3] ?? 0));
  second.set([0xff, 0xff, 0xff, 0xff], 5);
  const two = Uint8Array.from([...jpeg.subarray(0, marker(0xda)), ...second, ...jpeg.subarray(marker(0xda))]);
  expect(refused(two)).toMatch(/^the file is no JPEG: maxResolutionInMP limit exceeded/);
  // Components that claim to be 15 times as fine as the picture in both directions.
  const fine = bytes(frame + 11, 0xff);
  expect(refused(fine, 'JPEG')).not.toBe('');
  const scan = jpeg.subarray(marker(0xda));
  const scans = Uint8Array.from([
    ...jpeg.subarray(0, marker(0xda)),
    ...Array.from({ length: 300 }, () => [...scan]).flat(),
  ]);
  expect(refused(scans)).toBe(`the file is no JPEG: 300 scans; at most ${NODE_LIMITS.maxJpegScans} are decoded`);
  expect(refused(new Uint8Array(NODE_LIMITS.maxPictureBytes + 1))).toContain('a picture of at most');
});

test.each([
  ['nothing', new Uint8Array(0)],
  ['a PNG', png],
  ['a head alone', Uint8Array.of(0xff, 0xd8, 0xff)],
  ['a segment of length 0', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0)],
])('%s is no JPEG', (_what, file) => {
  expect(refused(file)).toBe('the file is no JPEG: its head says no size');
});

test('a picture that is too large to write is refused, with what would do', () => {
  const line = { width: 66_000, height: 1, channels: 1 as const, data: new Uint8Array(66_000) };
  expect(() => encodePicture(line, 'JPEG', 1)).toThrow('a JPEG has at most 65535 on a side; write a PNG instead');
  expect(encodePicture(line, 'PNG', 1).length).toBeGreaterThan(0);
  const square = { width: 4_096, height: 4_096, channels: 1 as const, data: new Uint8Array(4_096 * 4_096) };
  expect(() => encodePicture(square, 'PNG', 64)).toThrow('give a smaller --scale');
});
