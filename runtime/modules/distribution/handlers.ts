import { DEC_ONE, parseDecAtomics } from '#core/dec.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Params } from '#proto/gen/cosmos/distribution/v1beta1/distribution_pb.ts';
import * as tx from '#proto/gen/cosmos/distribution/v1beta1/tx_pb.ts';
import { moduleAddress, parseAddress } from '../../address.ts';
import { authoritySigners, authorizedParams, requireAuthority } from '../../authority.ts';
import { type Coin, parseCoins, toProtoCoin } from '../../coins.ts';
import type { MessageContext } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import { type MessageHandler, messageHandler, signedBy } from '../../module.ts';
import { isBlocked, ledgerOf, sendCoins } from '../bank/ledger.ts';
import { parseOperator } from '../staking/addresses.ts';
import { failStaking } from '../staking/errors.ts';
import { getShares, getValidator, STAKING_STORE } from '../staking/state.ts';
import { allocateToValidator } from './allocate.ts';
import { type DecCoins, decCoinsOf, intersectDecCoins, subtractDecCoins } from './dec-coins.ts';
import { failDistribution } from './errors.ts';
import { addToCommunityPool, payOut, startDelegation, withdrawCommission, withdrawRewards } from './rewards.ts';
import {
  communityPool,
  DISTRIBUTION_ACCOUNT,
  DISTRIBUTION_STORE,
  distributionParams,
  getParams,
  withdrawAddresses,
} from './state.ts';

type Empty = Record<string, never>;
type ProtoCoins = readonly { readonly denom: string; readonly amount: string }[];

function readCoins(coins: ProtoCoins): Result<readonly Coin[]> {
  const parsed = parseCoins(coins, 'amount');
  if (!parsed.ok) return failSdk('invalidCoins', parsed.error);
  return parsed.value.length === 0 ? failSdk('invalidCoins', 'amount: expected at least one coin') : parsed;
}

function setWithdrawAddress(context: MessageContext, message: tx.MsgSetWithdrawAddress): Result<Empty> {
  const delegator = parseAddress(context.chain, message.delegatorAddress, 'delegator_address');
  if (!delegator.ok) return delegator;
  const to = parseAddress(context.chain, message.withdrawAddress, 'withdraw_address');
  if (!to.ok) return to;
  if (isBlocked(ledgerOf(context), to.value))
    return failSdk('unauthorized', `${message.withdrawAddress} is not allowed to receive external funds`);
  const store = context.state.store(DISTRIBUTION_STORE);
  if (!getParams(store).withdrawAddrEnabled) return failDistribution('setWithdrawAddrDisabled');
  withdrawAddresses.set(store, delegator.value, to.value);
  context.events.emit('set_withdraw_address', [['withdraw_address', message.withdrawAddress]]);
  return ok({});
}

function withdrawReward(context: MessageContext, message: tx.MsgWithdrawDelegatorReward) {
  const operator = parseOperator(context.chain, message.validatorAddress, 'validator_address');
  if (!operator.ok) return operator;
  const delegator = parseAddress(context.chain, message.delegatorAddress, 'delegator_address');
  if (!delegator.ok) return delegator;
  const staking = context.state.store(STAKING_STORE);
  const validator = getValidator(staking, operator.value);
  // Staking is asked first, and its refusals are what v0.50 answers.
  if (validator === undefined) return failStaking('noValidatorFound');
  if (getShares(staking, delegator.value, operator.value) === undefined) return failStaking('noDelegation');
  const paid = withdrawRewards(context, validator, delegator.value);
  if (!paid.ok) return paid;
  startDelegation(context, validator, delegator.value);
  return ok({ amount: paid.value.map(toProtoCoin) });
}

function withdrawOwnCommission(context: MessageContext, message: tx.MsgWithdrawValidatorCommission) {
  const operator = parseOperator(context.chain, message.validatorAddress, 'validator_address');
  if (!operator.ok) return operator;
  const paid = withdrawCommission(context, operator.value);
  return paid.ok ? ok({ amount: paid.value.map(toProtoCoin) }) : paid;
}

/** Into the account that holds all rewards. */
function collect(context: MessageContext, from: string, title: string, coins: readonly Coin[]): Result<void> {
  const address = parseAddress(context.chain, from, title);
  if (!address.ok) return address;
  return sendCoins(ledgerOf(context), address.value, moduleAddress(DISTRIBUTION_ACCOUNT), coins);
}

function fundCommunityPool(context: MessageContext, message: tx.MsgFundCommunityPool): Result<Empty> {
  const coins = readCoins(message.amount);
  if (!coins.ok) return coins;
  const paid = collect(context, message.depositor, 'depositor', coins.value);
  if (!paid.ok) return paid;
  addToCommunityPool(context, decCoinsOf(coins.value));
  return ok({});
}

