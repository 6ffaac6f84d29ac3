/**
 * What staking remembers, and how it is stored: the Cosmos SDK's own messages, except that a record does not repeat the
 * addresses which stand in its key.
 */
import { assert, defined } from '#core/assert.ts';
import { consensusAddress, type PublicKey } from '#core/crypto/pubkey.ts';
import type { Dec } from '#core/dec.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import { PubKeySchema as Ed25519Schema } from '#proto/gen/cosmos/crypto/ed25519/keys_pb.ts';
import { PubKeySchema as Secp256k1Schema } from '#proto/gen/cosmos/crypto/secp256k1/keys_pb.ts';
import {
  BondStatus,
  DelegationSchema,
  type Description,
  DescriptionSchema,
  type RedelegationEntry as ProtoRedelegationEntry,
  type Validator as ProtoValidator,
  RedelegationSchema,
  type UnbondingDelegationEntry,
  UnbondingDelegationSchema,
  ValidatorSchema,
} from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import { create, type DescMessage, decodeStrict, encode, type MessageShape, pack, typeUrlOf } from '#proto/message.ts';
import type { ValueCodec } from '../../state/codecs.ts';
import { rememberedByBytes, rememberedValue } from '../../state/remembered.ts';

export type { Description };
export { BondStatus };

/** Types of consensus keys, as they may stand in an Any. */
export const CONSENSUS_KEY_TYPES: readonly DescMessage[] = [Ed25519Schema, Secp256k1Schema];

export interface Commission {
  readonly rate: Dec;
  readonly maxRate: Dec;
  readonly maxChangeRate: Dec;
  readonly updateTime: Timestamp;
}

export interface Validator {
  /** Bytes of the account that runs it. */
  readonly operator: Uint8Array;
  readonly key: PublicKey;
  readonly jailed: boolean;
  readonly status: BondStatus;
  readonly tokens: bigint;
  readonly shares: Dec;
  readonly description: Description;
  readonly unbondingHeight: bigint;
  readonly unbondingTime: Timestamp;
  readonly commission: Commission;
  readonly minSelfDelegation: bigint;
  readonly unbondingIds: readonly bigint[];
}

/** The time of a validator that has never begun to unbond. */
export const EPOCH: Timestamp = { seconds: 0n, nanos: 0 };

const addressOf = {
  ed25519: rememberedByBytes((bytes) => consensusAddress({ type: 'ed25519', bytes })),
  secp256k1: rememberedByBytes((bytes) => consensusAddress({ type: 'secp256k1', bytes })),
} as const;

export function consensusAddressOf({ key }: Pick<Validator, 'key'>): Uint8Array {
  return addressOf[key.type](key.bytes);
}

const KEY_BYTES = { ed25519: 32, secp256k1: 33 } as const;

export function packKey(key: PublicKey): { readonly typeUrl: string; readonly value: Uint8Array } {
  return pack(key.type === 'ed25519' ? Ed25519Schema : Secp256k1Schema, { key: key.bytes });
}

/** The key in an Any. Failure: a sentence. */
export function readKey(any: { readonly typeUrl: string; readonly value: Uint8Array }): Result<PublicKey, string> {
  const ed25519 = typeUrlOf(Ed25519Schema);
  const secp256k1 = typeUrlOf(Secp256k1Schema);
  if (any.typeUrl !== ed25519 && any.typeUrl !== secp256k1)
    return err(`consensus key: expected ${ed25519} or ${secp256k1}, got ${any.typeUrl.slice(0, 100)}`);
  const type = any.typeUrl === ed25519 ? 'ed25519' : 'secp256k1';
  const decoded = decodeStrict(type === 'ed25519' ? Ed25519Schema : Secp256k1Schema, any.value);
  if (!decoded.ok) return err(`consensus key: ${decoded.error}`);
  const { key } = decoded.value;
  if (key.length !== KEY_BYTES[type])
    return err(`consensus key: expected ${KEY_BYTES[type]} bytes of ${type}, got ${key.length}`);
  return ok({ type, bytes: key.slice() });
}

/** @param operator in text; empty inside a store. */
export function validatorMessage(validator: Omit<Validator, 'operator'>, operator: string): ProtoValidator {
  const { rate, maxRate, maxChangeRate, updateTime } = validator.commission;
  return create(ValidatorSchema, {
    operatorAddress: operator,
    consensusPubkey: { ...packKey(validator.key) },
    jailed: validator.jailed,
    status: validator.status,
    tokens: String(validator.tokens),
    delegatorShares: String(validator.shares),
    description: validator.description,
    unbondingHeight: validator.unbondingHeight,
    unbondingTime: { ...validator.unbondingTime },
    commission: {
      commissionRates: { rate: String(rate), maxRate: String(maxRate), maxChangeRate: String(maxChangeRate) },
      updateTime: { ...updateTime },
    },
    minSelfDelegation: String(validator.minSelfDelegation),
    unbondingIds: [...validator.unbondingIds],
  });
}

