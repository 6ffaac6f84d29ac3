import { encode } from 'fast-png';
import type { DescribedPicture } from '#wasm-modules/description.ts';

/** Each pixel becomes a square of `scale` pixels: models give small pictures, and screens are fine. */
export function enlarged({ width, height, channels, data }: DescribedPicture, scale: number): DescribedPicture {
  const out = new Uint8Array(width * scale * height * scale * channels);
  for (let y = 0; y < height * scale; y++)
    for (let x = 0; x < width * scale; x++) {
      const from = (Math.floor(y / scale) * width + Math.floor(x / scale)) * channels;
      out.set(data.subarray(from, from + channels), (y * width * scale + x) * channels);
    }
  return { width: width * scale, height: height * scale, channels, data: out };
}

/** A PNG of the picture, enlarged. */
export function pngOf(picture: DescribedPicture, scale = 1): Uint8Array {
  return encode({ ...enlarged(picture, scale), depth: 8 });
}
