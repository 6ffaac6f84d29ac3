/** The standard inflation of the Cosmos SDK (x/mint of v0.50): only on a chain whose genesis has `app_state.mint`. */
import {
  DEC_ONE,
  type Dec,
  decMul,
  decOf,
  decQuo,
  decQuoInt,
  decTruncate,
  formatDec,
  parseDecAtomics,
} from '#core/dec.ts';
import { err, ok, type Result } from '#core/result.ts';
import { GenesisStateSchema } from '#proto/gen/cosmos/mint/v1beta1/genesis_pb.ts';
import { MinterSchema, type Params, ParamsSchema } from '#proto/gen/cosmos/mint/v1beta1/mint_pb.ts';
import * as q from '#proto/gen/cosmos/mint/v1beta1/query_pb.ts';
import * as tx from '#proto/gen/cosmos/mint/v1beta1/tx_pb.ts';
import { create } from '#proto/message.ts';
import { moduleAddress } from '../../address.ts';
import { authoritySigners, authorizedParams } from '../../authority.ts';
import { isDenom } from '../../coins.ts';
import type { BlockContext, ChainParams, GenesisContext, QueryContext } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import { type Json, messageHandler, queryHandler, type RuntimeModule } from '../../module.ts';
import { sdkFromJson, sdkToJson } from '../../sdk-json.ts';
import type { StateView } from '../../state/kv-view.ts';
import { FEE_COLLECTOR } from '../auth/module.ts';
import { ledgerOf, mintCoins, sendCoins } from '../bank/ledger.ts';
import { BANK_STORE, balanceOf, supplyOf } from '../bank/state.ts';
import { decBytes } from '../slashing/state.ts';
import { BONDED_POOL, getParams as getStakingParams, STAKING_STORE } from '../staking/state.ts';
import { MINT_ACCOUNT, MINT_STORE, mintedTokens, minter, mintParams } from './state.ts';

const PERCENT = 10_000_000_000_000_000n;

/** x/mint/types/params.go DefaultParams; at five seconds a block. */
function defaultParams(chain: Pick<ChainParams, 'baseDenom'>): Params {
  return create(ParamsSchema, {
    mintDenom: chain.baseDenom,
    inflationRateChange: String(13n * PERCENT),
    inflationMax: String(20n * PERCENT),
    inflationMin: String(7n * PERCENT),
    goalBonded: String(67n * PERCENT),
    blocksPerYear: 6_311_520n,
  });
}

/** What a chain without this inflation says of it. */
function noInflation(chain: Pick<ChainParams, 'baseDenom'>): Params {
  return create(ParamsSchema, {
    ...defaultParams(chain),
    inflationRateChange: '0',
    inflationMax: '0',
    inflationMin: '0',
  });
}

const INITIAL_INFLATION = 13n * PERCENT;

function checkParams(params: Params): Result<void, string> {
  if (!isDenom(params.mintDenom)) return err(`mint_denom: ${JSON.stringify(params.mintDenom)} is not a denomination`);
  if (params.blocksPerYear === 0n) return err('blocks_per_year: expected more than 0');
  const rates: (readonly [string, string])[] = [
    ['inflation_rate_change', params.inflationRateChange],
    ['inflation_max', params.inflationMax],
    ['inflation_min', params.inflationMin],
    ['goal_bonded', params.goalBonded],
  ];
  for (const [name, text] of rates) {
    const rate = parseDecAtomics(text, name);
    if (!rate.ok) return rate;
    if (rate.value < 0n || rate.value > DEC_ONE) return err(`${name}: expected 0 … 1`);
  }
  if (params.goalBonded === '0') return err('goal_bonded: expected more than 0');
  if (BigInt(params.inflationMax) < BigInt(params.inflationMin))
    return err('inflation_max: expected not less than inflation_min');
  return ok(undefined);
}

/** Bonded tokens by all tokens. */
function bondedRatio(state: StateView, chain: ChainParams): Dec {
  const { bondDenom } = getStakingParams(state.store(STAKING_STORE), chain);
  const supply = supplyOf(state.store(BANK_STORE), bondDenom);
  const bonded = balanceOf(state.store(BANK_STORE), moduleAddress(BONDED_POOL), bondDenom);
  return supply === 0n ? 0n : decQuoInt(bonded * DEC_ONE, supply);
}

/** x/mint/types/minter.go NextInflationRate: it moves towards what would bring the ratio to its goal. */
function nextInflation(params: Params, inflation: Dec, bonded: Dec): Dec {
  const gap = DEC_ONE - decQuo(bonded, BigInt(params.goalBonded));
  const change = decQuo(decMul(gap, BigInt(params.inflationRateChange)), decOf(params.blocksPerYear));
  const next = inflation + change;
  if (next > BigInt(params.inflationMax)) return BigInt(params.inflationMax);
  return next < BigInt(params.inflationMin) ? BigInt(params.inflationMin) : next;
}

