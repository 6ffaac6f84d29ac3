import { toHex } from '#core/bytes.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { err, ok, type Result } from '#core/result.ts';
import { GenesisStateSchema } from '#proto/gen/cosmos/slashing/v1beta1/genesis_pb.ts';
import * as q from '#proto/gen/cosmos/slashing/v1beta1/query_pb.ts';
import { create } from '#proto/message.ts';
import type { GenesisContext, QueryContext } from '../../context.ts';
import { failGrpc } from '../../errors.ts';
import { type Json, queryHandler, type RuntimeModule } from '../../module.ts';
import { paginate } from '../../pagination.ts';
import { sdkFromJson, sdkToJson } from '../../sdk-json.ts';
import { formatConsensus, parseConsensus } from '../staking/addresses.ts';
import { activeValidators, getValidatorByConsensus, STAKING_STORE } from '../staking/state.ts';
import { checkParams, slashingMessages } from './handlers.ts';
import { beginSlashing } from './liveness.ts';
import {
  DEFAULT_PARAMS,
  getParams,
  missedIndexes,
  SLASHING_PREFIX,
  SLASHING_STORE,
  setMissed,
  signingInfos,
  signingInfoValue,
  slashingParams,
} from './state.ts';

const PATH = 'app_state.slashing';

function initSlashing(context: GenesisContext, json: Json | undefined): Result<void, string> {
  const store = context.state.store(SLASHING_STORE);
  const read = sdkFromJson(GenesisStateSchema, json ?? {}, PATH);
  if (!read.ok) return read;
  const { params, signingInfos: infos, missedBlocks } = read.value;
  const checked = checkParams(params ?? DEFAULT_PARAMS);
  if (!checked.ok) return err(`${PATH}.params.${checked.error}`);
  slashingParams.set(store, params ?? DEFAULT_PARAMS);
  for (const [i, { address: text, validatorSigningInfo: info }] of infos.entries()) {
    const address = parseConsensus(context.chain, text, `${PATH}.signing_infos[${i}].address`);
    if (!address.ok) return err(address.error.message);
    if (info === undefined) return err(`${PATH}.signing_infos[${i}].validator_signing_info: missing`);
    signingInfos.set(store, address.value, { ...info, jailedUntil: info.jailedUntil });
  }
  for (const [i, { address: text, missedBlocks: missed }] of missedBlocks.entries()) {
    const address = parseConsensus(context.chain, text, `${PATH}.missed_blocks[${i}].address`);
    if (!address.ok) return err(address.error.message);
    for (const one of missed) {
      if (one.index < 0n || one.index >= (params ?? DEFAULT_PARAMS).signedBlocksWindow)
        return err(`${PATH}.missed_blocks[${i}].missed_blocks: index ${one.index} is outside the window`);
      setMissed(store, address.value, one.index, one.missed);
    }
  }
  return ok(undefined);
}

function exportSlashing(context: QueryContext): Json {
  const store = context.state.store(SLASHING_STORE);
  const all = [...signingInfos.entries(store)].map(([address, info]) => ({
    raw: address,
    address: formatConsensus(context.chain, address),
    info,
  }));
  const genesis = create(GenesisStateSchema, {
    params: getParams(store),
    signingInfos: all.map(({ address, info }) => ({ address, validatorSigningInfo: { ...info, address } })),
    missedBlocks: all.map(({ raw, address }) => ({
      address,
      missedBlocks: missedIndexes(store, raw).map((index) => ({ index, missed: true })),
    })),
  });
  return sdkToJson(GenesisStateSchema, genesis);
}

/** The counters are what the marks say, all within the window; who is asked to sign is counted, who double-signed is jailed. */
function slashingInvariants(context: QueryContext): readonly string[] {
  const store = context.state.store(SLASHING_STORE);
  const staking = context.state.store(STAKING_STORE);
  const window = getParams(store).signedBlocksWindow;
  const breaches: string[] = [];
  for (const [address, { missedBlocksCounter, tombstoned }] of signingInfos.entries(store)) {
    const marks = missedIndexes(store, address);
    if (BigInt(marks.length) !== missedBlocksCounter)
      breaches.push(`slashing: ${missedBlocksCounter} blocks are counted as missed, ${marks.length} are marked`);
    const last = marks.at(-1) ?? -1n;
    if (last >= window) breaches.push(`slashing: block ${last} of a window of ${window} is marked`);
    if (tombstoned && getValidatorByConsensus(staking, address)?.jailed === false)
      breaches.push(`slashing: ${toHex(address)} has double-signed and is not jailed`);
  }
  for (const { key } of activeValidators(staking))
    if (!signingInfos.has(store, consensusAddress(key)))
      breaches.push('slashing: nobody counts what a validator signs');
  return breaches;
}

const SERVICE = '/cosmos.slashing.v1beta1.Query';

export const slashingModule: RuntimeModule = {
  name: 'slashing',
  stores: [SLASHING_STORE],
  initGenesis: initSlashing,
  exportGenesis: exportSlashing,
  beginBlock: beginSlashing,
  messages: slashingMessages,
  queries: [
    queryHandler({
      path: `${SERVICE}/Params`,
      request: q.QueryParamsRequestSchema,
      response: q.QueryParamsResponseSchema,
      query: ({ state }) => ok({ params: getParams(state.store(SLASHING_STORE)) }),
    }),
    queryHandler({
      path: `${SERVICE}/SigningInfo`,
      request: q.QuerySigningInfoRequestSchema,
      response: q.QuerySigningInfoResponseSchema,
      query({ state, chain }, { consAddress }) {
        const address = parseConsensus(chain, consAddress, 'cons_address');
        if (!address.ok) return failGrpc('InvalidArgument', address.error.message);
        const info = signingInfos.get(state.store(SLASHING_STORE), address.value);
        return info === undefined
          ? failGrpc('NotFound', `SigningInfo not found for validator ${consAddress}`)
          : ok({ valSigningInfo: { ...info, address: consAddress } });
      },
    }),
    queryHandler({
      path: `${SERVICE}/SigningInfos`,
      request: q.QuerySigningInfosRequestSchema,
      response: q.QuerySigningInfosResponseSchema,
      query({ state, chain }, { pagination }) {
        const page = paginate(
          state.store(SLASHING_STORE),
          SLASHING_PREFIX.signingInfo,
          pagination,
          (address, value) => ({
            ...signingInfoValue.decode(value),
            address: formatConsensus(chain, address),
          }),
        );
        return page.ok ? ok({ info: [...page.value.items], pagination: page.value.pagination }) : page;
      },
    }),
  ],
  invariants: slashingInvariants,
};
