import { decode } from 'fast-png';
import { expect, test } from 'vitest';
import { pngOf } from './picture.ts';

const rgb = { width: 2, height: 1, channels: 3, data: Uint8Array.of(255, 0, 0, 0, 0, 255) } as const;

test('a picture’s bytes are the PNG’s pixels', () => {
  const { width, height, channels, data } = decode(pngOf(rgb));
  expect({ width, height, channels, data: [...data] }).toEqual({ ...rgb, data: [...rgb.data] });
});

test('enlarging repeats pixels, rows and columns alike', () => {
  const grey = { width: 2, height: 2, channels: 1, data: Uint8Array.of(1, 2, 3, 4) } as const;
  const { width, height, data } = decode(pngOf(grey, 2));
  expect([width, height]).toEqual([4, 4]);
  expect([...data]).toEqual([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
});
