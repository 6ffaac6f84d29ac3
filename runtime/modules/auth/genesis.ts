/** `app_state.auth`, in the JSON of the Cosmos SDK v0.50. */
import { fromBase64, toBase64 } from '#core/bytes.ts';
import { MAX_UINT64, maxBig } from '#core/int.ts';
import type { Result } from '#core/result.ts';
import { pack, typeUrlOf } from '#proto/message.ts';
import { formatAddress, moduleAddress, parseAddress } from '../../address.ts';
import type { GenesisContext, QueryContext } from '../../context.ts';
import {
  asArrayOrEmpty,
  asInteger,
  asObject,
  asParsed,
  asString,
  isAbsent,
  JsonError,
  type JsonField,
  readJson,
  root,
} from '../../json.ts';
import { RUNTIME_LIMITS } from '../../limits.ts';
import type { Json } from '../../module.ts';
import type { KvWriter } from '../../state/kv-view.ts';
import { type AccountKey, MULTISIG_KEY, readAccountKey, SECP256K1_KEY } from '../../tx/account-key.ts';
import { exportVesting, readVestingAccount, VESTING_FIELDS, VESTING_TYPES } from '../vesting/genesis.ts';
import {
  type Account,
  AUTH_STORE,
  allAccounts,
  authParams,
  DEFAULT_AUTH_PARAMS,
  getAuthParams,
  hasAccount,
  importAccount,
  peekAccountNumber,
  type StoredKey,
} from './state.ts';

const BASE = '/cosmos.auth.v1beta1.BaseAccount';
const MODULE = '/cosmos.auth.v1beta1.ModuleAccount';
const KEY = typeUrlOf(SECP256K1_KEY);
const MULTISIG = typeUrlOf(MULTISIG_KEY);

export function initAuth(context: GenesisContext, json: Json | undefined): Result<void, string> {
  return readJson(() => {
    const store = context.state.store(AUTH_STORE);
    authParams.set(store, DEFAULT_AUTH_PARAMS);
    if (json === undefined) return;
    const fields = asObject(root(json, 'app_state.auth'), ['params', 'accounts']);
    if (!isAbsent(fields.params)) authParams.set(store, readParams(fields.params));
    const accounts = asArrayOrEmpty(fields.accounts).map((field) => ({ field, account: readAccount(context, field) }));
    // In the order of their numbers; genesis files list them all as 0 when they were added by hand.
    accounts.sort((a, b) => compareNumbers(a.account.accountNumber, b.account.accountNumber));
    for (const { field, account } of accounts) importUnique(store, field, account);
  });
}

