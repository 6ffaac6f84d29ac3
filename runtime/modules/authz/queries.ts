import { concat } from '#core/bytes.ts';
import { ok, type Result } from '#core/result.ts';
import * as q from '#proto/gen/cosmos/authz/v1beta1/query_pb.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import type { QueryContext } from '../../context.ts';
import { failGrpc } from '../../errors.ts';
import { type QueryHandler, queryHandler } from '../../module.ts';
import { paginate } from '../../pagination.ts';
import { blockTimeOf } from '../chain/state.ts';
import {
  AUTHZ_PREFIX,
  AUTHZ_STORE,
  decodeGrant,
  decodeOther,
  type Grant,
  type GrantKey,
  getGrant,
  grantsBetween,
  grantsUnder,
  isExpired,
} from './state.ts';

const SERVICE = '/cosmos.authz.v1beta1.Query';

function readAddress(context: QueryContext, text: string, title: string): Result<Uint8Array> {
  const address = parseAddress(context.chain, text, title);
  return address.ok ? address : failGrpc('InvalidArgument', address.error.message);
}

function show({ authorization, expiration }: Grant) {
  return { authorization: { ...authorization }, ...(expiration === undefined ? {} : { expiration }) };
}

function showBetween(context: QueryContext, { granter, grantee }: Omit<GrantKey, 'message'>, grant: Grant) {
  return {
    granter: formatAddress(context.chain, granter),
    grantee: formatAddress(context.chain, grantee),
    ...show(grant),
  };
}

/** What has expired by the state's block is as good as gone. */
function usable(context: QueryContext, grant: Grant | undefined): Grant | undefined {
  return grant === undefined || isExpired(grant, blockTimeOf(context.state)) ? undefined : grant;
}

export const authzQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/Grants`,
    request: q.QueryGrantsRequestSchema,
    response: q.QueryGrantsResponseSchema,
    query(context, request) {
      const granter = readAddress(context, request.granter, 'granter');
      if (!granter.ok) return granter;
      const grantee = readAddress(context, request.grantee, 'grantee');
      if (!grantee.ok) return grantee;
      const store = context.state.store(AUTHZ_STORE);
      const { msgTypeUrl: message } = request;
      if (message !== '') {
        const grant = usable(context, getGrant(store, { granter: granter.value, grantee: grantee.value, message }));
        return grant === undefined
          ? failGrpc('NotFound', `no authorization found for ${message.slice(0, 200)} type`)
          : ok({ grants: [show(grant)] });
      }
      const prefix = concat(AUTHZ_PREFIX.grants, grantsBetween(granter.value, grantee.value));
      const page = paginate(store, prefix, request.pagination, (_message, value) => {
        const grant = usable(context, decodeGrant(value));
        return grant === undefined ? undefined : show(grant);
      });
      return page.ok ? ok({ grants: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
  queryHandler({
    path: `${SERVICE}/GranterGrants`,
    request: q.QueryGranterGrantsRequestSchema,
    response: q.QueryGranterGrantsResponseSchema,
    query(context, request) {
      const granter = readAddress(context, request.granter, 'granter');
      if (!granter.ok) return granter;
      const prefix = concat(AUTHZ_PREFIX.grants, grantsUnder(granter.value));
      const page = paginate(context.state.store(AUTHZ_STORE), prefix, request.pagination, (key, value) => {
        const [grantee] = decodeOther(key);
        const grant = usable(context, decodeGrant(value));
        return grant === undefined ? undefined : showBetween(context, { granter: granter.value, grantee }, grant);
      });
      return page.ok ? ok({ grants: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
  queryHandler({
    path: `${SERVICE}/GranteeGrants`,
    request: q.QueryGranteeGrantsRequestSchema,
    response: q.QueryGranteeGrantsResponseSchema,
    query(context, request) {
      const grantee = readAddress(context, request.grantee, 'grantee');
      if (!grantee.ok) return grantee;
      const store = context.state.store(AUTHZ_STORE);
      const prefix = concat(AUTHZ_PREFIX.byGrantee, grantsUnder(grantee.value));
      const page = paginate(store, prefix, request.pagination, (key) => {
        const [granter, message] = decodeOther(key);
        const parties = { granter, grantee: grantee.value };
        const grant = usable(context, getGrant(store, { ...parties, message }));
        return grant === undefined ? undefined : showBetween(context, parties, grant);
      });
      return page.ok ? ok({ grants: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
];
