import { MAX_ELEMENTS, MAX_RANK } from '../onnx/limits.ts';
import { type DataType, elementsOf, type Node, type Tensor, widthOf } from '../onnx/model.ts';
import { Refusal } from '../onnx/refusal.ts';
import { MAX_PARAMETERS } from './limits.ts';
import { elements, type PlanBuilder, type Value } from './plan.ts';

/** What a lowering sees of its node. Every accessor refuses, naming the node, what it cannot give. */
export interface Operator {
  readonly node: Node;
  readonly opset: number;
  readonly plan: PlanBuilder;
  readonly inputs: number;
  input(i: number): Value;
  optional(i: number): Value | undefined;
  /** Input `i`, which must be float32. */
  floats(i: number): Value;
  /** Input `i`, which must be a constant of int64 or int32: its numbers. */
  constantInts(i: number): readonly number[];
  /** Input `i`, which must be a constant of float32: its numbers. */
  constantFloats(i: number): readonly number[];
  /** Input `i`, which must be a constant of at most `most` elements: its elements. */
  constantElements(i: number, most: number): readonly (number | bigint)[];
  /** Whether the node names its output `i`; outputs that it leaves out need not be computed. */
  wants(i: number): boolean;
  int(name: string, otherwise: number): number;
  ints(name: string): readonly number[] | undefined;
  float(name: string, otherwise: number): number;
  floatList(name: string): readonly number[] | undefined;
  string(name: string, otherwise: string): string;
  strings(name: string): readonly string[] | undefined;
  tensor(name: string): Tensor | undefined;
  /** Room for a tensor, of float32 by default. */
  result(dims: readonly number[], dtype?: DataType): Value;
  /** The node cannot be compiled (`unsupported`). */
  refuse(reason: string): never;
  /** The node breaks ONNX's rules (`invalid`). */
  invalid(reason: string): never;
}

/** One operator of ONNX: what a node may carry, and how it becomes steps. Anything else on the node is refused. */
export interface Lowering {
  readonly attributes: readonly string[];
  /** Least and greatest number of inputs. */
  readonly inputs: readonly [number, number];
  readonly lower: (op: Operator) => readonly Value[];
  /** False where what it makes of constants is larger than they are, and stays to be computed in each call. */
  readonly folds?: false;
}