function beginMint(context: BlockContext): void {
  const store = context.state.store(MINT_STORE);
  const before = minter.get(store);
  if (before === undefined) return;
  const params = mintParams.get(store) ?? defaultParams(context.chain);
  const ratio = bondedRatio(context.state, context.chain);
  const inflation = nextInflation(params, BigInt(before.inflation), ratio);
  const { bondDenom } = getStakingParams(context.state.store(STAKING_STORE), context.chain);
  const provisions = inflation * supplyOf(context.state.store(BANK_STORE), bondDenom);
  minter.set(store, create(MinterSchema, { inflation: String(inflation), annualProvisions: String(provisions) }));
  const amount = decTruncate(decQuoInt(provisions, params.blocksPerYear));
  if (amount > 0n) {
    const coins = [{ denom: params.mintDenom, amount }];
    const ledger = ledgerOf(context);
    // At the end of what a supply can be, nothing more is minted.
    if (!mintCoins(ledger, MINT_ACCOUNT, coins).ok) return;
    mintedTokens.set(store, (mintedTokens.get(store) ?? 0n) + amount);
    sendCoins(ledger, moduleAddress(MINT_ACCOUNT), moduleAddress(FEE_COLLECTOR), coins);
  }
  context.events.emit('mint', [
    ['bonded_ratio', formatDec(ratio)],
    ['inflation', formatDec(inflation)],
    ['annual_provisions', formatDec(provisions)],
    ['amount', String(amount)],
  ]);
}

function initMint(context: GenesisContext, json: Json | undefined): Result<void, string> {
  // Null is what a chain without it exports.
  if (json === undefined || json === null) return ok(undefined);
  const read = sdkFromJson(GenesisStateSchema, json, 'app_state.mint');
  if (!read.ok) return read;
  const params = read.value.params ?? defaultParams(context.chain);
  const checked = checkParams(params);
  if (!checked.ok) return err(`app_state.mint.params.${checked.error}`);
  const first = read.value.minter ?? create(MinterSchema, { inflation: String(INITIAL_INFLATION) });
  if (BigInt(first.inflation) < 0n) return err('app_state.mint.minter.inflation: expected not less than 0');
  const store = context.state.store(MINT_STORE);
  mintParams.set(store, params);
  mintedTokens.set(store, BigInt(read.value.minted));
  minter.set(
    store,
    create(MinterSchema, { inflation: first.inflation, annualProvisions: first.annualProvisions || '0' }),
  );
  return ok(undefined);
}

function exportMint({ state, chain }: QueryContext): Json {
  const store = state.store(MINT_STORE);
  const current = minter.get(store);
  if (current === undefined) return null;
  const params = mintParams.get(store) ?? defaultParams(chain);
  const minted = String(mintedTokens.get(store) ?? 0n);
  return sdkToJson(GenesisStateSchema, create(GenesisStateSchema, { minter: current, params, minted }));
}

const SERVICE = '/cosmos.mint.v1beta1.Query';

function current({ state }: QueryContext) {
  return minter.get(state.store(MINT_STORE));
}

export const mintModule: RuntimeModule = {
  name: 'mint',
  stores: [MINT_STORE],
  moduleAccounts: { [MINT_ACCOUNT]: ['minter'] },
  initGenesis: initMint,
  exportGenesis: exportMint,
  beginBlock: beginMint,
  messages: [
    messageHandler({
      schema: tx.MsgUpdateParamsSchema,
      response: tx.MsgUpdateParamsResponseSchema,
      signers: (message, chain) => authoritySigners(chain, message.authority),
      handle(context, message) {
        const params = authorizedParams(context.chain, message, checkParams);
        if (!params.ok) return params;
        const now = mintParams.get(context.state.store(MINT_STORE));
        if (now === undefined) return failSdk('notSupported', 'this chain does not have the standard inflation');
        if (now.mintDenom !== params.value.mintDenom) return failSdk('invalidRequest', 'mint_denom: cannot be changed');
        mintParams.set(context.state.store(MINT_STORE), params.value);
        return ok({});
      },
    }),
  ],
  queries: [
    queryHandler({
      path: `${SERVICE}/Params`,
      request: q.QueryParamsRequestSchema,
      response: q.QueryParamsResponseSchema,
      query: ({ state, chain }) => ok({ params: mintParams.get(state.store(MINT_STORE)) ?? noInflation(chain) }),
    }),
    queryHandler({
      path: `${SERVICE}/Inflation`,
      request: q.QueryInflationRequestSchema,
      response: q.QueryInflationResponseSchema,
      query: (context) => ok({ inflation: decBytes(BigInt(current(context)?.inflation ?? 0)) }),
    }),
    queryHandler({
      path: `${SERVICE}/AnnualProvisions`,
      request: q.QueryAnnualProvisionsRequestSchema,
      response: q.QueryAnnualProvisionsResponseSchema,
      query: (context) => ok({ annualProvisions: decBytes(BigInt(current(context)?.annualProvisions ?? 0)) }),
    }),
  ],
};
