/** Resize and Upsample: one axis after the other, by positions and weights that are constants of the model. */
import { MAX_INDICES } from '../limits.ts';
import { BINARY } from '../opcodes.ts';
import { axesOf, type Lowering, type Operator } from '../operator.ts';
import type { Value } from '../plan.ts';
import { floats, indices, numbersUpTo } from './copy.ts';
import { constantScalar, emitBinary } from './elementwise.ts';
import { type Filter, isOutside, nearestOf, type Sampling, TRANSFORMATIONS, tapsOf } from './interpolation.ts';
import { emitGather, emitWhere } from './typed.ts';

/** How each axis of x is resized, from scales or sizes. */
interface Plan {
  readonly axes: readonly number[];
  readonly to: readonly number[];
  readonly scales: readonly Sampling['scale'][];
}

/** floor(scale * size): what single and double precision must agree on, as both are in use. */
function scaledSize(op: Operator, scale: number, size: number): number {
  if (!(scale > 0)) op.invalid(`a scale is ${scale}`);
  const exact = Math.floor(scale * size);
  if (Math.floor(Math.fround(scale * size)) !== exact)
    op.refuse(`scale ${scale} of ${size} elements: the size depends on the precision; give sizes instead`);
  return exact;
}

function byScales(op: Operator, x: Value, axes: readonly number[], scales: readonly number[]): Plan {
  if (scales.length !== axes.length) op.invalid(`${scales.length} scales for ${axes.length} axes`);
  return {
    axes,
    to: axes.map((axis, i) => scaledSize(op, scales[i] ?? 1, x.dims[axis] ?? 0)),
    scales: scales.map((over) => ({ over, under: 1 })),
  };
}

function bySizes(op: Operator, x: Value, axes: readonly number[], sizes: readonly number[]): Plan {
  if (sizes.length !== axes.length) op.invalid(`${sizes.length} sizes for ${axes.length} axes`);
  const own = axes.map((axis, i) => ({ over: sizes[i] ?? 1, under: x.dims[axis] ?? 1 }));
  const policy = op.string('keep_aspect_ratio_policy', 'stretch');
  if (policy === 'stretch') return { axes, to: sizes, scales: own };
  if (policy !== 'not_larger' && policy !== 'not_smaller') op.refuse(`keep_aspect_ratio_policy ${policy}`);
  const [first = { over: 1, under: 1 }, ...others] = own;
  const scale = others.reduce((best, next) => {
    const less = next.over * best.under < best.over * next.under;
    return less === (policy === 'not_larger') ? next : best;
  }, first);
  const to = axes.map((axis) => Math.floor((scale.over * (x.dims[axis] ?? 0)) / scale.under + 0.5));
  return { axes, to, scales: axes.map(() => scale) };
}

function emitNearest(op: Operator, x: Value, axis: number, s: Sampling, mode: string): Value {
  const found = numbersUpTo(op, s.to).map((at) => {
    const index = nearestOf(s, at, mode, false) ?? op.refuse(`nearest_mode ${mode}`);
    // Implementations compute positions in single or in double precision.
    if (nearestOf(s, at, mode, true) !== index)
      op.refuse(`${s.from} elements to ${s.to}: which one is nearest at ${at} depends on the precision`);
    return index;
  });
  if (s.from === s.to && found.every((index, i) => index === i)) return x;
  return emitGather(op, x, indices(op, found, [s.to]), axis);
}

/** As many rounds as the position with most taps has: gather, weigh, add. */
function emitFiltered(op: Operator, x: Value, axis: number, s: Sampling, filter: Filter): Value {
  const taps = numbersUpTo(op, s.to).map((at) => tapsOf(s, at, filter));
  const same = taps.every((own, i) => own.length === 1 && own[0]?.index === i && own[0].weight === 1);
  if (s.from === s.to && same) return x;
  const rounds = taps.reduce((most, own) => Math.max(most, own.length), 0);
  const along = x.dims.map((_, i) => (i === axis ? s.to : 1));
  let y: Value | undefined;
  for (let round = 0; round < rounds; round++) {
    const at = taps.map((own) => own[round] ?? { index: own[0]?.index ?? 0, weight: 0 });
    const taken = emitGather(
      op,
      x,
      indices(
        op,
        at.map(({ index }) => index),
        [s.to],
      ),
      axis,
    );
    const weights = floats(
      op,
      at.map(({ weight }) => weight),
      along,
    );
    const part = emitBinary(op, BINARY.Mul, taken, weights);
    y = y === undefined ? part : emitBinary(op, BINARY.Add, y, part);
  }
  return y ?? x;
}

/** The extrapolation value where a position lies outside of the region's source. */
function emitOutside(op: Operator, x: Value, axis: number, s: Sampling): Value {
  const inside = numbersUpTo(op, s.to).map((at) => Number(!isOutside(s, at)));
  if (inside.every((flag) => flag === 1)) return x;
  const dims = x.dims.map((_, i) => (i === axis ? s.to : 1));
  const mask: Value = { dtype: 'bool', dims, buffer: op.plan.constant(Uint8Array.from(inside)) };
  return emitWhere(op, mask, x, constantScalar(op, op.float('extrapolation_value', 0)));
}