export function createOperator(
  node: Node,
  opset: number,
  plan: PlanBuilder,
  values: ReadonlyMap<string, Value>,
): Operator {
  const refuse = (reason: string): never => {
    throw new Refusal('unsupported', reason, node.name, node.op);
  };
  const invalid = (reason: string): never => {
    throw new Refusal('invalid', reason, node.name, node.op);
  };
  const optional = (i: number): Value | undefined => {
    const name = node.inputs[i];
    if (name === undefined || name === '') return undefined;
    return values.get(name) ?? invalid(`input ${i} ${JSON.stringify(name)} is not defined before this node`);
  };
  const input = (i: number): Value => optional(i) ?? invalid(`input ${i} is missing`);
  const constant = (i: number, most = MAX_PARAMETERS): { readonly value: Value; readonly data: Uint8Array } => {
    const value = input(i);
    const { data } = value.buffer;
    if (data === undefined) {
      const reason = `input ${i} (${JSON.stringify(node.inputs[i])}) must be constant, or fixed when the model is compiled`;
      throw new Refusal('not-constant', reason, node.name, node.op);
    }
    const count = elements(value.dims);
    if (count > most) refuse(`input ${i} has ${count} numbers; at most ${most} are read`);
    return { value, data };
  };
  const attribute = (name: string, kind: string): unknown => {
    const found = node.attributes.get(name);
    if (found === undefined) return undefined;
    if (found.kind !== kind) return invalid(`attribute ${name} is of kind ${found.kind}; expected ${kind}`);
    return 'value' in found ? found.value : undefined;
  };
  return {
    node,
    opset,
    plan,
    inputs: node.inputs.length,
    input,
    optional,
    floats(i) {
      const value = input(i);
      return value.dtype === 'float32' ? value : refuse(`input ${i} is ${value.dtype}; only float32 is supported`);
    },
    constantInts(i) {
      const { value, data } = constant(i);
      if (value.dtype !== 'int64' && value.dtype !== 'int32')
        return refuse(`input ${i} is ${value.dtype}; expected integers`);
      return intsOf(data, widthOf(value.dtype));
    },
    constantFloats(i) {
      const { value, data } = constant(i);
      if (value.dtype !== 'float32') return refuse(`input ${i} is ${value.dtype}; only float32 is supported`);
      const view = new DataView(data.buffer, data.byteOffset, data.length);
      return Array.from({ length: data.length / 4 }, (_, k) => view.getFloat32(k * 4, true));
    },
    constantElements(i, most) {
      const { value, data } = constant(i, most);
      return elementsOf(value.dtype, data);
    },
    wants: (i) => (node.outputs[i] ?? '') !== '',
    int: (name, otherwise) => {
      const value = attribute(name, 'int');
      return typeof value === 'bigint' ? clamp(value) : otherwise;
    },
    ints: (name) => {
      const value = attribute(name, 'ints');
      return Array.isArray(value) ? value.map((v: bigint) => clamp(v)) : undefined;
    },
    float: (name, otherwise) => {
      const value = attribute(name, 'float');
      return typeof value === 'number' ? value : otherwise;
    },
    string: (name, otherwise) => {
      const value = attribute(name, 'string');
      return typeof value === 'string' ? value : otherwise;
    },
    floatList: (name) => {
      const value = attribute(name, 'floats');
      return Array.isArray(value) ? value.map(Number) : undefined;
    },
    strings: (name) => {
      const value = attribute(name, 'strings');
      return Array.isArray(value) ? value.map(String) : undefined;
    },
    tensor: (name) => {
      const found = node.attributes.get(name);
      return found?.kind === 'tensor' ? found.value : undefined;
    },
    result(dims, dtype = 'float32') {
      checkShape(dims, refuse);
      return { dtype, dims, buffer: plan.room(elements(dims) * widthOf(dtype)) };
    },
    refuse,
    invalid,
  };
}

/** ONNX uses the extremes of int64 for "to the end": anything beyond 2^31 is as good as 2^31. */
function clamp(value: bigint): number {
  if (value > 0x7fffffffn) return 0x7fffffff;
  return value < -0x7fffffffn ? -0x7fffffff : Number(value);
}

function intsOf(data: Uint8Array, width: number): number[] {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const out: number[] = [];
  for (let at = 0; at < data.length; at += width) {
    out.push(width === 8 ? clamp(view.getBigInt64(at, true)) : view.getInt32(at, true));
  }
  return out;
}

function checkShape(dims: readonly number[], refuse: (reason: string) => never): void {
  if (dims.length > MAX_RANK) refuse(`the result has ${dims.length} dimensions; at most ${MAX_RANK} are supported`);
  if (dims.some((d) => d < 0 || !Number.isInteger(d))) refuse(`the result has the shape [${dims}]`);
  if (elements(dims) > MAX_ELEMENTS)
    refuse(`the result has ${elements(dims)} elements; at most ${MAX_ELEMENTS} are supported`);
}

/** An axis of ONNX, which counts from the end when negative. */
export function axisOf(op: Operator, axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  return at >= 0 && at < rank ? at : op.invalid(`axis ${axis} is outside of rank ${rank}`);
}

/** Axes of ONNX, none of them twice. */
export function axesOf(op: Operator, axes: readonly number[], rank: number): readonly number[] {
  const found = axes.map((axis) => axisOf(op, axis, rank));
  return new Set(found).size === found.length ? found : op.invalid(`axes [${axes}] name a dimension twice`);
}
