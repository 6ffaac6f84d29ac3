/** New validators, and what may be changed of them. */
import { assert } from '#core/assert.ts';
import { utf8 } from '#core/bytes.ts';
import { consensusAddress, type PublicKey } from '#core/crypto/pubkey.ts';
import { DEC_ONE, formatDec, parseDecAtomics } from '#core/dec.ts';
import { ok, type Result } from '#core/result.ts';
import { toNanos } from '#core/types/timestamp.ts';
import type { CommissionRates, Description } from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import { DescriptionSchema } from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import type { MsgCreateValidator, MsgEditValidator } from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { create } from '#proto/message.ts';
import { formatCoins, parseAmount } from '../../coins.ts';
import { stringText, textOf, timeText } from '../../compact-text.ts';
import type { ChainParams } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import { RUNTIME_LIMITS } from '../../limits.ts';
import { afterValidatorCreated } from '../distribution/hooks.ts';
import { isTombstoned, SLASHING_STORE } from '../slashing/state.ts';
import { parseOperator } from './addresses.ts';
import { delegate } from './delegate.ts';
import { failStaking } from './errors.ts';
import { BondStatus, type Commission, EPOCH, readKey, type Validator } from './records.ts';
import {
  addToPowerOrder,
  byConsensus,
  getParams,
  getValidator,
  keyTypes,
  type Scope,
  STAKING_STORE,
  setValidator,
} from './state.ts';

/** x/staking/types/validator.go of v0.50: most bytes of each part. */
const DESCRIPTION_LIMITS = { moniker: 70, identity: 3000, website: 140, securityContact: 140, details: 280 } as const;
const UNCHANGED = '[do-not-modify]';
const DAY_NANOS = 86_400_000_000_000n;

type Part = keyof typeof DESCRIPTION_LIMITS;
const PARTS: readonly Part[] = ['moniker', 'identity', 'website', 'securityContact', 'details'];

function checkDescription(description: Description): Result<void> {
  for (const part of PARTS) {
    // In bytes, as Go counts.
    const { length } = utf8(description[part]);
    if (length > DESCRIPTION_LIMITS[part])
      return failSdk('invalidRequest', `invalid ${part} length; got: ${length}, max: ${DESCRIPTION_LIMITS[part]}`);
  }
  return ok(undefined);
}

function isEmptyDescription(description: Description | undefined): boolean {
  return description === undefined || PARTS.every((part) => description[part] === '');
}

function readDec(text: string, title: string): Result<bigint> {
  const parsed = parseDecAtomics(text === '' ? '0' : text, title);
  return parsed.ok ? parsed : failSdk('invalidRequest', parsed.error);
}

function readWhole(text: string, title: string): Result<bigint> {
  const parsed = parseAmount(text, title);
  return parsed.ok ? parsed : failSdk('invalidRequest', parsed.error);
}

/** x/staking/types/commission.go CommissionRates.Validate. */
export function checkRates({ rate, maxRate, maxChangeRate }: Omit<Commission, 'updateTime'>): Result<void> {
  if (maxRate < 0n) return failStaking('commissionNegative');
  if (maxRate > DEC_ONE) return failStaking('commissionHuge');
  if (rate < 0n) return failStaking('commissionNegative');
  if (rate > maxRate) return failStaking('commissionGtMaxRate');
  if (maxChangeRate < 0n) return failStaking('commissionChangeRateNegative');
  if (maxChangeRate > maxRate) return failStaking('commissionChangeRateGtMaxRate');
  return ok(undefined);
}

function readRates(rates: CommissionRates | undefined): Result<Omit<Commission, 'updateTime'>> {
  if (rates === undefined) return failSdk('invalidRequest', 'empty commission');
  const rate = readDec(rates.rate, 'commission.rate');
  if (!rate.ok) return rate;
  const maxRate = readDec(rates.maxRate, 'commission.max_rate');
  if (!maxRate.ok) return maxRate;
  const maxChangeRate = readDec(rates.maxChangeRate, 'commission.max_change_rate');
  if (!maxChangeRate.ok) return maxChangeRate;
  const read = { rate: rate.value, maxRate: maxRate.value, maxChangeRate: maxChangeRate.value };
  const checked = checkRates(read);
  return checked.ok ? ok(read) : checked;
}

