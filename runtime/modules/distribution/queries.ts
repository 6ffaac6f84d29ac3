import { concat } from '#core/bytes.ts';
import { ok, type Result } from '#core/result.ts';
import * as q from '#proto/gen/cosmos/distribution/v1beta1/query_pb.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import type { QueryContext } from '../../context.ts';
import { failGrpc } from '../../errors.ts';
import { type QueryHandler, queryHandler } from '../../module.ts';
import { paginate } from '../../pagination.ts';
import { pairKey, u64Key } from '../../state/codecs.ts';
import type { KvReader } from '../../state/kv-view.ts';
import { formatOperator, parseOperator } from '../staking/addresses.ts';
import type { Validator } from '../staking/records.ts';
import { getShares, getValidator, STAKING_STORE, validatorsOf } from '../staking/state.ts';
import { addDecCoins, type DecCoins, toProtoDecCoins } from './dec-coins.ts';
import { pendingRewards } from './rewards.ts';
import {
  accumulatedCommission,
  communityPool,
  DISTRIBUTION_PREFIX,
  DISTRIBUTION_STORE,
  decodeSlashEvent,
  getParams,
  outstandingRewards,
  underValidator,
  withdrawAddressOf,
} from './state.ts';

const SERVICE = '/cosmos.distribution.v1beta1.Query';

function storeOf(context: QueryContext): KvReader {
  return context.state.store(DISTRIBUTION_STORE);
}

function readOperator(context: QueryContext, text: string): Result<Uint8Array> {
  if (text === '') return failGrpc('InvalidArgument', 'empty validator address');
  const operator = parseOperator(context.chain, text, 'validator_address');
  return operator.ok ? operator : failGrpc('InvalidArgument', operator.error.message);
}

function findValidator(context: QueryContext, text: string): Result<Validator> {
  const operator = readOperator(context, text);
  if (!operator.ok) return operator;
  const validator = getValidator(context.state.store(STAKING_STORE), operator.value);
  return validator === undefined ? failGrpc('NotFound', `validator does not exist: ${text}`) : ok(validator);
}

function readDelegator(context: QueryContext, text: string): Result<Uint8Array> {
  if (text === '') return failGrpc('InvalidArgument', 'empty delegator address');
  const delegator = parseAddress(context.chain, text, 'delegator_address');
  return delegator.ok ? delegator : failGrpc('InvalidArgument', delegator.error.message);
}

function rewardsOf(context: QueryContext, validator: Validator, delegator: Uint8Array): DecCoins {
  return pendingRewards(context.state, context.height, validator, delegator);
}

const validatorQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/ValidatorDistributionInfo`,
    request: q.QueryValidatorDistributionInfoRequestSchema,
    response: q.QueryValidatorDistributionInfoResponseSchema,
    query(context, { validatorAddress }) {
      const validator = findValidator(context, validatorAddress);
      if (!validator.ok) return validator;
      const { operator } = validator.value;
      const has = getShares(context.state.store(STAKING_STORE), operator, operator) !== undefined;
      return ok({
        operatorAddress: formatAddress(context.chain, operator),
        selfBondRewards: has ? toProtoDecCoins(rewardsOf(context, validator.value, operator)) : [],
        commission: toProtoDecCoins(accumulatedCommission.get(storeOf(context), operator) ?? []),
      });
    },
  }),
  queryHandler({
    path: `${SERVICE}/ValidatorOutstandingRewards`,
    request: q.QueryValidatorOutstandingRewardsRequestSchema,
    response: q.QueryValidatorOutstandingRewardsResponseSchema,
    query(context, { validatorAddress }) {
      const validator = findValidator(context, validatorAddress);
      if (!validator.ok) return validator;
      const rewards = outstandingRewards.get(storeOf(context), validator.value.operator) ?? [];
      return ok({ rewards: { rewards: toProtoDecCoins(rewards) } });
    },
  }),
  queryHandler({
    path: `${SERVICE}/ValidatorCommission`,
    request: q.QueryValidatorCommissionRequestSchema,
    response: q.QueryValidatorCommissionResponseSchema,
    query(context, { validatorAddress }) {
      const validator = findValidator(context, validatorAddress);
      if (!validator.ok) return validator;
      const commission = accumulatedCommission.get(storeOf(context), validator.value.operator) ?? [];
      return ok({ commission: { commission: toProtoDecCoins(commission) } });
    },
  }),
  queryHandler({
    path: `${SERVICE}/ValidatorSlashes`,
    request: q.QueryValidatorSlashesRequestSchema,
    response: q.QueryValidatorSlashesResponseSchema,
    query(context, { validatorAddress, startingHeight, endingHeight, pagination }) {
      if (endingHeight < startingHeight)
        return failGrpc(
          'InvalidArgument',
          `starting height greater than ending height (${startingHeight} > ${endingHeight})`,
        );
      const operator = readOperator(context, validatorAddress);
      if (!operator.ok) return operator;
      const prefix = concat(DISTRIBUTION_PREFIX.slashes, underValidator(operator.value));
      const page = paginate(storeOf(context), prefix, pagination, (key, value) => {
        const [height] = pairKey(u64Key, u64Key).decode(key);
        return height < startingHeight || height > endingHeight ? undefined : decodeSlashEvent(value);
      });
      return page.ok ? ok({ slashes: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
];

const delegatorQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/DelegationRewards`,
    request: q.QueryDelegationRewardsRequestSchema,
    response: q.QueryDelegationRewardsResponseSchema,
    query(context, { delegatorAddress, validatorAddress }) {
      const delegator = readDelegator(context, delegatorAddress);
      if (!delegator.ok) return delegator;
      const validator = findValidator(context, validatorAddress);
      if (!validator.ok) return validator;
      const staking = context.state.store(STAKING_STORE);
      if (getShares(staking, delegator.value, validator.value.operator) === undefined)
        return failGrpc('NotFound', 'delegation does not exist');
      return ok({ rewards: toProtoDecCoins(rewardsOf(context, validator.value, delegator.value)) });
    },
  }),
  queryHandler({
    path: `${SERVICE}/DelegationTotalRewards`,
    request: q.QueryDelegationTotalRewardsRequestSchema,
    response: q.QueryDelegationTotalRewardsResponseSchema,
    query(context, { delegatorAddress }) {
      const delegator = readDelegator(context, delegatorAddress);
      if (!delegator.ok) return delegator;
      const staking = context.state.store(STAKING_STORE);
      let total: DecCoins = [];
      const rewards = validatorsOf(staking, delegator.value).flatMap((operator) => {
        const validator = getValidator(staking, operator);
        if (validator === undefined) return [];
        const reward = rewardsOf(context, validator, delegator.value);
        total = addDecCoins(total, reward);
        return [{ validatorAddress: formatOperator(context.chain, operator), reward: toProtoDecCoins(reward) }];
      });
      return ok({ rewards, total: toProtoDecCoins(total) });
    },
  }),
  queryHandler({
    path: `${SERVICE}/DelegatorValidators`,
    request: q.QueryDelegatorValidatorsRequestSchema,
    response: q.QueryDelegatorValidatorsResponseSchema,
    query(context, { delegatorAddress }) {
      const delegator = readDelegator(context, delegatorAddress);
      if (!delegator.ok) return delegator;
      const operators = validatorsOf(context.state.store(STAKING_STORE), delegator.value);
      return ok({ validators: operators.map((operator) => formatOperator(context.chain, operator)) });
    },
  }),
  queryHandler({
    path: `${SERVICE}/DelegatorWithdrawAddress`,
    request: q.QueryDelegatorWithdrawAddressRequestSchema,
    response: q.QueryDelegatorWithdrawAddressResponseSchema,
    query(context, { delegatorAddress }) {
      const delegator = readDelegator(context, delegatorAddress);
      if (!delegator.ok) return delegator;
      const to = withdrawAddressOf(storeOf(context), delegator.value);
      return ok({ withdrawAddress: formatAddress(context.chain, to) });
    },
  }),
];

export const distributionQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/Params`,
    request: q.QueryParamsRequestSchema,
    response: q.QueryParamsResponseSchema,
    query: (context) => ok({ params: getParams(storeOf(context)) }),
  }),
  ...validatorQueries,
  ...delegatorQueries,
  queryHandler({
    path: `${SERVICE}/CommunityPool`,
    request: q.QueryCommunityPoolRequestSchema,
    response: q.QueryCommunityPoolResponseSchema,
    query: (context) => ok({ pool: toProtoDecCoins(communityPool.get(storeOf(context)) ?? []) }),
  }),
];
