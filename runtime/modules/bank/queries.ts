import { concat, fromUtf8 } from '#core/bytes.ts';
import { maxBig } from '#core/int.ts';
import { ok, type Result } from '#core/result.ts';
import * as q from '#proto/gen/cosmos/bank/v1beta1/query_pb.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import { amountOf, type Coin, isDenom } from '../../coins.ts';
import type { QueryContext } from '../../context.ts';
import { failGrpc } from '../../errors.ts';
import { type QueryHandler, queryHandler } from '../../module.ts';
import { paginate } from '../../pagination.ts';
import { intValue } from '../../state/codecs.ts';
import type { KvReader } from '../../state/kv-view.ts';
import { AUTH_STORE } from '../auth/state.ts';
import { blockTimeOf } from '../chain/state.ts';
import { lockedOf } from './ledger.ts';
import {
  BANK_PREFIX,
  BANK_STORE,
  balanceOf,
  balancesUnder,
  defaultSendEnabled,
  metadata,
  ownersUnder,
  readMetadata,
  sendEnabled,
  supplyOf,
} from './state.ts';

const SERVICE = '/cosmos.bank.v1beta1.Query';

function bank(context: QueryContext): KvReader {
  return context.state.store(BANK_STORE);
}

function readAddress(context: QueryContext, text: string): Result<Uint8Array> {
  if (text === '') return failGrpc('InvalidArgument', 'empty address string is not allowed');
  const address = parseAddress(context.chain, text, 'address');
  return address.ok ? address : failGrpc('InvalidArgument', `invalid address: ${address.error.message}`);
}

function readDenom(denom: string): Result<string> {
  return isDenom(denom)
    ? ok(denom)
    : failGrpc('InvalidArgument', `invalid denom: ${JSON.stringify(denom.slice(0, 150))}`);
}

function readBalance(context: QueryContext, request: { readonly address: string; readonly denom: string }) {
  const address = readAddress(context, request.address);
  if (!address.ok) return address;
  const denom = readDenom(request.denom);
  if (!denom.ok) return denom;
  const amount = balanceOf(bank(context), address.value, denom.value).toString();
  return ok({ balance: { denom: denom.value, amount } });
}

/** Keys are denominations; amounts are decimal digits. */
function readCoin(key: Uint8Array, value: Uint8Array) {
  return { denom: fromUtf8(key), amount: intValue.decode(value).toString() };
}

function readBalances(
  context: QueryContext,
  request: { readonly address: string; readonly pagination?: q.QueryAllBalancesRequest['pagination'] },
) {
  const address = readAddress(context, request.address);
  if (!address.ok) return address;
  const prefix = concat(BANK_PREFIX.balances, balancesUnder(address.value));
  const page = paginate(bank(context), prefix, request.pagination, readCoin);
  return page.ok ? ok({ balances: [...page.value.items], pagination: page.value.pagination }) : page;
}

function readOwners(
  context: QueryContext,
  request: { readonly denom: string; readonly pagination?: q.QueryDenomOwnersRequest['pagination'] },
) {
  const denom = readDenom(request.denom);
  if (!denom.ok) return denom;
  const store = bank(context);
  const prefix = concat(BANK_PREFIX.owners, ownersUnder(denom.value));
  const page = paginate(store, prefix, request.pagination, (address) => ({
    address: formatAddress(context.chain, address),
    balance: { denom: denom.value, amount: balanceOf(store, address, denom.value).toString() },
  }));
  return page.ok ? ok({ denomOwners: [...page.value.items], pagination: page.value.pagination }) : page;
}

function readLocked(context: QueryContext, text: string): readonly Coin[] {
  const address = readAddress(context, text);
  const scope = { auth: context.state.store(AUTH_STORE), time: blockTimeOf(context.state) };
  return address.ok ? lockedOf(scope, address.value) : [];
}

function unlocked(coin: { readonly denom: string; readonly amount: string }, locked: readonly Coin[]) {
  const amount = maxBig(BigInt(coin.amount) - amountOf(locked, coin.denom), 0n);
  return { denom: coin.denom, amount: amount.toString() };
}

/** What people call a denomination, as far as its metadata say so. */
function displayOf(context: QueryContext, denom: string): string {
  return metadata.get(bank(context), denom)?.display || denom;
}

function readOneMetadata(context: QueryContext, denom: string) {
  if (denom === '') return failGrpc('InvalidArgument', 'invalid denom');
  const found = metadata.get(bank(context), denom);
  return found === undefined ? failGrpc('NotFound', `client metadata for denom ${denom}`) : ok({ metadata: found });
}

const balanceQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/Balance`,
    request: q.QueryBalanceRequestSchema,
    response: q.QueryBalanceResponseSchema,
    query: readBalance,
  }),
  queryHandler({
    path: `${SERVICE}/AllBalances`,
    request: q.QueryAllBalancesRequestSchema,
    response: q.QueryAllBalancesResponseSchema,
    query(context, request) {
      const page = readBalances(context, request);
      if (!page.ok || !request.resolveDenom) return page;
      const named = page.value.balances.map(({ denom, amount }) => ({ denom: displayOf(context, denom), amount }));
      return ok({ ...page.value, balances: named });
    },
  }),
  queryHandler({
    path: `${SERVICE}/SpendableBalances`,
    request: q.QuerySpendableBalancesRequestSchema,
    response: q.QuerySpendableBalancesResponseSchema,
    query(context, request) {
      const page = readBalances(context, request);
      if (!page.ok) return page;
      const locked = readLocked(context, request.address);
      return ok({ ...page.value, balances: page.value.balances.map((coin) => unlocked(coin, locked)) });
    },
  }),
  queryHandler({
    path: `${SERVICE}/SpendableBalanceByDenom`,
    request: q.QuerySpendableBalanceByDenomRequestSchema,
    response: q.QuerySpendableBalanceByDenomResponseSchema,
    query(context, request) {
      const found = readBalance(context, request);
      if (!found.ok) return found;
      return ok({ balance: unlocked(found.value.balance, readLocked(context, request.address)) });
    },
  }),
  queryHandler({
    path: `${SERVICE}/DenomOwners`,
    request: q.QueryDenomOwnersRequestSchema,
    response: q.QueryDenomOwnersResponseSchema,
    query: readOwners,
  }),
  queryHandler({
    path: `${SERVICE}/DenomOwnersByQuery`,
    request: q.QueryDenomOwnersByQueryRequestSchema,
    response: q.QueryDenomOwnersByQueryResponseSchema,
    query: readOwners,
  }),
];

const supplyQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/TotalSupply`,
    request: q.QueryTotalSupplyRequestSchema,
    response: q.QueryTotalSupplyResponseSchema,
    query(context, { pagination }) {
      const page = paginate(bank(context), BANK_PREFIX.supply, pagination, readCoin);
      return page.ok ? ok({ supply: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
  queryHandler({
    path: `${SERVICE}/SupplyOf`,
    request: q.QuerySupplyOfRequestSchema,
    response: q.QuerySupplyOfResponseSchema,
    query(context, { denom: text }) {
      const denom = readDenom(text);
      if (!denom.ok) return denom;
      return ok({ amount: { denom: denom.value, amount: supplyOf(bank(context), denom.value).toString() } });
    },
  }),
];

const denomQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/Params`,
    request: q.QueryParamsRequestSchema,
    response: q.QueryParamsResponseSchema,
    query: (context) => ok({ params: { defaultSendEnabled: defaultSendEnabled.get(bank(context)) ?? true } }),
  }),
  queryHandler({
    path: `${SERVICE}/DenomMetadata`,
    request: q.QueryDenomMetadataRequestSchema,
    response: q.QueryDenomMetadataResponseSchema,
    query: (context, { denom }) => readOneMetadata(context, denom),
  }),
  queryHandler({
    path: `${SERVICE}/DenomMetadataByQueryString`,
    request: q.QueryDenomMetadataByQueryStringRequestSchema,
    response: q.QueryDenomMetadataByQueryStringResponseSchema,
    query: (context, { denom }) => readOneMetadata(context, denom),
  }),
  queryHandler({
    path: `${SERVICE}/DenomsMetadata`,
    request: q.QueryDenomsMetadataRequestSchema,
    response: q.QueryDenomsMetadataResponseSchema,
    query(context, { pagination }) {
      const page = paginate(bank(context), BANK_PREFIX.metadata, pagination, (_key, value) => readMetadata(value));
      return page.ok ? ok({ metadatas: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
  queryHandler({
    path: `${SERVICE}/SendEnabled`,
    request: q.QuerySendEnabledRequestSchema,
    response: q.QuerySendEnabledResponseSchema,
    query(context, { denoms, pagination }) {
      if (denoms.length > 0) {
        const found = denoms.map((denom) => ({ denom, enabled: sendEnabled.get(bank(context), denom) }));
        return ok({
          sendEnabled: found.flatMap(({ denom, enabled }) => (enabled === undefined ? [] : [{ denom, enabled }])),
        });
      }
      const page = paginate(bank(context), BANK_PREFIX.sendEnabled, pagination, (key, value) => ({
        denom: fromUtf8(key),
        enabled: value[0] === 1,
      }));
      return page.ok ? ok({ sendEnabled: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
];

export const bankQueries: readonly QueryHandler[] = [...balanceQueries, ...supplyQueries, ...denomQueries];