export interface Creation {
  readonly operator: Uint8Array;
  readonly key: PublicKey;
  readonly rates: Omit<Commission, 'updateTime'>;
  readonly minSelfDelegation: bigint;
  readonly value: { readonly denom: string; readonly amount: bigint };
  readonly description: Description;
}

/** Everything that can be said of the message without state. */
export function readCreation(message: MsgCreateValidator, chain: ChainParams): Result<Creation> {
  const operator = parseOperator(chain, message.validatorAddress, 'validator_address');
  if (!operator.ok) return operator;
  if (message.pubkey === undefined) return failStaking('emptyValidatorPubKey');
  const key = readKey(message.pubkey);
  if (!key.ok) return failSdk('invalidPubKey', key.error);
  const amount = readWhole(message.value?.amount ?? '', 'value.amount');
  if (!amount.ok) return amount;
  if (amount.value === 0n) return failSdk('invalidRequest', 'invalid delegation amount');
  if (isEmptyDescription(message.description)) return failSdk('invalidRequest', 'empty description');
  const description = message.description ?? create(DescriptionSchema);
  const described = checkDescription(description);
  if (!described.ok) return described;
  const rates = readRates(message.commission);
  if (!rates.ok) return rates;
  const minimum = readWhole(message.minSelfDelegation, 'min_self_delegation');
  if (!minimum.ok || minimum.value === 0n)
    return failSdk('invalidRequest', 'minimum self delegation must be a positive integer');
  if (amount.value < minimum.value) return failStaking('selfDelegationBelowMinimum');
  return ok({
    operator: operator.value,
    key: key.value,
    rates: rates.value,
    minSelfDelegation: minimum.value,
    value: { denom: message.value?.denom ?? '', amount: amount.value },
    description,
  });
}

function checkNewcomer(scope: Scope, { operator, key, rates, value }: Creation): Result<void> {
  const store = scope.state.store(STAKING_STORE);
  const params = getParams(store, scope.chain);
  const minimum = BigInt(params.minCommissionRate);
  if (rates.rate < minimum)
    return failStaking(
      'commissionLtMinRate',
      `cannot set validator commission to less than minimum rate of ${formatDec(minimum)}`,
    );
  if (getValidator(store, operator) !== undefined) return failStaking('validatorOwnerExists');
  const address = consensusAddress(key);
  // A key that has signed twice does not come back under another name.
  if (byConsensus.has(store, address) || isTombstoned(scope.state.store(SLASHING_STORE), address))
    return failStaking('validatorPubKeyExists');
  if (value.denom !== params.bondDenom)
    return failSdk(
      'invalidRequest',
      `invalid coin denomination: got ${value.denom.slice(0, RUNTIME_LIMITS.maxDenomCharacters)}, expected ${params.bondDenom}`,
    );
  const allowed = (keyTypes.get(store) ?? 'ed25519').split(',');
  return allowed.includes(key.type)
    ? ok(undefined)
    : failStaking('validatorPubKeyTypeNotSupported', `got: ${key.type}, expected: [${allowed.join(' ')}]`);
}

export function createValidator(scope: Scope, message: MsgCreateValidator): Result<void> {
  const read = readCreation(message, scope.chain);
  if (!read.ok) return read;
  const checked = checkNewcomer(scope, read.value);
  if (!checked.ok) return checked;
  const { operator, key, rates, minSelfDelegation, value, description } = read.value;
  const store = scope.state.store(STAKING_STORE);
  const validator: Validator = {
    operator,
    key,
    jailed: false,
    status: BondStatus.UNBONDED,
    tokens: 0n,
    shares: 0n,
    description,
    unbondingHeight: 0n,
    unbondingTime: EPOCH,
    commission: { ...rates, updateTime: scope.block.time },
    minSelfDelegation,
    unbondingIds: [],
  };
  setValidator(store, validator);
  byConsensus.set(store, consensusAddress(key), operator);
  addToPowerOrder(store, validator);
  afterValidatorCreated(scope, validator);
  const delegated = delegate(scope, operator, operator, value.amount, { kind: 'account' });
  if (!delegated.ok) return delegated;
  scope.events.emit('create_validator', [
    ['validator', message.validatorAddress],
    ['amount', formatCoins([value])],
  ]);
  return ok(undefined);
}