function compareNumbers(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function importUnique(store: KvWriter, field: JsonField, account: Account): void {
  if (hasAccount(store, account.address)) throw new JsonError(`${field.path}.address: the account is listed twice`);
  const next = peekAccountNumber(store);
  importAccount(store, { ...account, accountNumber: maxBig(account.accountNumber, next) });
}

function readParams(field: JsonField) {
  const fields = asObject(field, [
    'max_memo_characters',
    'tx_sig_limit',
    'tx_size_cost_per_byte',
    'sig_verify_cost_ed25519',
    'sig_verify_cost_secp256k1',
  ]);
  const positive = (one: JsonField) => asInteger(one, 1n, MAX_UINT64);
  return {
    maxMemoCharacters: positive(fields.max_memo_characters),
    txSigLimit: positive(fields.tx_sig_limit),
    txSizeCostPerByte: positive(fields.tx_size_cost_per_byte),
    sigVerifyCostEd25519: positive(fields.sig_verify_cost_ed25519),
    sigVerifyCostSecp256k1: positive(fields.sig_verify_cost_secp256k1),
  };
}

function readAccount(context: GenesisContext, field: JsonField): Account {
  const type = asString(asObject(field, ['@type', ...BASE_FIELDS, ...MODULE_FIELDS, ...VESTING_FIELDS])['@type']);
  if (type === BASE) return readBase(context, field, ['@type']);
  if (VESTING_TYPES.includes(type)) {
    const { vesting, base } = readVestingAccount(field);
    return { ...readBase(context, base, []), vesting };
  }
  if (type !== MODULE)
    throw new JsonError(`${field.path}.@type: expected ${[BASE, MODULE, ...VESTING_TYPES].join(', ')}, got ${type}`);
  const fields = asObject(field, ['@type', ...MODULE_FIELDS]);
  const name = asString(fields.name);
  const address = moduleAddress(name);
  const base = readBase(context, fields.base_account, []);
  if (formatAddress(context.chain, base.address) !== formatAddress(context.chain, address))
    throw new JsonError(`${fields.base_account.path}.address: not the address of module account ${name}`);
  return { ...base, module: { name, permissions: asArrayOrEmpty(fields.permissions).map(asString) } };
}

const BASE_FIELDS = ['address', 'pub_key', 'account_number', 'sequence'] as const;
const MODULE_FIELDS = ['base_account', 'name', 'permissions'] as const;

function readBase(context: GenesisContext, field: JsonField, extra: readonly '@type'[]): Account {
  const fields = asObject(field, [...BASE_FIELDS, ...extra]);
  return {
    address: asParsed(fields.address, (text, title) => parseAddress(context.chain, text, title)),
    pubKey: isAbsent(fields.pub_key) ? undefined : readStoredKey(fields.pub_key),
    accountNumber: isAbsent(fields.account_number) ? 0n : asInteger(fields.account_number, 0n, MAX_UINT64),
    sequence: isAbsent(fields.sequence) ? 0n : asInteger(fields.sequence, 0n, MAX_UINT64),
    module: undefined,
    vesting: undefined,
  };
}

function readStoredKey(field: JsonField): StoredKey {
  const stored = readKey(field, 1);
  const key = readAccountKey(stored);
  if (!key.ok) throw new JsonError(`${field.path}: ${key.error.message}`);
  return stored;
}

function readKey(field: JsonField, depth: number): StoredKey {
  const type = asString(asObject(field, ['@type', 'key', 'threshold', 'public_keys'])['@type']);
  if (type === KEY) {
    const fields = asObject(field, ['@type', 'key']);
    return pack(SECP256K1_KEY, { key: fromBase64(asString(fields.key), fields.key.path) });
  }
  if (type !== MULTISIG) throw new JsonError(`${field.path}.@type: expected ${KEY} or ${MULTISIG}, got ${type}`);
  if (depth > RUNTIME_LIMITS.maxMultisigDepth) throw new JsonError(`${field.path}: nested too deep`);
  const fields = asObject(field, ['@type', 'threshold', 'public_keys']);
  return pack(MULTISIG_KEY, {
    threshold: Number(asInteger(fields.threshold, 1n, BigInt(RUNTIME_LIMITS.maxMultisigKeys))),
    publicKeys: asArrayOrEmpty(fields.public_keys).map((one) => ({ ...readKey(one, depth + 1) })),
  });
}

export function exportAuth(context: QueryContext): Json {
  const store = context.state.store(AUTH_STORE);
  const params = getAuthParams(store);
  return {
    params: {
      max_memo_characters: String(params.maxMemoCharacters),
      tx_sig_limit: String(params.txSigLimit),
      tx_size_cost_per_byte: String(params.txSizeCostPerByte),
      sig_verify_cost_ed25519: String(params.sigVerifyCostEd25519),
      sig_verify_cost_secp256k1: String(params.sigVerifyCostSecp256k1),
    },
    accounts: [...allAccounts(store)].map((account) => exportAccount(context, account)),
  };
}

function exportAccount(context: QueryContext, account: Account): Json {
  const base = {
    address: formatAddress(context.chain, account.address),
    pub_key: account.pubKey === undefined ? null : exportKey(account.pubKey),
    account_number: String(account.accountNumber),
    sequence: String(account.sequence),
  };
  if (account.vesting !== undefined) return exportVesting(account.vesting, base);
  return account.module === undefined
    ? { '@type': BASE, ...base }
    : { '@type': MODULE, base_account: base, name: account.module.name, permissions: account.module.permissions };
}

function exportKey(stored: StoredKey): Json {
  const key = readAccountKey(stored);
  return key.ok ? keyJson(key.value) : null;
}

function keyJson(key: AccountKey): Json {
  return key.kind === 'multisig'
    ? { '@type': MULTISIG, threshold: key.threshold, public_keys: key.keys.map(keyJson) }
    : { '@type': KEY, key: toBase64(key.bytes) };
}