function depositRewards(context: MessageContext, message: tx.MsgDepositValidatorRewardsPool): Result<Empty> {
  const operator = parseOperator(context.chain, message.validatorAddress, 'validator_address');
  if (!operator.ok) return operator;
  const coins = readCoins(message.amount);
  if (!coins.ok) return coins;
  const validator = getValidator(context.state.store(STAKING_STORE), operator.value);
  if (validator === undefined) return failStaking('noValidatorFound');
  const paid = collect(context, message.depositor, 'depositor', coins.value);
  if (!paid.ok) return paid;
  allocateToValidator(context, validator, decCoinsOf(coins.value));
  return ok({});
}

function covers(pool: DecCoins, wanted: DecCoins): boolean {
  const common = intersectDecCoins(wanted, pool);
  return common.length === wanted.length && wanted.every(({ amount }, i) => common[i]?.amount === amount);
}

function communityPoolSpend(context: MessageContext, message: tx.MsgCommunityPoolSpend): Result<Empty> {
  const allowed = requireAuthority(context.chain, message.authority);
  if (!allowed.ok) return allowed;
  const to = parseAddress(context.chain, message.recipient, 'recipient');
  if (!to.ok) return to;
  if (isBlocked(ledgerOf(context), to.value))
    return failSdk('unauthorized', `${message.recipient} is not allowed to receive external funds`);
  const coins = readCoins(message.amount);
  if (!coins.ok) return coins;
  const store = context.state.store(DISTRIBUTION_STORE);
  const pool = communityPool.get(store) ?? [];
  const wanted = decCoinsOf(coins.value);
  if (!covers(pool, wanted)) return failDistribution('badDistribution');
  communityPool.set(store, subtractDecCoins(pool, wanted));
  payOut(context, to.value, coins.value);
  return ok({});
}

/** x/distribution/types/params.go ValidateBasic. Failure: a sentence that names the field. */
export function checkParams(params: Params): Result<void, string> {
  const tax = parseDecAtomics(params.communityTax, 'community_tax');
  if (!tax.ok) return tax;
  if (tax.value < 0n || tax.value > DEC_ONE) return err('community_tax: expected 0 … 1');
  const isZero = (text: string) => text === '' || text === '0';
  return isZero(params.baseProposerReward) && isZero(params.bonusProposerReward)
    ? ok(undefined)
    : err('base_proposer_reward, bonus_proposer_reward: no longer used, expected 0');
}

function updateParams(context: MessageContext, message: tx.MsgUpdateParams): Result<Empty> {
  const params = authorizedParams(context.chain, message, checkParams);
  if (!params.ok) return params;
  distributionParams.set(context.state.store(DISTRIBUTION_STORE), params.value);
  return ok({});
}

export const distributionMessages: readonly MessageHandler[] = [
  messageHandler({
    schema: tx.MsgSetWithdrawAddressSchema,
    response: tx.MsgSetWithdrawAddressResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.delegatorAddress, 'delegator_address')),
    handle: setWithdrawAddress,
  }),
  messageHandler({
    schema: tx.MsgWithdrawDelegatorRewardSchema,
    response: tx.MsgWithdrawDelegatorRewardResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.delegatorAddress, 'delegator_address')),
    handle: withdrawReward,
  }),
  messageHandler({
    schema: tx.MsgWithdrawValidatorCommissionSchema,
    response: tx.MsgWithdrawValidatorCommissionResponseSchema,
    signers: (message, chain) => signedBy(parseOperator(chain, message.validatorAddress, 'validator_address')),
    handle: withdrawOwnCommission,
  }),
  messageHandler({
    schema: tx.MsgFundCommunityPoolSchema,
    response: tx.MsgFundCommunityPoolResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.depositor, 'depositor')),
    handle: fundCommunityPool,
  }),
  messageHandler({
    schema: tx.MsgDepositValidatorRewardsPoolSchema,
    response: tx.MsgDepositValidatorRewardsPoolResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.depositor, 'depositor')),
    handle: depositRewards,
  }),
  messageHandler({
    schema: tx.MsgCommunityPoolSpendSchema,
    response: tx.MsgCommunityPoolSpendResponseSchema,
    signers: (message, chain) => authoritySigners(chain, message.authority),
    handle: communityPoolSpend,
  }),
  messageHandler({
    schema: tx.MsgUpdateParamsSchema,
    response: tx.MsgUpdateParamsResponseSchema,
    signers: (message, chain) => authoritySigners(chain, message.authority),
    handle: updateParams,
  }),
];
