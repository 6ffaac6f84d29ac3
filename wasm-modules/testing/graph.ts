import type { Attribute, Model, Node, Tensor } from '../onnx/model.ts';
import { writeModel } from '../onnx/writer.ts';

/** A graph of one node: inputs are named x0, x1, …; an entry with `ints` or `floats` is an initializer. */
export interface NodeCase {
  readonly op: string;
  readonly inputs: readonly (
    | { readonly dims: readonly number[] }
    | { readonly ints: readonly number[] }
    | { readonly floats: readonly number[] }
  )[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly opset?: number;
}

export function singleNode({ op, inputs, attributes = {}, opset = 13 }: NodeCase): Uint8Array {
  const constants: Tensor[] = [];
  const names = inputs.map((input, i) => {
    const name = `x${i}`;
    if ('ints' in input) constants.push(intTensor(name, input.ints));
    if ('floats' in input)
      constants.push(floatTensor(name, input.floats.length === 1 ? [] : [input.floats.length], input.floats));
    return name;
  });
  return modelOf([node(op, 'the-node', names, ['y'], attributes)], {
    opset,
    constants,
    inputs: inputs.flatMap((input, i) => ('dims' in input ? [{ name: `x${i}`, dtype: 1, dims: input.dims }] : [])),
  });
}

export function node(
  op: string,
  name: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Node {
  return { name, op, domain: '', inputs, outputs, attributes: new Map(Object.entries(attributes)) };
}

interface Rest {
  readonly opset?: number;
  readonly constants?: readonly Tensor[];
  readonly inputs: Model['inputs'];
  readonly outputs?: Model['outputs'];
}

export function modelOf(nodes: readonly Node[], { opset = 13, constants = [], inputs, outputs }: Rest): Uint8Array {
  return writeModel({
    irVersion: 8,
    opset,
    producer: 'test',
    name: 'graph',
    nodes,
    initializers: new Map(constants.map((tensor) => [tensor.name, tensor])),
    inputs,
    outputs: outputs ?? [{ name: 'y', dtype: 1, dims: undefined }],
  });
}

export function intTensor(name: string, values: readonly number[]): Tensor {
  return {
    name,
    dtype: 'int64',
    dims: [values.length],
    data: new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer),
  };
}

export function floatTensor(name: string, dims: readonly number[], values: readonly number[]): Tensor {
  return { name, dtype: 'float32', dims, data: new Uint8Array(Float32Array.from(values).buffer) };
}

export function int(value: number): Attribute {
  return { kind: 'int', value: BigInt(value) };
}

export function ints(...values: readonly number[]): Attribute {
  return { kind: 'ints', value: values.map(BigInt) };
}

export function float(value: number): Attribute {
  return { kind: 'float', value };
}
