import { concat } from '#core/bytes.ts';
import { ok, type Result } from '#core/result.ts';
import * as q from '#proto/gen/cosmos/feegrant/v1beta1/query_pb.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import type { QueryContext } from '../../context.ts';
import { failGrpc } from '../../errors.ts';
import { type QueryHandler, queryHandler } from '../../module.ts';
import { paginate } from '../../pagination.ts';
import { bytesKey } from '../../state/codecs.ts';
import { type Allowance, packAllowance } from './allowance.ts';
import { decodeGrant, FEEGRANT_PREFIX, FEEGRANT_STORE, getAllowance, grantsUnder, type Parties } from './state.ts';

const SERVICE = '/cosmos.feegrant.v1beta1.Query';

function readAddress(context: QueryContext, text: string, title: string): Result<Uint8Array> {
  const address = parseAddress(context.chain, text, title);
  return address.ok ? address : failGrpc('InvalidArgument', address.error.message);
}

function show(context: QueryContext, { granter, grantee }: Parties, allowance: Allowance) {
  return {
    granter: formatAddress(context.chain, granter),
    grantee: formatAddress(context.chain, grantee),
    allowance: { ...packAllowance(allowance) },
  };
}

export const feegrantQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/Allowance`,
    request: q.QueryAllowanceRequestSchema,
    response: q.QueryAllowanceResponseSchema,
    query(context, request) {
      const granter = readAddress(context, request.granter, 'granter');
      if (!granter.ok) return granter;
      const grantee = readAddress(context, request.grantee, 'grantee');
      if (!grantee.ok) return grantee;
      const parties = { granter: granter.value, grantee: grantee.value };
      const allowance = getAllowance(context.state.store(FEEGRANT_STORE), parties);
      return allowance === undefined
        ? failGrpc('NotFound', 'fee-grant not found')
        : ok({ allowance: show(context, parties, allowance) });
    },
  }),
  queryHandler({
    path: `${SERVICE}/Allowances`,
    request: q.QueryAllowancesRequestSchema,
    response: q.QueryAllowancesResponseSchema,
    query(context, request) {
      const grantee = readAddress(context, request.grantee, 'grantee');
      if (!grantee.ok) return grantee;
      const prefix = concat(FEEGRANT_PREFIX.grants, grantsUnder(grantee.value));
      const page = paginate(context.state.store(FEEGRANT_STORE), prefix, request.pagination, (granter, value) =>
        show(context, { granter: bytesKey.decode(granter), grantee: grantee.value }, decodeGrant(value)),
      );
      return page.ok ? ok({ allowances: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
  queryHandler({
    path: `${SERVICE}/AllowancesByGranter`,
    request: q.QueryAllowancesByGranterRequestSchema,
    response: q.QueryAllowancesByGranterResponseSchema,
    query(context, request) {
      const granter = readAddress(context, request.granter, 'granter');
      if (!granter.ok) return granter;
      const store = context.state.store(FEEGRANT_STORE);
      const prefix = concat(FEEGRANT_PREFIX.byGranter, grantsUnder(granter.value));
      const page = paginate(store, prefix, request.pagination, (grantee) => {
        const parties = { granter: granter.value, grantee };
        const allowance = getAllowance(store, parties);
        return allowance === undefined ? undefined : show(context, parties, allowance);
      });
      return page.ok ? ok({ allowances: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
];
