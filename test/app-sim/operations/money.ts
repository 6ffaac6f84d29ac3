/** Bank, vesting, allowances for fees, and what may be done in somebody else's name. */
import { addNanos } from '#core/types/timestamp.ts';
import { GenericAuthorizationSchema } from '#proto/gen/cosmos/authz/v1beta1/authz_pb.ts';
import * as authz from '#proto/gen/cosmos/authz/v1beta1/tx_pb.ts';
import { SendAuthorizationSchema } from '#proto/gen/cosmos/bank/v1beta1/authz_pb.ts';
import * as bank from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import * as distribution from '#proto/gen/cosmos/distribution/v1beta1/tx_pb.ts';
import * as f from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import * as feegrant from '#proto/gen/cosmos/feegrant/v1beta1/tx_pb.ts';
import { AuthorizationType, StakeAuthorizationSchema } from '#proto/gen/cosmos/staking/v1beta1/authz_pb.ts';
import * as staking from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import * as vesting from '#proto/gen/cosmos/vesting/v1beta1/tx_pb.ts';
import { pack, typeUrlOf } from '#proto/message.ts';
import { formatAddress, moduleAddress } from '#runtime/address.ts';
import { type Actor, PREFIX, SECOND_DENOM } from '../scenario.ts';
import {
  amountOf,
  coin,
  type Message,
  type Operation,
  operatorText,
  pickFrom,
  type Scene,
  smallAmount,
  somebody,
} from './operation.ts';

function sendMessage(from: Actor, to: string, amount: bigint, denom?: string): Message {
  return pack(bank.MsgSendSchema, { fromAddress: from.text, toAddress: to, amount: [coin(amount, denom)] });
}

const bankOperations: readonly Operation[] = [
  {
    name: 'bank send',
    weight: 10,
    make(scene) {
      const signer = somebody(scene);
      const denom = scene.rng.chance(0.3) ? SECOND_DENOM : undefined;
      const amount = scene.rng.chance(0.05)
        ? amountOf(scene.rng, scene.census.balance(signer, denom))
        : smallAmount(scene.rng);
      return { signer, messages: [sendMessage(signer, somebody(scene).text, amount, denom)] };
    },
  },
  {
    name: 'bank send to a new account',
    weight: 2,
    make(scene) {
      const signer = somebody(scene);
      return { signer, messages: [sendMessage(signer, scene.newcomer().text, BigInt(1 + scene.rng.below(9_000_000)))] };
    },
  },
  {
    name: 'bank multi-send',
    weight: 4,
    make(scene) {
      const signer = somebody(scene);
      const outputs = Array.from({ length: scene.rng.between(1, 5) }, () => ({
        address: somebody(scene).text,
        coins: [coin(smallAmount(scene.rng))],
      }));
      const total = outputs.reduce((sum, { coins }) => sum + BigInt(coins[0]?.amount ?? '0'), 0n);
      const inputs = [{ address: signer.text, coins: [coin(total + (scene.rng.chance(0.1) ? 1n : 0n))] }];
      return { signer, messages: [pack(bank.MsgMultiSendSchema, { inputs, outputs })] };
    },
  },
  {
    name: 'bank send to a module',
    weight: 1,
    refused: true,
    make(scene) {
      const signer = somebody(scene);
      const module = scene.rng.pick(['fee_collector', 'bonded_tokens_pool', 'inference_escrow', 'distribution']);
      return { signer, messages: [sendMessage(signer, formatAddress(PREFIX, moduleAddress(module)), 5n)] };
    },
  },
];

const NEW_ACCOUNT_GAS = 400_000n;

function vestingOperation(name: string, message: (scene: Scene, from: Actor, to: Actor) => Message): Operation {
  return {
    name,
    weight: 1,
    make(scene) {
      const signer = somebody(scene);
      // Now and then for somebody who is there already.
      const to = scene.rng.chance(0.1) ? somebody(scene) : scene.newcomer();
      return { signer, messages: [message(scene, signer, to)], gasLimit: NEW_ACCOUNT_GAS };
    },
  };
}

const grant = (scene: Scene): bigint => BigInt(1 + scene.rng.below(50_000_000));

const vestingOperations: readonly Operation[] = [
  vestingOperation('vesting create', (scene, from, to) =>
    pack(vesting.MsgCreateVestingAccountSchema, {
      fromAddress: from.text,
      toAddress: to.text,
      amount: [coin(grant(scene))],
      endTime: scene.census.time.seconds + BigInt(scene.rng.between(-5, 400)),
      delayed: scene.rng.chance(0.4),
    }),
  ),
  vestingOperation('vesting create for ever', (scene, from, to) =>
    pack(vesting.MsgCreatePermanentLockedAccountSchema, {
      fromAddress: from.text,
      toAddress: to.text,
      amount: [coin(grant(scene)), coin(7n, SECOND_DENOM)],
    }),
  ),
  vestingOperation('vesting create in periods', (scene, from, to) =>
    pack(vesting.MsgCreatePeriodicVestingAccountSchema, {
      fromAddress: from.text,
      toAddress: to.text,
      startTime: scene.census.time.seconds - BigInt(scene.rng.below(50)),
      vestingPeriods: Array.from({ length: scene.rng.between(1, 6) }, () => ({
        length: BigInt(scene.rng.between(1, 60)),
        amount: [coin(grant(scene))],
      })),
    }),
  ),
];

