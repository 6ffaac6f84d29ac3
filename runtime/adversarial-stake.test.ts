/** Stake and rewards that broke other chains, against the whole application: each by its line in docs/attack-surface.md. */
import { expect, test } from 'vitest';
import type { Misbehavior } from '#core/abci.ts';
import { toHex } from '#core/bytes.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { toHeight } from '#core/types/brand.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/ed25519/keys_pb.ts';
import * as dq from '#proto/gen/cosmos/distribution/v1beta1/query_pb.ts';
import * as distribution from '#proto/gen/cosmos/distribution/v1beta1/tx_pb.ts';
import * as q from '#proto/gen/cosmos/staking/v1beta1/query_pb.ts';
import { BondStatus } from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import * as tx from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { alice, bob, expectSound, HUGE_DENOM, offer, startArena } from './adversarial.test-util.ts';
import type { RuntimeModule } from './module.ts';
import { MODULES } from './module-table.ts';
import { getParams, STAKING_STORE, stakingParams } from './modules/staking/state.ts';
import {
  consensusHex,
  consensusKey,
  DENOM,
  operatorText,
  STAKE,
  type StakingChain,
  startStakingChain,
} from './modules/staking/test-network.ts';
import { startTestChain, testKey } from './test-chain.ts';

type Key = typeof alice;
const coin = (amount: bigint) => ({ denom: DENOM, amount: String(amount) });
const SLASHING = {
  params: {
    signed_blocks_window: '100',
    min_signed_per_window: '0.5',
    downtime_jail_duration: '10s',
    slash_fraction_double_sign: '0.05',
    slash_fraction_downtime: '0.01',
  },
};

function delegate(net: StakingChain, from: Key, to: number, amount: bigint) {
  return pack(tx.MsgDelegateSchema, {
    delegatorAddress: net.chain.address(from),
    validatorAddress: operatorText(testKey(to)),
    amount: coin(amount),
  });
}

function redelegate(net: StakingChain, key: Key, from: number, to: number, amount: bigint) {
  return pack(tx.MsgBeginRedelegateSchema, {
    delegatorAddress: net.chain.address(key),
    validatorSrcAddress: operatorText(testKey(from)),
    validatorDstAddress: operatorText(testKey(to)),
    amount: coin(amount),
  });
}

function undelegate(net: StakingChain, key: Key, from: number, amount: bigint) {
  return pack(tx.MsgUndelegateSchema, {
    delegatorAddress: net.chain.address(key),
    validatorAddress: operatorText(testKey(from)),
    amount: coin(amount),
  });
}

function createMessage(n: number, key: Key, amount: bigint) {
  return pack(tx.MsgCreateValidatorSchema, {
    description: { moniker: 'new' },
    commission: { rate: '0', maxRate: '0', maxChangeRate: '0' },
    minSelfDelegation: '1',
    validatorAddress: operatorText(key),
    pubkey: { ...pack(PubKeySchema, { key: consensusKey(n).bytes }) },
    value: coin(amount),
  });
}

function validator(net: StakingChain, key: Key) {
  return net.query(
    '/cosmos.staking.v1beta1.Query/Validator',
    q.QueryValidatorRequestSchema,
    q.QueryValidatorResponseSchema,
    { validatorAddr: operatorText(key) },
  ).validator;
}

function doubleSign(net: StakingChain, n: number, height: bigint, power: bigint): Misbehavior {
  const address = consensusAddress(consensusKey(n));
  return {
    type: 'duplicate-vote',
    validator: { address, power },
    height: toHeight(height),
    time: net.time(),
    totalVotingPower: net.validators().totalPower,
  };
}

