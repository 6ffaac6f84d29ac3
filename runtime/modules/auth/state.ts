/** Accounts: one record an address. */
import { assert } from '#core/assert.ts';
import { asBytes, asMessage, asString, asUint64, readFields } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { RUNTIME_LIMITS } from '../../limits.ts';
import { Chunks } from '../../state/chunks.ts';
import { bytesKey, stringKey, u64Key, type ValueCodec } from '../../state/codecs.ts';
import { index, indexedMap, item, keySet, map, sequence, storeLayout } from '../../state/collections.ts';
import type { KvReader, KvWriter } from '../../state/kv-view.ts';
import { rememberedArrays, rememberedValue } from '../../state/remembered.ts';
import { UsualFields } from '../../usual-fields.ts';
import { decodeVesting, encodeVesting } from '../vesting/record.ts';
import type { Vesting } from '../vesting/schedule.ts';

export const AUTH_STORE = 'acc';

const layout = storeLayout(AUTH_STORE, {
  params: 0x00,
  accounts: 0x01,
  nextNumber: 0x02,
  byNumber: 0x03,
  modules: 0x04,
});

/** A public key as it stands in transactions: a google.protobuf.Any. */
export interface StoredKey {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export interface Account {
  readonly address: Uint8Array;
  readonly accountNumber: bigint;
  /** The sequence that its next transaction must carry. */
  readonly sequence: bigint;
  /** Known from the first transaction on. */
  readonly pubKey: StoredKey | undefined;
  /** Set: no key controls it. */
  readonly module: { readonly name: string; readonly permissions: readonly string[] } | undefined;
  /** Set: not all of its coins may be spent yet. */
  readonly vesting: Vesting | undefined;
}

type Stored = Omit<Account, 'address'>;

const KIND_BASE = 1;
const KIND_MODULE = 2;
const KIND_VESTING = 3;
const MAX_STORED_TEXT = 256;
const MAX_STORED_KEY = RUNTIME_LIMITS.maxPubKeyBytes;

/** Each transaction writes a record, which lives until its block is committed. */
const RECORD_CHUNK_BYTES = 8_192;
const records = new Chunks(RECORD_CHUNK_BYTES);
const take = (bytes: number): Uint8Array => records.take(bytes);

export const accountValue: ValueCodec<Stored> = rememberedArrays({
  encode({ accountNumber, sequence: next, pubKey, module, vesting }) {
    const writer = new ProtoWriter()
      .varint(1, vesting !== undefined ? KIND_VESTING : module === undefined ? KIND_BASE : KIND_MODULE)
      .varint(2, accountNumber)
      .varint(3, next);
    if (pubKey !== undefined) {
      const key = writer.open(4);
      writer.string(1, pubKey.typeUrl).bytes(2, pubKey.value).close(key);
    }
    if (module !== undefined) {
      writer.string(5, module.name);
      for (const permission of module.permissions) writer.string(6, permission);
    }
    if (vesting !== undefined) writer.message(7, encodeVesting(vesting));
    return writer.finish(take);
  },
  decode: (bytes) => usualAccount(bytes) ?? decodeAccountRecord(bytes),
});

/** A user's record, as it is written: read without an object for each field. Undefined for any other. */
function usualAccount(bytes: Uint8Array): Stored | undefined {
  const fields = new UsualFields(bytes);
  if (fields.value(0x08) !== KIND_BASE) return undefined;
  const accountNumber = fields.uint64(0x10);
  const next = fields.uint64(0x18);
  let pubKey: StoredKey | undefined;
  const outer = fields.enter(0x22);
  if (outer >= 0) {
    const typeUrl = fields.name(0x0a);
    const value = fields.view(0x12);
    if (value === undefined || typeUrl.length > MAX_STORED_TEXT || value.length > MAX_STORED_KEY) return undefined;
    if (!fields.leave(outer)) return undefined;
    pubKey = { typeUrl, value };
  }
  if (fields.at !== bytes.length) return undefined;
  return { accountNumber, sequence: next, pubKey, module: undefined, vesting: undefined };
}

/** @throws DecodeError for what is no record. */
export function decodeAccountRecord(bytes: Uint8Array): Stored {
  let accountNumber = 0n;
  let next = 0n;
  let pubKey: StoredKey | undefined;
  let name: string | undefined;
  const permissions: string[] = [];
  let vesting: Vesting | undefined;
  for (const field of readFields('account', bytes, { known: [1, 2, 3, 4, 5, 6, 7], repeated: [6] })) {
    if (field.number === 2) accountNumber = asUint64('account', field);
    else if (field.number === 3) next = asUint64('account', field);
    else if (field.number === 4) pubKey = readStoredKey(asMessage('account', field));
    else if (field.number === 5) name = asString('account', field, MAX_STORED_TEXT);
    else if (field.number === 6) permissions.push(asString('account', field, MAX_STORED_TEXT));
    else if (field.number === 7) vesting = decodeVesting(asMessage('account', field));
  }
  const module = name === undefined ? undefined : { name, permissions };
  return { accountNumber, sequence: next, pubKey, module, vesting };
}

function readStoredKey(bytes: Uint8Array): StoredKey {
  let typeUrl = '';
  let value: Uint8Array = bytes.subarray(0, 0);
  for (const field of readFields('account key', bytes, { known: [1, 2] })) {
    if (field.number === 1) typeUrl = asString('account key', field, MAX_STORED_TEXT);
    else value = asBytes('account key', field, MAX_STORED_KEY).slice();
  }
  return { typeUrl, value };
}

/** x/auth Params of v0.50. */
export interface AuthParams {
  readonly maxMemoCharacters: bigint;
  readonly txSigLimit: bigint;
  readonly txSizeCostPerByte: bigint;
  readonly sigVerifyCostEd25519: bigint;
  readonly sigVerifyCostSecp256k1: bigint;
}

export const DEFAULT_AUTH_PARAMS: AuthParams = {
  maxMemoCharacters: 256n,
  txSigLimit: 7n,
  txSizeCostPerByte: 10n,
  sigVerifyCostEd25519: 590n,
  sigVerifyCostSecp256k1: 1000n,
};

const authParamsValue: ValueCodec<AuthParams> = rememberedValue({
  encode: (params) =>
    new ProtoWriter()
      .varint(1, params.maxMemoCharacters)
      .varint(2, params.txSigLimit)
      .varint(3, params.txSizeCostPerByte)
      .varint(4, params.sigVerifyCostEd25519)
      .varint(5, params.sigVerifyCostSecp256k1)
      .finish(),
  decode(bytes) {
    const values = [0n, 0n, 0n, 0n, 0n];
    for (const field of readFields('auth params', bytes, { known: [1, 2, 3, 4, 5] }))
      values[field.number - 1] = asUint64('auth params', field);
    const [memo = 0n, limit = 0n, size = 0n, ed25519 = 0n, secp256k1 = 0n] = values;
    return {
      maxMemoCharacters: memo,
      txSigLimit: limit,
      txSizeCostPerByte: size,
      sigVerifyCostEd25519: ed25519,
      sigVerifyCostSecp256k1: secp256k1,
    };
  },
});

export const authParams = item(layout.params, authParamsValue);
/** Names of the modules that have accounts. */
const moduleNames = keySet(layout.modules, stringKey);
const nextNumber = sequence(layout.nextNumber);
/** Without the index, which is over numbers, and these never change. */
const plainAccounts = map(layout.accounts, bytesKey, accountValue);
const accounts = indexedMap(layout.accounts, bytesKey, accountValue, {
  number: index(layout.byNumber, u64Key, bytesKey, (account: Stored) => account.accountNumber),
});

export const ACCOUNTS_PREFIX = layout.accounts;

export function decodeAccount(address: Uint8Array, value: Uint8Array): Account {
  return { address, ...accountValue.decode(value) };
}

export function getAuthParams(store: KvReader): AuthParams {
  return authParams.get(store) ?? DEFAULT_AUTH_PARAMS;
}

export function getAccount(store: KvReader, address: Uint8Array): Account | undefined {
  const stored = plainAccounts.get(store, address);
  return stored === undefined ? undefined : withAddress(address, stored);
}

/** Written out: copying what an object has takes several times as long. */
function withAddress(address: Uint8Array, stored: Stored): Account {
  const { accountNumber, sequence: next, pubKey, module, vesting } = stored;
  return { address, accountNumber, sequence: next, pubKey, module, vesting };
}

export function hasAccount(store: KvReader, address: Uint8Array): boolean {
  return accounts.has(store, address);
}

/** Address of an account number. */
export function addressOfNumber(store: KvReader, number: bigint): Uint8Array | undefined {
  for (const address of accounts.indexes.number.keysOf(store, number)) return address;
  return undefined;
}

/** Changes an existing account; its number stays. */
export function setAccount(store: KvWriter, account: Account): void {
  plainAccounts.set(store, account.address, account);
}

/** A new account with the next number. @throws AssertionError when it exists. */
export function createAccount(store: KvWriter, address: Uint8Array, module?: Account['module']): Account {
  assert(!accounts.has(store, address), 'an account is created once');
  const stored: Stored = {
    accountNumber: nextNumber.next(store),
    sequence: 0n,
    pubKey: undefined,
    module,
    vesting: undefined,
  };
  accounts.set(store, address, stored);
  if (module !== undefined) moduleNames.add(store, module.name);
  return { address, ...stored };
}

/** An account that nobody has a key for becomes a module's; its number stays. */
export function giveToModule(store: KvWriter, account: Account, module: NonNullable<Account['module']>): void {
  setAccount(store, { ...account, module, vesting: undefined });
  moduleNames.add(store, module.name);
}

/** Names of the modules that have accounts, sorted. */
export function moduleAccountNames(store: KvReader): readonly string[] {
  return [...moduleNames.keys(store)];
}

/** Makes the account when there is none: whoever receives coins has an account. */
export function ensureAccount(store: KvWriter, address: Uint8Array): void {
  if (!accounts.has(store, address)) createAccount(store, address);
}

/** For genesis: an account with its own number and sequence. */
export function importAccount(store: KvWriter, account: Account): void {
  const { address, ...stored } = account;
  accounts.set(store, address, stored);
  if (account.module !== undefined) moduleNames.add(store, account.module.name);
  if (nextNumber.peek(store) <= account.accountNumber) nextNumber.set(store, account.accountNumber + 1n);
}

export function peekAccountNumber(store: KvReader): bigint {
  return nextNumber.peek(store);
}

/** Every account, by address. */
export function* allAccounts(store: KvReader): Generator<Account, void, undefined> {
  for (const [address, stored] of accounts.entries(store)) yield { address, ...stored };
}
