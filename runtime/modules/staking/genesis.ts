/** `app_state.staking`, in the JSON of the Cosmos SDK v0.50, and two fields more: `power_reduction`, `gen_validators`. */
import { toHex } from '#core/bytes.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { maxBig } from '#core/int.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';
import { type GenesisState, GenesisStateSchema } from '#proto/gen/cosmos/staking/v1beta1/genesis_pb.ts';
import { create } from '#proto/message.ts';
import { formatAddress, moduleAddress, parseAddress } from '../../address.ts';
import type { GenesisContext, QueryContext } from '../../context.ts';
import { noEvents } from '../../events.ts';
import { JsonError, readJson } from '../../json.ts';
import type { Json, ModulePermission } from '../../module.ts';
import { sdkFromJson, sdkToJson } from '../../sdk-json.ts';
import { queueTime } from '../../state/codecs.ts';
import { AUTH_STORE, createAccount, hasAccount } from '../auth/state.ts';
import { BANK_STORE, balanceOf } from '../bank/state.ts';
import { afterDelegationModified, afterValidatorCreated, beforeDelegationCreated } from '../distribution/hooks.ts';
import { DISTRIBUTION_ACCOUNT } from '../distribution/state.ts';
import { formatOperator, parseOperator } from './addresses.ts';
import { checkRates, createValidator } from './create.ts';
import { setRedelegations, setUnbondings } from './delegate.ts';
import { updateValidatorSet } from './end-block.ts';
import { checkParams } from './params.ts';
import {
  BondStatus,
  CONSENSUS_KEY_TYPES,
  consensusAddressOf,
  readKey,
  readRedelegation,
  readUnbonding,
  readValidator,
  redelegationMessage,
  unbondingMessage,
  type Validator,
  validatorMessage,
} from './records.ts';
import {
  activate,
  activeValidators,
  addToPowerOrder,
  allValidators,
  BONDED_POOL,
  byConsensus,
  DEFAULT_POWER_REDUCTION,
  defaultParams,
  delegations,
  getParams,
  getValidator,
  isActive,
  keyTypes,
  lastPowers,
  lastTotalPower,
  NOT_BONDED_POOL,
  powerReduction,
  redelegationQueue,
  redelegations,
  type Scope,
  STAKING_STORE,
  setShares,
  setValidator,
  slashedTokens,
  stakingParams,
  unbondingIds,
  unbondingQueue,
  unbondings,
  validatorQueue,
} from './state.ts';

const PATH = 'app_state.staking';

/** Thrown inside, caught by `readJson`. */
function refuse(place: string, what: string): never {
  throw new JsonError(`${PATH}.${place}: ${what}`);
}

function accept<T>(place: string, result: Result<T, string | { readonly message: string }>): T {
  if (result.ok) return result.value;
  return refuse(place, typeof result.error === 'string' ? result.error : result.error.message);
}

/** They exist before coins move into them, so that they are nobody's. */
function createPools(scope: Scope): void {
  const auth = scope.state.store(AUTH_STORE);
  const pools: readonly (readonly [string, readonly ModulePermission[]])[] = [
    [BONDED_POOL, ['burner', 'staking']],
    [NOT_BONDED_POOL, ['burner', 'staking']],
    [DISTRIBUTION_ACCOUNT, []],
  ];
  for (const [name, permissions] of pools)
    if (!hasAccount(auth, moduleAddress(name))) createAccount(auth, moduleAddress(name), { name, permissions });
}

interface Totals {
  bonded: bigint;
  notBonded: bigint;
  unbondingId: bigint;
}

function importValidators(scope: Scope, genesis: GenesisState, totals: Totals): void {
  const store = scope.state.store(STAKING_STORE);
  for (const [i, message] of genesis.validators.entries()) {
    const place = `validators[${i}]`;
    const operator = accept(place, parseOperator(scope.chain, message.operatorAddress, 'operator_address'));
    accept(
      place,
      message.consensusPubkey === undefined ? err('consensus_pubkey: missing') : readKey(message.consensusPubkey),
    );
    const validator: Validator = { operator, ...readValidator(message) };
    if (validator.tokens < 0n || validator.shares < 0n || validator.minSelfDelegation < 0n)
      refuse(place, 'expected no negative amounts');
    accept(`${place}.commission`, checkRates(validator.commission));
    if (getValidator(store, operator) !== undefined) refuse(place, 'the operator is listed twice');
    const address = consensusAddressOf(validator);
    if (byConsensus.has(store, address)) refuse(place, 'the consensus key is listed twice');
    setValidator(store, validator);
    byConsensus.set(store, address, operator);
    addToPowerOrder(store, validator);
    if (!genesis.exported) afterValidatorCreated(scope, validator);
    if (validator.status === BondStatus.UNBONDING)
      validatorQueue.add(store, [queueTime(validator.unbondingTime), operator]);
    if (validator.status === BondStatus.BONDED) totals.bonded += validator.tokens;
    else totals.notBonded += validator.tokens;
    for (const id of validator.unbondingIds) totals.unbondingId = maxBig(totals.unbondingId, id);
  }
}

