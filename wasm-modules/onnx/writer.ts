import {
  type Attribute,
  DATA_TYPES,
  type DataType,
  type Model,
  type Node,
  type Tensor,
  type ValueInfo,
} from './model.ts';
import { createMessage } from './protobuf.ts';

/** Writes a ModelProto that `readModel` and other ONNX runtimes read; tensor data goes raw. */
export function writeModel(model: Model): Uint8Array {
  const out = createMessage();
  out.varint(1, model.irVersion);
  out.text(2, model.producer);
  out.bytes(7, graphMessage(model));
  const opset = createMessage();
  opset.text(1, '');
  opset.varint(2, model.opset);
  out.bytes(8, opset.finish());
  return out.finish();
}

function graphMessage(model: Model): Uint8Array {
  const out = createMessage();
  for (const node of model.nodes) out.bytes(1, nodeMessage(node));
  out.text(2, model.name);
  for (const tensor of model.initializers.values()) out.bytes(5, writeTensor(tensor));
  for (const info of model.inputs) out.bytes(11, valueInfoMessage(info));
  for (const info of model.outputs) out.bytes(12, valueInfoMessage(info));
  return out.finish();
}

function nodeMessage(node: Node): Uint8Array {
  const out = createMessage();
  for (const name of node.inputs) out.text(1, name);
  for (const name of node.outputs) out.text(2, name);
  out.text(3, node.name);
  out.text(4, node.op);
  for (const [name, attribute] of node.attributes) out.bytes(5, attributeMessage(name, attribute));
  if (node.domain !== '') out.text(7, node.domain);
  return out.finish();
}

function attributeMessage(name: string, attribute: Attribute): Uint8Array {
  const out = createMessage();
  out.text(1, name);
  switch (attribute.kind) {
    case 'float':
      out.float(2, attribute.value);
      out.varint(20, 1);
      break;
    case 'int':
      out.varint(3, attribute.value);
      out.varint(20, 2);
      break;
    case 'string':
      out.text(4, attribute.value);
      out.varint(20, 3);
      break;
    case 'tensor':
      out.bytes(5, writeTensor(attribute.value));
      out.varint(20, 4);
      break;
    case 'floats':
      for (const value of attribute.value) out.float(7, value);
      out.varint(20, 6);
      break;
    case 'ints':
      for (const value of attribute.value) out.varint(8, value);
      out.varint(20, 7);
      break;
    case 'strings':
      for (const value of attribute.value) out.text(9, value);
      out.varint(20, 8);
      break;
    case 'other':
      throw new Error(`attribute ${name}: graphs and sparse tensors are not written`);
  }
  return out.finish();
}

/** Writes a TensorProto. */
export function writeTensor(tensor: Tensor): Uint8Array {
  const out = createMessage();
  for (const d of tensor.dims) out.varint(1, d);
  out.varint(2, dataTypeCode(tensor.dtype));
  if (tensor.name !== '') out.text(8, tensor.name);
  out.bytes(9, tensor.data);
  return out.finish();
}

function valueInfoMessage(info: ValueInfo): Uint8Array {
  const shape = createMessage();
  for (const d of info.dims ?? []) {
    const dim = createMessage();
    if (typeof d === 'number') dim.varint(1, d);
    else if (d !== '') dim.text(2, d);
    shape.bytes(1, dim.finish());
  }
  const tensor = createMessage();
  tensor.varint(1, info.dtype);
  if (info.dims !== undefined) tensor.bytes(2, shape.finish());
  const type = createMessage();
  type.bytes(1, tensor.finish());
  const out = createMessage();
  out.text(1, info.name);
  out.bytes(2, type.finish());
  return out.finish();
}

/** TensorProto.DataType of a type's name. */
function dataTypeCode(dtype: DataType): number {
  for (const [code, type] of Object.entries(DATA_TYPES)) if (type.name === dtype) return Number(code);
  throw new Error(`no ONNX code for ${dtype}`);
}
