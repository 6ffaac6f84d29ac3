import { assert } from '#core/assert.ts';
import { type DescMessage, decodeStrict, encode, type MessageInitShape, type MessageShape } from '#proto/message.ts';
import type { ValueCodec } from './codecs.ts';

/** Values that are protobuf messages: whoever proves one from outside reads it with the published schema. */
export function protoValue<D extends DescMessage>(schema: D): ValueCodec<MessageShape<D>> {
  return {
    encode: (value) => encode(schema, value as MessageInitShape<D>),
    decode(bytes) {
      const decoded = decodeStrict(schema, bytes);
      assert(decoded.ok, `a stored ${schema.typeName} does not decode`);
      return decoded.value;
    },
  };
}
