/** The chain that a client's suite of the Cosmos SDK expects, run by this application: another prefix, fee and staking token. */
import { expect, test } from 'vitest';
import type { AccountKeyPair } from '#core/crypto/keys.ts';
import { addMillis } from '#core/types/timestamp.ts';
import * as aq from '#proto/gen/cosmos/auth/v1beta1/query_pb.ts';
import * as bq from '#proto/gen/cosmos/bank/v1beta1/query_pb.ts';
import * as cq from '#proto/gen/cosmos/consensus/v1/query_pb.ts';
import * as dq from '#proto/gen/cosmos/distribution/v1beta1/query_pb.ts';
import * as mq from '#proto/gen/cosmos/mint/v1beta1/query_pb.ts';
import * as slq from '#proto/gen/cosmos/slashing/v1beta1/query_pb.ts';
import * as q from '#proto/gen/cosmos/staking/v1beta1/query_pb.ts';
import * as tx from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { SimulateRequestSchema, SimulateResponseSchema } from '#proto/gen/cosmos/tx/v1beta1/service_pb.ts';
import { decodeStrict, encode, pack } from '#proto/message.ts';
import { sdkMint } from './modules/mint/sdk-genesis.test-util.ts';
import { operatorText, type StakingChain, startStakingChain } from './modules/staking/test-network.ts';
import { testKey } from './test-chain.ts';
import { buildSimulation } from './tx/build.ts';

const PREFIX = 'cosmos';
const [alice, bob] = [testKey(20), testKey(21)];
const FEE = { denom: 'ucosm', amount: 5_000n };

function startSimd(): Promise<StakingChain> {
  return startStakingChain({
    chainId: 'simd-testing',
    prefix: PREFIX,
    baseDenom: 'ucosm',
    accounts: 21,
    coins: [
      { denom: 'ucosm', amount: 1_000_000_000n },
      { denom: 'ustake', amount: 2_000_000_000n },
    ],
    params: { bond_denom: 'ustake', unbonding_time: '1814400s', max_validators: 100, historical_entries: 10 },
    moduleState: { mint: sdkMint('ustake') },
  });
}

function delegate(net: StakingChain, denom = 'ustake', amount = '1000000', from: AccountKeyPair = alice) {
  return pack(tx.MsgDelegateSchema, {
    delegatorAddress: net.chain.address(from),
    validatorAddress: operatorText(testKey(1), PREFIX),
    amount: { denom, amount },
  });
}

function estimate(net: StakingChain, key: AccountKeyPair, message: ReturnType<typeof delegate>): bigint {
  const txBytes = buildSimulation({ messages: [message], fee: [], gasLimit: 0n }, [
    { publicKey: key.publicKey, sequence: 0n },
  ]);
  const data = encode(SimulateRequestSchema, { txBytes });
  const answer = net.chain.app.query({ path: '/cosmos.tx.v1beta1.Service/Simulate', data, height: 0n, prove: false });
  const read = decodeStrict(SimulateResponseSchema, answer.value);
  expect(answer.log).toBe('');
  return read.ok ? (read.value.gasInfo?.gasUsed ?? 0n) : 0n;
}

test('simd-testing: fees in ucosm, stake in ustake, gas as a client’s suite expects it', async () => {
  const net = await startSimd();
  await net.block();
  const { chain } = net;
  const { app } = chain;
  expect(app.chain).toEqual({ chainId: 'simd-testing', bech32Prefix: 'cosmos', baseDenom: 'ucosm' });
  const gas = estimate(net, alice, delegate(net));
  expect(gas > 101_000n && gas < 200_000n).toBe(true);
  const scarce = chain.sign(alice, { messages: [delegate(net)], fee: [FEE], gasLimit: 99_000n });
  expect((await app.checkTx({ tx: scarce, type: 'new' })).code).toBe(0);
  const [failed] = (await net.block({ txs: [scarce] })).txResults;
  expect(failed).toMatchObject({ codespace: 'sdk', code: 11, gasWanted: 99_000n });
  expect(failed !== undefined && failed.gasUsed > 40_000n).toBe(true);
  const paid = chain.sign(alice, { messages: [delegate(net)], fee: [FEE], gasLimit: 200_000n });
  const [done] = (await net.block({ txs: [paid] })).txResults;
  expect(done?.code).toBe(0);
  const signed = chain.sign(bob, {
    messages: [chain.send(bob, chain.address(alice), 7n)],
    fee: [{ denom: 'ustake', amount: 1n }],
  });
  expect((await net.block({ txs: [signed] })).txResults[0]?.code).toBe(0);
  expect(await net.run(alice, delegate(net, 'ucosm'))).toMatchObject({ codespace: 'sdk', code: 18 });
  const elsewhere = chain.sign(alice, {
    messages: [chain.send(alice, 'auton1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqh3q4gs', 1n)],
  });
  expect((await app.checkTx({ tx: elsewhere, type: 'new' })).codespace).toBe('sdk');
  expect(app.brokenInvariants()).toEqual([]);
});

