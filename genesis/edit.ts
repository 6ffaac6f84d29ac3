/** What is done to a genesis document before its chain starts. Each change answers a document that the modules accept. */
import { compare } from '#core/bytes.ts';
import type { PublicKey } from '#core/crypto/pubkey.ts';
import { divFloor, maxBig } from '#core/int.ts';
import type { Result } from '#core/result.ts';
import { addCoins, type Coin, parseAmount, toProtoCoin } from '#runtime/coins.ts';
import type { ChainParams } from '#runtime/context.ts';
import {
  asArrayOrEmpty,
  asObject,
  asParsed,
  asString,
  isAbsent,
  isObject,
  JsonError,
  type JsonField,
  readJson,
  root,
} from '#runtime/json.ts';
import type { Json } from '#runtime/module.ts';
import { readChainParams } from '#runtime/modules/chain/module.ts';
import { DEFAULT_POWER_REDUCTION, defaultParams } from '#runtime/modules/staking/state.ts';
import { checkAppState } from './app-state.ts';
import { baseAccount, type GenesisAccount } from './builder.ts';
import { type GenesisDocument, validateGenesis } from './document.ts';
import { type VestingPlan, vestingAccount } from './vesting.ts';

/** A validator that is created at genesis from its operator's balance. */
export interface StakedValidator {
  /** Address of the operator's account, in bytes: among equal powers the lower one validates. */
  readonly operator: Uint8Array;
  readonly publicKey: PublicKey;
  readonly name: string;
  /** Of the stake's denomination. */
  readonly tokens: bigint;
  /** MsgCreateValidator, in the JSON of `app_state.staking.gen_validators`. */
  readonly message: Json;
}

/** What the document says its chain is. */
export function chainOf(document: GenesisDocument): Result<ChainParams, string> {
  return readChainParams(document.chainId, document.appState.chain);
}

/** The document, when consensus and the modules accept it. A failure names the field. */
export function accepted(document: GenesisDocument): Result<GenesisDocument, string> {
  const valid = validateGenesis(document);
  if (!valid.ok) return valid;
  const judged = checkAppState(document);
  return judged.ok ? valid : judged;
}

/** Gives an account coins that did not exist before, all of them at once or by a schedule. An account that is there gets no second entry. */
export function addAccount(
  document: GenesisDocument,
  account: GenesisAccount & { readonly vesting?: VestingPlan },
): Result<GenesisDocument, string> {
  const changed = readJson(() => {
    const auth = sectionOf(document, 'auth');
    const bank = sectionOf(document, 'bank');
    const accounts = asArrayOrEmpty(root(auth.accounts, 'app_state.auth.accounts'));
    const balances = asArrayOrEmpty(root(bank.balances, 'app_state.bank.balances'));
    for (const entry of accounts)
      if (addressOf(entry) === account.address)
        throw new JsonError(`${entry.path}: ${account.address} is there already`);
    const number = accounts.map(numberOf).reduce(maxBig, -1n) + 1n;
    const supply = addCoins(coinsOf(root(bank.supply, 'app_state.bank.supply')), account.coins);
    const balance = { address: account.address, coins: addCoins(account.coins, []).map(toProtoCoin) };
    return {
      auth: { ...auth, accounts: [...accounts.map(jsonOf), accountJson(account, number)] },
      bank: { ...bank, balances: [...balances.map(jsonOf), balance], supply: supply.map(toProtoCoin) },
    };
  });
  if (!changed.ok) return changed;
  return accepted({ ...document, appState: { ...document.appState, ...changed.value } });
}

function accountJson(account: GenesisAccount & { readonly vesting?: VestingPlan }, number: bigint): Json {
  const base = baseAccount(account.address, number);
  if (account.vesting === undefined) return base;
  const { '@type': _, ...inner } = base;
  const made = vestingAccount(account.vesting, inner, account.coins);
  if (!made.ok) throw new JsonError(made.error);
  return made.value;
}

/**
 * Makes these the validators, each from its operator's balance, in the place of whoever the document listed. The powers are
 * those that their stake gives them.
 */
export function stakeValidators(
  document: GenesisDocument,
  staked: readonly StakedValidator[],
): Result<GenesisDocument, string> {
  const changed = readJson(() => {
    const staking = sectionOf(document, 'staking');
    if (staking.exported === true)
      throw new JsonError('app_state.staking: this state was exported, and has its validators');
    // Who verifies is paid as operator of the stake; a list of others would name validators that are none.
    const { operators: _, ...poi } = sectionOf(document, 'poi');
    return { staking: { ...staking, gen_validators: staked.map(({ message }) => message) }, poi };
  });
  if (!changed.ok) return changed;
  const powers = validatorsOf(document, staked);
  if (!powers.ok) return powers;
  return accepted({ ...document, validators: powers.value, appState: { ...document.appState, ...changed.value } });
}

/** Those with the most stake, as many as may validate. Staking itself judges whether they are the right ones. */
function validatorsOf(document: GenesisDocument, staked: readonly StakedValidator[]) {
  return readJson(() => {
    const staking = sectionOf(document, 'staking');
    const params = isObject(staking.params) ? staking.params : {};
    const reduction = root(staking.power_reduction, 'app_state.staking.power_reduction');
    const divisor = isAbsent(reduction) ? DEFAULT_POWER_REDUCTION : asParsed(reduction, parseAmount);
    const most = Number(params.max_validators ?? defaultParams({ baseDenom: '' }).maxValidators);
    return staked
      .map((one) => ({ ...one, power: divFloor(one.tokens, divisor) }))
      .filter(({ power }) => power > 0n)
      .sort((a, b) => (a.power === b.power ? compare(a.operator, b.operator) : a.power > b.power ? -1 : 1))
      .slice(0, most)
      .map(({ publicKey, power, name }) => ({ publicKey, power, name }));
  });
}

function sectionOf(document: GenesisDocument, module: string): { readonly [key: string]: Json } {
  const json = document.appState[module] ?? {};
  if (!isObject(json)) throw new JsonError(`app_state.${module}: expected an object`);
  return json;
}

function jsonOf(field: JsonField): Json {
  return field.value ?? null;
}

/** Of an account of any type: module and vesting accounts have theirs further inside. */
function baseOf(entry: JsonField): { readonly [key: string]: Json } {
  let value = entry.value;
  while (isObject(value)) {
    const inner: Json | undefined = value.base_vesting_account ?? value.base_account;
    if (inner === undefined) return value;
    value = inner;
  }
  throw new JsonError(`${entry.path}: expected an account`);
}

function addressOf(entry: JsonField): Json | undefined {
  return baseOf(entry).address;
}

function numberOf(entry: JsonField): bigint {
  const field = root(baseOf(entry).account_number, `${entry.path}.account_number`);
  return isAbsent(field) ? 0n : asParsed(field, parseAmount);
}

function coinsOf(field: JsonField): readonly Coin[] {
  return asArrayOrEmpty(field).map((entry) => {
    const { denom, amount } = asObject(entry, ['denom', 'amount']);
    return { denom: asString(denom), amount: asParsed(amount, parseAmount) };
  });
}
