import { equal } from '#core/bytes.ts';
import { authzError } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import { compareTime, formatTime, type Timestamp } from '#core/types/timestamp.ts';
import * as tx from '#proto/gen/cosmos/authz/v1beta1/tx_pb.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import type { AnyMessage, ChainParams, EventSink, MessageContext, OpenMessage } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import { type MessageHandler, messageHandler, readable, signedBy } from '../../module.ts';
import { AUTH_STORE, createAccount, getAccount } from '../auth/state.ts';
import { kindOf } from './authorizations.ts';
import {
  AUTHZ_STORE,
  type Grant,
  type GrantKey,
  getGrant,
  isExpired,
  putGrant,
  removeGrant,
  updateGrant,
} from './state.ts';

type Parties = Omit<GrantKey, 'message'>;

function readParties(message: { granter: string; grantee: string }, chain: ChainParams): Result<Parties> {
  const granter = parseAddress(chain, message.granter, 'granter');
  if (!granter.ok) return granter;
  const grantee = parseAddress(chain, message.grantee, 'grantee');
  if (!grantee.ok) return grantee;
  if (equal(granter.value, grantee.value))
    return err(
      authzError(
        'granteeIsGranter',
        'grantee and granter should be different: grantee and granter should be different',
      ),
    );
  return ok({ granter: granter.value, grantee: grantee.value });
}

const MAX_SECONDS = 253_402_300_799n; // 9999-12-31T23:59:59Z

function readGrant(
  message: tx.MsgGrant,
  chain: ChainParams,
): Result<{ readonly key: GrantKey; readonly grant: Grant }> {
  const parties = readParties(message, chain);
  if (!parties.ok) return parties;
  const { authorization, expiration } = message.grant ?? {};
  const kind = kindOf(authorization);
  if (!kind.ok) return kind;
  if (authorization === undefined) return failSdk('invalidType', 'authorization: missing');
  const about = kind.value.read(authorization.value, chain);
  if (!about.ok) return about;
  if (
    expiration !== undefined &&
    (expiration.seconds < 0n ||
      expiration.seconds > MAX_SECONDS ||
      expiration.nanos < 0 ||
      expiration.nanos > 999_999_999)
  )
    return failSdk('invalidRequest', 'expiration: expected a time in the years 1970 … 9999');
  const until = expiration === undefined ? undefined : { seconds: expiration.seconds, nanos: expiration.nanos };
  return ok({
    key: { ...parties.value, message: about.value },
    grant: { authorization: { typeUrl: authorization.typeUrl, value: authorization.value }, expiration: until },
  });
}

/** A typed event (types/events.go): the values are JSON. */
function emitGrantEvent(
  events: EventSink,
  chain: ChainParams,
  type: 'EventGrant' | 'EventRevoke',
  key: GrantKey,
): void {
  events.emit(`cosmos.authz.v1beta1.${type}`, [
    ['grantee', JSON.stringify(formatAddress(chain, key.grantee))],
    ['granter', JSON.stringify(formatAddress(chain, key.granter))],
    ['msg_type_url', JSON.stringify(key.message)],
  ]);
}

function grant(context: MessageContext, message: tx.MsgGrant): Result<Record<string, never>> {
  const read = readGrant(message, context.chain);
  if (!read.ok) return read;
  const { key, grant: given } = read.value;
  if (!context.router.has(key.message)) return failSdk('invalidType', `${key.message.slice(0, 200)} doesn't exist.`);
  const now = context.block.time;
  if (given.expiration !== undefined && compareTime(given.expiration, now) <= 0)
    return err(authzError('invalidExpirationTime', pastExpiration(given.expiration, now)));
  const auth = context.state.store(AUTH_STORE);
  const account = getAccount(auth, key.grantee);
  if (account?.module !== undefined)
    return failSdk('unauthorized', `${message.grantee} is not allowed to receive funds`);
  if (account === undefined) createAccount(auth, key.grantee);
  putGrant(context.state.store(AUTHZ_STORE), key, given);
  emitGrantEvent(context.events, context.chain, 'EventGrant', key);
  return ok({});
}

function pastExpiration(expiration: Timestamp, now: Timestamp): string {
  return (
    `expiration must be after the current block time (${formatTime(now)}), got ${formatTime(expiration)}: ` +
    'expiration time of authorization should be more than current time'
  );
}

const NOT_FOUND = 'authorization not found';

