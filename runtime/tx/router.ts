/** Messages inside messages: finding their handlers, and the checks that the outer ones get. */
import { err, ok, type Result } from '#core/result.ts';
import { decodeStrict } from '#proto/message.ts';
import type { AnyMessage, ChainParams, MessageRouter, OpenMessage } from '../context.ts';
import { failSdk } from '../errors.ts';
import { RUNTIME_LIMITS } from '../limits.ts';
import type { MessageHandler } from '../module.ts';
import type { TxMessage, TxTypes } from './decode.ts';

export function messageRouter(types: TxTypes): MessageRouter {
  return {
    has: (typeUrl) => types.messages.has(typeUrl),
    open(any) {
      const found = openAny(types, any);
      return found.ok ? ok(opened(found.value.handler, found.value.message)) : found;
    },
  };
}

function opened(handler: MessageHandler, message: unknown): OpenMessage {
  return {
    typeUrl: handler.typeUrl,
    message,
    signers: (chain) => handler.signers(message, chain),
    validate: (chain) => handler.validate(message, chain),
    handle: (context) => handler.handle(context, message),
  };
}

function openAny(types: TxTypes, { typeUrl, value }: AnyMessage): Result<TxMessage> {
  const handler = types.messages.get(typeUrl);
  if (handler === undefined)
    return failSdk('unknownRequest', `${typeUrl.slice(0, 200)} is not a message of this chain`);
  const resolveAny = (url: string) => types.resolveAny(url);
  const decoded = decodeStrict(handler.schema, value, { resolveAny });
  return decoded.ok ? ok({ handler, message: decoded.value }) : failSdk('unpackAny', decoded.error);
}

/**
 * Each message's own checks, those of messages inside included, so that wrapping hides nothing from them: how deep they
 * may stand, and how many there may be altogether, is limited.
 */
export function checkMessages(types: TxTypes, messages: readonly TxMessage[], chain: ChainParams): Result<void> {
  const budget = { left: RUNTIME_LIMITS.maxMessages };
  for (let i = 0; i < messages.length; i++) {
    const valid = checkMessage(types, messages[i] as TxMessage, chain, budget, 1);
    if (!valid.ok) return err({ ...valid.error, message: `message ${i}: ${valid.error.message}` });
  }
  return ok(undefined);
}

function checkMessage(
  types: TxTypes,
  { handler, message }: TxMessage,
  chain: ChainParams,
  budget: { left: number },
  depth: number,
): Result<void> {
  if (depth > RUNTIME_LIMITS.maxMessageDepth)
    return failSdk('invalidRequest', `messages inside messages deeper than ${RUNTIME_LIMITS.maxMessageDepth}`);
  if (budget.left === 0)
    return failSdk('invalidRequest', `more than ${RUNTIME_LIMITS.maxMessages} messages, those inside others included`);
  budget.left--;
  const valid = handler.validate(message, chain);
  if (!valid.ok) return valid;
  for (const any of handler.nested(message)) {
    const inner = openAny(types, any);
    if (!inner.ok) return inner;
    const sound = checkMessage(types, inner.value, chain, budget, depth + 1);
    if (!sound.ok) return sound;
  }
  return ok(undefined);
}
