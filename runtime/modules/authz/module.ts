import { ok, type Result } from '#core/result.ts';
import { GrantAuthorizationSchema } from '#proto/gen/cosmos/authz/v1beta1/authz_pb.ts';
import { messageFromJson, messageToJson } from '#proto/json.ts';
import { create } from '#proto/message.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import type { BlockContext, GenesisContext, QueryContext } from '../../context.ts';
import { asArrayOrEmpty, asObject, JsonError, readJson, root } from '../../json.ts';
import type { Json, RuntimeModule } from '../../module.ts';
import { AUTHORIZATION_TYPES, kindOf } from './authorizations.ts';
import { authzMessages } from './handlers.ts';
import { authzQueries } from './queries.ts';
import { AUTHZ_STORE, allGrants, authzBreaches, getGrant, isExpired, putGrant, removeExpired } from './state.ts';

/** Expired grants that one block clears away. */
const PRUNED_PER_BLOCK = 200;

/** `app_state.authz`, in the JSON of the Cosmos SDK v0.50. What has expired at the chain's start is left out. */
function initAuthz(context: GenesisContext, json: Json | undefined): Result<void, string> {
  if (json === undefined) return ok(undefined);
  return readJson(() => {
    const store = context.state.store(AUTHZ_STORE);
    const { authorization: list } = asObject(root(json, 'app_state.authz'), ['authorization']);
    for (const field of asArrayOrEmpty(list)) {
      const read = messageFromJson(GrantAuthorizationSchema, field.value, AUTHORIZATION_TYPES);
      if (!read.ok) throw new JsonError(`${field.path}: ${read.error}`);
      const granter = parseAddress(context.chain, read.value.granter, `${field.path}.granter`);
      if (!granter.ok) throw new JsonError(granter.error.message);
      const grantee = parseAddress(context.chain, read.value.grantee, `${field.path}.grantee`);
      if (!grantee.ok) throw new JsonError(grantee.error.message);
      const { authorization, expiration } = read.value;
      const kind = kindOf(authorization);
      if (!kind.ok) throw new JsonError(`${field.path}: ${kind.error.message}`);
      const { typeUrl, value } = authorization ?? { typeUrl: '', value: new Uint8Array(0) };
      const about = kind.value.read(value, context.chain);
      if (!about.ok) throw new JsonError(`${field.path}.authorization: ${about.error.message}`);
      const key = { granter: granter.value, grantee: grantee.value, message: about.value };
      if (getGrant(store, key) !== undefined) throw new JsonError(`${field.path}: listed twice`);
      const until = expiration === undefined ? undefined : { seconds: expiration.seconds, nanos: expiration.nanos };
      if (until !== undefined && until.seconds < 0n) throw new JsonError(`${field.path}.expiration: before 1970`);
      const grant = { authorization: { typeUrl, value }, expiration: until };
      if (!isExpired(grant, context.time)) putGrant(store, key, grant);
    }
  });
}

function exportAuthz(context: QueryContext): Json {
  const grants = [...allGrants(context.state.store(AUTHZ_STORE))];
  return {
    authorization: grants.map(({ granter, grantee, grant: { authorization, expiration } }) => {
      const message = create(GrantAuthorizationSchema, {
        granter: formatAddress(context.chain, granter),
        grantee: formatAddress(context.chain, grantee),
        authorization: { ...authorization },
        ...(expiration === undefined ? {} : { expiration }),
      });
      return messageToJson(GrantAuthorizationSchema, message, AUTHORIZATION_TYPES) as Json;
    }),
  };
}

export const authzModule: RuntimeModule = {
  name: 'authz',
  stores: [AUTHZ_STORE],
  anyTypes: AUTHORIZATION_TYPES,
  initGenesis: initAuthz,
  exportGenesis: exportAuthz,
  beginBlock({ state, block }: BlockContext) {
    removeExpired(state.store(AUTHZ_STORE), block.time, PRUNED_PER_BLOCK);
  },
  messages: authzMessages,
  queries: authzQueries,
  invariants: (context) => authzBreaches(context.state.store(AUTHZ_STORE)),
};
