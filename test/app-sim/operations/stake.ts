/** Staking, distribution, slashing, evidence. */
import { decTruncate } from '#core/dec.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/ed25519/keys_pb.ts';
import * as distribution from '#proto/gen/cosmos/distribution/v1beta1/tx_pb.ts';
import { EquivocationSchema } from '#proto/gen/cosmos/evidence/v1beta1/evidence_pb.ts';
import { MsgSubmitEvidenceSchema } from '#proto/gen/cosmos/evidence/v1beta1/tx_pb.ts';
import { MsgUnjailSchema } from '#proto/gen/cosmos/slashing/v1beta1/tx_pb.ts';
import * as tx from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { tokensOf } from '#runtime/modules/staking/shares.ts';
import { getShares, getValidator, STAKING_STORE } from '#runtime/modules/staking/state.ts';
import { type Actor, consensusKeyOf, SECOND_DENOM } from '../scenario.ts';
import {
  amountOf,
  coin,
  type Message,
  type Operation,
  operatorText,
  pickFrom,
  type Scene,
  somebody,
} from './operation.ts';

const STAKE_GAS = 2_000_000n;

/** Tokens that a delegation is worth now. */
function worthOf(scene: Scene, delegator: Actor, operator: Uint8Array): bigint {
  const store = scene.census.context.state.store(STAKING_STORE);
  const validator = getValidator(store, operator);
  const shares = getShares(store, delegator.address, operator);
  if (validator === undefined || shares === undefined || validator.shares === 0n) return 1n;
  return decTruncate(tokensOf(validator, shares));
}

/** Operators keep most of their own stake, so that there are validators tomorrow. */
function leaving(scene: Scene, delegator: Actor, operator: Uint8Array): bigint {
  const amount = amountOf(scene.rng, worthOf(scene, delegator, operator));
  return delegator.operator === operatorText(operator) && scene.rng.chance(0.8) ? amount / 20n : amount;
}

function anyOperator(scene: Scene): string {
  const one = pickFrom(scene.rng, scene.census.validators());
  return one === undefined || scene.rng.chance(0.03) ? somebody(scene).operator : operatorText(one.operator);
}

const rate = (tenths: number): string => String(BigInt(tenths) * 100_000_000_000_000_000n);

function creation(scene: Scene, signer: Actor): Message {
  const { rng, census } = scene;
  const reused = pickFrom(rng, [1, 2, 3, 4, 5, 6]) ?? 1;
  const key = consensusKeyOf(rng.chance(0.1) ? reused : scene.freshConsensusKey());
  const balance = census.balance(signer);
  return pack(tx.MsgCreateValidatorSchema, {
    description: { moniker: `of ${signer.text.slice(-6)}` },
    commission: { rate: rate(rng.below(4)), maxRate: rate(rng.between(2, 10)), maxChangeRate: rate(rng.below(2)) },
    minSelfDelegation: String(1 + rng.below(2_000)),
    validatorAddress: signer.operator,
    pubkey: { ...pack(PubKeySchema, { key: key.bytes }) },
    value: coin(rng.chance(0.9) ? balance / BigInt(rng.between(20, 40_000)) : amountOf(rng, balance)),
  });
}