interface Style {
  readonly mode: string;
  readonly nearest: string;
  readonly transformation: string;
  readonly region: readonly number[];
}

function emitResize(op: Operator, x: Value, plan: Plan, style: Style): Value {
  const samplings = plan.axes.map((axis, i): Sampling => {
    const region: readonly [number, number] = [style.region[i] ?? 0, style.region[i + plan.axes.length] ?? 1];
    const scale = plan.scales[i] ?? { over: 1, under: 1 };
    return { from: x.dims[axis] ?? 0, to: plan.to[i] ?? 0, scale, transformation: style.transformation, region };
  });
  for (const { from, to } of samplings)
    if (from < 1 || to < 1 || Math.max(from, to) > MAX_INDICES)
      op.refuse(`an axis of ${from} elements becomes one of ${to}; 1 to ${MAX_INDICES} are supported`);
  const filter: Filter = {
    kind: style.mode === 'cubic' ? 'cubic' : 'linear',
    cubic: op.float('cubic_coeff_a', -0.75),
    exclude: op.int('exclude_outside', 0) !== 0,
    antialias: op.int('antialias', 0) !== 0,
  };
  if (style.mode === 'nearest' && filter.antialias) op.invalid('antialias is for linear and cubic alone');
  if (style.mode !== 'nearest' && x.dtype !== 'float32') op.refuse(`${x.dtype} is only supported with mode nearest`);
  const resized = samplings.reduce((y, s, i) => {
    const axis = plan.axes[i] ?? 0;
    return style.mode === 'nearest' ? emitNearest(op, y, axis, s, style.nearest) : emitFiltered(op, y, axis, s, filter);
  }, x);
  return samplings.reduce((y, s, i) => emitOutside(op, y, plan.axes[i] ?? 0, s), resized);
}

function modeOf(op: Operator, modes: readonly string[]): string {
  const mode = op.string('mode', 'nearest');
  return modes.includes(mode) ? mode : op.refuse(`mode ${mode} is not supported`);
}

/** Up to operator set 10: nearest is the element before, and only makes larger. */
function emitEarly(op: Operator, x: Value, scales: readonly number[]): Value {
  const mode = modeOf(op, ['nearest', 'linear']);
  if (mode === 'nearest' && scales.some((scale) => scale < 1))
    op.refuse('before operator set 11 nearest does not say which element it takes where it makes smaller');
  const style = { mode, nearest: 'floor', transformation: 'asymmetric', region: [] };
  return emitResize(op, x, byScales(op, x, numbersUpTo(op, x.dims.length), scales), style);
}

/** Whether optional input `i` holds something: an empty tensor stands for none, too. */
const isGiven = (op: Operator, i: number): boolean => (op.optional(i)?.dims ?? [0]).every((d) => d !== 0);

const resize: Lowering = {
  attributes: [
    'antialias',
    'axes',
    'coordinate_transformation_mode',
    'cubic_coeff_a',
    'exclude_outside',
    'extrapolation_value',
    'keep_aspect_ratio_policy',
    'mode',
    'nearest_mode',
  ],
  inputs: [1, 4],
  lower(op) {
    const x = op.input(0);
    if (op.opset < 11) return [emitEarly(op, x, op.constantFloats(1))];
    const transformation = op.string('coordinate_transformation_mode', 'half_pixel');
    if (!TRANSFORMATIONS.includes(transformation)) op.refuse(`coordinate_transformation_mode ${transformation}`);
    const axes = axesOf(op, op.ints('axes') ?? numbersUpTo(op, x.dims.length), x.dims.length);
    const [scaled, sized] = [isGiven(op, 2), isGiven(op, 3)];
    if (scaled === sized) op.invalid('expected either scales or sizes');
    const plan = scaled ? byScales(op, x, axes, op.constantFloats(2)) : bySizes(op, x, axes, op.constantInts(3));
    const cropping = transformation === 'tf_crop_and_resize';
    const region = cropping ? op.constantFloats(1) : [];
    if (cropping && region.length !== 2 * axes.length) op.invalid(`roi [${region}] for ${axes.length} axes`);
    const mode = modeOf(op, ['nearest', 'linear', 'cubic']);
    const nearest = op.string('nearest_mode', 'round_prefer_floor');
    return [emitResize(op, x, plan, { mode, nearest, transformation, region })];
  },
};

const upsample: Lowering = {
  attributes: ['mode', 'scales'],
  inputs: [1, 2],
  lower(op) {
    const scales = op.inputs > 1 ? op.constantFloats(1) : op.floatList('scales');
    return [emitEarly(op, op.input(0), scales ?? op.invalid('scales are missing'))];
  },
};

export const RESIZE: Readonly<Record<string, Lowering>> = { Resize: resize, Upsample: upsample };