function importDelegations(scope: Scope, genesis: GenesisState): void {
  const store = scope.state.store(STAKING_STORE);
  for (const [i, message] of genesis.delegations.entries()) {
    const place = `delegations[${i}]`;
    const delegator = accept(place, parseAddress(scope.chain, message.delegatorAddress, 'delegator_address'));
    const operator = accept(place, parseOperator(scope.chain, message.validatorAddress, 'validator_address'));
    const validator = getValidator(store, operator) ?? refuse(place, 'no such validator');
    if (delegations.has(store, [delegator, operator])) refuse(place, 'listed twice');
    if (!genesis.exported) beforeDelegationCreated(scope, validator);
    setShares(store, delegator, operator, BigInt(message.shares));
    if (!genesis.exported) afterDelegationModified(scope, delegator, validator);
  }
}

function importMovements(scope: Scope, genesis: GenesisState, totals: Totals): void {
  const store = scope.state.store(STAKING_STORE);
  for (const [i, message] of genesis.unbondingDelegations.entries()) {
    const place = `unbonding_delegations[${i}]`;
    const delegator = accept(place, parseAddress(scope.chain, message.delegatorAddress, 'delegator_address'));
    const operator = accept(place, parseOperator(scope.chain, message.validatorAddress, 'validator_address'));
    const entries = message.entries.map(readUnbonding);
    setUnbondings(scope, delegator, operator, entries);
    for (const entry of entries) {
      unbondingQueue.add(store, [queueTime(entry.completionTime), [delegator, operator]]);
      totals.notBonded += entry.balance;
      totals.unbondingId = maxBig(totals.unbondingId, entry.id);
    }
  }
  for (const [i, message] of genesis.redelegations.entries()) {
    const place = `redelegations[${i}]`;
    const delegator = accept(place, parseAddress(scope.chain, message.delegatorAddress, 'delegator_address'));
    const source = accept(place, parseOperator(scope.chain, message.validatorSrcAddress, 'validator_src_address'));
    const destination = accept(place, parseOperator(scope.chain, message.validatorDstAddress, 'validator_dst_address'));
    const entries = message.entries.map(readRedelegation);
    setRedelegations(scope, { delegator, source, destination }, entries);
    for (const entry of entries) {
      redelegationQueue.add(store, [queueTime(entry.completionTime), [delegator, [source, destination]]]);
      totals.unbondingId = maxBig(totals.unbondingId, entry.id);
    }
  }
}

function checkPools(scope: Scope, totals: Totals): void {
  const bank = scope.state.store(BANK_STORE);
  const { bondDenom } = getParams(scope.state.store(STAKING_STORE), scope.chain);
  for (const [pool, expected] of [
    [BONDED_POOL, totals.bonded],
    [NOT_BONDED_POOL, totals.notBonded],
  ] as const) {
    const held = balanceOf(bank, moduleAddress(pool), bondDenom);
    if (held !== expected) refuse('validators', `${pool} holds ${held}${bondDenom}, the stake is ${expected}`);
  }
}

/** Consensus starts with the document's validators; the stake must say the same. */
function checkAgainstDocument(scope: Scope, document: readonly ValidatorUpdate[]): void {
  const active = activeValidators(scope.state.store(STAKING_STORE));
  const powers = new Map(active.map(({ key, power }) => [toHex(consensusAddress(key)), power]));
  for (const { publicKey, power } of document) {
    const address = toHex(consensusAddress(publicKey));
    const staked = powers.get(address) ?? 0n;
    if (staked !== power)
      refuse('validators', `validator ${address} of the document has power ${power}, its stake gives ${staked}`);
    powers.delete(address);
  }
  for (const [address] of powers) refuse('validators', `the document does not list the bonded validator ${address}`);
}

