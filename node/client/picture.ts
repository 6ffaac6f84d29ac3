import { encode } from 'fast-png';
import type { DescribedPicture } from '#wasm-modules/description.ts';

/** A PNG of the picture, each pixel a square of `scale` pixels: models give small pictures, and screens are fine. */
export function pngOf({ width, height, channels, data }: DescribedPicture, scale = 1): Uint8Array {
  const out = new Uint8Array(width * scale * height * scale * channels);
  for (let y = 0; y < height * scale; y++)
    for (let x = 0; x < width * scale; x++) {
      const from = (Math.floor(y / scale) * width + Math.floor(x / scale)) * channels;
      out.set(data.subarray(from, from + channels), (y * width * scale + x) * channels);
    }
  return encode({ width: width * scale, height: height * scale, channels, depth: 8, data: out });
}
