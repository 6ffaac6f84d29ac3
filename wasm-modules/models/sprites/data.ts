import type { Random } from '../../training/random.ts';

/** Width and height of a sprite in pixels. */
export const SIDE = 32;
/** Creatures are symmetric: the right half is drawn and learned, the left half is its mirror image. */
export const HALF = SIDE / 2;

/** What the creature is; the index is the first byte of a request. */
export const SPECIES = ['slime', 'cat', 'rabbit', 'bear', 'owl', 'mushroom', 'robot', 'octopus'] as const;

/** Colours in [0, 1] enter as v * scale + shift: centred, and as wide as the latent vector. */
export const COLOUR_SCALE = 4;
export const COLOUR_SHIFT = -2;

export type Rgb = readonly [number, number, number];

/** One drawn creature: what a request may choose (species, two colours), and its right half, SIDE x HALF x RGB in [0, 1]. */
export interface Sprite {
  readonly species: number;
  readonly body: Rgb;
  readonly accent: Rgb;
  readonly pixels: Float32Array;
}

/** What varies within a species, each uniform in [-1, 1]: the variation that the latent vector has to learn. */
interface Shape {
  readonly width: number;
  readonly height: number;
  readonly ears: number;
  readonly spread: number;
  readonly eyes: number;
  readonly gap: number;
  readonly gaze: number;
  readonly mouth: number;
  readonly belly: number;
}

const BACKGROUND: Rgb = [0.1, 0.12, 0.2];
const INK: Rgb = [0.04, 0.04, 0.09];
const WHITE: Rgb = [0.98, 0.98, 0.96];
/** Thickness of the outline, in pixels. */
const OUTLINE = 1.1;

/** Signed distance in pixels: negative inside. Coordinates: x to the right of the axis of symmetry, y downwards from the top. */
type Distance = (x: number, y: number) => number;

function ellipse(cx: number, cy: number, rx: number, ry: number): Distance {
  const scale = Math.min(rx, ry);
  return (x, y) => {
    const dx = (x - cx) / rx;
    const dy = (y - cy) / ry;
    return (Math.sqrt(dx * dx + dy * dy) - 1) * scale;
  };
}

function box(cx: number, cy: number, hx: number, hy: number, round: number): Distance {
  return (x, y) => {
    const qx = Math.abs(x - cx) - hx + round;
    const qy = Math.abs(y - cy) - hy + round;
    const ox = Math.max(qx, 0);
    const oy = Math.max(qy, 0);
    return Math.sqrt(ox * ox + oy * oy) + Math.min(Math.max(qx, qy), 0) - round;
  };
}

function triangle(ax: number, ay: number, bx: number, by: number, cx: number, cy: number): Distance {
  const side = (px: number, py: number, qx: number, qy: number): Distance => {
    const length = Math.sqrt((qx - px) * (qx - px) + (qy - py) * (qy - py));
    const nx = (qy - py) / length;
    const ny = (px - qx) / length;
    return (x, y) => (x - px) * nx + (y - py) * ny;
  };
  const ab = side(ax, ay, bx, by);
  const bc = side(bx, by, cx, cy);
  const ca = side(cx, cy, ax, ay);
  return (x, y) => Math.max(ab(x, y), bc(x, y), ca(x, y));
}

function union(...parts: readonly Distance[]): Distance {
  return (x, y) => parts.reduce((least, part) => Math.min(least, part(x, y)), Number.POSITIVE_INFINITY);
}

function cut(a: Distance, b: Distance): Distance {
  return (x, y) => Math.max(a(x, y), -b(x, y));
}

interface Layer {
  readonly at: Distance;
  readonly colour: Rgb;
  readonly outlined: boolean;
  readonly alpha: number;
  /** How much the colour darkens from top to bottom. */
  readonly shade: number;
}

/** Layers are painted in order. */
class Drawing {
  private readonly layers: Layer[] = [];

  solid(at: Distance, colour: Rgb): void {
    this.layers.push({ at, colour, outlined: true, alpha: 1, shade: 0.3 });
  }

