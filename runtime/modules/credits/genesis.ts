/** `app_state.credits`: `{"params": {"price_micro_usd", "spread_basis_points"}, "pool": {…} after an export}`. */
import { MAX_INT64 } from '#core/int.ts';
import type { Result } from '#core/result.ts';
import { ParamsSchema, PoolSchema } from '#proto/gen/autonomy/credits/v1/credits_pb.ts';
import { create } from '#proto/message.ts';
import type { GenesisContext, QueryContext } from '../../context.ts';
import { asInteger, asObject, isAbsent, JsonError, type JsonField, readJson, root } from '../../json.ts';
import type { Json } from '../../module.ts';
import { BANK_STORE, sendEnabled, supplyOf } from '../bank/state.ts';
import { supplyChange } from '../mint/supply.ts';
import { CREDIT_DENOM, CREDITS_STORE, DEFAULT_PARAMS, getParams, getPool, params, pool } from './state.ts';

const MAX_SPREAD = 5_000n;
/** A billion dollars. */
const MAX_PRICE = 1_000_000_000_000_000n;

function readParams(field: JsonField) {
  if (isAbsent(field)) return DEFAULT_PARAMS;
  const fields = asObject(field, ['price_micro_usd', 'spread_basis_points']);
  return create(ParamsSchema, {
    priceMicroUsd: isAbsent(fields.price_micro_usd)
      ? DEFAULT_PARAMS.priceMicroUsd
      : asInteger(fields.price_micro_usd, 1n, MAX_PRICE),
    spreadBasisPoints: isAbsent(fields.spread_basis_points)
      ? DEFAULT_PARAMS.spreadBasisPoints
      : Number(asInteger(fields.spread_basis_points, 0n, MAX_SPREAD)),
  });
}

function readPool(field: JsonField) {
  const fields = asObject(field, ['pool', 'outstanding', 'burned', 'reminted', 'destroyed', 'genesis_supply']);
  const amount = (one: JsonField) => asInteger(one, 0n, MAX_INT64);
  return create(PoolSchema, {
    pool: amount(fields.pool),
    outstanding: amount(fields.outstanding),
    burned: amount(fields.burned),
    reminted: amount(fields.reminted),
    destroyed: amount(fields.destroyed),
    genesisSupply: amount(fields.genesis_supply),
  });
}

/** Comes after bank: the supply at genesis is what the balances add up to. */
export function initCredits(context: GenesisContext, json: Json | undefined): Result<void, string> {
  return readJson(() => {
    const store = context.state.store(CREDITS_STORE);
    const bank = context.state.store(BANK_STORE);
    const fields = asObject(root(json ?? {}, 'app_state.credits'), ['params', 'pool']);
    params.set(store, readParams(fields.params));
    // What inflation made and slashing burned is not of burn and mint.
    const supply = supplyOf(bank, context.chain.baseDenom) - supplyChange(context.state, context.chain);
    if (supply > MAX_INT64)
      throw new JsonError(`app_state.credits: the supply of ${context.chain.baseDenom} exceeds 2^63 − 1`);
    const accounts = isAbsent(fields.pool) ? create(PoolSchema, { genesisSupply: supply }) : readPool(fields.pool);
    pool.set(store, accounts);
    sendEnabled.set(bank, CREDIT_DENOM, false);
    const breach = creditBreaches(accounts, supply, supplyOf(bank, CREDIT_DENOM))[0];
    if (breach !== undefined) throw new JsonError(`app_state.credits.pool: ${breach}`);
  });
}

type Accounts = ReturnType<typeof readPool>;

/** @param supply of the base denomination, but for inflation and slashing, @param credits that exist. */
function creditBreaches(accounts: Accounts, supply: bigint, credits: bigint): readonly string[] {
  const { burned, reminted, destroyed, genesisSupply, outstanding } = accounts;
  const breaches: string[] = [];
  if (supply !== genesisSupply - burned + reminted)
    breaches.push(`supply ${supply} is not genesis ${genesisSupply} − burned ${burned} + reminted ${reminted}`);
  if (reminted > burned) breaches.push(`reminted ${reminted} exceeds burned ${burned}`);
  if (burned !== reminted + destroyed + accounts.pool)
    breaches.push(`burned ${burned} is not reminted ${reminted} + destroyed ${destroyed} + pool ${accounts.pool}`);
  if (outstanding !== credits) breaches.push(`${outstanding} credits outstanding, but ${credits} exist`);
  return breaches;
}

export function creditInvariants(context: QueryContext): readonly string[] {
  const bank = context.state.store(BANK_STORE);
  return creditBreaches(
    getPool(context.state.store(CREDITS_STORE)),
    supplyOf(bank, context.chain.baseDenom) - supplyChange(context.state, context.chain),
    supplyOf(bank, CREDIT_DENOM),
  ).map((breach) => `credits: ${breach}`);
}

export function exportCredits(context: QueryContext): Json {
  const store = context.state.store(CREDITS_STORE);
  const { priceMicroUsd, spreadBasisPoints } = getParams(store);
  const accounts = getPool(store);
  return {
    params: { price_micro_usd: String(priceMicroUsd), spread_basis_points: spreadBasisPoints },
    pool: {
      pool: String(accounts.pool),
      outstanding: String(accounts.outstanding),
      burned: String(accounts.burned),
      reminted: String(accounts.reminted),
      destroyed: String(accounts.destroyed),
      genesis_supply: String(accounts.genesisSupply),
    },
  };
}
