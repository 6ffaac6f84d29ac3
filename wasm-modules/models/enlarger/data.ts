import type { Random } from '../../training/random.ts';
import { drawSprite, HALF, SIDE } from '../sprites/data.ts';

/** Side of the picture that the network makes; it is given one of half the side. */
export const LARGE = SIDE;
export const SMALL = SIDE / 2;

/** Noise of one colour value of the small picture, at most. */
const NOISE = 0.04;

/** A creature in two sizes: RGB in [0, 1], rows from top to bottom. */
export interface Pair {
  /** Bytes, as a request has them. */
  readonly small: Uint8Array;
  readonly large: Float32Array;
}

/** Draws a creature, and a small picture of it: means of 2 x 2 pixels, a little noise, rounded to bytes. */
export function drawPair(random: Random): Pair {
  const { pixels } = drawSprite(random);
  const large = new Float32Array(LARGE * LARGE * 3);
  for (let y = 0; y < LARGE; y++)
    for (let x = 0; x < LARGE; x++) {
      const column = x < HALF ? HALF - 1 - x : x - HALF;
      for (let c = 0; c < 3; c++) large[(y * LARGE + x) * 3 + c] = pixels[(y * HALF + column) * 3 + c] ?? 0;
    }
  const small = new Uint8Array(SMALL * SMALL * 3);
  for (let y = 0; y < SMALL; y++)
    for (let x = 0; x < SMALL; x++)
      for (let c = 0; c < 3; c++) {
        const at = (dy: number, dx: number): number => large[((2 * y + dy) * LARGE + 2 * x + dx) * 3 + c] ?? 0;
        const mean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4 + (random.unit() - 0.5) * 2 * NOISE;
        small[(y * SMALL + x) * 3 + c] = Math.round(Math.min(Math.max(mean, 0), 1) * 255);
      }
  return { small, large };
}

/** The small picture enlarged without a network: each colour between those of the nearest pixels (bilinear). */
export function bilinear(small: Uint8Array): Float32Array {
  const out = new Float32Array(LARGE * LARGE * 3);
  const pixel = (y: number, x: number, c: number): number => {
    const clamp = (v: number): number => Math.min(Math.max(v, 0), SMALL - 1);
    return (small[(clamp(y) * SMALL + clamp(x)) * 3 + c] ?? 0) / 255;
  };
  for (let y = 0; y < LARGE; y++)
    for (let x = 0; x < LARGE; x++)
      for (let c = 0; c < 3; c++) {
        const [sy, sx] = [(y - 0.5) / 2, (x - 0.5) / 2];
        const [top, left] = [Math.floor(sy), Math.floor(sx)];
        const [fy, fx] = [sy - top, sx - left];
        const row = (at: number): number => pixel(at, left, c) * (1 - fx) + pixel(at, left + 1, c) * fx;
        out[(y * LARGE + x) * 3 + c] = row(top) * (1 - fy) + row(top + 1) * fy;
      }
  return out;
}