  flat(at: Distance, colour: Rgb, alpha = 1): void {
    this.layers.push({ at, colour, outlined: false, alpha, shade: 0 });
  }

  render(): Float32Array {
    const pixels = new Float32Array(SIDE * HALF * 3);
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < HALF; x++) {
        pixels.set(this.colourAt(x + 0.5, y + 0.5), (y * HALF + x) * 3);
      }
    }
    return pixels;
  }

  private colourAt(x: number, y: number): Rgb {
    let colour = BACKGROUND;
    for (const layer of this.layers) {
      const d = layer.at(x, y);
      if (layer.outlined) colour = mix(colour, INK, coverage(d - OUTLINE));
      const lit = scaled(layer.colour, 1.08 - (layer.shade * y) / SIDE);
      colour = mix(colour, lit, coverage(d) * layer.alpha);
    }
    return colour;
  }
}

function coverage(distance: number): number {
  return Math.min(1, Math.max(0, 0.5 - distance));
}

function mix(a: Rgb, b: Rgb, t: number): Rgb {
  return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t];
}

function scaled(a: Rgb, k: number): Rgb {
  return [Math.min(1, a[0] * k), Math.min(1, a[1] * k), Math.min(1, a[2] * k)];
}

/** h, s and v in [0, 1]. */
function hsv(h: number, s: number, v: number): Rgb {
  const channel = (shift: number): number => {
    const k = (shift + h * 6) % 6;
    return v - v * s * Math.max(0, Math.min(k, 4 - k, 1));
  };
  return [channel(5), channel(3), channel(1)];
}

/** Draws one creature: the species, the colours and the shape all come from `random`. */
export function drawSprite(random: Random): Sprite {
  const species = random.below(SPECIES.length);
  const hue = random.unit();
  const body = hsv(hue, 0.35 + 0.5 * random.unit(), 0.7 + 0.3 * random.unit());
  const accent = hsv((hue + 0.25 + 0.5 * random.unit()) % 1, 0.4 + 0.5 * random.unit(), 0.75 + 0.25 * random.unit());
  const signed = (): number => random.unit() * 2 - 1;
  const shape: Shape = {
    width: signed(),
    height: signed(),
    ears: signed(),
    spread: signed(),
    eyes: signed(),
    gap: signed(),
    gaze: signed(),
    mouth: signed(),
    belly: signed(),
  };
  const drawing = new Drawing();
  drawing.flat(ellipse(0, 29, 9 + shape.width, 1.6), INK, 0.8);
  paint(drawing, SPECIES[species] ?? 'slime', shape, body, accent);
  return { species, body, accent, pixels: drawing.render() };
}

function paint(d: Drawing, species: (typeof SPECIES)[number], s: Shape, body: Rgb, accent: Rgb): void {
  switch (species) {
    case 'slime':
      paintSlime(d, s, body, accent);
      return;
    case 'cat':
    case 'rabbit':
    case 'bear':
      paintMammal(d, species, s, body, accent);
      return;
    case 'owl':
      paintOwl(d, s, body, accent);
      return;
    case 'mushroom':
      paintMushroom(d, s, body, accent);
      return;
    case 'robot':
      paintRobot(d, s, body, accent);
      return;
    case 'octopus':
      paintOctopus(d, s, body, accent);
      return;
  }
}

function paintEyes(d: Drawing, s: Shape, y: number, gap: number, size: number): void {
  const r = size + 0.5 * s.eyes;
  const x = gap + 0.8 * s.gap;
  d.flat(ellipse(x, y, r, r * 1.15), WHITE);
  d.flat(ellipse(x - 0.25, y + 0.3 + 0.5 * s.gaze, r * 0.62, r * 0.75), INK);
  d.flat(ellipse(x - 0.6, y - 0.5 + 0.5 * s.gaze, 0.55, 0.55), WHITE);
}

