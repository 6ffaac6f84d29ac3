/** `app_state.bank`, in the JSON of the Cosmos SDK v0.50. */
import type { Result } from '#core/result.ts';
import type { MetadataSchema } from '#proto/gen/cosmos/bank/v1beta1/bank_pb.ts';
import type { MessageInitShape } from '#proto/message.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import { addCoins, type Coin, formatCoins, isDenom, parseAmount } from '../../coins.ts';
import type { GenesisContext, QueryContext } from '../../context.ts';
import {
  asArray,
  asArrayOrEmpty,
  asBoolean,
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
import type { KvReader, KvWriter } from '../../state/kv-view.ts';
import { AUTH_STORE, ensureAccount } from '../auth/state.ts';
import { BANK_STORE, balances, defaultSendEnabled, metadata, sendEnabled, setBalance, supply } from './state.ts';

export function initBank(context: GenesisContext, json: Json | undefined): Result<void, string> {
  return readJson(() => {
    const store = context.state.store(BANK_STORE);
    defaultSendEnabled.set(store, true);
    if (json === undefined) return;
    const known = ['params', 'balances', 'supply', 'denom_metadata', 'send_enabled'] as const;
    const fields = asObject(root(json, 'app_state.bank'), known);
    if (!isAbsent(fields.params)) {
      const params = asObject(fields.params, ['default_send_enabled', 'send_enabled']);
      defaultSendEnabled.set(store, asBoolean(params.default_send_enabled));
      readSendEnabled(store, params.send_enabled);
    }
    readSendEnabled(store, fields.send_enabled);
    const total = readBalances(context, fields.balances);
    checkSupply(fields.supply, total);
    for (const { denom, amount } of total) supply.set(store, denom, amount);
    for (const field of asArrayOrEmpty(fields.denom_metadata)) readMetadata(store, field);
  });
}

function readSendEnabled(store: KvWriter, field: JsonField): void {
  for (const entry of asArrayOrEmpty(field)) {
    const fields = asObject(entry, ['denom', 'enabled']);
    const denom = asDenom(fields.denom);
    if (sendEnabled.has(store, denom)) throw new JsonError(`${fields.denom.path}: ${denom} is listed twice`);
    sendEnabled.set(store, denom, asBoolean(fields.enabled));
  }
}

function asDenom(field: JsonField): string {
  const denom = asString(field);
  if (!isDenom(denom)) throw new JsonError(`${field.path}: ${JSON.stringify(denom)} is not a denomination`);
  return denom;
}

/** Coins in any order, each denomination once; zero amounts are left out, as genesis files have them. */
function asCoins(field: JsonField): readonly Coin[] {
  const coins: Coin[] = [];
  for (const entry of asArray(field)) {
    const fields = asObject(entry, ['denom', 'amount']);
    const coin = { denom: asDenom(fields.denom), amount: asParsed(fields.amount, parseAmount) };
    if (coins.some(({ denom }) => denom === coin.denom))
      throw new JsonError(`${fields.denom.path}: ${coin.denom} is listed twice`);
    coins.push(coin);
  }
  return coins.filter(({ amount }) => amount > 0n);
}

/** The sum of all balances. */
function readBalances(context: GenesisContext, field: JsonField): readonly Coin[] {
  const store = context.state.store(BANK_STORE);
  const auth = context.state.store(AUTH_STORE);
  const sums = new Map<string, bigint>();
  for (const entry of asArrayOrEmpty(field)) {
    const fields = asObject(entry, ['address', 'coins']);
    const address = asParsed(fields.address, (text, title) => parseAddress(context.chain, text, title));
    for (const { denom, amount } of asCoins(fields.coins)) {
      if (balances.has(store, [address, denom]))
        throw new JsonError(`${fields.address.path}: ${denom} of this account is listed twice`);
      setBalance(store, address, denom, amount, 0n);
      const sum = (sums.get(denom) ?? 0n) + amount;
      if (sum > RUNTIME_LIMITS.maxAmount) throw new JsonError(`${field.path}: the sum of ${denom} exceeds 2^256 − 1`);
      sums.set(denom, sum);
    }
    ensureAccount(auth, address);
  }
  return addCoins(
    [...sums].map(([denom, amount]) => ({ denom, amount })),
    [],
  );
}

function checkSupply(field: JsonField, total: readonly Coin[]): void {
  if (asArrayOrEmpty(field).length === 0) return;
  const stated = addCoins(asCoins(field), []);
  if (formatCoins(stated) !== formatCoins(total))
    throw new JsonError(
      `${field.path}: states ${formatCoins(stated)}, but the balances add up to ${formatCoins(total)}`,
    );
}

const MAX_EXPONENT = 77n;

function readMetadata(store: KvWriter, field: JsonField): void {
  const fields = asObject(field, [
    'description',
    'denom_units',
    'base',
    'display',
    'name',
    'symbol',
    'uri',
    'uri_hash',
  ]);
  const text = (one: JsonField) => (isAbsent(one) ? '' : asString(one));
  const base = asDenom(fields.base);
  if (metadata.has(store, base)) throw new JsonError(`${fields.base.path}: ${base} is described twice`);
  const display = asDenom(fields.display);
  metadata.set(store, base, {
    description: text(fields.description),
    denomUnits: readUnits(fields.denom_units, base, display),
    base,
    display,
    name: asFilled(fields.name),
    symbol: asFilled(fields.symbol),
    uri: text(fields.uri),
    uriHash: text(fields.uri_hash),
  });
}

/** A character that Go's unicode.IsSpace is false for, as x/bank asks; what an engine takes for white space changes. */
const VISIBLE = /[^\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

function asFilled(field: JsonField): string {
  const text = asString(field);
  if (!VISIBLE.test(text)) throw new JsonError(`${field.path}: expected a text that is not blank`);
  return text;
}

/** What wallets count with, so it must be whole (x/bank/types/metadata.go of v0.50): from the base unit on, each larger. */
function readUnits(field: JsonField, base: string, display: string) {
  const denoms = new Set<string>();
  let last = -1;
  const units = asArrayOrEmpty(field).map((entry) => {
    const fields = asObject(entry, ['denom', 'exponent', 'aliases']);
    const denom = asDenom(fields.denom);
    const exponent = isAbsent(fields.exponent) ? 0 : Number(asInteger(fields.exponent, 0n, MAX_EXPONENT));
    if (last === -1 && (denom !== base || exponent !== 0))
      throw new JsonError(`${entry.path}: expected ${base} with exponent 0 as the first unit`);
    if (exponent <= last) throw new JsonError(`${entry.path}.exponent: expected more than ${last}, got ${exponent}`);
    if (denoms.has(denom)) throw new JsonError(`${fields.denom.path}: ${denom} is listed twice`);
    denoms.add(denom);
    last = exponent;
    const aliases = asArrayOrEmpty(fields.aliases).map(asFilled);
    if (new Set(aliases).size !== aliases.length) throw new JsonError(`${fields.aliases.path}: one is listed twice`);
    return { denom, exponent, aliases };
  });
  if (!denoms.has(display)) throw new JsonError(`${field.path}: no unit is ${display}, which is to be displayed`);
  return units;
}

export function exportBank(context: QueryContext): Json {
  const store = context.state.store(BANK_STORE);
  return {
    params: { send_enabled: [], default_send_enabled: defaultSendEnabled.get(store) ?? true },
    balances: exportBalances(context, store),
    supply: [...supply.entries(store)].map(([denom, amount]) => ({ denom, amount: String(amount) })),
    denom_metadata: [...metadata.entries(store)].map(([, value]) => exportMetadata(value)),
    send_enabled: [...sendEnabled.entries(store)].map(([denom, enabled]) => ({ denom, enabled })),
  };
}

function exportBalances(context: QueryContext, store: KvReader): Json {
  const accounts = new Map<string, { denom: string; amount: string }[]>();
  for (const [[address, denom], amount] of balances.entries(store)) {
    const text = formatAddress(context.chain, address);
    const coins = accounts.get(text) ?? [];
    coins.push({ denom, amount: String(amount) });
    accounts.set(text, coins);
  }
  return [...accounts].map(([address, coins]) => ({ address, coins }));
}

function exportMetadata(value: MessageInitShape<typeof MetadataSchema>): Json {
  return {
    description: value.description ?? '',
    denom_units: (value.denomUnits ?? []).map((unit) => ({
      denom: unit.denom ?? '',
      exponent: unit.exponent ?? 0,
      aliases: unit.aliases ?? [],
    })),
    base: value.base ?? '',
    display: value.display ?? '',
    name: value.name ?? '',
    symbol: value.symbol ?? '',
    uri: value.uri ?? '',
    uri_hash: value.uriHash ?? '',
  };
}
