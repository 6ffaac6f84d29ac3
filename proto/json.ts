/** Messages in protobuf's JSON with the .proto files' field names, as genesis documents have them. */
import {
  createRegistry,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type MessageShape,
  type Registry,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import type { Decoded } from './message.ts';

/** @param types what may stand inside an Any. Unknown fields are refused by name. */
export function messageFromJson<D extends DescMessage>(
  schema: D,
  json: unknown,
  types: readonly DescMessage[] = [],
): Decoded<MessageShape<D>> {
  try {
    const registry = createRegistry(...types);
    const value = fromJson(schema, json as JsonValue, { registry });
    shortenTypeUrls(registry, reflect(schema, value));
    return { ok: true, value };
  } catch (error) {
    if (error instanceof Error) return { ok: false, error: error.message };
    throw error;
  }
}

const LONG_PREFIX = 'type.googleapis.com/';

/** The library writes type URLs with a host, chains write them without: in every Any, however deep. */
function shortenTypeUrls(registry: Registry, message: ReflectMessage): void {
  if (message.desc.typeName === AnySchema.typeName) {
    shortenAny(registry, message.message as Any);
    return;
  }
  for (const field of message.fields) {
    if (field.fieldKind === 'message' && message.isSet(field)) shortenTypeUrls(registry, message.get(field));
    if (field.fieldKind === 'list' && field.listKind === 'message')
      for (const entry of message.get(field)) shortenTypeUrls(registry, entry as ReflectMessage);
  }
}

function shortenAny(registry: Registry, any: Any): void {
  if (any.typeUrl.startsWith(LONG_PREFIX)) any.typeUrl = `/${any.typeUrl.slice(LONG_PREFIX.length)}`;
  const schema = registry.getMessage(any.typeUrl.slice(1));
  if (schema === undefined) return;
  const inner = fromBinary(schema, any.value);
  shortenTypeUrls(registry, reflect(schema, inner));
  any.value = toBinary(schema, inner);
}

/** All fields, also those with their default value. @throws Error when an Any holds something that is not in `types`. */
export function messageToJson<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  types: readonly DescMessage[] = [],
): JsonValue {
  const registry = createRegistry(...types);
  return toJson(schema, message, { registry, useProtoFieldName: true, alwaysEmitImplicit: true });
}
