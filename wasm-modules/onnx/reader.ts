import type { Result } from '../result.ts';
import {
  MAX_ELEMENTS,
  MAX_LIST,
  MAX_MODEL_BYTES,
  MAX_NAME_BYTES,
  MAX_NODES,
  MAX_RANK,
  MAX_UNPACKED,
} from './limits.ts';
import {
  type Attribute,
  DATA_TYPES,
  type DataType,
  type DataTypeCode,
  type Model,
  type Node,
  type Tensor,
  type ValueInfo,
} from './model.ts';
import { type Field, fieldsOf, readVarint } from './protobuf.ts';
import { type ModelError, Refusal, refusing } from './refusal.ts';

/**
 * Reads a ModelProto (onnx/onnx.proto). Field numbers stand beside their use. Tensor data stays where it is in `bytes`
 * wherever the file holds it raw. Unknown fields are skipped, as protobuf asks.
 */
export function readModel(bytes: Uint8Array): Result<Model, ModelError> {
  return refusing(() => modelOf(bytes));
}

/** Reads a serialised TensorProto, as test data sets hold them. */
export function readTensor(bytes: Uint8Array): Result<Tensor, ModelError> {
  return refusing(() => tensorOf(bytes));
}

function modelOf(bytes: Uint8Array): Model {
  if (bytes.length > MAX_MODEL_BYTES) {
    throw new Refusal('too-large', `the model has ${bytes.length} bytes; at most ${MAX_MODEL_BYTES} are read`);
  }
  let irVersion = 0;
  let opset = 0;
  let producer = '';
  let graph: Uint8Array | undefined;
  const others: string[] = [];
  for (const field of fieldsOf(bytes, 'model')) {
    if (field.number === 1) irVersion = smallInt(field, 'model ir_version');
    else if (field.number === 2) producer = text(field, 'model producer_name');
    else if (field.number === 7) graph = message(field, 'graph');
    else if (field.number === 8) {
      const { domain, version } = opsetOf(message(field, 'opset_import'));
      // Both names are those of the default operator set.
      if (domain === '' || domain === 'ai.onnx') opset = version;
      else others.push(domain);
    } else if (field.number === 25) throw new Refusal('unsupported', 'the model defines functions of its own');
  }
  if (graph === undefined) throw new Refusal('malformed', 'the model has no graph');
  if (opset === 0 && others.length > 0)
    throw new Refusal('unsupported', `the model imports operators of ${others.join(', ')} alone`);
  if (opset === 0) throw new Refusal('invalid', 'the model imports no version of the default operator set');
  return { irVersion, opset, producer, ...graphOf(graph) };
}

function opsetOf(bytes: Uint8Array): { readonly domain: string; readonly version: number } {
  let domain = '';
  let version = 0;
  for (const field of fieldsOf(bytes, 'opset_import')) {
    if (field.number === 1) domain = text(field, 'opset domain');
    else if (field.number === 2) version = smallInt(field, 'opset version');
  }
  return { domain: domain === 'ai.onnx' ? '' : domain, version };
}

function graphOf(bytes: Uint8Array): Pick<Model, 'name' | 'nodes' | 'initializers' | 'inputs' | 'outputs'> {
  let name = '';
  const nodes: Node[] = [];
  const initializers = new Map<string, Tensor>();
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  for (const field of fieldsOf(bytes, 'graph')) {
    if (field.number === 1) push(nodes, nodeOf(message(field, 'node')), MAX_NODES, 'nodes');
    else if (field.number === 2) name = text(field, 'graph name');
    else if (field.number === 5) {
      const tensor = tensorOf(message(field, 'initializer'));
      if (initializers.has(tensor.name)) throw new Refusal('invalid', `initializer ${quote(tensor.name)} stands twice`);
      if (initializers.size >= MAX_LIST) throw new Refusal('too-large', `more than ${MAX_LIST} initializers`);
      initializers.set(tensor.name, tensor);
    } else if (field.number === 11) push(inputs, valueInfoOf(message(field, 'graph input')), MAX_LIST, 'inputs');
    else if (field.number === 12) push(outputs, valueInfoOf(message(field, 'graph output')), MAX_LIST, 'outputs');
    else if (field.number === 15) throw new Refusal('unsupported', 'the graph has sparse initializers');
  }
  return { name, nodes, initializers, inputs, outputs };
}

