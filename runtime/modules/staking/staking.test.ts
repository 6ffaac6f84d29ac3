import { expect, test } from 'vitest';
import { compare, EMPTY, toHex } from '#core/bytes.ts';
import { accountAddress } from '#core/crypto/keys.ts';
import { addMillis } from '#core/types/timestamp.ts';
import {
  QueryBalanceRequestSchema as BalanceRequest,
  QueryBalanceResponseSchema as BalanceResponse,
} from '#proto/gen/cosmos/bank/v1beta1/query_pb.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/ed25519/keys_pb.ts';
import * as dq from '#proto/gen/cosmos/distribution/v1beta1/query_pb.ts';
import {
  MsgDepositValidatorRewardsPoolSchema,
  MsgFundCommunityPoolSchema,
  MsgWithdrawDelegatorRewardSchema,
} from '#proto/gen/cosmos/distribution/v1beta1/tx_pb.ts';
import * as q from '#proto/gen/cosmos/staking/v1beta1/query_pb.ts';
import { BondStatus } from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import * as tx from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { startTestChain, testKey } from '../../test-chain.ts';
import { sdkMint } from '../mint/sdk-genesis.test-util.ts';
import {
  consensusHex,
  consensusKey,
  DENOM,
  operatorText,
  STAKE,
  type StakingChain,
  startStakingChain,
} from './test-network.ts';

const [alice, bob, carol] = [testKey(5), testKey(6), testKey(7)];
const SERVICE = '/cosmos.staking.v1beta1.Query';

function delegate(net: StakingChain, from: typeof alice, to: number, amount: bigint) {
  return pack(tx.MsgDelegateSchema, {
    delegatorAddress: net.chain.address(from),
    validatorAddress: operatorText(testKey(to)),
    amount: { denom: DENOM, amount: String(amount) },
  });
}

function undelegate(net: StakingChain, from: typeof alice, to: number, amount: bigint) {
  return pack(tx.MsgUndelegateSchema, {
    delegatorAddress: net.chain.address(from),
    validatorAddress: operatorText(testKey(to)),
    amount: { denom: DENOM, amount: String(amount) },
  });
}

function createMessage(n: number, key: typeof alice, amount: bigint) {
  return pack(tx.MsgCreateValidatorSchema, {
    description: { moniker: 'new' },
    commission: { rate: '0', maxRate: '0', maxChangeRate: '0' },
    minSelfDelegation: '1',
    validatorAddress: operatorText(key),
    pubkey: { ...pack(PubKeySchema, { key: consensusKey(n).bytes }) },
    value: { denom: DENOM, amount: String(amount) },
  });
}

function validator(net: StakingChain, n: number) {
  const answer = net.query(`${SERVICE}/Validator`, q.QueryValidatorRequestSchema, q.QueryValidatorResponseSchema, {
    validatorAddr: operatorText(testKey(n)),
  });
  if (answer.validator === undefined) throw new Error('no validator');
  return answer.validator;
}

function sound(net: StakingChain) {
  expect(net.chain.app.brokenInvariants()).toEqual([]);
}

test('genesis validators are bonded; delegating changes the power two blocks later', async () => {
  const net = await startStakingChain();
  await net.block();
  sound(net);
  expect(validator(net, 1)).toMatchObject({ status: BondStatus.BONDED, tokens: String(STAKE), jailed: false });
  const result = await net.run(alice, delegate(net, alice, 2, 3_500_000n));
  expect(result).toMatchObject({ code: 0 });
  expect(result.gasUsed > 60_000n && result.gasUsed < 250_000n).toBe(true);
  const delegated = result.events.find(({ type }) => type === 'delegate');
  expect(delegated?.attributes.map(({ key, value }) => [key, value])).toEqual([
    ['validator', operatorText(testKey(2))],
    ['delegator', net.chain.address(alice)],
    ['amount', `3500000${DENOM}`],
    ['new_shares', '3500000.000000000000000000'],
    ['msg_index', '0'],
  ]);
  const power = () => net.validators().validators.find(({ address }) => toHex(address) === consensusHex(2))?.power;
  expect(power()).toBe(10n);
  await net.block();
  expect(power()).toBe(13n);
  sound(net);
});

test('undelegated stake comes back after the unbonding time, and may be cancelled before', async () => {
  const net = await startStakingChain();
  await net.block();
  const before = () =>
    net.query('/cosmos.bank.v1beta1.Query/Balance', BalanceRequest, BalanceResponse, {
      address: net.chain.address(alice),
      denom: DENOM,
    }).balance?.amount;
  await net.run(alice, delegate(net, alice, 1, 5_000_000n));
  const unbonded = await net.run(alice, undelegate(net, alice, 1, 2_000_000n));
  expect(unbonded.code).toBe(0);
  const height = net.height();
  const cancel = pack(tx.MsgCancelUnbondingDelegationSchema, {
    delegatorAddress: net.chain.address(alice),
    validatorAddress: operatorText(testKey(1)),
    amount: { denom: DENOM, amount: '500000' },
    creationHeight: height,
  });
  expect((await net.run(alice, cancel)).code).toBe(0);
  sound(net);
  const pool = net.query(`${SERVICE}/Pool`, q.QueryPoolRequestSchema, q.QueryPoolResponseSchema, {}).pool;
  expect(pool).toMatchObject({ bondedTokens: String(4n * STAKE + 3_500_000n), notBondedTokens: '1500000' });
  const waiting = BigInt(before() ?? 0);
  const { events } = await net.block({ time: addMillis(net.time(), 20_000n) });
  expect(events.filter(({ type }) => type === 'complete_unbonding')).toHaveLength(1);
  expect(BigInt(before() ?? 0) - waiting).toBe(1_500_000n);
  sound(net);
});

