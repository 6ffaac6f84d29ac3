/** Where the elements of a resized axis come from (ONNX Operators, Resize). Numbers alone, no steps. */

/** How one axis is resized. `scale` is a quotient, so that sizes give exact positions. */
export interface Sampling {
  readonly from: number;
  readonly to: number;
  readonly scale: { readonly over: number; readonly under: number };
  readonly transformation: string;
  /** Start and end of the region, where the transformation asks for one. */
  readonly region: readonly [number, number];
}

/** One element of the source and its share. */
export interface Tap {
  readonly index: number;
  readonly weight: number;
}

export const TRANSFORMATIONS: readonly string[] = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'tf_crop_and_resize',
];

/** The position in the source, a fraction, of position `x` of the result; `single`: each step in single precision. */
function originOf(s: Sampling, x: number, single = false): number {
  const r = single ? Math.fround : (v: number): number => v;
  const { over, under } = s.scale;
  const length = r((over * s.from) / under);
  /** Sizes give a quotient that is exact, or the scale that single precision has of it. */
  const back = (v: number): number => r(single ? v / r(over / under) : (v * under) / over);
  const centre = (): number => r(back(x + 0.5) - 0.5);
  switch (s.transformation) {
    case 'asymmetric':
      return back(x);
    case 'align_corners':
      return length === 1 ? 0 : r((x * (s.from - 1)) / r(length - 1));
    case 'pytorch_half_pixel':
      // Of the elements that there are, not of what the scale makes of a size that it does not divide.
      return s.to > 1 ? centre() : 0;
    case 'half_pixel_symmetric':
      return r(r((s.from / 2) * r(1 - r(s.to / length))) + centre());
    case 'tf_crop_and_resize': {
      const [start, end] = s.region;
      const span = r(r(end - start) * (s.from - 1));
      return r(r(start * (s.from - 1)) + (length === 1 ? r(span / 2) : r(r(x * span) / r(length - 1))));
    }
    default:
      return centre();
  }
}

/** Whether a position lies outside of the source and takes the extrapolation value. */
export function isOutside(s: Sampling, x: number): boolean {
  const origin = originOf(s, x);
  return s.transformation === 'tf_crop_and_resize' && (origin < 0 || origin > s.from - 1);
}

/** The one element that stands nearest; undefined for an unknown mode. */
export function nearestOf(s: Sampling, x: number, mode: string, single: boolean): number | undefined {
  const origin = originOf(s, x, single);
  const round: Readonly<Record<string, () => number>> = {
    round_prefer_floor: () => Math.ceil(origin - 0.5),
    round_prefer_ceil: () => Math.floor(origin + 0.5),
    floor: () => Math.floor(origin),
    ceil: () => Math.ceil(origin),
  };
  const index = round[mode]?.();
  return index === undefined ? undefined : Math.min(Math.max(index, 0), s.from - 1);
}

export interface Filter {
  readonly kind: 'linear' | 'cubic';
  /** The coefficient of cubic interpolation. */
  readonly cubic: number;
  /** Leaves out what lies outside instead of repeating the edge. */
  readonly exclude: boolean;
  /** Widens the filter where the result is smaller. */
  readonly antialias: boolean;
}

function weightAt({ kind, cubic: a }: Filter, distance: number): number {
  const x = Math.abs(distance);
  if (kind === 'linear') return Math.max(1 - x, 0);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

/** The elements that make position `x`, none of them twice and none with a share of 0. */
export function tapsOf(s: Sampling, x: number, filter: Filter): readonly Tap[] {
  const origin = originOf(s, x);
  const base = Math.floor(origin);
  const shrink = filter.antialias ? Math.min(s.scale.over / s.scale.under, 1) : 1;
  const reach = filter.kind === 'linear' ? 1 : 2;
  const first = Math.floor(-reach / shrink) + 1;
  const shares = new Map<number, number>();
  let sum = 0;
  let kept = 0;
  for (let i = first; i < 2 - first; i++) {
    const weight = weightAt(filter, (base + i - origin) * shrink);
    sum += weight;
    const index = base + i;
    if (filter.exclude && (index < 0 || index >= s.from)) continue;
    kept += weight;
    const inside = Math.min(Math.max(index, 0), s.from - 1);
    shares.set(inside, (shares.get(inside) ?? 0) + weight);
  }
  const whole = filter.exclude ? kept : filter.antialias ? sum : 1;
  return [...shares].filter(([, weight]) => weight !== 0).map(([index, weight]) => ({ index, weight: weight / whole }));
}