const stakingOperations: readonly Operation[] = [
  {
    name: 'staking create validator',
    weight: 3,
    make(scene) {
      const has = new Set(scene.census.operators().map(({ actor }) => actor));
      const without = scene.actors.filter((actor) => !has.has(actor));
      const signer = scene.rng.chance(0.1) ? somebody(scene) : (pickFrom(scene.rng, without) ?? somebody(scene));
      return { signer, messages: [creation(scene, signer)], gasLimit: STAKE_GAS };
    },
  },
  {
    name: 'staking edit validator',
    weight: 3,
    make(scene) {
      const { rng } = scene;
      const one = pickFrom(rng, scene.census.operators());
      if (one === undefined) return undefined;
      const message = {
        description: { moniker: '[do-not-modify]', details: 'd'.repeat(rng.below(320)) },
        validatorAddress: one.actor.operator,
        commissionRate: rng.chance(0.7) ? '' : rate(rng.below(6)),
        minSelfDelegation: rng.chance(0.7) ? '' : String(rng.below(4_000)),
      };
      return { signer: one.actor, messages: [pack(tx.MsgEditValidatorSchema, message)] };
    },
  },
  {
    name: 'staking delegate',
    weight: 10,
    make(scene) {
      const signer = somebody(scene);
      const balance = scene.census.balance(signer);
      const part = scene.rng.chance(0.9)
        ? balance / BigInt(scene.rng.between(50, 50_000))
        : amountOf(scene.rng, balance);
      const message = { delegatorAddress: signer.text, validatorAddress: anyOperator(scene), amount: coin(part) };
      return { signer, messages: [pack(tx.MsgDelegateSchema, message)], gasLimit: STAKE_GAS };
    },
  },
  {
    name: 'staking undelegate',
    weight: 8,
    make(scene) {
      const one = pickFrom(scene.rng, scene.census.delegations());
      if (one === undefined) return undefined;
      const message = pack(tx.MsgUndelegateSchema, {
        delegatorAddress: one.delegator.text,
        validatorAddress: operatorText(one.operator),
        amount: coin(leaving(scene, one.delegator, one.operator)),
      });
      return { signer: one.delegator, messages: [message], gasLimit: STAKE_GAS };
    },
  },
  {
    name: 'staking redelegate',
    weight: 8,
    make(scene) {
      const one = pickFrom(scene.rng, scene.census.delegations());
      if (one === undefined) return undefined;
      const message = pack(tx.MsgBeginRedelegateSchema, {
        delegatorAddress: one.delegator.text,
        validatorSrcAddress: operatorText(one.operator),
        validatorDstAddress: anyOperator(scene),
        amount: coin(leaving(scene, one.delegator, one.operator)),
      });
      return { signer: one.delegator, messages: [message], gasLimit: STAKE_GAS };
    },
  },
  {
    name: 'staking cancel unbonding',
    weight: 6,
    make(scene) {
      const one = pickFrom(scene.rng, scene.census.unbondings());
      const entry = one && pickFrom(scene.rng, one.entries);
      if (one === undefined || entry === undefined) return undefined;
      const message = pack(tx.MsgCancelUnbondingDelegationSchema, {
        delegatorAddress: one.delegator.text,
        validatorAddress: operatorText(one.operator),
        amount: coin(amountOf(scene.rng, entry.balance)),
        creationHeight: entry.creationHeight + (scene.rng.chance(0.05) ? 1n : 0n),
      });
      return { signer: one.delegator, messages: [message], gasLimit: STAKE_GAS };
    },
  },
  {
    name: 'slashing unjail',
    weight: 4,
    make(scene) {
      const jailed = scene.census.operators().filter(({ validator }) => validator.jailed);
      const one = pickFrom(scene.rng, scene.rng.chance(0.1) ? scene.census.operators() : jailed);
      return one && { signer: one.actor, messages: [pack(MsgUnjailSchema, { validatorAddr: one.actor.operator })] };
    },
  },
  {
    name: 'evidence submit',
    weight: 1,
    refused: true,
    make(scene) {
      const signer = somebody(scene);
      const evidence = pack(EquivocationSchema, { height: 1n, time: { seconds: 1n, nanos: 0 }, power: 1n });
      const message = { submitter: signer.text, evidence: { ...evidence } };
      return { signer, messages: [pack(MsgSubmitEvidenceSchema, message)] };
    },
  },
];

const distributionOperations: readonly Operation[] = [
  {
    name: 'distribution withdraw reward',
    weight: 6,
    make(scene) {
      const one = pickFrom(scene.rng, scene.census.delegations());
      if (one === undefined) return undefined;
      const validatorAddress = scene.rng.chance(0.1) ? anyOperator(scene) : operatorText(one.operator);
      const message = { delegatorAddress: one.delegator.text, validatorAddress };
      return {
        signer: one.delegator,
        messages: [pack(distribution.MsgWithdrawDelegatorRewardSchema, message)],
        gasLimit: STAKE_GAS,
      };
    },
  },
  {
    name: 'distribution withdraw all rewards',
    weight: 2,
    make(scene) {
      const one = pickFrom(scene.rng, scene.census.delegations());
      if (one === undefined) return undefined;
      const own = scene.census.delegations().filter(({ delegator }) => delegator === one.delegator);
      const messages = own.map(({ delegator, operator }) =>
        pack(distribution.MsgWithdrawDelegatorRewardSchema, {
          delegatorAddress: delegator.text,
          validatorAddress: operatorText(operator),
        }),
      );
      return { signer: one.delegator, messages, gasLimit: 5_000_000n };
    },
  },
  {
    name: 'distribution withdraw commission',
    weight: 3,
    make(scene) {
      const one = pickFrom(
        scene.rng,
        scene.census.operators().filter(({ validator }) => scene.census.commissionOf(validator.operator)),
      );
      if (one === undefined) return undefined;
      const message = { validatorAddress: one.actor.operator };
      return {
        signer: one.actor,
        messages: [pack(distribution.MsgWithdrawValidatorCommissionSchema, message)],
        gasLimit: STAKE_GAS,
      };
    },
  },
  {
    name: 'distribution set withdraw address',
    weight: 2,
    make(scene) {
      const signer = somebody(scene);
      const message = { delegatorAddress: signer.text, withdrawAddress: somebody(scene).text };
      return { signer, messages: [pack(distribution.MsgSetWithdrawAddressSchema, message)] };
    },
  },
  {
    name: 'distribution fund community pool',
    weight: 2,
    make(scene) {
      const signer = somebody(scene);
      const amount = [coin(BigInt(scene.rng.below(60_000)))];
      if (scene.rng.chance(0.3)) amount.push(coin(3n, SECOND_DENOM));
      return { signer, messages: [pack(distribution.MsgFundCommunityPoolSchema, { depositor: signer.text, amount })] };
    },
  },
  {
    name: 'distribution deposit validator rewards',
    weight: 2,
    make(scene) {
      const signer = somebody(scene);
      const message = {
        depositor: signer.text,
        validatorAddress: anyOperator(scene),
        amount: [coin(BigInt(scene.rng.below(60_000)), scene.rng.chance(0.3) ? SECOND_DENOM : undefined)],
      };
      return { signer, messages: [pack(distribution.MsgDepositValidatorRewardsPoolSchema, message)] };
    },
  },
];

export const stakeOperations: readonly Operation[] = [...stakingOperations, ...distributionOperations];
