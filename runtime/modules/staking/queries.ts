import { concat } from '#core/bytes.ts';
import { decTruncate } from '#core/dec.ts';
import { ok, type Result } from '#core/result.ts';
import * as q from '#proto/gen/cosmos/staking/v1beta1/query_pb.ts';
import { BondStatus, type Validator as ProtoValidator } from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import { formatAddress, moduleAddress, parseAddress } from '../../address.ts';
import type { QueryContext } from '../../context.ts';
import { failGrpc } from '../../errors.ts';
import { type QueryHandler, queryHandler } from '../../module.ts';
import { paginate } from '../../pagination.ts';
import { bytesKey, pairKey } from '../../state/codecs.ts';
import type { KvReader } from '../../state/kv-view.ts';
import { BANK_STORE, balanceOf } from '../bank/state.ts';
import { formatOperator, parseOperator } from './addresses.ts';
import {
  type RedelegationEntry,
  redelegationMessage,
  redelegationsValue,
  sharesValue,
  type Unbonding,
  unbondingMessage,
  unbondingsValue,
  type Validator,
  validatorMessage,
  validatorValue,
} from './records.ts';
import { tokensOf } from './shares.ts';
import {
  BONDED_POOL,
  getParams,
  getShares,
  getValidator,
  historicalInfos,
  NOT_BONDED_POOL,
  redelegations,
  STAKING_PREFIX,
  STAKING_STORE,
  unbondings,
  under,
} from './state.ts';

const SERVICE = '/cosmos.staking.v1beta1.Query';

function storeOf(context: QueryContext): KvReader {
  return context.state.store(STAKING_STORE);
}

function readOperator(context: QueryContext, text: string): Result<Uint8Array> {
  if (text === '') return failGrpc('InvalidArgument', 'validator address cannot be empty');
  const operator = parseOperator(context.chain, text, 'validator_addr');
  return operator.ok ? operator : failGrpc('InvalidArgument', operator.error.message);
}

function readDelegator(context: QueryContext, text: string): Result<Uint8Array> {
  if (text === '') return failGrpc('InvalidArgument', 'delegator address cannot be empty');
  const delegator = parseAddress(context.chain, text, 'delegator_addr');
  return delegator.ok ? delegator : failGrpc('InvalidArgument', delegator.error.message);
}

interface Parties {
  readonly delegator: Uint8Array;
  readonly operator: Uint8Array;
}

function readParties(
  context: QueryContext,
  request: { readonly delegatorAddr: string; readonly validatorAddr: string },
): Result<Parties> {
  const delegator = readDelegator(context, request.delegatorAddr);
  if (!delegator.ok) return delegator;
  const operator = readOperator(context, request.validatorAddr);
  return operator.ok ? ok({ delegator: delegator.value, operator: operator.value }) : operator;
}

function show(context: QueryContext, validator: Validator): ProtoValidator {
  return validatorMessage(validator, formatOperator(context.chain, validator.operator));
}

function findValidator(context: QueryContext, text: string): Result<Validator> {
  const operator = readOperator(context, text);
  if (!operator.ok) return operator;
  const validator = getValidator(storeOf(context), operator.value);
  return validator === undefined ? failGrpc('NotFound', `validator ${text} not found`) : ok(validator);
}

function showDelegation(context: QueryContext, { delegator, operator }: Parties, shares: bigint) {
  const store = storeOf(context);
  const validator = getValidator(store, operator);
  if (validator === undefined) return undefined;
  return {
    delegation: {
      delegatorAddress: formatAddress(context.chain, delegator),
      validatorAddress: formatOperator(context.chain, operator),
      shares: String(shares),
    },
    balance: {
      denom: getParams(store, context.chain).bondDenom,
      amount: String(decTruncate(tokensOf(validator, shares))),
    },
  };
}

function showUnbonding(context: QueryContext, { delegator, operator }: Parties, entries: readonly Unbonding[]) {
  return {
    delegatorAddress: formatAddress(context.chain, delegator),
    validatorAddress: formatOperator(context.chain, operator),
    entries: entries.map(unbondingMessage),
  };
}

