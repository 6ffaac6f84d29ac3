/** TensorProto.DataType of onnx.proto: the ones whose elements have a fixed width. */
export const DATA_TYPES = {
  1: { name: 'float32', bytes: 4 },
  2: { name: 'uint8', bytes: 1 },
  3: { name: 'int8', bytes: 1 },
  4: { name: 'uint16', bytes: 2 },
  5: { name: 'int16', bytes: 2 },
  6: { name: 'int32', bytes: 4 },
  7: { name: 'int64', bytes: 8 },
  9: { name: 'bool', bytes: 1 },
  10: { name: 'float16', bytes: 2 },
  11: { name: 'float64', bytes: 8 },
  12: { name: 'uint32', bytes: 4 },
  13: { name: 'uint64', bytes: 8 },
} as const;

export type DataTypeCode = keyof typeof DATA_TYPES;
export type DataType = (typeof DATA_TYPES)[DataTypeCode]['name'];

/** A constant. `data`: elements in row-major order, little-endian, `bytes * product(dims)` long; often a view of the file. */
export interface Tensor {
  readonly name: string;
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/** An attribute of a node, by its AttributeProto.AttributeType. Graphs and sparse tensors stay unread. */
export type Attribute =
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'ints'; readonly value: readonly bigint[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'other' };

export interface Node {
  readonly name: string;
  readonly op: string;
  readonly domain: string;
  /** An empty name is an input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** A graph input or output. A dimension that is a name (or unnamed) is not static; `dims` is undefined without a shape. */
export interface ValueInfo {
  readonly name: string;
  /** The element type's code; 0 where the value is no tensor. */
  readonly dtype: number;
  readonly dims: readonly (number | string)[] | undefined;
}

export interface Model {
  readonly irVersion: number;
  /** Version of the default operator set. */
  readonly opset: number;
  readonly producer: string;
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

/** The element type of a code, as far as it can be computed with. */
export function typeOf(code: number): DataType | undefined {
  const known = Object.entries(DATA_TYPES).find(([own]) => Number(own) === code)?.[1].name;
  return known === 'float16' ? undefined : known;
}

/** The code of an element type. */
export function codeOf(dtype: DataType): number {
  return Number(Object.entries(DATA_TYPES).find(([, { name }]) => name === dtype)?.[0] ?? 0);
}

/** Bytes of one element. */
export function widthOf(dtype: DataType): number {
  for (const { name, bytes } of Object.values(DATA_TYPES)) if (name === dtype) return bytes;
  return 0;
}

const VIEWS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Float16Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const satisfies Record<DataType, unknown>;

/** Little-endian elements as numbers; of 64-bit integers as bigints. */
export function elementsOf(dtype: DataType, bytes: Uint8Array): readonly (number | bigint)[] {
  return [...new VIEWS[dtype](new Uint8Array(bytes).buffer)];
}

/** Little-endian elements as a typed array of their own. */
export function arrayOf(dtype: DataType, bytes: Uint8Array): ArrayBufferView {
  return new VIEWS[dtype](new Uint8Array(bytes).buffer);
}