function importPowers(scope: Scope, genesis: GenesisState): void {
  const store = scope.state.store(STAKING_STORE);
  if (!genesis.exported) {
    updateValidatorSet(scope);
    return;
  }
  lastTotalPower.set(store, BigInt(genesis.lastTotalPower));
  for (const [i, { address, power }] of genesis.lastValidatorPowers.entries()) {
    const place = `last_validator_powers[${i}]`;
    const operator = accept(place, parseOperator(scope.chain, address, 'address'));
    if (getValidator(store, operator)?.status !== BondStatus.BONDED) refuse(place, 'not a bonded validator');
    lastPowers.set(store, operator, power);
  }
}

function importState(scope: Scope, genesis: GenesisState, document: readonly ValidatorUpdate[]): void {
  createPools(scope);
  const totals: Totals = { bonded: 0n, notBonded: 0n, unbondingId: 0n };
  importValidators(scope, genesis, totals);
  importDelegations(scope, genesis);
  importMovements(scope, genesis, totals);
  checkPools(scope, totals);
  unbondingIds.set(scope.state.store(STAKING_STORE), totals.unbondingId + 1n);
  for (const [i, message] of genesis.genValidators.entries())
    accept(`gen_validators[${i}]`, createValidator(scope, message));
  importPowers(scope, genesis);
  activate(scope.state.store(STAKING_STORE));
  checkAgainstDocument(scope, document);
}

/** Without validators in it, the validators of the chain are the document's, and never change. */
export function initStaking(context: GenesisContext, json: Json | undefined): Result<void, string> {
  const store = context.state.store(STAKING_STORE);
  const read = sdkFromJson(GenesisStateSchema, json ?? {}, PATH, CONSENSUS_KEY_TYPES);
  if (!read.ok) return read;
  const genesis = read.value;
  const params = genesis.params ?? defaultParams(context.chain);
  const checked = checkParams(params);
  if (!checked.ok) return err(`${PATH}.params.${checked.error}`);
  stakingParams.set(store, params);
  const reduction = genesis.powerReduction === '' ? DEFAULT_POWER_REDUCTION : BigInt(genesis.powerReduction);
  if (reduction <= 0n) return err(`${PATH}.power_reduction: expected more than 0`);
  powerReduction.set(store, reduction);
  if (genesis.slashed !== '') slashedTokens.set(store, BigInt(genesis.slashed));
  keyTypes.set(store, context.consensusParams.validator.pubKeyTypes.join(','));
  if (genesis.validators.length === 0 && genesis.genValidators.length === 0) return ok(undefined);
  const { state, chain, time, initialHeight: height } = context;
  return readJson(() =>
    importState({ state, chain, events: noEvents, block: { height, time } }, genesis, context.validators),
  );
}

export function exportStaking(context: QueryContext): Json {
  const { chain } = context;
  const store = context.state.store(STAKING_STORE);
  const operators = (operator: Uint8Array) => formatOperator(chain, operator);
  const accounts = (address: Uint8Array) => formatAddress(chain, address);
  const genesis = create(GenesisStateSchema, {
    params: getParams(store, chain),
    lastTotalPower: String(lastTotalPower.get(store) ?? 0n),
    lastValidatorPowers: [...lastPowers.entries(store)].map(([operator, power]) => ({
      address: operators(operator),
      power,
    })),
    validators: [...allValidators(store)].map((validator) =>
      validatorMessage(validator, operators(validator.operator)),
    ),
    delegations: [...delegations.entries(store)].map(([[delegator, operator], shares]) => ({
      delegatorAddress: accounts(delegator),
      validatorAddress: operators(operator),
      shares: String(shares),
    })),
    unbondingDelegations: [...unbondings.entries(store)].map(([[delegator, operator], entries]) => ({
      delegatorAddress: accounts(delegator),
      validatorAddress: operators(operator),
      entries: entries.map(unbondingMessage),
    })),
    redelegations: [...redelegations.entries(store)].map(([[delegator, [source, destination]], entries]) => ({
      delegatorAddress: accounts(delegator),
      validatorSrcAddress: operators(source),
      validatorDstAddress: operators(destination),
      entries: entries.map(redelegationMessage),
    })),
    exported: isActive(store),
    slashed: String(slashedTokens.get(store) ?? 0n),
    powerReduction: String(powerReduction.get(store) ?? DEFAULT_POWER_REDUCTION),
  });
  return sdkToJson(GenesisStateSchema, genesis, CONSENSUS_KEY_TYPES);
}