test('Adversarial 31: a reward pool beyond every fixed width neither stops the chain nor loses a coin (ISA-2025-005)', async () => {
  const half = 1n << 255n;
  const arena = await startArena({
    accounts: 6,
    coins: [
      { denom: DENOM, amount: 1_000_000_000n },
      { denom: HUGE_DENOM, amount: half / 3n },
    ],
    commission: '0.333333333333333333',
    stakes: [10_000_001n],
  });
  const { net } = arena;
  const deposit = (from: Key) =>
    pack(distribution.MsgDepositValidatorRewardsPoolSchema, {
      depositor: net.chain.address(from),
      validatorAddress: operatorText(testKey(1)),
      amount: [{ denom: HUGE_DENOM, amount: String(half / 3n) }],
    });
  const fund = pack(distribution.MsgFundCommunityPoolSchema, {
    depositor: net.chain.address(testKey(2)),
    amount: [{ denom: HUGE_DENOM, amount: String(half / 3n) }],
  });
  const signed = [alice, bob, testKey(1)].map((key) =>
    net.chain.sign(key, { messages: [deposit(key)], gasLimit: 900_000n }),
  );
  const results = await offer(arena, [...signed, net.chain.sign(testKey(2), { messages: [fund] })]);
  expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  await net.block({ misbehavior: [doubleSign(net, 2, 1n, 10n)] });
  await net.block();
  await net.block();
  expectSound(arena);
  const { rewards } = net.query(
    '/cosmos.distribution.v1beta1.Query/ValidatorOutstandingRewards',
    dq.QueryValidatorOutstandingRewardsRequestSchema,
    dq.QueryValidatorOutstandingRewardsResponseSchema,
    { validatorAddress: operatorText(testKey(1)) },
  );
  expect(rewards?.rewards.find(({ denom }) => denom === HUGE_DENOM)?.amount).toBe(
    `${(half / 3n) * 3n}${'0'.repeat(18)}`,
  );
  const exported = net.chain.app.exportGenesis();
  const restarted = await startTestChain({
    moduleState: exported,
    validators: net.validators().validators.map(({ publicKey, power }) => ({ publicKey, power })),
  });
  await restarted.block();
  expect(restarted.app.brokenInvariants()).toEqual([]);
  const withdraw = pack(distribution.MsgWithdrawDelegatorRewardSchema, {
    delegatorAddress: net.chain.address(testKey(1)),
    validatorAddress: operatorText(testKey(1)),
  });
  const commission = pack(distribution.MsgWithdrawValidatorCommissionSchema, {
    validatorAddress: operatorText(testKey(1)),
  });
  expect((await net.run(testKey(1), withdraw)).code).toBe(0);
  expect((await net.run(testKey(1), commission)).code).toBe(0);
  expectSound(arena);
});

test('Adversarial 34: stake that moves on, leaves, or comes back after a crime pays its part (ASA-2024-005)', async () => {
  const arena = await startArena({ moduleState: { slashing: SLASHING } });
  const { net } = arena;
  for (const key of [alice, bob]) expect((await net.run(key, delegate(net, key, 1, 4_000_000n))).code).toBe(0);
  await net.block();
  const crime = net.height();
  const before = 4_000_000n;
  // Alice moves to 3, leaves there, and takes back that she leaves; moving on to 4 at once is refused.
  expect((await net.run(alice, redelegate(net, alice, 1, 3, before))).code).toBe(0);
  expect(await net.run(alice, redelegate(net, alice, 3, 4, before))).toMatchObject({ codespace: 'staking', code: 32 });
  expect((await net.run(alice, undelegate(net, alice, 3, 3_000_000n))).code).toBe(0);
  const leaving = net.height();
  const cancel = pack(tx.MsgCancelUnbondingDelegationSchema, {
    delegatorAddress: net.chain.address(alice),
    validatorAddress: operatorText(testKey(3)),
    amount: coin(2_000_000n),
    creationHeight: leaving,
  });
  expect((await net.run(alice, cancel)).code).toBe(0);
  // Bob moves half to 3, half to 4, and all of it out again.
  for (const [to, amount] of [
    [3, 2_000_000n],
    [4, 2_000_000n],
  ] as const) {
    expect((await net.run(bob, redelegate(net, bob, 1, to, amount))).code).toBe(0);
    expect((await net.run(bob, undelegate(net, bob, to, amount))).code).toBe(0);
  }
  const held = () =>
    [1, 2, 3, 4].reduce((sum, n) => sum + BigInt(validator(net, testKey(n))?.tokens ?? 0), 0n) +
    unbonding(net, alice) +
    unbonding(net, bob);
  const all = held();
  expect(all).toBe(4n * STAKE + 2n * before);
  await net.block({ misbehavior: [doubleSign(net, 1, crime, 18n)] });
  // 5 % of the 18 units of power that stood behind the crime, wherever they are now.
  expect(all - held()).toBe(900_000n);
  expect(validator(net, testKey(1))).toMatchObject({ tokens: String(STAKE - 500_000n), jailed: true });
  expectSound(arena);
});