test('simd-testing: what clients and explorers ask', async () => {
  const net = await startSimd();
  await net.block();
  await net.run(alice, delegate(net));
  await net.block();
  const { chain } = net;
  const address = chain.address(alice);
  const [owners, rest] = [2n, 18n].map((limit) =>
    net.query(
      '/cosmos.bank.v1beta1.Query/DenomOwners',
      bq.QueryDenomOwnersRequestSchema,
      bq.QueryDenomOwnersResponseSchema,
      {
        denom: 'ustake',
        pagination: { limit, countTotal: true },
      },
    ),
  );
  expect(owners?.denomOwners).toHaveLength(2);
  expect(owners?.pagination?.total).toBe(rest?.pagination?.total);
  expect(owners?.denomOwners).toEqual(rest?.denomOwners.slice(0, 2));
  const total = net.query(
    '/cosmos.bank.v1beta1.Query/SupplyOf',
    bq.QuerySupplyOfRequestSchema,
    bq.QuerySupplyOfResponseSchema,
    { denom: 'ustake' },
  );
  expect(BigInt(total.amount?.amount ?? 0)).toBeGreaterThanOrEqual(42_000_000_000n);
  const pool = net.query('/cosmos.staking.v1beta1.Query/Pool', q.QueryPoolRequestSchema, q.QueryPoolResponseSchema, {});
  expect(pool.pool?.bondedTokens).toBe('41000000');
  const history = net.query(
    '/cosmos.staking.v1beta1.Query/HistoricalInfo',
    q.QueryHistoricalInfoRequestSchema,
    q.QueryHistoricalInfoResponseSchema,
    { height: 2n },
  );
  expect(history.hist?.valset).toHaveLength(4);
  const inflation = net.query(
    '/cosmos.mint.v1beta1.Query/Inflation',
    mq.QueryInflationRequestSchema,
    mq.QueryInflationResponseSchema,
    {},
  );
  expect(new TextDecoder().decode(inflation.inflation)).toMatch(/^13[0-9]{16}$/);
  const infos = net.query(
    '/cosmos.slashing.v1beta1.Query/SigningInfos',
    slq.QuerySigningInfosRequestSchema,
    slq.QuerySigningInfosResponseSchema,
    {},
  );
  expect(infos.info.map(({ address: one }) => one.slice(0, 14))).toEqual(Array(4).fill('cosmosvalcons1'));
  const rewards = net.query(
    '/cosmos.distribution.v1beta1.Query/DelegationTotalRewards',
    dq.QueryDelegationTotalRewardsRequestSchema,
    dq.QueryDelegationTotalRewardsResponseSchema,
    { delegatorAddress: address },
  );
  expect(rewards.rewards).toHaveLength(1);
  const text = net.query(
    '/cosmos.auth.v1beta1.Query/AddressStringToBytes',
    aq.AddressStringToBytesRequestSchema,
    aq.AddressStringToBytesResponseSchema,
    { addressString: address },
  );
  const back = net.query(
    '/cosmos.auth.v1beta1.Query/AddressBytesToString',
    aq.AddressBytesToStringRequestSchema,
    aq.AddressBytesToStringResponseSchema,
    { addressBytes: text.addressBytes },
  );
  expect(back.addressString).toBe(address);
  const params = net.query(
    '/cosmos.consensus.v1.Query/Params',
    cq.QueryParamsRequestSchema,
    cq.QueryParamsResponseSchema,
    {},
  );
  expect(params.params).toMatchObject({ block: { maxGas: -1n }, validator: { pubKeyTypes: ['ed25519'] } });
});

test('simd-testing: goes on from its own export, and unbonds after three weeks', async () => {
  const net = await startSimd();
  await net.block();
  await net.run(alice, delegate(net));
  const leave = pack(tx.MsgUndelegateSchema, {
    delegatorAddress: net.chain.address(alice),
    validatorAddress: operatorText(testKey(1), PREFIX),
    amount: { denom: 'ustake', amount: '400000' },
  });
  expect((await net.run(alice, leave)).code).toBe(0);
  const early = await net.block({ time: addMillis(net.time(), 1_814_000_000n) });
  expect(early.events.some(({ type }) => type === 'complete_unbonding')).toBe(false);
  const late = await net.block({ time: addMillis(net.time(), 500_000n) });
  expect(late.events.some(({ type }) => type === 'complete_unbonding')).toBe(true);
  await net.block();
  await net.block();
  const exported = net.chain.app.exportGenesis();
  expect(exported.consensus).toBeUndefined();
  const again = await startStakingChain({
    chainId: 'simd-testing',
    prefix: PREFIX,
    baseDenom: 'ucosm',
    moduleState: exported,
    stakes: [10_600_000n],
  });
  await again.block();
  expect(again.chain.app.brokenInvariants()).toEqual([]);
});
