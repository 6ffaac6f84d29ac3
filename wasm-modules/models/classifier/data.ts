import type { Random } from '../../training/random.ts';
import { drawSprite, HALF, SIDE } from '../sprites/data.ts';

export { SIDE, SPECIES } from '../sprites/data.ts';

/** A creature as a bad camera sees it: SIDE x SIDE x RGB bytes, rows from top to bottom. */
export interface Photo {
  readonly species: number;
  readonly pixels: Uint8Array;
}

/** Largest shift to each side, in pixels. */
const SHIFT = 3;
/** Widths of the square that something stands in front of. */
const PATCH = { least: 6, range: 7 } as const;
/** Largest noise of one colour value. */
const NOISE = 0.25;

/**
 * Draws a creature and takes a photo of it: off the centre, darker or lighter, more or less of its colour, with noise, and with a
 * square of one colour in front of it.
 */
export function takePhoto(random: Random): Photo {
  const sprite = drawSprite(random);
  const dx = random.below(2 * SHIFT + 1) - SHIFT;
  const dy = random.below(2 * SHIFT + 1) - SHIFT;
  const light = 0.5 + 0.7 * random.unit();
  const colour = 0.2 + 0.8 * random.unit();
  const size = PATCH.least + random.below(PATCH.range);
  const [left, top] = [random.below(SIDE), random.below(SIDE)];
  const patch = [random.unit(), random.unit(), random.unit()];
  const pixels = new Uint8Array(SIDE * SIDE * 3);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const at = (y * SIDE + x) * 3;
      const hidden = x >= left && x < left + size && y >= top && y < top + size;
      const seen = hidden ? patch : pixelOf(sprite.pixels, clamp(x - dx), clamp(y - dy));
      const grey = ((seen[0] ?? 0) + (seen[1] ?? 0) + (seen[2] ?? 0)) / 3;
      for (let c = 0; c < 3; c++) {
        const v = (grey + ((seen[c] ?? 0) - grey) * colour) * light + (random.unit() - 0.5) * 2 * NOISE;
        pixels[at + c] = Math.round(Math.min(Math.max(v, 0), 1) * 255);
      }
    }
  }
  return { species: sprite.species, pixels };
}

const clamp = (v: number): number => Math.min(Math.max(v, 0), SIDE - 1);

/** A pixel of the whole creature, whose left half mirrors the right one that was drawn. */
function pixelOf(half: Float32Array, x: number, y: number): readonly number[] {
  const column = x < HALF ? HALF - 1 - x : x - HALF;
  const at = (y * HALF + column) * 3;
  return [half[at] ?? 0, half[at + 1] ?? 0, half[at + 2] ?? 0];
}
