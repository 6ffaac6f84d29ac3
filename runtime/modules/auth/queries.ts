import { MAX_INT64 } from '#core/int.ts';
import { ok, type Result } from '#core/result.ts';
import { BaseAccountSchema, ModuleAccountSchema } from '#proto/gen/cosmos/auth/v1beta1/auth_pb.ts';
import * as q from '#proto/gen/cosmos/auth/v1beta1/query_pb.ts';
import { pack } from '#proto/message.ts';
import { formatAddress, moduleAddress, parseAddress } from '../../address.ts';
import type { QueryContext } from '../../context.ts';
import { failGrpc } from '../../errors.ts';
import { type QueryHandler, queryHandler } from '../../module.ts';
import { paginate } from '../../pagination.ts';
import { packVesting } from '../vesting/record.ts';
import {
  ACCOUNTS_PREFIX,
  type Account,
  AUTH_STORE,
  addressOfNumber,
  decodeAccount,
  getAccount,
  getAuthParams,
  moduleAccountNames,
} from './state.ts';

const SERVICE = '/cosmos.auth.v1beta1.Query';

/** types/address.go MaxAddrLen. */
const MAX_ADDRESS_BYTES = 255;

function baseAccount(context: QueryContext, account: Account) {
  return {
    address: formatAddress(context.chain, account.address),
    accountNumber: account.accountNumber,
    sequence: account.sequence,
    ...(account.pubKey === undefined ? {} : { pubKey: { ...account.pubKey } }),
  };
}

function packAccount(context: QueryContext, account: Account) {
  const base = baseAccount(context, account);
  if (account.vesting !== undefined) return packVesting(account.vesting, base);
  return account.module === undefined
    ? pack(BaseAccountSchema, base)
    : pack(ModuleAccountSchema, {
        baseAccount: base,
        name: account.module.name,
        permissions: [...account.module.permissions],
      });
}

function find(context: QueryContext, text: string): Result<Account> {
  if (text === '') return failGrpc('InvalidArgument', 'Address cannot be empty');
  const address = parseAddress(context.chain, text, 'address');
  if (!address.ok) return failGrpc('InvalidArgument', address.error.message);
  const account = getAccount(context.state.store(AUTH_STORE), address.value);
  return account === undefined ? failGrpc('NotFound', `account ${text} not found`) : ok(account);
}

function moduleAccounts(context: QueryContext): Account[] {
  const store = context.state.store(AUTH_STORE);
  return moduleAccountNames(store).flatMap((name) => getAccount(store, moduleAddress(name)) ?? []);
}

export const authQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/Account`,
    request: q.QueryAccountRequestSchema,
    response: q.QueryAccountResponseSchema,
    query(context, { address }) {
      const account = find(context, address);
      return account.ok ? ok({ account: packAccount(context, account.value) }) : account;
    },
  }),
  queryHandler({
    path: `${SERVICE}/AccountInfo`,
    request: q.QueryAccountInfoRequestSchema,
    response: q.QueryAccountInfoResponseSchema,
    query(context, { address }) {
      const account = find(context, address);
      return account.ok ? ok({ info: baseAccount(context, account.value) }) : account;
    },
  }),
  queryHandler({
    path: `${SERVICE}/Accounts`,
    request: q.QueryAccountsRequestSchema,
    response: q.QueryAccountsResponseSchema,
    query(context, { pagination }) {
      const page = paginate(context.state.store(AUTH_STORE), ACCOUNTS_PREFIX, pagination, (key, value) =>
        packAccount(context, decodeAccount(key, value)),
      );
      return page.ok ? ok({ accounts: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
  queryHandler({
    path: `${SERVICE}/AccountAddressByID`,
    request: q.QueryAccountAddressByIDRequestSchema,
    response: q.QueryAccountAddressByIDResponseSchema,
    query(context, { id, accountId }) {
      const number = accountId !== 0n ? accountId : id;
      if (number < 0n || number > MAX_INT64) return failGrpc('InvalidArgument', 'account id must not be negative');
      const address = addressOfNumber(context.state.store(AUTH_STORE), number);
      if (address === undefined) return failGrpc('NotFound', `account address not found with account number ${number}`);
      return ok({ accountAddress: formatAddress(context.chain, address) });
    },
  }),
  queryHandler({
    path: `${SERVICE}/Params`,
    request: q.QueryParamsRequestSchema,
    response: q.QueryParamsResponseSchema,
    query: (context) => ok({ params: getAuthParams(context.state.store(AUTH_STORE)) }),
  }),
  queryHandler({
    path: `${SERVICE}/ModuleAccounts`,
    request: q.QueryModuleAccountsRequestSchema,
    response: q.QueryModuleAccountsResponseSchema,
    query: (context) => ok({ accounts: moduleAccounts(context).map((account) => packAccount(context, account)) }),
  }),
  queryHandler({
    path: `${SERVICE}/ModuleAccountByName`,
    request: q.QueryModuleAccountByNameRequestSchema,
    response: q.QueryModuleAccountByNameResponseSchema,
    query(context, { name }) {
      if (name === '') return failGrpc('InvalidArgument', 'module name is empty');
      const account = getAccount(context.state.store(AUTH_STORE), moduleAddress(name));
      return account?.module === undefined
        ? failGrpc('NotFound', `account ${name} not found`)
        : ok({ account: packAccount(context, account) });
    },
  }),
  queryHandler({
    path: `${SERVICE}/Bech32Prefix`,
    request: q.Bech32PrefixRequestSchema,
    response: q.Bech32PrefixResponseSchema,
    query: ({ chain }) => ok({ bech32Prefix: chain.bech32Prefix }),
  }),
  queryHandler({
    path: `${SERVICE}/AddressBytesToString`,
    request: q.AddressBytesToStringRequestSchema,
    response: q.AddressBytesToStringResponseSchema,
    query({ chain }, { addressBytes }) {
      if (addressBytes.length === 0) return failGrpc('InvalidArgument', 'empty address bytes is not allowed');
      if (addressBytes.length > MAX_ADDRESS_BYTES)
        return failGrpc('InvalidArgument', `address_bytes: expected at most ${MAX_ADDRESS_BYTES} bytes`);
      return ok({ addressString: formatAddress(chain, addressBytes) });
    },
  }),
  queryHandler({
    path: `${SERVICE}/AddressStringToBytes`,
    request: q.AddressStringToBytesRequestSchema,
    response: q.AddressStringToBytesResponseSchema,
    query({ chain }, { addressString }) {
      const address = parseAddress(chain, addressString, 'address_string');
      return address.ok ? ok({ addressBytes: address.value }) : failGrpc('InvalidArgument', address.error.message);
    },
  }),
];
