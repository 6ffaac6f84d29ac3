import { widthOf } from '../../onnx/model.ts';
import { OPCODE } from '../opcodes.ts';
import type { Lowering, Operator } from '../operator.ts';
import { address, type Operand, type Value } from '../plan.ts';
import { emitFrame, type Matrix, type Patches, type Points } from '../product.ts';
import { emitProduct } from './matrix.ts';
import { type Pair, positions, SPATIAL_ATTRIBUTES, type Spatial, spatialOf } from './spatial.ts';

/** What Conv and ConvTranspose share. */
export interface Geometry extends Spatial {
  readonly x: Value;
  readonly weights: Value;
  readonly batch: number;
  readonly channels: number;
  readonly groups: number;
}

export const CONVOLUTION_ATTRIBUTES = [...SPATIAL_ATTRIBUTES, 'group'];

export function geometryOf(op: Operator, x: Value, weights: Value, same: boolean): Geometry {
  if (weights.dims.length !== x.dims.length) {
    op.invalid(`weights of shape [${weights.dims}] for an input of [${x.dims}]`);
  }
  const kernel = weights.dims.slice(2);
  const shape = op.ints('kernel_shape');
  if (shape !== undefined && shape.join() !== kernel.join()) {
    op.invalid(`kernel_shape [${shape}] is not that of the weights`);
  }
  const groups = op.int('group', 1);
  const [batch = 0, channels = 0] = x.dims;
  if (groups < 1 || channels % groups !== 0) op.invalid(`${channels} channels in ${groups} groups`);
  return { ...spatialOf(op, x.dims, kernel, same), x, weights, batch, channels, groups };
}

/** The bias, if there is one, checked against the number of output channels. */
function biasOf(op: Operator, channels: number): Value | undefined {
  if (op.optional(2) === undefined) return undefined;
  const bias = op.floats(2);
  return bias.dims.length === 1 && bias.dims[0] === channels
    ? bias
    : op.invalid(`bias of shape [${bias.dims}] for ${channels} channels`);
}

/** Operands of columnsToImage after the three addresses. */
function windowOperands(g: Geometry, channels: number, image: Pair, grid: Pair): readonly Operand[] {
  return [channels, ...image, ...g.kernel, ...grid, ...g.stride, ...g.dilation, ...g.before];
}

/** The size of the result of a transposed convolution before padding is cut off. */
const spread = (g: Spatial, extra: Pair, i: 0 | 1): number =>
  (g.size[i] - 1) * g.stride[i] + (g.kernel[i] - 1) * g.dilation[i] + 1 + extra[i];

/** The geometry of ConvTranspose, its padding as given or so that the result has the size that is asked for. */
function transposedGeometry(op: Operator): { readonly g: Geometry; readonly out: Pair } {
  const auto = op.string('auto_pad', 'NOTSET');
  const asked = op.ints('output_shape');
  const open = auto === 'SAME_UPPER' || auto === 'SAME_LOWER' || (asked !== undefined && auto === 'NOTSET');
  const bare: Operator = {
    ...op,
    ints: (name) => (name === 'pads' ? undefined : op.ints(name)),
    string: (name, otherwise) => (name === 'auto_pad' ? 'NOTSET' : op.string(name, otherwise)),
  };
  const g = geometryOf(open ? bare : op, op.floats(0), op.floats(1), false);
  const spatial = g.flat ? 1 : 2;
  const given = op.ints('output_padding') ?? [0, 0].slice(0, spatial);
  if (given.length !== spatial) op.invalid(`output_padding [${given}] for ${spatial} spatial dimensions`);
  const extra: Pair = g.flat ? [0, given[0] ?? 0] : [given[0] ?? 0, given[1] ?? 0];
  if (given.some((v) => v < 0) || ([0, 1] as const).some((i) => extra[i] >= g.stride[i] + g.dilation[i]))
    op.refuse(`output_padding [${given}] is out of range`);
  const whole: Pair = [spread(g, extra, 0), spread(g, extra, 1)];
  if (!open && asked !== undefined) op.refuse(`auto_pad ${auto} with output_shape is not supported`);
  if (!open) return { g, out: [whole[0] - g.before[0] - g.after[0], whole[1] - g.before[1] - g.after[1]] };
  if (asked !== undefined && asked.length !== spatial)
    op.invalid(`output_shape [${asked}] for ${spatial} spatial dimensions`);
  const sizes = asked ?? g.size.slice(g.flat ? 1 : 0).map((size, i) => size * (g.stride[g.flat ? 1 : i] ?? 1));
  const out: Pair = g.flat ? [1, sizes[0] ?? 0] : [sizes[0] ?? 0, sizes[1] ?? 0];
  // Where the result is larger than the kernel reaches, nothing is cut off: its end stays empty.
  const total: Pair = [Math.max(whole[0] - out[0], 0), Math.max(whole[1] - out[1], 0)];
  // What does not divide by two goes to the end with SAME_UPPER, to the start otherwise.
  const halves = (round: (v: number) => number): Pair => [round(total[0] / 2), round(total[1] / 2)];
  const [less, more] = [halves(Math.floor), halves(Math.ceil)];
  return { g: auto === 'SAME_UPPER' ? { ...g, before: less, after: more } : { ...g, before: more, after: less }, out };
}