function nodeOf(bytes: Uint8Array): Node {
  let name = '';
  let op = '';
  let domain = '';
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, Attribute>();
  for (const field of fieldsOf(bytes, 'node')) {
    if (field.number === 1) push(inputs, text(field, 'node input'), MAX_LIST, 'node inputs');
    else if (field.number === 2) push(outputs, text(field, 'node output'), MAX_LIST, 'node outputs');
    else if (field.number === 3) name = text(field, 'node name');
    else if (field.number === 4) op = text(field, 'node op_type');
    else if (field.number === 5) {
      const { key, attribute } = attributeOf(message(field, 'attribute'));
      if (attributes.has(key)) throw new Refusal('invalid', `attribute ${quote(key)} stands twice`, name, op);
      attributes.set(key, attribute);
    } else if (field.number === 7) domain = text(field, 'node domain');
  }
  return { name, op, domain: domain === 'ai.onnx' ? '' : domain, inputs, outputs, attributes };
}

function attributeOf(bytes: Uint8Array): { readonly key: string; readonly attribute: Attribute } {
  let key = '';
  let type = 0;
  let float = 0;
  let int = 0n;
  let string = '';
  let tensor: Uint8Array | undefined;
  const floats: number[] = [];
  const ints: bigint[] = [];
  const strings: string[] = [];
  for (const field of fieldsOf(bytes, 'attribute')) {
    if (field.number === 1) key = text(field, 'attribute name');
    else if (field.number === 2) float = float32(field, 'attribute f');
    else if (field.number === 3) int = int64(field, 'attribute i');
    else if (field.number === 4) string = text(field, 'attribute s');
    else if (field.number === 5) tensor = message(field, 'attribute t');
    else if (field.number === 7) appendFloats(floats, field, MAX_LIST);
    else if (field.number === 8) appendInts(ints, field, MAX_LIST);
    else if (field.number === 9) push(strings, text(field, 'attribute strings'), MAX_LIST, 'attribute strings');
    else if (field.number === 20) type = smallInt(field, 'attribute type');
  }
  const attribute = ((): Attribute => {
    // AttributeProto.AttributeType
    if (type === 1) return { kind: 'float', value: float };
    if (type === 2) return { kind: 'int', value: int };
    if (type === 3) return { kind: 'string', value: string };
    if (type === 4 && tensor !== undefined) return { kind: 'tensor', value: tensorOf(tensor) };
    if (type === 6) return { kind: 'floats', value: floats };
    if (type === 7) return { kind: 'ints', value: ints };
    if (type === 8) return { kind: 'strings', value: strings };
    return { kind: 'other' };
  })();
  return { key, attribute };
}

function tensorOf(bytes: Uint8Array): Tensor {
  const dims: bigint[] = [];
  let code = 0;
  let name = '';
  let raw: Uint8Array | undefined;
  const lists: Field[] = [];
  for (const field of fieldsOf(bytes, 'tensor')) {
    if (field.number === 1) appendInts(dims, field, MAX_RANK);
    else if (field.number === 2) code = smallInt(field, 'tensor data_type');
    else if (field.number === 3) throw new Refusal('unsupported', 'a tensor is stored in segments');
    else if (field.number === 8) name = text(field, 'tensor name');
    else if (field.number === 9) raw = message(field, 'tensor raw_data');
    else if (field.number === 13 || (field.number === 14 && field.varint !== 0n)) {
      throw new Refusal('unsupported', `tensor ${quote(name)} keeps its data outside the file`);
    } else if (field.number >= 4 && field.number <= 11)
      push(lists, field, MAX_UNPACKED, 'elements outside of packed lists');
  }
  const type = isDataType(code) ? DATA_TYPES[code] : undefined;
  if (type === undefined) throw new Refusal('unsupported', `tensor ${quote(name)} has element type ${code}`);
  const shape = dims.map((d) => dimension(d, `tensor ${quote(name)}`));
  const count = shape.reduce((product, d) => product * d, 1);
  if (count > MAX_ELEMENTS) throw new Refusal('too-large', `tensor ${quote(name)} has ${count} elements`);
  const data = raw ?? listData(lists, type.name, count, type.bytes);
  if (data.length !== count * type.bytes) {
    throw new Refusal(
      'invalid',
      `tensor ${quote(name)} has ${data.length} bytes; its shape asks for ${count * type.bytes}`,
    );
  }
  return { name, dtype: type.name, dims: shape, data };
}

