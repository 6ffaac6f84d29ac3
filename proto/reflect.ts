/** Reading messages by their descriptors, with the options that say how they look in Amino JSON. */
import { type DescField, type DescMessage, getOption, type MessageShape, ScalarType } from '@bufbuild/protobuf';
import { type ReflectList, type ReflectMessage, reflect as reflectMessage } from '@bufbuild/protobuf/reflect';
import * as amino from './gen/amino/amino_pb.ts';
import { scalar } from './gen/cosmos_proto/cosmos_pb.ts';

export type { DescField, ReflectList, ReflectMessage };
export { ScalarType };

export function reflect<D extends DescMessage>(schema: D, message: MessageShape<D>): ReflectMessage {
  return reflectMessage(schema, message);
}

/** Options of a message; empty text where there is none. */
export interface AminoMessage {
  readonly name: string;
  readonly encoding: string;
}

/** Options of a field; empty text where there is none. */
export interface AminoField {
  readonly name: string;
  readonly encoding: string;
  readonly keepEmpty: boolean;
  readonly oneofName: string;
  /** `cosmos.Int`, `cosmos.Dec` … */
  readonly scalar: string;
}

const messages = new WeakMap<DescMessage, AminoMessage>();
const fields = new WeakMap<DescField, AminoField>();

export function aminoMessage(schema: DescMessage): AminoMessage {
  let options = messages.get(schema);
  if (options === undefined) {
    options = { name: getOption(schema, amino.name), encoding: getOption(schema, amino.message_encoding) };
    messages.set(schema, options);
  }
  return options;
}

export function aminoField(field: DescField): AminoField {
  let options = fields.get(field);
  if (options === undefined) {
    options = {
      name: getOption(field, amino.field_name) || field.name,
      encoding: getOption(field, amino.encoding),
      keepEmpty: getOption(field, amino.dont_omitempty),
      oneofName: getOption(field, amino.oneof_name),
      scalar: getOption(field, scalar),
    };
    fields.set(field, options);
  }
  return options;
}

/** Whether a field holds one byte string. */
export function isBytesField(field: DescField): boolean {
  return field.fieldKind === 'scalar' && field.scalar === ScalarType.BYTES;
}

/** Whether a field holds one truth value. */
export function isFlagField(field: DescField): boolean {
  return field.fieldKind === 'scalar' && field.scalar === ScalarType.BOOL;
}