test('a validator whose stake is less than one unit of power is never bonded', async () => {
  const net = await startStakingChain();
  await net.block();
  expect((await net.run(alice, createMessage(9, alice, 1n))).code).toBe(0);
  const found = net.query(`${SERVICE}/Validator`, q.QueryValidatorRequestSchema, q.QueryValidatorResponseSchema, {
    validatorAddr: operatorText(alice),
  });
  expect(found.validator).toMatchObject({ status: BondStatus.UNBONDED, tokens: '1' });
  for (let i = 0; i < 3; i++) expect((await net.block()).validatorUpdates).toEqual([]);
  sound(net);
});

test('the set never exceeds its maximum; among equals the lower address stays', async () => {
  const net = await startStakingChain({ params: { max_validators: 4 } });
  await net.block();
  expect((await net.run(alice, createMessage(9, alice, STAKE))).code).toBe(0);
  expect((await net.run(bob, createMessage(10, bob, STAKE + 1_000_000n))).code).toBe(0);
  await net.block();
  await net.block();
  expect(net.validators().validators).toHaveLength(4);
  const equals = [testKey(1), testKey(2), testKey(3), testKey(4), alice];
  equals.sort((a, b) => compare(accountAddress(a.publicKey), accountAddress(b.publicKey)));
  const { validators: bonded } = net.query(
    `${SERVICE}/Validators`,
    q.QueryValidatorsRequestSchema,
    q.QueryValidatorsResponseSchema,
    { status: 'BOND_STATUS_BONDED' },
  );
  const expected = [bob, ...equals.slice(0, 3)].map((key) => operatorText(key));
  expect(new Set(bonded.map(({ operatorAddress }) => operatorAddress))).toEqual(new Set(expected));
  sound(net);
});

test('when every validator would leave, the set stays rather than become empty', async () => {
  const net = await startStakingChain({ count: 1, accounts: 7 });
  await net.block();
  const leaving = await net.run(testKey(1), undelegate(net, testKey(1), 1, STAKE));
  expect(leaving.code).toBe(0);
  for (let i = 0; i < 3; i++) expect((await net.block()).validatorUpdates).toEqual([]);
  expect(validator(net, 1)).toMatchObject({ status: BondStatus.BONDED, jailed: true, tokens: '0' });
  sound(net);
  expect((await net.run(alice, createMessage(9, alice, STAKE))).code).toBe(0);
  await net.block();
  expect(net.validators().validators.map(({ address }) => toHex(address))).toEqual([consensusHex(9)]);
  await net.block({ time: addMillis(net.time(), 30_000n) });
  sound(net);
});

test('refusals carry the codes of the staking codespace', async () => {
  const net = await startStakingChain();
  await net.block();
  const none = await net.run(alice, delegate(net, alice, 7, 1n));
  expect(none).toMatchObject({ codespace: 'staking', code: 3 });
  expect(none.log).toMatch(/validator does not exist$/);
  expect(await net.run(alice, undelegate(net, alice, 1, 1n))).toMatchObject({ codespace: 'staking', code: 19 });
  expect(await net.run(testKey(1), createMessage(9, testKey(1), 1n))).toMatchObject({ codespace: 'staking', code: 4 });
  expect(await net.run(alice, createMessage(1, alice, 1n))).toMatchObject({ codespace: 'staking', code: 5 });
  const self = pack(tx.MsgBeginRedelegateSchema, {
    delegatorAddress: net.chain.address(testKey(1)),
    validatorSrcAddress: operatorText(testKey(1)),
    validatorDstAddress: operatorText(testKey(1)),
    amount: { denom: DENOM, amount: '1' },
  });
  expect(await net.run(testKey(1), self)).toMatchObject({ codespace: 'staking', code: 29 });
  sound(net);
});

test('what arrived by redelegation does not move on before it is mature', async () => {
  const net = await startStakingChain();
  await net.block();
  await net.run(alice, delegate(net, alice, 1, 4_000_000n));
  const move = (from: number, to: number) =>
    pack(tx.MsgBeginRedelegateSchema, {
      delegatorAddress: net.chain.address(alice),
      validatorSrcAddress: operatorText(testKey(from)),
      validatorDstAddress: operatorText(testKey(to)),
      amount: { denom: DENOM, amount: '1000000' },
    });
  expect((await net.run(alice, move(1, 2))).code).toBe(0);
  expect(await net.run(alice, move(2, 3))).toMatchObject({ codespace: 'staking', code: 32 });
  sound(net);
  await net.block({ time: addMillis(net.time(), 20_000n) });
  expect((await net.run(alice, move(2, 3))).code).toBe(0);
  const found = net.query(
    `${SERVICE}/Redelegations`,
    q.QueryRedelegationsRequestSchema,
    q.QueryRedelegationsResponseSchema,
    { delegatorAddr: net.chain.address(alice) },
  );
  expect(found.redelegationResponses.map(({ entries }) => entries[0]?.balance)).toEqual(['1000000']);
  sound(net);
});