/** Status names as clients send them; anything else is refused. */
const STATUSES: Readonly<Record<string, BondStatus | undefined>> = {
  BOND_STATUS_UNBONDED: BondStatus.UNBONDED,
  BOND_STATUS_UNBONDING: BondStatus.UNBONDING,
  BOND_STATUS_BONDED: BondStatus.BONDED,
};

const validatorQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/Validators`,
    request: q.QueryValidatorsRequestSchema,
    response: q.QueryValidatorsResponseSchema,
    query(context, { status, pagination }) {
      const wanted = Object.hasOwn(STATUSES, status) ? STATUSES[status] : undefined;
      if (status !== '' && wanted === undefined)
        return failGrpc('InvalidArgument', `invalid validator status ${status.slice(0, 100)}`);
      const page = paginate(storeOf(context), STAKING_PREFIX.validators, pagination, (operator, value) => {
        const validator = { operator, ...validatorValue.decode(value) };
        return wanted !== undefined && validator.status !== wanted ? undefined : show(context, validator);
      });
      return page.ok ? ok({ validators: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
  queryHandler({
    path: `${SERVICE}/Validator`,
    request: q.QueryValidatorRequestSchema,
    response: q.QueryValidatorResponseSchema,
    query(context, { validatorAddr }) {
      const validator = findValidator(context, validatorAddr);
      return validator.ok ? ok({ validator: show(context, validator.value) }) : validator;
    },
  }),
  queryHandler({
    path: `${SERVICE}/ValidatorDelegations`,
    request: q.QueryValidatorDelegationsRequestSchema,
    response: q.QueryValidatorDelegationsResponseSchema,
    query(context, { validatorAddr, pagination }) {
      const operator = readOperator(context, validatorAddr);
      if (!operator.ok) return operator;
      const store = storeOf(context);
      const prefix = concat(STAKING_PREFIX.delegationsByValidator, under(operator.value));
      const page = paginate(store, prefix, pagination, (delegator) => {
        const shares = getShares(store, delegator, operator.value);
        return shares === undefined
          ? undefined
          : showDelegation(context, { delegator, operator: operator.value }, shares);
      });
      return page.ok ? ok({ delegationResponses: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
  queryHandler({
    path: `${SERVICE}/ValidatorUnbondingDelegations`,
    request: q.QueryValidatorUnbondingDelegationsRequestSchema,
    response: q.QueryValidatorUnbondingDelegationsResponseSchema,
    query(context, { validatorAddr, pagination }) {
      const operator = readOperator(context, validatorAddr);
      if (!operator.ok) return operator;
      const store = storeOf(context);
      const prefix = concat(STAKING_PREFIX.unbondingsByValidator, under(operator.value));
      const page = paginate(store, prefix, pagination, (delegator) =>
        showUnbonding(
          context,
          { delegator, operator: operator.value },
          unbondings.get(store, [delegator, operator.value]) ?? [],
        ),
      );
      return page.ok ? ok({ unbondingResponses: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
];

const delegatorQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/Delegation`,
    request: q.QueryDelegationRequestSchema,
    response: q.QueryDelegationResponseSchema,
    query(context, request) {
      const parties = readParties(context, request);
      if (!parties.ok) return parties;
      const { delegator, operator } = parties.value;
      const shares = getShares(storeOf(context), delegator, operator);
      const found = shares === undefined ? undefined : showDelegation(context, parties.value, shares);
      return found === undefined
        ? failGrpc(
            'NotFound',
            `delegation with delegator ${request.delegatorAddr} not found for validator ${request.validatorAddr}`,
          )
        : ok({ delegationResponse: found });
    },
  }),
  queryHandler({
    path: `${SERVICE}/UnbondingDelegation`,
    request: q.QueryUnbondingDelegationRequestSchema,
    response: q.QueryUnbondingDelegationResponseSchema,
    query(context, request) {
      const parties = readParties(context, request);
      if (!parties.ok) return parties;
      const entries = unbondings.get(storeOf(context), [parties.value.delegator, parties.value.operator]);
      return entries === undefined
        ? failGrpc(
            'NotFound',
            `unbonding delegation with delegator ${request.delegatorAddr} not found for validator ${request.validatorAddr}`,
          )
        : ok({ unbond: showUnbonding(context, parties.value, entries) });
    },
  }),
  queryHandler({
    path: `${SERVICE}/DelegatorDelegations`,
    request: q.QueryDelegatorDelegationsRequestSchema,
    response: q.QueryDelegatorDelegationsResponseSchema,
    query(context, { delegatorAddr, pagination }) {
      const delegator = readDelegator(context, delegatorAddr);
      if (!delegator.ok) return delegator;
      const prefix = concat(STAKING_PREFIX.delegations, under(delegator.value));
      const page = paginate(storeOf(context), prefix, pagination, (operator, value) =>
        showDelegation(context, { delegator: delegator.value, operator }, sharesValue.decode(value)),
      );
      return page.ok ? ok({ delegationResponses: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
  queryHandler({
    path: `${SERVICE}/DelegatorUnbondingDelegations`,
    request: q.QueryDelegatorUnbondingDelegationsRequestSchema,
    response: q.QueryDelegatorUnbondingDelegationsResponseSchema,
    query(context, { delegatorAddr, pagination }) {
      const delegator = readDelegator(context, delegatorAddr);
      if (!delegator.ok) return delegator;
      const prefix = concat(STAKING_PREFIX.unbondings, under(delegator.value));
      const page = paginate(storeOf(context), prefix, pagination, (operator, value) =>
        showUnbonding(context, { delegator: delegator.value, operator }, unbondingsValue.decode(value)),
      );
      return page.ok ? ok({ unbondingResponses: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
  queryHandler({
    path: `${SERVICE}/DelegatorValidators`,
    request: q.QueryDelegatorValidatorsRequestSchema,
    response: q.QueryDelegatorValidatorsResponseSchema,
    query(context, { delegatorAddr, pagination }) {
      const delegator = readDelegator(context, delegatorAddr);
      if (!delegator.ok) return delegator;
      const store = storeOf(context);
      const prefix = concat(STAKING_PREFIX.delegations, under(delegator.value));
      const page = paginate(store, prefix, pagination, (operator) => {
        const validator = getValidator(store, operator);
        return validator === undefined ? undefined : show(context, validator);
      });
      return page.ok ? ok({ validators: [...page.value.items], pagination: page.value.pagination }) : page;
    },
  }),
  queryHandler({
    path: `${SERVICE}/DelegatorValidator`,
    request: q.QueryDelegatorValidatorRequestSchema,
    response: q.QueryDelegatorValidatorResponseSchema,
    query(context, request) {
      const parties = readParties(context, request);
      if (!parties.ok) return parties;
      const { delegator, operator } = parties.value;
      const store = storeOf(context);
      const validator = getValidator(store, operator);
      if (validator === undefined || getShares(store, delegator, operator) === undefined)
        return failGrpc('NotFound', 'no delegation for (address, validator) tuple');
      return ok({ validator: show(context, validator) });
    },
  }),
];

interface Movement {
  readonly delegator: Uint8Array;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

function showRedelegation(context: QueryContext, movement: Movement, entries: readonly RedelegationEntry[]) {
  const destination = getValidator(storeOf(context), movement.destination);
  const worth = (shares: bigint) =>
    destination === undefined || destination.shares === 0n ? 0n : decTruncate(tokensOf(destination, shares));
  return {
    redelegation: {
      delegatorAddress: formatAddress(context.chain, movement.delegator),
      validatorSrcAddress: formatOperator(context.chain, movement.source),
      validatorDstAddress: formatOperator(context.chain, movement.destination),
      entries: [],
    },
    entries: entries.map((entry) => ({
      redelegationEntry: redelegationMessage(entry),
      balance: String(worth(entry.shares)),
    })),
  };
}

const triple = pairKey(bytesKey, pairKey(bytesKey, bytesKey));

/** By source and destination, by source alone, or by delegator alone (x/staking/keeper/grpc_query.go Redelegations). */
function queryRedelegations(context: QueryContext, request: q.QueryRedelegationsRequest) {
  const { delegatorAddr, srcValidatorAddr, dstValidatorAddr, pagination } = request;
  const store = storeOf(context);
  const source = srcValidatorAddr === '' ? undefined : readOperator(context, srcValidatorAddr);
  if (source?.ok === false) return source;
  if (delegatorAddr === '' && source !== undefined) {
    const prefix = concat(STAKING_PREFIX.redelegationsBySource, under(source.value));
    const page = paginate(store, prefix, pagination, (rest) => {
      const [delegator, destination] = pairKey(bytesKey, bytesKey).decode(rest);
      const entries = redelegations.get(store, [delegator, [source.value, destination]]) ?? [];
      return showRedelegation(context, { delegator, source: source.value, destination }, entries);
    });
    return page.ok ? ok({ redelegationResponses: [...page.value.items], pagination: page.value.pagination }) : page;
  }
  const delegator = readDelegator(context, delegatorAddr);
  if (!delegator.ok) return delegator;
  if (source !== undefined && dstValidatorAddr !== '') {
    const destination = readOperator(context, dstValidatorAddr);
    if (!destination.ok) return destination;
    const movement = { delegator: delegator.value, source: source.value, destination: destination.value };
    const entries = redelegations.get(store, [delegator.value, [source.value, destination.value]]);
    return entries === undefined
      ? failGrpc(
          'NotFound',
          `redelegation not found for delegator address ${delegatorAddr} from validator address ${srcValidatorAddr}`,
        )
      : ok({ redelegationResponses: [showRedelegation(context, movement, entries)] });
  }
  const prefix = concat(STAKING_PREFIX.redelegations, triple.prefix(delegator.value));
  const page = paginate(store, prefix, pagination, (rest, value) => {
    const [from, destination] = pairKey(bytesKey, bytesKey).decode(rest);
    const movement = { delegator: delegator.value, source: from, destination };
    return showRedelegation(context, movement, redelegationsValue.decode(value));
  });
  return page.ok ? ok({ redelegationResponses: [...page.value.items], pagination: page.value.pagination }) : page;
}

const chainQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/Redelegations`,
    request: q.QueryRedelegationsRequestSchema,
    response: q.QueryRedelegationsResponseSchema,
    query: queryRedelegations,
  }),
  queryHandler({
    path: `${SERVICE}/HistoricalInfo`,
    request: q.QueryHistoricalInfoRequestSchema,
    response: q.QueryHistoricalInfoResponseSchema,
    query(context, { height }) {
      if (height < 0n) return failGrpc('InvalidArgument', 'height cannot be negative');
      const hist = historicalInfos.get(storeOf(context), height);
      return hist === undefined ? failGrpc('NotFound', `historical info for height ${height} not found`) : ok({ hist });
    },
  }),
  queryHandler({
    path: `${SERVICE}/Pool`,
    request: q.QueryPoolRequestSchema,
    response: q.QueryPoolResponseSchema,
    query(context) {
      const bank = context.state.store(BANK_STORE);
      const { bondDenom } = getParams(storeOf(context), context.chain);
      const held = (pool: string) => String(balanceOf(bank, moduleAddress(pool), bondDenom));
      return ok({ pool: { bondedTokens: held(BONDED_POOL), notBondedTokens: held(NOT_BONDED_POOL) } });
    },
  }),
  queryHandler({
    path: `${SERVICE}/Params`,
    request: q.QueryParamsRequestSchema,
    response: q.QueryParamsResponseSchema,
    query: (context) => ok({ params: getParams(storeOf(context), context.chain) }),
  }),
];

export const stakingQueries: readonly QueryHandler[] = [...validatorQueries, ...delegatorQueries, ...chainQueries];