/** From a frown (-1) through a line to a smile (1). */
function paintMouth(d: Drawing, s: Shape, y: number, half: number): void {
  const bend = 1.6 * s.mouth;
  d.flat((x, py) => {
    const t = Math.min(x / half, 1);
    const curve = y + bend * (0.5 - t * t);
    return Math.max(Math.abs(py - curve) - 0.65, x - half);
  }, INK);
}

function paintSlime(d: Drawing, s: Shape, body: Rgb, accent: Rgb): void {
  const w = 11 + 2 * s.width;
  const h = 10 + 2.5 * s.height;
  d.solid(
    cut(ellipse(0, 28, w, h * 1.7), (_x, y) => 28.4 - y),
    body,
  );
  d.flat(ellipse(w * 0.45, 27.5 - h, 1.6 + 0.5 * s.ears, 1.1), WHITE, 0.7);
  d.flat(ellipse(0, 27, w * (0.55 + 0.15 * s.belly), 2.2), accent, 0.75);
  paintEyes(d, s, 27.5 - h * 0.62, 4, 2.2);
  paintMouth(d, s, 29.4 - h * 0.42, 1.9);
}

function paintMammal(d: Drawing, kind: 'cat' | 'rabbit' | 'bear', s: Shape, body: Rgb, accent: Rgb): void {
  const w = 8.6 + 1.4 * s.width;
  const top = 15.5 - 1.2 * s.height;
  const ear = 6 + 1.2 * s.spread;
  d.solid(union(ellipse(0, 25, w * 0.72, 4.4), ellipse(4, 28, 2.2, 1.5)), body);
  d.flat(ellipse(0, 26, 3 + 1.2 * s.belly, 2.7), accent);
  if (kind === 'cat') {
    const tip = top - 10.5 - 1.6 * s.ears;
    d.solid(triangle(ear - 4, top - 4, ear + 1.8, tip, ear + 3.2, top - 1), body);
    d.flat(triangle(ear - 2, top - 4, ear + 1.4, tip + 2.6, ear + 2, top - 3), accent);
  } else if (kind === 'rabbit') {
    const long = 5.2 + 1.3 * s.ears;
    const x = 3.6 + 0.9 * s.spread;
    d.solid(ellipse(x, top - 6 - long * 0.5, 2.3, long), body);
    d.flat(ellipse(x, top - 5.6 - long * 0.5, 1.1, long * 0.75), accent);
  } else {
    const r = 3 + 0.7 * s.ears;
    d.solid(ellipse(ear + 0.6, top - 5.4, r, r), body);
    d.flat(ellipse(ear + 0.6, top - 5.2, r * 0.55, r * 0.55), accent);
  }
  d.solid(ellipse(0, top, w, 7), body);
  d.flat(ellipse(0, top + 3.4, 3.4, 2.4), mix(body, WHITE, 0.6));
  paintEyes(d, s, top - 0.8, 4, 1.8);
  d.flat(ellipse(0, top + 2.2, 1.3, 0.8), INK);
  paintMouth(d, s, top + 4.6, 1.7);
  d.flat(ellipse(w - 2.2, top + 3, 1.4, 1), accent, 0.7);
}

function paintOwl(d: Drawing, s: Shape, body: Rgb, accent: Rgb): void {
  const w = 9 + 1.5 * s.width;
  const cy = 18.5 - 0.8 * s.height;
  const ear = 5.4 + 1.2 * s.spread;
  d.solid(triangle(ear - 3.6, cy - 8.2, ear + 1.6, cy - 14 - 1.4 * s.ears, ear + 2.4, cy - 5), body);
  d.solid(ellipse(0, cy, w, 10), body);
  d.solid(ellipse(w - 0.4, cy + 3, 1.9, 5 + s.height), mix(body, INK, 0.35));
  d.flat(ellipse(0, cy + 4.6, 5 + 1.1 * s.belly, 4.6), mix(accent, WHITE, 0.45));
  d.flat(ellipse(2, cy + 4.2, 0.9, 0.8), accent);
  d.flat(ellipse(0, cy + 6.4, 0.9, 0.8), accent);
  d.flat(ellipse(4, cy - 3.4, 3.9, 3.9), mix(body, WHITE, 0.65));
  paintEyes(d, s, cy - 3.4, 3.8, 2.5);
  d.flat(triangle(-1.8, cy - 1.2, 1.8, cy - 1.2, 0, cy + 1.9 + 0.5 * s.mouth), accent);
  d.flat(ellipse(2.8, cy + 10.2, 1.7, 0.9), accent);
}

