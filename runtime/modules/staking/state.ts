/** The staking store. Prefixes are those of the Cosmos SDK's x/staking/types/keys.go where it has them. */
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import type { PublicKey } from '#core/crypto/pubkey.ts';
import type { Dec } from '#core/dec.ts';
import { divFloor } from '#core/int.ts';
import { encodeTimestamp, type Timestamp } from '#core/types/timestamp.ts';
import {
  HistoricalInfoSchema,
  ParamsSchema,
  type Params as ProtoParams,
} from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import { create } from '#proto/message.ts';
import type { BlockInfo, ChainParams, EventSink } from '../../context.ts';
import {
  bytesKey,
  bytesValue,
  intValue,
  pairKey,
  presentValue,
  stringValue,
  timeKey,
  u64Key,
  u64Value,
} from '../../state/codecs.ts';
import { item, keySet, map, sequence, storeLayout } from '../../state/collections.ts';
import type { KvReader, KvWriter, StateWriter } from '../../state/kv-view.ts';
import { protoValue } from '../../state/proto-value.ts';
import { rememberedValue } from '../../state/remembered.ts';
import { redelegationsValue, sharesValue, unbondingsValue, type Validator, validatorValue } from './records.ts';

export const STAKING_STORE = 'staking';
export const BONDED_POOL = 'bonded_tokens_pool';
export const NOT_BONDED_POOL = 'not_bonded_tokens_pool';

/** What staking needs of a message's, block's or genesis context. */
export interface Scope {
  readonly state: StateWriter;
  readonly events: EventSink;
  readonly chain: ChainParams;
  readonly block: Pick<BlockInfo, 'height' | 'time'>;
}

const layout = storeLayout(STAKING_STORE, {
  lastPowers: 0x11,
  lastTotalPower: 0x12,
  validators: 0x21,
  byConsensus: 0x22,
  byPower: 0x23,
  delegations: 0x31,
  unbondings: 0x32,
  unbondingsByValidator: 0x33,
  redelegations: 0x34,
  redelegationsBySource: 0x35,
  redelegationsByDestination: 0x36,
  unbondingId: 0x37,
  unbondingQueue: 0x41,
  redelegationQueue: 0x42,
  validatorQueue: 0x43,
  historicalInfo: 0x50,
  params: 0x51,
  keyTypes: 0x61,
  powerReduction: 0x62,
  active: 0x63,
  lastChange: 0x64,
  slashed: 0x65,
  delegationsByValidator: 0x71,
});

export const STAKING_PREFIX = layout;

/** Present when the genesis document has validators in `app_state.staking`: else the validators never change. */
const active = item(layout.active, presentValue);

export function isActive(store: KvReader): boolean {
  return active.has(store);
}

export function activate(store: KvWriter): void {
  active.set(store, true);
}

export const stakingParams = item(layout.params, rememberedValue(protoValue(ParamsSchema)));

/** x/staking/types/params.go DefaultParams, with the chain's denomination. */
export function defaultParams(chain: Pick<ChainParams, 'baseDenom'>): ProtoParams {
  return create(ParamsSchema, {
    unbondingTime: { seconds: 1_814_400n, nanos: 0 },
    maxValidators: 100,
    maxEntries: 7,
    historicalEntries: 10_000,
    bondDenom: chain.baseDenom,
    minCommissionRate: '0',
  });
}

export function getParams(store: KvReader, chain: Pick<ChainParams, 'baseDenom'>): ProtoParams {
  return stakingParams.get(store) ?? defaultParams(chain);
}

const NANOS = 1_000_000_000n;

export function unbondingNanos(params: ProtoParams): bigint {
  const { seconds = 0n, nanos = 0 } = params.unbondingTime ?? {};
  return seconds * NANOS + BigInt(nanos);
}

/** Tokens that make one unit of power (types/staking.go DefaultPowerReduction). */
export const DEFAULT_POWER_REDUCTION = 1_000_000n;
export const powerReduction = item(layout.powerReduction, intValue);
/** Tokens that slashing has burned: what the supply has lost by it. */
export const slashedTokens = item(layout.slashed, intValue);
/** Types of consensus keys that the consensus parameters allow, separated by commas. */
export const keyTypes = item(layout.keyTypes, stringValue);

/** The power that the tokens would have. */
export function potentialPower(store: KvReader, tokens: bigint): bigint {
  return divFloor(tokens, powerReduction.get(store) ?? DEFAULT_POWER_REDUCTION);
}

export const validators = map(layout.validators, bytesKey, validatorValue);
/** Operator by consensus address. */
export const byConsensus = map(layout.byConsensus, bytesKey, bytesValue);
/** By operator, as of the last validator update. */
export const lastPowers = map(layout.lastPowers, bytesKey, u64Value);
export const lastTotalPower = item(layout.lastTotalPower, intValue);
/** [power, complement of the operator]: backwards it is by power descending, then operator ascending. */
const byPower = keySet(layout.byPower, pairKey(u64Key, bytesKey));

export function getValidator(store: KvReader, operator: Uint8Array): Validator | undefined {
  const found = validators.get(store, operator);
  return found === undefined ? undefined : { operator, ...found };
}

export function operatorOf(store: KvReader, consensusAddress: Uint8Array): Uint8Array | undefined {
  return byConsensus.get(store, consensusAddress);
}

export function getValidatorByConsensus(store: KvReader, consensusAddress: Uint8Array): Validator | undefined {
  const operator = operatorOf(store, consensusAddress);
  return operator === undefined ? undefined : getValidator(store, operator);
}

/** Changes the record alone: what orders it is not touched. */
export function setValidator(store: KvWriter, { operator, ...stored }: Validator): void {
  validators.set(store, operator, stored);
}