const convTranspose: Lowering = {
  attributes: [...CONVOLUTION_ATTRIBUTES, 'output_padding', 'output_shape'],
  inputs: [2, 3],
  lower(op) {
    const { g, out } = transposedGeometry(op);
    const [inputs, perGroup = 0] = g.weights.dims;
    if (inputs !== g.channels) op.invalid(`weights for ${inputs} channels, the input has ${g.channels}`);
    const bias = biasOf(op, perGroup * g.groups);
    const y = op.result([g.batch, perGroup * g.groups, ...(g.flat ? [out[1]] : out)]);
    const patch = perGroup * g.kernel[0] * g.kernel[1];
    const area = g.size[0] * g.size[1];
    const depth = g.channels / g.groups;
    const columns = op.plan.room(patch * area * 4);
    for (let i = 0; i < g.batch * g.groups; i++) {
      const group = i % g.groups;
      emitProduct(op, {
        a: { buffer: g.weights.buffer, offset: group * depth * patch * 4, row: 4, column: patch * 4 },
        b: { buffer: g.x.buffer, offset: i * depth * area * 4, row: area * 4, column: 4 },
        y: columns,
        yOffset: 0,
        m: patch,
        n: area,
        k: depth,
      });
      op.plan.emit(
        OPCODE.columnsToImage,
        address(columns),
        address(y.buffer, i * perGroup * out[0] * out[1] * 4),
        bias === undefined ? 0 : address(bias.buffer, group * perGroup * 4),
        ...windowOperands(g, perGroup, out, g.size),
      );
    }
    return [y];
  },
};

/** Of a convolution: its output's size, its filters and the channels that each of them sees. */
export function filtersOf(
  op: Operator,
  g: Geometry,
): { readonly out: Pair; readonly filters: number; readonly depth: number } {
  const out: Pair = [positions(g, 0, Math.floor), positions(g, 1, Math.floor)];
  const [filters = 0, depth = 0] = g.weights.dims;
  if (depth * g.groups !== g.channels)
    op.invalid(`weights for ${depth} channels in ${g.groups} groups, the input has ${g.channels}`);
  if (filters % g.groups !== 0) op.invalid(`${filters} filters in ${g.groups} groups`);
  return { out, filters, depth };
}

const conv: Lowering = {
  attributes: CONVOLUTION_ATTRIBUTES,
  inputs: [2, 3],
  lower(op) {
    const g = geometryOf(op, op.floats(0), op.floats(1), true);
    const { out, filters, depth } = filtersOf(op, g);
    const bias = biasOf(op, filters);
    const y = op.result([g.batch, filters, ...(g.flat ? [out[1]] : out)]);
    const perGroup = filters / g.groups;
    const patch = depth * g.kernel[0] * g.kernel[1];
    const area = out[0] * out[1];
    const image = patchesOf(op, g, out[1]);
    for (let i = 0; i < g.batch * g.groups; i++) {
      const group = i % g.groups;
      emitProduct(op, {
        a: { buffer: g.weights.buffer, offset: group * perGroup * patch * 4, row: patch * 4, column: 4 },
        b: image(i * depth, area),
        ...(bias === undefined ? {} : { c: { buffer: bias.buffer, offset: group * perGroup * 4, row: 4, column: 0 } }),
        y: y.buffer,
        yOffset: i * perGroup * area * 4,
        m: perGroup,
        n: area,
        k: patch,
      });
    }
    return [y];
  },
};

/**
 * The input of a convolution as the right operand of its product, from a plane on: patches of the image in its frame, or
 * the planes themselves where a patch is one number and every number is met. `fill`: a byte that padding consists of.
 */
export function patchesOf(
  op: Operator,
  g: Geometry,
  gridWidth: number,
  fill?: Points,
): (plane: number, area: number) => Matrix | Patches {
  const width = widthOf(g.x.dtype);
  const planes = g.batch * g.channels;
  const { buffer, framed } = emitFrame(
    op.plan,
    { buffer: g.x.buffer, dtype: g.x.dtype, planes },
    g.size,
    g.before,
    g.after,
    fill,
  );
  const { kernel, stride, dilation } = g;
  const offset = (plane: number): number => plane * framed[0] * framed[1] * width;
  if ([...kernel, ...stride].every((v) => v === 1)) {
    return (plane, area) => ({ buffer, offset: offset(plane), row: area * width, column: width });
  }
  return (plane) => ({ buffer, offset: offset(plane), kernel, gridWidth, stride, dilation, framed });
}

export const WINDOW: Readonly<Record<string, Lowering>> = { Conv: conv, ConvTranspose: convTranspose };
