/** The distribution store. Prefixes are those of the Cosmos SDK's x/distribution/types/keys.go. */
import { assert } from '#core/assert.ts';
import type { Dec } from '#core/dec.ts';
import * as d from '#proto/gen/cosmos/distribution/v1beta1/distribution_pb.ts';
import { create, type DescMessage, decodeStrict, encode, type MessageShape } from '#proto/message.ts';
import { bytesKey, bytesValue, pairKey, u64Key, type ValueCodec } from '../../state/codecs.ts';
import { item, map, storeLayout } from '../../state/collections.ts';
import type { KvReader } from '../../state/kv-view.ts';
import { protoValue } from '../../state/proto-value.ts';
import { rememberedValue } from '../../state/remembered.ts';
import { type DecCoins, fromProtoDecCoins, toProtoDecCoins } from './dec-coins.ts';

export const DISTRIBUTION_STORE = 'distribution';
/** The account that holds all rewards that are not withdrawn, and the community pool. */
export const DISTRIBUTION_ACCOUNT = 'distribution';

const layout = storeLayout(DISTRIBUTION_STORE, {
  feePool: 0x00,
  previousProposer: 0x01,
  outstanding: 0x02,
  withdrawAddress: 0x03,
  startingInfo: 0x04,
  historical: 0x05,
  current: 0x06,
  commission: 0x07,
  slashes: 0x08,
  params: 0x09,
});

export const DISTRIBUTION_PREFIX = layout;

function stored<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  const decoded = decodeStrict(schema, bytes);
  assert(decoded.ok, `a stored ${schema.typeName} does not decode`);
  return decoded.value;
}

const communityPoolValue: ValueCodec<DecCoins> = {
  encode: (coins) => encode(d.FeePoolSchema, { communityPool: toProtoDecCoins(coins) }),
  decode: (bytes) => fromProtoDecCoins(stored(d.FeePoolSchema, bytes).communityPool),
};

const outstandingValue: ValueCodec<DecCoins> = {
  encode: (coins) => encode(d.ValidatorOutstandingRewardsSchema, { rewards: toProtoDecCoins(coins) }),
  decode: (bytes) => fromProtoDecCoins(stored(d.ValidatorOutstandingRewardsSchema, bytes).rewards),
};

const commissionValue: ValueCodec<DecCoins> = {
  encode: (coins) => encode(d.ValidatorAccumulatedCommissionSchema, { commission: toProtoDecCoins(coins) }),
  decode: (bytes) => fromProtoDecCoins(stored(d.ValidatorAccumulatedCommissionSchema, bytes).commission),
};

/** Rewards of one token since the validator began, up to the end of a period; and how many may still ask for it. */
export interface Historical {
  readonly ratio: DecCoins;
  readonly references: number;
}

const historicalValue: ValueCodec<Historical> = {
  encode: ({ ratio, references }) =>
    encode(d.ValidatorHistoricalRewardsSchema, {
      cumulativeRewardRatio: toProtoDecCoins(ratio),
      referenceCount: references,
    }),
  decode(bytes) {
    const { cumulativeRewardRatio, referenceCount } = stored(d.ValidatorHistoricalRewardsSchema, bytes);
    return { ratio: fromProtoDecCoins(cumulativeRewardRatio), references: referenceCount };
  },
};

export interface Current {
  readonly rewards: DecCoins;
  readonly period: bigint;
}

const currentValue: ValueCodec<Current> = {
  encode: ({ rewards, period }) =>
    encode(d.ValidatorCurrentRewardsSchema, { rewards: toProtoDecCoins(rewards), period }),
  decode(bytes) {
    const { rewards, period } = stored(d.ValidatorCurrentRewardsSchema, bytes);
    return { rewards: fromProtoDecCoins(rewards), period };
  },
};

/** Where a delegation stands since it last changed. */
export interface StartingInfo {
  readonly previousPeriod: bigint;
  /** In tokens: a delegation may be worth a part of one. */
  readonly stake: Dec;
  readonly height: bigint;
}

const startingInfoValue: ValueCodec<StartingInfo> = {
  encode: ({ previousPeriod, stake, height }) =>
    encode(d.DelegatorStartingInfoSchema, { previousPeriod, stake: String(stake), height }),
  decode(bytes) {
    const { previousPeriod, stake, height } = stored(d.DelegatorStartingInfoSchema, bytes);
    return { previousPeriod, stake: BigInt(stake), height };
  },
};

export const communityPool = item(layout.feePool, communityPoolValue);
/** Consensus address. */
export const previousProposer = item(layout.previousProposer, bytesValue);
/** All by operator. */
export const outstandingRewards = map(layout.outstanding, bytesKey, outstandingValue);
export const currentRewards = map(layout.current, bytesKey, currentValue);
export const accumulatedCommission = map(layout.commission, bytesKey, commissionValue);
const periodKey = pairKey(bytesKey, u64Key);
/** By [operator, period]. */
export const historicalRewards = map(layout.historical, periodKey, historicalValue);
const slashEventValue = protoValue(d.ValidatorSlashEventSchema);
/** By [operator, [height, period]]. */
export const slashEvents = map(layout.slashes, pairKey(bytesKey, pairKey(u64Key, u64Key)), slashEventValue);

export function decodeSlashEvent(bytes: Uint8Array): d.ValidatorSlashEvent {
  return slashEventValue.decode(bytes);
}

/** By delegator. */
export const withdrawAddresses = map(layout.withdrawAddress, bytesKey, bytesValue);
/** By [operator, delegator]. */
export const startingInfos = map(layout.startingInfo, pairKey(bytesKey, bytesKey), startingInfoValue);

export function underValidator(operator: Uint8Array): Uint8Array {
  return periodKey.prefix(operator);
}

export function withdrawAddressOf(store: KvReader, delegator: Uint8Array): Uint8Array {
  return withdrawAddresses.get(store, delegator) ?? delegator;
}

export const distributionParams = item(layout.params, rememberedValue(protoValue(d.ParamsSchema)));

/** x/distribution/types/params.go DefaultParams. */
export const DEFAULT_PARAMS = create(d.ParamsSchema, {
  communityTax: '20000000000000000',
  baseProposerReward: '0',
  bonusProposerReward: '0',
  withdrawAddrEnabled: true,
});

export function getParams(store: KvReader): d.Params {
  return distributionParams.get(store) ?? DEFAULT_PARAMS;
}
