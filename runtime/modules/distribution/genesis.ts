/** `app_state.distribution`, in the JSON of the Cosmos SDK v0.50. */
import { err, type Result } from '#core/result.ts';
import * as g from '#proto/gen/cosmos/distribution/v1beta1/genesis_pb.ts';
import { create } from '#proto/message.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import type { ChainParams, GenesisContext, QueryContext } from '../../context.ts';
import { JsonError, readJson } from '../../json.ts';
import type { Json } from '../../module.ts';
import { sdkFromJson, sdkToJson } from '../../sdk-json.ts';
import type { KvWriter } from '../../state/kv-view.ts';
import { formatConsensus, formatOperator, parseConsensus, parseOperator } from '../staking/addresses.ts';
import { fromProtoDecCoins, toProtoDecCoins } from './dec-coins.ts';
import { checkParams } from './handlers.ts';
import {
  accumulatedCommission,
  communityPool,
  currentRewards,
  DEFAULT_PARAMS,
  DISTRIBUTION_STORE,
  distributionParams,
  getParams,
  historicalRewards,
  outstandingRewards,
  previousProposer,
  slashEvents,
  startingInfos,
  withdrawAddresses,
} from './state.ts';

const PATH = 'app_state.distribution';

function accept<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new JsonError(`${PATH}.${result.error.message}`);
}

function importValidators(chain: ChainParams, store: KvWriter, genesis: g.GenesisState): void {
  const operator = (list: string, i: number, text: string) =>
    accept(parseOperator(chain, text, `${list}[${i}].validator_address`));
  for (const [i, one] of genesis.outstandingRewards.entries())
    outstandingRewards.set(
      store,
      operator('outstanding_rewards', i, one.validatorAddress),
      fromProtoDecCoins(one.outstandingRewards),
    );
  for (const [i, one] of genesis.validatorAccumulatedCommissions.entries())
    accumulatedCommission.set(
      store,
      operator('validator_accumulated_commissions', i, one.validatorAddress),
      fromProtoDecCoins(one.accumulated?.commission ?? []),
    );
  for (const [i, { validatorAddress, period, rewards }] of genesis.validatorHistoricalRewards.entries())
    historicalRewards.set(store, [operator('validator_historical_rewards', i, validatorAddress), period], {
      ratio: fromProtoDecCoins(rewards?.cumulativeRewardRatio ?? []),
      references: rewards?.referenceCount ?? 0,
    });
  for (const [i, { validatorAddress, rewards }] of genesis.validatorCurrentRewards.entries())
    currentRewards.set(store, operator('validator_current_rewards', i, validatorAddress), {
      rewards: fromProtoDecCoins(rewards?.rewards ?? []),
      period: rewards?.period ?? 0n,
    });
  for (const [i, one] of genesis.validatorSlashEvents.entries()) {
    const { validatorAddress, height, period, validatorSlashEvent: event } = one;
    if (event === undefined) throw new JsonError(`${PATH}.validator_slash_events[${i}].validator_slash_event: missing`);
    slashEvents.set(store, [operator('validator_slash_events', i, validatorAddress), [height, period]], event);
  }
}

function importDelegators(chain: ChainParams, store: KvWriter, genesis: g.GenesisState): void {
  for (const [i, one] of genesis.delegatorWithdrawInfos.entries()) {
    const place = `delegator_withdraw_infos[${i}]`;
    const delegator = accept(parseAddress(chain, one.delegatorAddress, `${place}.delegator_address`));
    const to = accept(parseAddress(chain, one.withdrawAddress, `${place}.withdraw_address`));
    withdrawAddresses.set(store, delegator, to);
  }
  for (const [i, one] of genesis.delegatorStartingInfos.entries()) {
    const place = `delegator_starting_infos[${i}]`;
    const delegator = accept(parseAddress(chain, one.delegatorAddress, `${place}.delegator_address`));
    const operator = accept(parseOperator(chain, one.validatorAddress, `${place}.validator_address`));
    const { previousPeriod = 0n, stake = '0', height = 0n } = one.startingInfo ?? {};
    startingInfos.set(store, [operator, delegator], { previousPeriod, stake: BigInt(stake), height });
  }
}

export function initDistribution(context: GenesisContext, json: Json | undefined): Result<void, string> {
  const read = sdkFromJson(g.GenesisStateSchema, json ?? {}, PATH);
  if (!read.ok) return read;
  const genesis = read.value;
  const params = genesis.params ?? DEFAULT_PARAMS;
  const checked = checkParams(params);
  if (!checked.ok) return err(`${PATH}.params.${checked.error}`);
  return readJson(() => {
    const store = context.state.store(DISTRIBUTION_STORE);
    distributionParams.set(store, params);
    communityPool.set(store, fromProtoDecCoins(genesis.feePool?.communityPool ?? []));
    if (genesis.previousProposer !== '')
      previousProposer.set(store, accept(parseConsensus(context.chain, genesis.previousProposer, 'previous_proposer')));
    importValidators(context.chain, store, genesis);
    importDelegators(context.chain, store, genesis);
  });
}

export function exportDistribution({ state, chain }: QueryContext): Json {
  const store = state.store(DISTRIBUTION_STORE);
  const proposer = previousProposer.get(store);
  const operators = (address: Uint8Array) => formatOperator(chain, address);
  const genesis = create(g.GenesisStateSchema, {
    params: getParams(store),
    feePool: { communityPool: toProtoDecCoins(communityPool.get(store) ?? []) },
    delegatorWithdrawInfos: [...withdrawAddresses.entries(store)].map(([delegator, to]) => ({
      delegatorAddress: formatAddress(chain, delegator),
      withdrawAddress: formatAddress(chain, to),
    })),
    previousProposer: proposer === undefined ? '' : formatConsensus(chain, proposer),
    outstandingRewards: [...outstandingRewards.entries(store)].map(([operator, rewards]) => ({
      validatorAddress: operators(operator),
      outstandingRewards: toProtoDecCoins(rewards),
    })),
    validatorAccumulatedCommissions: [...accumulatedCommission.entries(store)].map(([operator, commission]) => ({
      validatorAddress: operators(operator),
      accumulated: { commission: toProtoDecCoins(commission) },
    })),
    validatorHistoricalRewards: [...historicalRewards.entries(store)].map(([[operator, period], historical]) => ({
      validatorAddress: operators(operator),
      period,
      rewards: {
        cumulativeRewardRatio: toProtoDecCoins(historical.ratio),
        referenceCount: historical.references,
      },
    })),
    validatorCurrentRewards: [...currentRewards.entries(store)].map(([operator, { rewards, period }]) => ({
      validatorAddress: operators(operator),
      rewards: { rewards: toProtoDecCoins(rewards), period },
    })),
    delegatorStartingInfos: [...startingInfos.entries(store)].map(([[operator, delegator], info]) => ({
      delegatorAddress: formatAddress(chain, delegator),
      validatorAddress: operators(operator),
      startingInfo: { previousPeriod: info.previousPeriod, stake: String(info.stake), height: info.height },
    })),
    validatorSlashEvents: [...slashEvents.entries(store)].map(([[operator, [height, period]], event]) => ({
      validatorAddress: operators(operator),
      height,
      period,
      validatorSlashEvent: event,
    })),
  });
  return sdkToJson(g.GenesisStateSchema, genesis);
}