function unbonding(net: StakingChain, key: Key): bigint {
  const { unbondingResponses } = net.query(
    '/cosmos.staking.v1beta1.Query/DelegatorUnbondingDelegations',
    q.QueryDelegatorUnbondingDelegationsRequestSchema,
    q.QueryDelegatorUnbondingDelegationsResponseSchema,
    { delegatorAddr: net.chain.address(key) },
  );
  return unbondingResponses.flatMap(({ entries }) => entries).reduce((sum, { balance }) => sum + BigInt(balance), 0n);
}

/** What governance would decide: another maximum from a height on. */
function limiting(from: bigint, maxValidators: number): RuntimeModule {
  return {
    name: 'decisions',
    stores: ['decisions'],
    beginBlock({ state, block, chain }) {
      const staking = state.store(STAKING_STORE);
      if (block.height === from) stakingParams.set(staking, { ...getParams(staking, chain), maxValidators });
    },
  };
}

test('Adversarial 41: the maximum of validators holds at every update, whoever comes and goes in one block', async () => {
  const net = await startStakingChain({
    count: 4,
    accounts: 9,
    params: { max_validators: 4 },
    modules: [limiting(6n, 2), ...MODULES],
    moduleState: { slashing: SLASHING },
  });
  const sizes: number[] = [];
  const step = async (...plan: Parameters<StakingChain['block']>) => {
    await net.block(...plan);
    sizes.push(net.validators().validators.length);
    expect(net.chain.app.brokenInvariants()).toEqual([]);
  };
  const sign = (key: Key, message: ReturnType<typeof delegate>) =>
    net.chain.sign(key, { messages: [message], gasLimit: 900_000n });
  await step();
  const newcomers = [5, 6, 7, 8, 9].map((n) =>
    sign(testKey(n), createMessage(n, testKey(n), STAKE + BigInt(n) * 1_000_000n)),
  );
  await step({ txs: [...newcomers, sign(testKey(1), undelegate(net, testKey(1), 1, STAKE))] });
  await step();
  await step({ misbehavior: [doubleSign(net, 9, 3n, 19n)] });
  await step();
  expect(sizes).toEqual([4, 4, 4, 4, 4]);
  await step();
  await step();
  await step();
  expect(sizes.slice(5)).toEqual([4, 2, 2]);
  const strongest = net
    .validators()
    .validators.map(({ address }) => toHex(address))
    .toSorted();
  expect(strongest).toEqual([consensusHex(7), consensusHex(8)].toSorted());
});

test('Adversarial 43: a validator created with power that rounds to zero has none, until it is worth a unit', async () => {
  const arena = await startArena({ moduleState: { slashing: SLASHING } });
  const { net } = arena;
  for (const [n, key, amount] of [
    [9, alice, 1n],
    [10, bob, 999_999n],
  ] as const) {
    const [result] = await offer(arena, [
      net.chain.sign(key, { messages: [createMessage(n, key, amount)], gasLimit: 900_000n }),
    ]);
    expect(result?.code).toBe(0);
    expect(validator(net, key)).toMatchObject({ status: BondStatus.UNBONDED, tokens: String(amount) });
  }
  for (let i = 0; i < 3; i++) expect((await net.block()).validatorUpdates).toEqual([]);
  const more = pack(tx.MsgDelegateSchema, {
    delegatorAddress: net.chain.address(bob),
    validatorAddress: operatorText(bob),
    amount: coin(1n),
  });
  expect((await net.run(bob, more)).code).toBe(0);
  expect(validator(net, bob)).toMatchObject({ status: BondStatus.BONDED });
  await net.block();
  await net.block();
  const crime = net.height();
  // Punished below a unit: out, once, and the chain goes on.
  const { validatorUpdates } = await net.block({ misbehavior: [doubleSign(net, 10, crime, 1n)] });
  expect(validatorUpdates).toEqual([{ publicKey: consensusKey(10), power: 0n }]);
  for (let i = 0; i < 3; i++) expect((await net.block()).validatorUpdates).toEqual([]);
  expectSound(arena);
});