/** Elements that stand in float_data (4), int32_data (5), int64_data (7), double_data (10) or uint64_data (11). */
function listData(lists: readonly Field[], dtype: DataType, count: number, width: number): Uint8Array {
  const wanted =
    dtype === 'float32'
      ? 4
      : dtype === 'float64'
        ? 10
        : dtype === 'int64'
          ? 7
          : width < 4 || dtype === 'int32'
            ? 5
            : 11;
  const out = new Uint8Array(count * width);
  const view = new DataView(out.buffer);
  let at = 0;
  const room = (bytes: number): void => {
    if (at + bytes > out.length) throw new Refusal('invalid', `a tensor has more elements than its shape's ${count}`);
  };
  for (const field of lists) {
    if (field.number !== wanted)
      throw new Refusal('invalid', `a tensor of ${dtype} keeps data in field ${field.number}`);
    if (wanted === 4 || wanted === 10) {
      room(field.bytes.length);
      out.set(field.bytes, at);
      at += field.bytes.length;
      continue;
    }
    const ints: bigint[] = [];
    appendInts(ints, field, count);
    room(ints.length * width);
    for (const value of ints) {
      if (width === 8) view.setBigInt64(at, value, true);
      else if (width === 4) view.setInt32(at, Number(BigInt.asIntN(32, value)), true);
      else if (width === 2) view.setInt16(at, Number(BigInt.asIntN(16, value)), true);
      else view.setInt8(at, Number(BigInt.asIntN(8, value)));
      at += width;
    }
  }
  return out.subarray(0, at);
}

function valueInfoOf(bytes: Uint8Array): ValueInfo {
  let name = '';
  let dtype = 0;
  let dims: (number | string)[] | undefined;
  for (const field of fieldsOf(bytes, 'value info')) {
    if (field.number === 1) name = text(field, 'value name');
    if (field.number !== 2) continue;
    for (const type of fieldsOf(message(field, 'value type'), 'value type')) {
      if (type.number !== 1) continue;
      for (const part of fieldsOf(message(type, 'tensor type'), 'tensor type')) {
        if (part.number === 1) dtype = smallInt(part, 'element type');
        else if (part.number === 2) dims = shapeOf(message(part, 'shape'), name);
      }
    }
  }
  return { name, dtype, dims };
}

function shapeOf(bytes: Uint8Array, name: string): (number | string)[] {
  const dims: (number | string)[] = [];
  for (const field of fieldsOf(bytes, 'shape')) {
    if (field.number !== 1) continue;
    let dim: number | string = '';
    for (const part of fieldsOf(message(field, 'dimension'), 'dimension')) {
      if (part.number === 1) dim = dimension(int64(part, 'dim_value'), `value ${quote(name)}`);
      else if (part.number === 2) dim = text(part, 'dim_param');
    }
    push(dims, dim, MAX_RANK, 'dimensions');
  }
  return dims;
}

function isDataType(code: number): code is DataTypeCode {
  return code in DATA_TYPES;
}

function dimension(value: bigint, what: string): number {
  if (value < 0n || value > BigInt(MAX_ELEMENTS)) throw new Refusal('invalid', `${what} has a dimension of ${value}`);
  return Number(value);
}

function message(field: Field, what: string): Uint8Array {
  if (field.wire !== 2) throw new Refusal('malformed', `${what} has wire type ${field.wire}; expected 2`);
  return field.bytes;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function text(field: Field, what: string): string {
  const bytes = message(field, what);
  if (bytes.length > MAX_NAME_BYTES) throw new Refusal('too-large', `${what} has ${bytes.length} bytes`);
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Refusal('malformed', `${what} is not UTF-8`);
  }
}

function int64(field: Field, what: string): bigint {
  if (field.wire !== 0) throw new Refusal('malformed', `${what} has wire type ${field.wire}; expected 0`);
  return BigInt.asIntN(64, field.varint);
}

function smallInt(field: Field, what: string): number {
  const value = int64(field, what);
  if (value < 0n || value > 0x7fffffffn) throw new Refusal('invalid', `${what} is ${value}`);
  return Number(value);
}

function float32(field: Field, what: string): number {
  if (field.wire !== 5) throw new Refusal('malformed', `${what} has wire type ${field.wire}; expected 5`);
  return new DataView(field.bytes.buffer, field.bytes.byteOffset, 4).getFloat32(0, true);
}

/** A repeated integer: one varint, or many packed. */
function appendInts(to: bigint[], field: Field, limit: number): void {
  if (field.wire === 0) {
    push(to, BigInt.asIntN(64, field.varint), limit, 'integers');
    return;
  }
  const bytes = message(field, 'packed integers');
  let at = 0;
  while (at < bytes.length) {
    const { value, next } = readVarint(bytes, at, 'packed integers');
    push(to, BigInt.asIntN(64, value), limit, 'integers');
    at = next;
  }
}

function appendFloats(to: number[], field: Field, limit: number): void {
  if (field.wire === 5) {
    push(to, float32(field, 'floats'), limit, 'floats');
    return;
  }
  const bytes = message(field, 'packed floats');
  if (bytes.length % 4 !== 0) throw new Refusal('malformed', `packed floats have ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += 4) push(to, view.getFloat32(at, true), limit, 'floats');
}

function push<T>(to: T[], item: T, limit: number, what: string): void {
  if (to.length >= limit) throw new Refusal('too-large', `more than ${limit} ${what}`);
  to.push(item);
}

function quote(name: string): string {
  return JSON.stringify(name);
}
