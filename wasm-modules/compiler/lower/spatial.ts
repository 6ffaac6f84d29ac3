import type { Operator } from '../operator.ts';

export type Pair = readonly [number, number];

/** How a kernel moves over an image: always two dimensions, a single one has height 1. */
export interface Spatial {
  readonly flat: boolean;
  readonly size: Pair;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly before: Pair;
  readonly after: Pair;
}

/** The attributes that {@link spatialOf} reads. */
export const SPATIAL_ATTRIBUTES = ['auto_pad', 'dilations', 'kernel_shape', 'pads', 'strides'];

/** Reads strides, dilations and padding for an input of shape [batch, channels, size...]. `same`: auto_pad may be SAME_*. */
export function spatialOf(
  op: Operator,
  dims: readonly number[],
  kernelShape: readonly number[],
  same: boolean,
): Spatial {
  const rank = dims.length - 2;
  if (rank !== 1 && rank !== 2)
    op.refuse(`input 0 has the shape [${dims}]; one or two spatial dimensions are supported`);
  const flat = rank === 1;
  const pair = (values: readonly number[], fill: number, least: number, name: string): Pair => {
    if (values.length !== rank) op.invalid(`${name} [${values}] for ${rank} spatial dimensions`);
    if (values.some((v) => v < least || v > 65535)) op.refuse(`${name} [${values}] is out of range`);
    return flat ? [fill, values[0] ?? fill] : [values[0] ?? fill, values[1] ?? fill];
  };
  const ones = new Array<number>(rank).fill(1);
  const size = pair(dims.slice(2), 1, 1, 'input size');
  const kernel = pair(kernelShape, 1, 1, 'kernel');
  const stride = pair(op.ints('strides') ?? ones, 1, 1, 'strides');
  const dilation = pair(op.ints('dilations') ?? ones, 1, 1, 'dilations');
  const common = { flat, size, kernel, stride, dilation };
  const auto = op.string('auto_pad', 'NOTSET');
  if (same && (auto === 'SAME_UPPER' || auto === 'SAME_LOWER')) {
    const total = ([0, 1] as const).map((i) => {
      const out = Math.ceil(size[i] / stride[i]);
      return Math.max((out - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 - size[i], 0);
    });
    const halves = (round: (v: number) => number): Pair => [round((total[0] ?? 0) / 2), round((total[1] ?? 0) / 2)];
    const [less, more] = [halves(Math.floor), halves(Math.ceil)];
    return auto === 'SAME_UPPER' ? { ...common, before: less, after: more } : { ...common, before: more, after: less };
  }
  if (auto !== 'NOTSET' && auto !== 'VALID') op.refuse(`auto_pad ${auto} is not supported`);
  const pads = (auto === 'NOTSET' ? op.ints('pads') : undefined) ?? new Array<number>(2 * rank).fill(0);
  if (pads.length !== 2 * rank) op.invalid(`pads [${pads}] for ${rank} spatial dimensions`);
  return { ...common, before: pair(pads.slice(0, rank), 0, 0, 'pads'), after: pair(pads.slice(rank), 0, 0, 'pads') };
}

/** Positions of a kernel along dimension `i`; `round` decides about a last position that is not full. */
export function positions(s: Spatial, i: 0 | 1, round: (v: number) => number): number {
  return round((s.size[i] + s.before[i] + s.after[i] - (s.kernel[i] - 1) * s.dilation[i] - 1) / s.stride[i]) + 1;
}