function timeOf(time: { readonly seconds: bigint; readonly nanos: number } | undefined): Timestamp {
  return time === undefined ? EPOCH : { seconds: time.seconds, nanos: time.nanos };
}

/** @throws Error when a field is no number: of our own store or of a genesis document whose texts were checked. */
export function readValidator(message: ProtoValidator): Omit<Validator, 'operator'> {
  const key = readKey(defined(message.consensusPubkey, 'consensus key'));
  assert(key.ok, 'a stored consensus key does not decode');
  const rates = message.commission?.commissionRates;
  return {
    key: key.value,
    jailed: message.jailed,
    status: message.status,
    tokens: BigInt(message.tokens),
    shares: BigInt(message.delegatorShares),
    description: message.description ?? create(DescriptionSchema),
    unbondingHeight: message.unbondingHeight,
    unbondingTime: timeOf(message.unbondingTime),
    commission: {
      rate: BigInt(rates?.rate ?? 0),
      maxRate: BigInt(rates?.maxRate ?? 0),
      maxChangeRate: BigInt(rates?.maxChangeRate ?? 0),
      updateTime: timeOf(message.commission?.updateTime),
    },
    minSelfDelegation: BigInt(message.minSelfDelegation),
    unbondingIds: message.unbondingIds,
  };
}

function stored<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  const decoded = decodeStrict(schema, bytes);
  assert(decoded.ok, `a stored ${schema.typeName} does not decode`);
  return decoded.value;
}

export const validatorValue: ValueCodec<Omit<Validator, 'operator'>> = rememberedValue({
  encode: (validator) => encode(ValidatorSchema, validatorMessage(validator, '')),
  decode: (bytes) => readValidator(stored(ValidatorSchema, bytes)),
});

export const sharesValue: ValueCodec<Dec> = {
  encode: (shares) => encode(DelegationSchema, { shares: String(shares) }),
  decode: (bytes) => BigInt(stored(DelegationSchema, bytes).shares),
};

export interface Unbonding {
  readonly creationHeight: bigint;
  readonly completionTime: Timestamp;
  readonly initialBalance: bigint;
  readonly balance: bigint;
  readonly id: bigint;
}

export function unbondingMessage(entry: Unbonding) {
  return {
    creationHeight: entry.creationHeight,
    completionTime: { ...entry.completionTime },
    initialBalance: String(entry.initialBalance),
    balance: String(entry.balance),
    unbondingId: entry.id,
  };
}

export function readUnbonding(entry: UnbondingDelegationEntry): Unbonding {
  return {
    creationHeight: entry.creationHeight,
    completionTime: timeOf(entry.completionTime),
    initialBalance: BigInt(entry.initialBalance),
    balance: BigInt(entry.balance),
    id: entry.unbondingId,
  };
}

export const unbondingsValue: ValueCodec<readonly Unbonding[]> = {
  encode: (entries) => encode(UnbondingDelegationSchema, { entries: entries.map(unbondingMessage) }),
  decode: (bytes) => stored(UnbondingDelegationSchema, bytes).entries.map(readUnbonding),
};

export interface RedelegationEntry {
  readonly creationHeight: bigint;
  readonly completionTime: Timestamp;
  readonly initialBalance: bigint;
  /** Of the destination. */
  readonly shares: Dec;
  readonly id: bigint;
}

export function redelegationMessage(entry: RedelegationEntry) {
  return {
    creationHeight: entry.creationHeight,
    completionTime: { ...entry.completionTime },
    initialBalance: String(entry.initialBalance),
    sharesDst: String(entry.shares),
    unbondingId: entry.id,
  };
}

export function readRedelegation(entry: ProtoRedelegationEntry): RedelegationEntry {
  return {
    creationHeight: entry.creationHeight,
    completionTime: timeOf(entry.completionTime),
    initialBalance: BigInt(entry.initialBalance),
    shares: BigInt(entry.sharesDst),
    id: entry.unbondingId,
  };
}

export const redelegationsValue: ValueCodec<readonly RedelegationEntry[]> = {
  encode: (entries) => encode(RedelegationSchema, { entries: entries.map(redelegationMessage) }),
  decode: (bytes) => stored(RedelegationSchema, bytes).entries.map(readRedelegation),
};
