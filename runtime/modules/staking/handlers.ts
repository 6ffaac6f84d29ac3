import { formatDec } from '#core/dec.ts';
import { ok, type Result } from '#core/result.ts';
import { compareTime, formatTime, type Timestamp } from '#core/types/timestamp.ts';
import * as tx from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { parseAddress } from '../../address.ts';
import { authoritySigners, authorizedParams } from '../../authority.ts';
import { parseAmount } from '../../coins.ts';
import type { ChainParams, MessageContext } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import { RUNTIME_LIMITS } from '../../limits.ts';
import { type MessageHandler, messageHandler, readable, signedBy } from '../../module.ts';
import { parseOperator } from './addresses.ts';
import { createValidator, editValidator, readCreation } from './create.ts';
import { delegate, redelegate, setUnbondings, sharesToUnbond, undelegate } from './delegate.ts';
import { failStaking } from './errors.ts';
import { checkParams } from './params.ts';
import { hasNoRate } from './shares.ts';
import {
  getParams,
  getValidator,
  isActive,
  NOT_BONDED_POOL,
  type Scope,
  STAKING_STORE,
  stakingParams,
  unbondings,
} from './state.ts';

interface Parties {
  readonly delegator: Uint8Array;
  readonly operator: Uint8Array;
}

function readParties(
  chain: ChainParams,
  message: { readonly delegatorAddress: string; readonly validatorAddress: string },
): Result<Parties> {
  const operator = parseOperator(chain, message.validatorAddress, 'validator_address');
  if (!operator.ok) return operator;
  const delegator = parseAddress(chain, message.delegatorAddress, 'delegator_address');
  return delegator.ok ? ok({ delegator: delegator.value, operator: operator.value }) : delegator;
}

type ProtoAmount = { readonly denom: string; readonly amount: string } | undefined;

function readPositive(coin: ProtoAmount, what: string): Result<bigint> {
  const amount = parseAmount(coin?.amount ?? '', 'amount');
  return amount.ok && amount.value > 0n ? amount : failSdk('invalidRequest', `invalid ${what} amount`);
}

function requireBondDenom(scope: Scope, coin: ProtoAmount): Result<void> {
  const { bondDenom } = getParams(scope.state.store(STAKING_STORE), scope.chain);
  const denom = coin?.denom ?? '';
  return denom === bondDenom
    ? ok(undefined)
    : failSdk(
        'invalidRequest',
        `invalid coin denomination: got ${denom.slice(0, RUNTIME_LIMITS.maxDenomCharacters)}, expected ${bondDenom}`,
      );
}

/** RFC 3339 in whole seconds, as Go's time.RFC3339 prints. */
function formatSeconds(time: Timestamp): string {
  return formatTime({ seconds: time.seconds, nanos: 0 });
}

function handleDelegate(context: MessageContext, message: tx.MsgDelegate): Result<Record<string, never>> {
  const parties = readParties(context.chain, message);
  if (!parties.ok) return parties;
  const { delegator, operator } = parties.value;
  const amount = readPositive(message.amount, 'delegation');
  if (!amount.ok) return amount;
  if (getValidator(context.state.store(STAKING_STORE), operator) === undefined) return failStaking('noValidatorFound');
  const denom = requireBondDenom(context, message.amount);
  if (!denom.ok) return denom;
  const shares = delegate(context, delegator, operator, amount.value, { kind: 'account' });
  if (!shares.ok) return shares;
  context.events.emit('delegate', [
    ['validator', message.validatorAddress],
    ['delegator', message.delegatorAddress],
    ['amount', `${amount.value}${message.amount?.denom ?? ''}`],
    ['new_shares', formatDec(shares.value)],
  ]);
  return ok({});
}

function handleUndelegate(context: MessageContext, message: tx.MsgUndelegate) {
  const parties = readParties(context.chain, message);
  if (!parties.ok) return parties;
  const { delegator, operator } = parties.value;
  const amount = readPositive(message.amount, 'shares');
  if (!amount.ok) return amount;
  const shares = sharesToUnbond(context, delegator, operator, amount.value);
  if (!shares.ok) return shares;
  const denom = requireBondDenom(context, message.amount);
  if (!denom.ok) return denom;
  const done = undelegate(context, delegator, operator, shares.value);
  if (!done.ok) return done;
  const { completionTime } = done.value;
  const coin = { denom: message.amount?.denom ?? '', amount: String(done.value.amount) };
  context.events.emit('unbond', [
    ['validator', message.validatorAddress],
    ['delegator', message.delegatorAddress],
    ['amount', `${coin.amount}${coin.denom}`],
    ['completion_time', formatSeconds(completionTime)],
  ]);
  return ok({ completionTime: { ...completionTime }, amount: coin });
}

function handleRedelegate(context: MessageContext, message: tx.MsgBeginRedelegate) {
  const source = parseOperator(context.chain, message.validatorSrcAddress, 'validator_src_address');
  if (!source.ok) return source;
  const destination = parseOperator(context.chain, message.validatorDstAddress, 'validator_dst_address');
  if (!destination.ok) return destination;
  const delegator = parseAddress(context.chain, message.delegatorAddress, 'delegator_address');
  if (!delegator.ok) return delegator;
  const amount = readPositive(message.amount, 'shares');
  if (!amount.ok) return amount;
  const shares = sharesToUnbond(context, delegator.value, source.value, amount.value);
  if (!shares.ok) return shares;
  const denom = requireBondDenom(context, message.amount);
  if (!denom.ok) return denom;
  const route = { delegator: delegator.value, source: source.value, destination: destination.value };
  const time = redelegate(context, route, shares.value);
  if (!time.ok) return time;
  context.events.emit('redelegate', [
    ['source_validator', message.validatorSrcAddress],
    ['destination_validator', message.validatorDstAddress],
    ['amount', `${amount.value}${message.amount?.denom ?? ''}`],
    ['completion_time', formatSeconds(time.value)],
  ]);
  return ok({ completionTime: { ...time.value } });
}