function changedDescription(before: Description, change: Description): Description {
  const next = { ...before };
  for (const part of PARTS) if (change[part] !== UNCHANGED) next[part] = change[part];
  return next;
}

/** x/staking/types/commission.go ValidateNewRate. */
function changedCommission(scope: Scope, validator: Validator, text: string): Result<Commission> {
  const { commission } = validator;
  if (text === '') return ok(commission);
  const rate = readDec(text, 'commission_rate');
  if (!rate.ok) return rate;
  if (rate.value > DEC_ONE || rate.value < 0n)
    return failSdk('invalidRequest', 'commission rate must be between 0 and 1 (inclusive)');
  const minimum = BigInt(getParams(scope.state.store(STAKING_STORE), scope.chain).minCommissionRate);
  if (rate.value < minimum)
    return failSdk(
      'invalidRequest',
      `commission rate cannot be less than the min commission rate ${formatDec(minimum)}`,
    );
  if (toNanos(scope.block.time) - toNanos(commission.updateTime) < DAY_NANOS)
    return failStaking('commissionUpdateTime');
  if (rate.value > commission.maxRate) return failStaking('commissionGtMaxRate');
  if (rate.value - commission.rate > commission.maxChangeRate) return failStaking('commissionGtMaxChangeRate');
  return ok({ ...commission, rate: rate.value, updateTime: scope.block.time });
}

function changedMinimum(validator: Validator, text: string): Result<bigint> {
  if (text === '') return ok(validator.minSelfDelegation);
  const minimum = readWhole(text, 'min_self_delegation');
  if (!minimum.ok || minimum.value === 0n)
    return failSdk('invalidRequest', 'minimum self delegation must be a positive integer');
  if (minimum.value <= validator.minSelfDelegation) return failStaking('minSelfDelegationDecreased');
  if (minimum.value > validator.tokens) return failStaking('selfDelegationBelowMinimum');
  return minimum;
}

/** The attribute holds the whole commission, as v0.50 prints it. */
function commissionText({ rate, maxRate, maxChangeRate, updateTime }: Commission): string {
  const rates = [
    stringText('rate', String(rate)),
    stringText('max_rate', String(maxRate)),
    stringText('max_change_rate', String(maxChangeRate)),
  ];
  return `${textOf('commission_rates', rates)}${timeText('update_time', updateTime)}`;
}

export function editValidator(scope: Scope, message: MsgEditValidator): Result<void> {
  const operator = parseOperator(scope.chain, message.validatorAddress, 'validator_address');
  if (!operator.ok) return operator;
  if (message.description === undefined || isEmptyDescription(message.description))
    return failSdk('invalidRequest', 'empty description');
  const store = scope.state.store(STAKING_STORE);
  const validator = getValidator(store, operator.value);
  if (validator === undefined) return failStaking('noValidatorFound');
  const description = changedDescription(validator.description, message.description);
  const described = checkDescription(description);
  if (!described.ok) return described;
  const commission = changedCommission(scope, validator, message.commissionRate);
  if (!commission.ok) return commission;
  const minimum = changedMinimum(validator, message.minSelfDelegation);
  if (!minimum.ok) return minimum;
  assert(checkRates(commission.value).ok, 'a changed commission is within its bounds');
  setValidator(store, {
    ...validator,
    description,
    commission: commission.value,
    minSelfDelegation: minimum.value,
  });
  scope.events.emit('edit_validator', [
    ['commission_rate', commissionText(commission.value)],
    ['min_self_delegation', String(minimum.value)],
  ]);
  return ok(undefined);
}