function basicAllowance(scene: Scene) {
  const { rng, census } = scene;
  return {
    spendLimit: rng.chance(0.3) ? [] : [coin(BigInt(1 + rng.below(20_000)))],
    ...(rng.chance(0.3)
      ? {}
      : { expiration: { ...addNanos(census.time, BigInt(rng.between(-2, 200)) * 1_000_000_000n) } }),
  };
}

function allowance(scene: Scene): Message {
  const basic = pack(f.BasicAllowanceSchema, basicAllowance(scene));
  switch (scene.rng.below(3)) {
    case 0:
      return basic;
    case 1:
      return pack(f.PeriodicAllowanceSchema, {
        basic: basicAllowance(scene),
        period: { seconds: BigInt(scene.rng.between(1, 40)), nanos: 0 },
        periodSpendLimit: [coin(1_000n)],
      });
    default:
      return pack(f.AllowedMsgAllowanceSchema, {
        allowance: { ...basic },
        allowedMessages: [typeUrlOf(bank.MsgSendSchema), typeUrlOf(staking.MsgDelegateSchema)],
      });
  }
}

const feegrantOperations: readonly Operation[] = [
  {
    name: 'feegrant grant',
    weight: 3,
    make(scene) {
      const [granter, grantee] = [somebody(scene), somebody(scene)];
      const message = { granter: granter.text, grantee: grantee.text, allowance: { ...allowance(scene) } };
      return { signer: granter, messages: [pack(feegrant.MsgGrantAllowanceSchema, message)] };
    },
  },
  {
    name: 'feegrant revoke',
    weight: 1,
    make(scene) {
      const known = pickFrom(scene.rng, scene.census.allowances());
      const [granter, grantee] =
        known === undefined ? [somebody(scene), somebody(scene)] : [known.granter, known.grantee];
      const message = { granter: granter.text, grantee: grantee.text };
      return { signer: granter, messages: [pack(feegrant.MsgRevokeAllowanceSchema, message)] };
    },
  },
  {
    name: 'feegrant prune',
    weight: 1,
    make(scene) {
      const signer = somebody(scene);
      return { signer, messages: [pack(feegrant.MsgPruneAllowancesSchema, { pruner: signer.text })] };
    },
  },
];

/** What may be granted in general, and then executed. */
const GRANTABLE = [
  typeUrlOf(bank.MsgSendSchema),
  typeUrlOf(bank.MsgMultiSendSchema),
  typeUrlOf(staking.MsgDelegateSchema),
  typeUrlOf(staking.MsgUndelegateSchema),
  typeUrlOf(staking.MsgBeginRedelegateSchema),
  typeUrlOf(distribution.MsgWithdrawDelegatorRewardSchema),
  typeUrlOf(distribution.MsgSetWithdrawAddressSchema),
  typeUrlOf(authz.MsgExecSchema),
];

function authorization(scene: Scene): Message {
  const { rng, census } = scene;
  switch (rng.below(4)) {
    case 0:
      return pack(SendAuthorizationSchema, {
        spendLimit: [coin(BigInt(1 + rng.below(200_000)))],
        allowList: rng.chance(0.3) ? [somebody(scene).text] : [],
      });
    case 1: {
      const address = census.validators().flatMap(({ operator }) => (rng.chance(0.7) ? [operatorText(operator)] : []));
      return pack(StakeAuthorizationSchema, {
        ...(rng.chance(0.3) ? {} : { maxTokens: coin(BigInt(1 + rng.below(3_000_000))) }),
        validators: { case: rng.chance(0.8) ? 'allowList' : 'denyList', value: { address } },
        authorizationType: rng.pick([
          AuthorizationType.DELEGATE,
          AuthorizationType.UNDELEGATE,
          AuthorizationType.REDELEGATE,
        ]),
      });
    }
    default:
      return pack(GenericAuthorizationSchema, { msg: rng.pick(GRANTABLE) });
  }
}