function handleCancel(
  context: MessageContext,
  message: tx.MsgCancelUnbondingDelegation,
): Result<Record<string, never>> {
  const parties = readParties(context.chain, message);
  if (!parties.ok) return parties;
  const { delegator, operator } = parties.value;
  const amount = readPositive(message.amount, 'cancel unbonding delegation');
  if (!amount.ok) return amount;
  if (message.creationHeight <= 0n) return failSdk('invalidRequest', 'invalid height');
  const denom = requireBondDenom(context, message.amount);
  if (!denom.ok) return denom;
  const store = context.state.store(STAKING_STORE);
  const validator = getValidator(store, operator);
  if (validator === undefined) return failStaking('noValidatorFound');
  if (hasNoRate(validator)) return failStaking('delegatorShareExRateInvalid');
  if (validator.jailed) return failStaking('validatorJailed');
  const entries = unbondings.get(store, [delegator, operator]);
  if (entries === undefined)
    return failSdk(
      'notFound',
      `unbonding delegation with delegator ${message.delegatorAddress} not found for validator ${message.validatorAddress}`,
    );
  const at = entries.findIndex(
    (entry) =>
      entry.creationHeight === message.creationHeight && compareTime(entry.completionTime, context.block.time) > 0,
  );
  const found = entries[at];
  if (found === undefined)
    return failSdk('notFound', `unbonding delegation entry is not found at block height ${message.creationHeight}`);
  if (found.balance < amount.value)
    return failSdk('invalidRequest', 'amount is greater than the unbonding delegation entry balance');
  const back = delegate(context, delegator, operator, amount.value, { kind: 'pool', pool: NOT_BONDED_POOL });
  if (!back.ok) return back;
  const left = {
    ...found,
    balance: found.balance - amount.value,
    initialBalance: found.initialBalance - amount.value,
  };
  const rest = left.balance === 0n ? [] : [left];
  setUnbondings(context, delegator, operator, [...entries.slice(0, at), ...rest, ...entries.slice(at + 1)]);
  context.events.emit('cancel_unbonding_delegation', [
    ['amount', `${amount.value}${message.amount?.denom ?? ''}`],
    ['validator', message.validatorAddress],
    ['delegator', message.delegatorAddress],
    ['creation_height', String(message.creationHeight)],
  ]);
  return ok({});
}

function updateParams(context: MessageContext, message: tx.MsgUpdateParams): Result<Record<string, never>> {
  const params = authorizedParams(context.chain, message, checkParams);
  if (!params.ok) return params;
  const store = context.state.store(STAKING_STORE);
  // Every token that is staked is of this denomination.
  if (params.value.bondDenom !== getParams(store, context.chain).bondDenom)
    return failSdk('invalidRequest', 'bond_denom: cannot be changed');
  stakingParams.set(store, params.value);
  return ok({});
}

/** The operator signs with its account's key. */
function operatorSigner(chain: ChainParams, text: string): Result<readonly Uint8Array[]> {
  return signedBy(parseOperator(chain, text, 'validator_address'));
}

function requireActive(context: MessageContext): Result<void> {
  return isActive(context.state.store(STAKING_STORE))
    ? ok(undefined)
    : failSdk('notSupported', 'the validators of this chain are those of its genesis document');
}

export const stakingMessages: readonly MessageHandler[] = [
  messageHandler({
    schema: tx.MsgCreateValidatorSchema,
    response: tx.MsgCreateValidatorResponseSchema,
    signers: (message, chain) => operatorSigner(chain, message.validatorAddress),
    validate: (message, chain) => readable(readCreation(message, chain)),
    handle(context, message) {
      const active = requireActive(context);
      if (!active.ok) return active;
      const created = createValidator(context, message);
      return created.ok ? ok({}) : created;
    },
  }),
  messageHandler({
    schema: tx.MsgEditValidatorSchema,
    response: tx.MsgEditValidatorResponseSchema,
    signers: (message, chain) => operatorSigner(chain, message.validatorAddress),
    handle(context, message) {
      const edited = editValidator(context, message);
      return edited.ok ? ok({}) : edited;
    },
  }),
  messageHandler({
    schema: tx.MsgDelegateSchema,
    response: tx.MsgDelegateResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.delegatorAddress, 'delegator_address')),
    validate: (message, chain) => readable(readParties(chain, message)),
    handle: handleDelegate,
  }),
  messageHandler({
    schema: tx.MsgUndelegateSchema,
    response: tx.MsgUndelegateResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.delegatorAddress, 'delegator_address')),
    validate: (message, chain) => readable(readParties(chain, message)),
    handle: handleUndelegate,
  }),
  messageHandler({
    schema: tx.MsgBeginRedelegateSchema,
    response: tx.MsgBeginRedelegateResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.delegatorAddress, 'delegator_address')),
    handle: handleRedelegate,
  }),
  messageHandler({
    schema: tx.MsgCancelUnbondingDelegationSchema,
    response: tx.MsgCancelUnbondingDelegationResponseSchema,
    signers: (message, chain) => signedBy(parseAddress(chain, message.delegatorAddress, 'delegator_address')),
    validate: (message, chain) => readable(readParties(chain, message)),
    handle: handleCancel,
  }),
  messageHandler({
    schema: tx.MsgUpdateParamsSchema,
    response: tx.MsgUpdateParamsResponseSchema,
    signers: (message, chain) => authoritySigners(chain, message.authority),
    handle: updateParams,
  }),
];