export function* allValidators(store: KvReader): Generator<Validator, void, undefined> {
  for (const [operator, stored] of validators.entries(store)) yield { operator, ...stored };
}

function complement(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => byte ^ 0xff);
}

export function addToPowerOrder(store: KvWriter, validator: Validator): void {
  // The jailed are not candidates.
  if (!validator.jailed) byPower.add(store, [potentialPower(store, validator.tokens), complement(validator.operator)]);
}

export function dropFromPowerOrder(store: KvWriter, validator: Validator): void {
  byPower.delete(store, [potentialPower(store, validator.tokens), complement(validator.operator)]);
}

/** Operators by power, highest first; among equals the lower address first. */
export function* operatorsByPower(
  store: KvReader,
): Generator<{ readonly power: bigint; readonly operator: Uint8Array }, void, undefined> {
  for (const [power, inverted] of byPower.keys(store, { reverse: true }))
    yield { power, operator: complement(inverted) };
}

/** The validators that the last updates left, with their powers: what consensus knows of, two blocks from now. */
export interface ActiveValidator {
  readonly operator: Uint8Array;
  readonly key: PublicKey;
  readonly power: bigint;
}

export function activeValidators(store: KvReader): readonly ActiveValidator[] {
  return [...lastPowers.entries(store)].flatMap(([operator, power]) => {
    const validator = getValidator(store, operator);
    return validator === undefined ? [] : [{ operator, key: validator.key, power }];
  });
}

/** The height of the last block that changed them. */
export const lastChange = item(layout.lastChange, u64Value);

const pair = pairKey(bytesKey, bytesKey);
const triple = pairKey(bytesKey, pair);

/** Shares by [delegator, validator]. */
export const delegations = map(layout.delegations, pair, sharesValue);
/** [validator, delegator]; {@link setShares} and {@link removeShares} write it. */
export const delegationsByValidator = keySet(layout.delegationsByValidator, pair);

export function getShares(store: KvReader, delegator: Uint8Array, validator: Uint8Array): Dec | undefined {
  return delegations.get(store, [delegator, validator]);
}

export function setShares(store: KvWriter, delegator: Uint8Array, validator: Uint8Array, shares: Dec): void {
  delegations.set(store, [delegator, validator], shares);
  delegationsByValidator.add(store, [validator, delegator]);
}

export function removeShares(store: KvWriter, delegator: Uint8Array, validator: Uint8Array): void {
  delegations.delete(store, [delegator, validator]);
  delegationsByValidator.delete(store, [validator, delegator]);
}

/** What the keys of one delegator's (or by validator: one validator's) entries begin with. */
export function under(first: Uint8Array): Uint8Array {
  return pair.prefix(first);
}

export function delegatorsOf(store: KvReader, validator: Uint8Array): readonly Uint8Array[] {
  return [...delegationsByValidator.keys(store, { under: under(validator) })].map(([, delegator]) => delegator);
}

export function validatorsOf(store: KvReader, delegator: Uint8Array): readonly Uint8Array[] {
  return [...delegations.entries(store, { under: under(delegator) })].map(([[, validator]]) => validator);
}

/** Entries by [delegator, validator]. */
export const unbondings = map(layout.unbondings, pair, unbondingsValue);
/** [validator, delegator]. */
export const unbondingsByValidator = keySet(layout.unbondingsByValidator, pair);
/** Entries by [delegator, [source, destination]]. */
export const redelegations = map(layout.redelegations, triple, redelegationsValue);
/** [source, [delegator, destination]]. */
export const redelegationsBySource = keySet(layout.redelegationsBySource, triple);
/** [destination, [delegator, source]]. */
export const redelegationsByDestination = keySet(layout.redelegationsByDestination, triple);
export const unbondingIds = sequence(layout.unbondingId, 1n);

/** What the keys of triples that begin with two addresses begin with. */
export function underTwo(first: Uint8Array, second: Uint8Array): Uint8Array {
  return pair.encodePart([first, second]);
}

/** The first time that is later than `time`. */
export function after(time: Timestamp): readonly [bigint, bigint] {
  return [time.seconds, BigInt(time.nanos) + 1n];
}

/** [time, [delegator, validator]]. */
export const unbondingQueue = keySet(layout.unbondingQueue, pairKey(timeKey, pair));
/** [time, [delegator, [source, destination]]]. */
export const redelegationQueue = keySet(layout.redelegationQueue, pairKey(timeKey, triple));
/** [time, operator]. */
export const validatorQueue = keySet(layout.validatorQueue, pairKey(timeKey, bytesKey));

export const historicalInfos = map(layout.historicalInfo, u64Key, protoValue(HistoricalInfoSchema));

/** A HistoricalInfo before it is encoded. */
export interface History {
  readonly header: {
    readonly chainId: string;
    readonly height: bigint;
    readonly time: Timestamp;
    readonly proposerAddress: Uint8Array;
  };
  /** Of the validators, in their order in the set; and in text. */
  readonly operators: readonly { readonly operator: Uint8Array; readonly text: string }[];
}

/**
 * Each block writes one, and seldom has a validator changed: so it is put together from the stored records, before which
 * the operator goes that they leave out, and none is decoded or encoded.
 */
export function keepHistoricalInfo(store: KvWriter, { header, operators }: History): void {
  const info = new ProtoWriter().message(
    1,
    new ProtoWriter()
      .string(2, header.chainId)
      .varint(3, header.height)
      .message(4, encodeTimestamp(header.time))
      .bytes(14, header.proposerAddress)
      .finish(),
  );
  for (const { operator, text } of operators) {
    const record = store.get(validators.storeKey(operator));
    if (record !== undefined) info.message(2, new ProtoWriter().string(1, text).raw(record).finish());
  }
  store.set(historicalInfos.storeKey(header.height), info.finish());
}