function readRevoke(message: tx.MsgRevoke, chain: ChainParams): Result<GrantKey> {
  const parties = readParties(message, chain);
  if (!parties.ok) return parties;
  if (message.msgTypeUrl === '') return failSdk('invalidRequest', 'missing msg method name');
  if (message.msgTypeUrl.length > MAX_TYPE_URL) return failSdk('invalidRequest', 'msg_type_url: too long');
  return ok({ ...parties.value, message: message.msgTypeUrl });
}

/** Of a message that can be granted; keys of the store hold no longer ones. */
const MAX_TYPE_URL = 255;

function revoke(context: MessageContext, message: tx.MsgRevoke): Result<Record<string, never>> {
  const key = readRevoke(message, context.chain);
  if (!key.ok) return key;
  const store = context.state.store(AUTHZ_STORE);
  const given = getGrant(store, key.value);
  if (given === undefined)
    return err(
      authzError('noAuthorizationFound', `failed to delete grant with type ${key.value.message}: ${NOT_FOUND}`),
    );
  removeGrant(store, key.value, given);
  emitGrantEvent(context.events, context.chain, 'EventRevoke', key.value);
  return ok({});
}

/** Each inner event says which inner message it is of. */
function indexed(events: EventSink, index: number): EventSink {
  return { emit: (type, attributes) => events.emit(type, [...attributes, ['authz_msg_index', String(index)]]) };
}

function exec(context: MessageContext, message: tx.MsgExec): Result<{ readonly results: Uint8Array[] }> {
  const grantee = parseAddress(context.chain, message.grantee, 'grantee');
  if (!grantee.ok) return grantee;
  const results: Uint8Array[] = [];
  for (const [i, any] of message.msgs.entries()) {
    const inner = execOne(context, grantee.value, any, i);
    if (!inner.ok)
      return err({ ...inner.error, message: `failed to execute message; message ${i}: ${inner.error.message}` });
    results.push(inner.value);
  }
  return ok({ results });
}

/** x/authz DispatchActions, for one message. */
function execOne(context: MessageContext, grantee: Uint8Array, any: AnyMessage, index: number): Result<Uint8Array> {
  const opened = context.router.open(any);
  if (!opened.ok) return opened;
  const signers = opened.value.signers(context.chain);
  if (!signers.ok) return signers;
  const [granter] = signers.value;
  if (granter === undefined || signers.value.length !== 1)
    return err(
      authzError(
        'authorizationNumOfSigners',
        'authorization can be given to msg with only one signer: authorization can be given to msg with only one signer',
      ),
    );
  if (!equal(granter, grantee)) {
    const used = useGrant(context, { granter, grantee, message: opened.value.typeUrl }, opened.value);
    if (!used.ok) return used;
  }
  return opened.value.handle({ ...context, events: indexed(context.events, index) });
}

function useGrant(context: MessageContext, key: GrantKey, message: OpenMessage): Result<void> {
  const store = context.state.store(AUTHZ_STORE);
  const given = getGrant(store, key);
  if (given === undefined)
    return err(
      authzError(
        'noAuthorizationFound',
        `failed to get grant with given granter: ${formatAddress(context.chain, key.granter)}, ` +
          `grantee: ${formatAddress(context.chain, key.grantee)} & msgType: ${key.message}: ${NOT_FOUND}`,
      ),
    );
  if (isExpired(given, context.block.time))
    return err(authzError('authorizationExpired', 'authorization expired: authorization expired'));
  const kind = kindOf(given.authorization);
  if (!kind.ok) return kind;
  const left = kind.value.accept(context, given.authorization, message);
  if (!left.ok) return left;
  if (left.value === undefined) {
    removeGrant(store, key, given);
    emitGrantEvent(context.events, context.chain, 'EventRevoke', key);
  } else if (left.value !== given.authorization) {
    updateGrant(store, key, { ...given, authorization: left.value });
  }
  return ok(undefined);
}

export const authzMessages: readonly MessageHandler[] = [
  messageHandler({
    schema: tx.MsgGrantSchema,
    response: tx.MsgGrantResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.granter, 'granter')),
    validate: (message, chain) => readable(readGrant(message, chain)),
    handle: grant,
  }),
  messageHandler({
    schema: tx.MsgExecSchema,
    response: tx.MsgExecResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.grantee, 'grantee')),
    validate: ({ msgs }) => (msgs.length === 0 ? failSdk('invalidRequest', 'messages cannot be empty') : ok(undefined)),
    nested: ({ msgs }) => msgs,
    handle: exec,
  }),
  messageHandler({
    schema: tx.MsgRevokeSchema,
    response: tx.MsgRevokeResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.granter, 'granter')),
    validate: (message, chain) => readable(readRevoke(message, chain)),
    handle: revoke,
  }),
];