function paintMushroom(d: Drawing, s: Shape, body: Rgb, accent: Rgb): void {
  const w = 12 + 1.7 * s.width;
  const edge = 16.5 - 0.8 * s.height;
  d.solid(box(0, 23, 5.4 + s.belly, 6, 3), mix(accent, WHITE, 0.7));
  d.solid(
    cut(ellipse(0, edge, w, 10.5 + 1.5 * s.height), (_x, y) => edge + 1 - y),
    body,
  );
  const spot = 2.1 + 0.6 * s.ears;
  d.flat(ellipse(0, edge - 5.8, spot * 1.2, spot), accent);
  d.flat(ellipse(w * 0.58 + 0.8 * s.spread, edge - 2.6, spot * 0.9, spot * 0.9), accent);
  paintEyes(d, s, edge + 5, 2.9, 1.5);
  paintMouth(d, s, edge + 9, 1.5);
}

function paintRobot(d: Drawing, s: Shape, body: Rgb, accent: Rgb): void {
  const w = 8.2 + 1.3 * s.width;
  const h = 6 + 0.8 * s.height;
  const lamp = 1.7 + 0.4 * s.ears;
  d.solid(box(0, 8, 0.7, 4.6, 0.2), INK);
  d.solid(ellipse(0, 4.6, lamp, lamp), accent);
  d.solid(box(w + 0.6, 14 + 0.8 * s.spread, 1.6, 2.4, 0.8), accent);
  d.solid(box(0, 25, w * 0.7, 3.6, 1.2), body);
  d.solid(box(3.2, 28.4, 1.6, 0.9, 0.5), INK);
  d.flat(box(0, 25, 2 + 0.9 * s.belly, 1.3, 0.4), accent);
  d.solid(box(0, 14, w, h, 2), body);
  d.flat(box(0, 13.2, w - 1.8, h - 2.8, 1.4), INK);
  const r = 1.7 + 0.45 * s.eyes;
  d.flat(ellipse(3.4 + 0.7 * s.gap, 12.6 + 0.5 * s.gaze, r, r), mix(accent, WHITE, 0.4));
  d.flat(box(0, 17.6, 1.6 + 1.2 * s.mouth, 0.6, 0.2), WHITE);
}

function paintOctopus(d: Drawing, s: Shape, body: Rgb, accent: Rgb): void {
  const w = 9 + 1.3 * s.width;
  const cy = 13.5 - 0.8 * s.height;
  const reach = 1.2 * s.spread;
  d.solid(ellipse(9.6 + reach, 24.6, 2.1, 4), mix(body, INK, 0.25));
  d.solid(union(ellipse(2, 25.6, 2.1, 4.2), ellipse(6 + 0.5 * reach, 25.4, 2.1, 4)), body);
  d.solid(union(ellipse(0, cy, w, 9 + s.height), box(0, cy + 6, w * 0.8, 4, 3)), body);
  d.flat(ellipse(5, cy - 4.6, 1.5 + 0.4 * s.ears, 1.2 + 0.3 * s.ears), accent);
  d.flat(ellipse(0, cy - 6.4, 1.2 + 0.4 * s.belly, 1), accent);
  paintEyes(d, s, cy + 1.4, 4, 2.4);
  paintMouth(d, s, cy + 6.2, 2);
  d.flat(ellipse(6.6, cy + 5.2, 1.4, 0.9), accent, 0.8);
  d.flat(ellipse(2, 27.4, 0.8, 0.8), accent);
  d.flat(ellipse(6 + 0.5 * reach, 27.2, 0.8, 0.8), accent);
}