/** A message of the type that `granter` could send himself. */
function grantedMessage(scene: Scene, granter: Actor, typeUrl: string): Message | undefined {
  const { rng, census } = scene;
  const own = pickFrom(
    rng,
    census.delegations().filter(({ delegator }) => delegator === granter),
  );
  const other = pickFrom(rng, census.validators());
  const validatorAddress = operatorText(own?.operator ?? other?.operator ?? granter.address);
  const amount = coin(BigInt(1 + rng.below(300_000)));
  switch (typeUrl) {
    case typeUrlOf(bank.MsgSendSchema):
      return sendMessage(granter, somebody(scene).text, BigInt(1 + rng.below(20_000)));
    case typeUrlOf(bank.MsgMultiSendSchema):
      return pack(bank.MsgMultiSendSchema, {
        inputs: [{ address: granter.text, coins: [amount] }],
        outputs: [{ address: somebody(scene).text, coins: [amount] }],
      });
    case typeUrlOf(staking.MsgDelegateSchema):
      return pack(staking.MsgDelegateSchema, {
        delegatorAddress: granter.text,
        validatorAddress: operatorText(other?.operator ?? granter.address),
        amount,
      });
    case typeUrlOf(staking.MsgUndelegateSchema):
      return pack(staking.MsgUndelegateSchema, { delegatorAddress: granter.text, validatorAddress, amount });
    case typeUrlOf(staking.MsgBeginRedelegateSchema):
      return pack(staking.MsgBeginRedelegateSchema, {
        delegatorAddress: granter.text,
        validatorSrcAddress: validatorAddress,
        validatorDstAddress: operatorText(other?.operator ?? granter.address),
        amount,
      });
    case typeUrlOf(distribution.MsgWithdrawDelegatorRewardSchema):
      return pack(distribution.MsgWithdrawDelegatorRewardSchema, { delegatorAddress: granter.text, validatorAddress });
    case typeUrlOf(distribution.MsgSetWithdrawAddressSchema):
      return pack(distribution.MsgSetWithdrawAddressSchema, {
        delegatorAddress: granter.text,
        withdrawAddress: somebody(scene).text,
      });
    default:
      return undefined;
  }
}

const authzOperations: readonly Operation[] = [
  {
    name: 'authz grant',
    weight: 5,
    make(scene) {
      const [granter, grantee] = [somebody(scene), somebody(scene)];
      const { rng, census } = scene;
      const until = addNanos(census.time, BigInt(rng.between(-2, 300)) * 1_000_000_000n);
      const message = {
        granter: granter.text,
        grantee: grantee.text,
        grant: { authorization: { ...authorization(scene) }, ...(rng.chance(0.3) ? {} : { expiration: { ...until } }) },
      };
      return { signer: granter, messages: [pack(authz.MsgGrantSchema, message)] };
    },
  },
  {
    name: 'authz revoke',
    weight: 1,
    make(scene) {
      const known = pickFrom(scene.rng, scene.census.grants());
      if (known === undefined) return undefined;
      const { granter, grantee, message: msgTypeUrl } = known;
      const message = { granter: granter.text, grantee: grantee.text, msgTypeUrl };
      return { signer: granter, messages: [pack(authz.MsgRevokeSchema, message)] };
    },
  },
  {
    name: 'authz exec',
    weight: 8,
    make(scene) {
      const known = pickFrom(scene.rng, scene.census.grants());
      if (known === undefined) return undefined;
      const inner = grantedMessage(scene, known.granter, known.message);
      if (inner === undefined) return undefined;
      const exec = pack(authz.MsgExecSchema, { grantee: known.grantee.text, msgs: [{ ...inner }] });
      return { signer: known.grantee, messages: [exec], gasLimit: 2_000_000n };
    },
  },
  {
    name: 'authz exec inside exec',
    weight: 2,
    make(scene) {
      // Who may send anything in the name of somebody who may send in the name of a third.
      const outer = pickFrom(
        scene.rng,
        scene.census.grants().filter(({ message }) => message === typeUrlOf(authz.MsgExecSchema)),
      );
      if (outer === undefined) return undefined;
      const second = pickFrom(
        scene.rng,
        scene.census.grants().filter(({ grantee }) => grantee === outer.granter),
      );
      const inner = second && grantedMessage(scene, second.granter, second.message);
      // His own messages need no grant.
      const message = inner ?? sendMessage(outer.granter, somebody(scene).text, 3n);
      const middle = pack(authz.MsgExecSchema, { grantee: outer.granter.text, msgs: [{ ...message }] });
      const exec = pack(authz.MsgExecSchema, { grantee: outer.grantee.text, msgs: [{ ...middle }] });
      return { signer: outer.grantee, messages: [exec], gasLimit: 2_000_000n };
    },
  },
  {
    name: 'authz exec without a grant',
    weight: 1,
    refused: true,
    make(scene) {
      const signer = scene.rng.pick(scene.actors);
      const victim = scene.actors.find(
        (one) =>
          one !== signer &&
          !scene.hasSigned(one) &&
          !scene.census.grants().some(({ granter, grantee }) => granter === one && grantee === signer),
      );
      if (victim === undefined) return undefined;
      const msgs = [{ ...sendMessage(victim, signer.text, 1n) }];
      return { signer, messages: [pack(authz.MsgExecSchema, { grantee: signer.text, msgs })] };
    },
  },
];

export const moneyOperations: readonly Operation[] = [
  ...bankOperations,
  ...vestingOperations,
  ...feegrantOperations,
  ...authzOperations,
];
