/** What an authorization does, with its type erased: one line each in `authorizations.ts`. */
import { ok, type Result } from '#core/result.ts';
import { type DescMessage, decodeStrict, type MessageShape } from '#proto/message.ts';
import type { AnyMessage, ChainParams, MessageContext, OpenMessage } from '../../context.ts';
import { failSdk } from '../../errors.ts';

/** What is left of an authorization after use; undefined when it is used up. */
export type Remainder = AnyMessage | undefined;

export interface AuthorizationKind {
  readonly schema: DescMessage;
  /** Type URL of the messages that it is about; checked. */
  read(value: Uint8Array, chain: ChainParams): Result<string>;
  /** Whether it covers the message, which has that type. */
  accept(context: MessageContext, authorization: AnyMessage, message: OpenMessage): Result<Remainder>;
}

export function authorizationKind<D extends DescMessage>(definition: {
  readonly schema: D;
  read(authorization: MessageShape<D>, chain: ChainParams): Result<string>;
  accept(
    context: MessageContext,
    authorization: MessageShape<D>,
    message: OpenMessage,
  ): Result<AnyMessage | 'as it is' | undefined>;
}): AuthorizationKind {
  const { schema } = definition;
  const open = (value: Uint8Array): Result<MessageShape<D>> => {
    const decoded = decodeStrict(schema, value);
    return decoded.ok ? decoded : failSdk('unpackAny', decoded.error);
  };
  return {
    schema,
    read(value, chain) {
      const authorization = open(value);
      return authorization.ok ? definition.read(authorization.value, chain) : authorization;
    },
    accept(context, any, message) {
      const authorization = open(any.value);
      if (!authorization.ok) return authorization;
      const accepted = definition.accept(context, authorization.value, message);
      if (!accepted.ok) return accepted;
      return ok(accepted.value === 'as it is' ? any : accepted.value);
    },
  };
}