test('an exported chain is the chain again', async () => {
  const net = await startStakingChain();
  await net.block();
  await net.run(alice, delegate(net, alice, 1, 4_000_000n));
  await net.run(alice, undelegate(net, alice, 1, 1_000_000n));
  await net.run(bob, delegate(net, bob, 2, 2_500_000n));
  await net.block();
  await net.block();
  const exported = net.chain.app.exportGenesis();
  const again = await startTestChain({
    moduleState: exported,
    initialHeight: net.height() + 1n,
    validators: net.validators().validators.map(({ publicKey, power }) => ({ publicKey, power })),
  });
  const proposerAddress = net.validators().validators[0]?.address ?? EMPTY;
  again.app.finalizeBlock({ ...again.request([]), time: net.time(), proposerAddress });
  await again.app.commit();
  expect(again.app.exportGenesis()).toEqual(exported);
  expect(again.app.brokenInvariants()).toEqual([]);
});

test('fees of a block are the rewards of those who voted for it', async () => {
  const net = await startStakingChain({ commission: '0.1' });
  await net.block();
  await net.run(carol, delegate(net, carol, 1, STAKE));
  await net.block();
  await net.block();
  const rewards = net.query(
    '/cosmos.distribution.v1beta1.Query/DelegationRewards',
    dq.QueryDelegationRewardsRequestSchema,
    dq.QueryDelegationRewardsResponseSchema,
    { delegatorAddress: net.chain.address(carol), validatorAddress: operatorText(testKey(1)) },
  );
  // 1000uauton of fees, 2 % of tax, a quarter to each of four, 10 % of commission, half of what is left is hers.
  expect(rewards.rewards).toMatchObject([{ denom: DENOM, amount: '110250000000000000000' }]);
  sound(net);
});

test('rewards beyond every bound of fixed-width numbers neither stop the chain nor get lost', async () => {
  const huge = (1n << 255n) - 1n;
  const coins = [
    { denom: DENOM, amount: 1_000_000_000n },
    { denom: 'whale', amount: huge >> 3n },
  ];
  const net = await startStakingChain({ coins, commission: '0.333333333333333333', stakes: [1_000_001n] });
  await net.block();
  const deposit = pack(MsgDepositValidatorRewardsPoolSchema, {
    depositor: net.chain.address(alice),
    validatorAddress: operatorText(testKey(1)),
    amount: [{ denom: 'whale', amount: String(huge >> 3n) }],
  });
  expect((await net.run(alice, deposit)).code).toBe(0);
  sound(net);
  const withdraw = pack(MsgWithdrawDelegatorRewardSchema, {
    delegatorAddress: net.chain.address(testKey(1)),
    validatorAddress: operatorText(testKey(1)),
  });
  const result = await net.run(testKey(1), withdraw);
  expect(result.code).toBe(0);
  expect(result.events.find(({ type }) => type === 'withdraw_rewards')?.attributes[0]?.value).toMatch(
    /,[0-9]{70,}whale$/,
  );
  sound(net);
  const drained = pack(MsgFundCommunityPoolSchema, {
    depositor: net.chain.address(bob),
    amount: [{ denom: 'whale', amount: String(huge >> 3n) }],
  });
  expect((await net.run(bob, drained)).code).toBe(0);
  await net.block();
  sound(net);
});

test('another prefix, another denomination for stake than for fees, and the gas of a delegation', async () => {
  const net = await startStakingChain({
    prefix: 'cosmos',
    baseDenom: 'ucosm',
    coins: [
      { denom: 'ucosm', amount: 1_000_000_000n },
      { denom: 'ustake', amount: 2_000_000_000n },
    ],
    params: { bond_denom: 'ustake' },
    moduleState: { mint: { params: sdkMint('ustake').params } },
  });
  await net.block();
  const to = (denom: string) =>
    pack(tx.MsgDelegateSchema, {
      delegatorAddress: net.chain.address(alice),
      validatorAddress: operatorText(testKey(1), 'cosmos'),
      amount: { denom, amount: '1000000' },
    });
  expect(await net.run(alice, to('ucosm'))).toMatchObject({ codespace: 'sdk', code: 18 });
  const first = await net.run(alice, to('ustake'));
  const second = await net.run(alice, to('ustake'));
  for (const { code, gasUsed } of [first, second]) {
    expect(code).toBe(0);
    expect(gasUsed).toBeGreaterThan(101_000n);
    expect(gasUsed).toBeLessThan(200_000n);
  }
  sound(net);
});
