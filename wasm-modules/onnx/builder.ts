/** Pieces of a graph, for the scripts that export what they have trained. */
import type { Attribute, Node, Tensor, ValueInfo } from './model.ts';

/** A constant of float32. */
export function tensorOf(name: string, dims: readonly number[], values: Float32Array): Tensor {
  const data = new Uint8Array(values.length * 4);
  const view = new DataView(data.buffer);
  values.forEach((v, i) => {
    view.setFloat32(i * 4, v, true);
  });
  return { name, dtype: 'float32', dims, data };
}

/** A constant of int64 in one dimension. */
export function intsOf(name: string, values: readonly number[]): Tensor {
  const data = new Uint8Array(values.length * 8);
  const view = new DataView(data.buffer);
  values.forEach((v, i) => {
    view.setBigInt64(i * 8, BigInt(v), true);
  });
  return { name, dtype: 'int64', dims: [values.length], data };
}

/** A node of one output. */
export function node(
  op: string,
  name: string,
  inputs: string[],
  output: string,
  attributes: Record<string, Attribute> = {},
): Node {
  return { name, op, domain: '', inputs, outputs: [output], attributes: new Map(Object.entries(attributes)) };
}

export function int(value: number): Attribute {
  return { kind: 'int', value: BigInt(value) };
}

export function ints(values: readonly number[]): Attribute {
  return { kind: 'ints', value: values.map(BigInt) };
}

/** A graph input or output of float32. */
export function floats(name: string, dims: readonly number[]): ValueInfo {
  return { name, dtype: 1, dims };
}
