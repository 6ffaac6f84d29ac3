/**
 * The events and refusals of every message, and the events of blocks, as the Cosmos SDK v0.50 emits them, in their order, with their attributes in
 * theirs: what explorers, exchanges and indexers take apart.
 */
import { expect, test } from 'vitest';
import type { Event, ExecTxResult, Misbehavior } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { type AccountKeyPair, accountAddress } from '#core/crypto/keys.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { toHeight } from '#core/types/brand.ts';
import { addMillis } from '#core/types/timestamp.ts';
import { GenericAuthorizationSchema } from '#proto/gen/cosmos/authz/v1beta1/authz_pb.ts';
import * as authz from '#proto/gen/cosmos/authz/v1beta1/tx_pb.ts';
import * as bank from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import * as distribution from '#proto/gen/cosmos/distribution/v1beta1/tx_pb.ts';
import { EquivocationSchema } from '#proto/gen/cosmos/evidence/v1beta1/evidence_pb.ts';
import { MsgSubmitEvidenceSchema } from '#proto/gen/cosmos/evidence/v1beta1/tx_pb.ts';
import { BasicAllowanceSchema } from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import * as feegrant from '#proto/gen/cosmos/feegrant/v1beta1/tx_pb.ts';
import { MsgUnjailSchema } from '#proto/gen/cosmos/slashing/v1beta1/tx_pb.ts';
import * as staking from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { formatAddress, moduleAddress } from './address.ts';
import { formatConsensus } from './modules/staking/addresses.ts';
import {
  consensusHex,
  consensusKey,
  DENOM,
  operatorText,
  type StakingChain,
  startStakingChain,
} from './modules/staking/test-network.ts';
import { testKey } from './test-chain.ts';

const PREFIX = { bech32Prefix: 'auton' };
const [alice, bob, newcomer] = [testKey(5), testKey(6), testKey(7)];
const text = (key: AccountKeyPair) => formatAddress(PREFIX, accountAddress(key.publicKey));
const module = (name: string) => formatAddress(PREFIX, moduleAddress(name));
const consensus = (n: number) => formatConsensus(PREFIX, consensusAddress(consensusKey(n)));
const coin = (amount: bigint) => ({ denom: DENOM, amount: String(amount) });
const [first, third] = [operatorText(testKey(1)), operatorText(testKey(3))];
const BONDED = module('bonded_tokens_pool');
const NOT_BONDED = module('not_bonded_tokens_pool');
const REWARDS = module('distribution');

/** `type key=value key=value`, with names in the place of addresses. */
function line({ type, attributes }: Event): string {
  return [type, ...attributes.map(({ key, value }) => `${key}=${value}`)].join(' ');
}

/** What a message's own events are: after those of the fee and the signature, without the message's index. */
function linesOf({ code, log, events }: ExecTxResult): string[] {
  expect(`${code} ${log}`).toBe('0 ');
  const own = events.filter(({ attributes }) => attributes.at(-1)?.key === 'msg_index');
  return own.map(({ type, attributes }) => line({ type, attributes: attributes.slice(0, -1) }));
}

const moved = (from: string, to: string, amount: bigint) => [
  `coin_spent spender=${from} amount=${amount}${DENOM}`,
  `coin_received receiver=${to} amount=${amount}${DENOM}`,
];
const sent = (from: string, to: string, amount: bigint) => [
  ...moved(from, to, amount),
  `transfer recipient=${to} sender=${from} amount=${amount}${DENOM}`,
  `message sender=${from}`,
];
const action = (url: string, from: AccountKeyPair, name = url.split('.')[1]) =>
  `message action=${url} sender=${text(from)} module=${name}`;

const delegate = (from: AccountKeyPair, validatorAddress: string, amount: bigint) =>
  pack(staking.MsgDelegateSchema, { delegatorAddress: text(from), validatorAddress, amount: coin(amount) });

const SLASHING = {
  params: {
    signed_blocks_window: '4',
    min_signed_per_window: '0.5',
    downtime_jail_duration: '10s',
    slash_fraction_double_sign: '0.05',
    slash_fraction_downtime: '0.01',
  },
};

function start(): Promise<StakingChain> {
  return startStakingChain({ moduleState: { slashing: SLASHING } });
}

test('a transaction: fee, its payer, sequence and signature, then the message', async () => {
  const net = await start();
  await net.block();
  const result = await net.run(alice, net.chain.send(alice, text(bob), 7n));
  const lines = result.events.map(line);
  expect(lines.slice(0, 6)).toEqual([
    ...sent(text(alice), module('fee_collector'), 1_000n),
    `tx fee=1000${DENOM} fee_payer=${text(alice)}`,
    `tx acc_seq=${text(alice)}/0`,
  ]);
  expect(lines[6]).toMatch(/^tx signature=[A-Za-z0-9+/]{86}==$/);
  expect(lines.slice(7)).toEqual(
    [action('/cosmos.bank.v1beta1.MsgSend', alice), ...sent(text(alice), text(bob), 7n)].map(
      (one) => `${one} msg_index=0`,
    ),
  );
  for (const { attributes } of result.events) for (const { index } of attributes) expect(index).toBe(true);
});

test('bank: several receivers', async () => {
  const net = await start();
  await net.block();
  const done = await net.run(
    alice,
    pack(bank.MsgMultiSendSchema, {
      inputs: [{ address: text(alice), coins: [coin(3n)] }],
      outputs: [
        { address: text(bob), coins: [coin(1n)] },
        { address: text(newcomer), coins: [coin(2n)] },
      ],
    }),
  );
  expect(linesOf(done)).toEqual([
    action('/cosmos.bank.v1beta1.MsgMultiSend', alice),
    `coin_spent spender=${text(alice)} amount=3${DENOM}`,
    `message sender=${text(alice)}`,
    `coin_received receiver=${text(bob)} amount=1${DENOM}`,
    `transfer recipient=${text(bob)} amount=1${DENOM}`,
    `coin_received receiver=${text(newcomer)} amount=2${DENOM}`,
    `transfer recipient=${text(newcomer)} amount=2${DENOM}`,
  ]);
});

test('staking: stake that comes, moves, leaves and comes back, until it is complete', async () => {
  const net = await start();
  await net.block();
  const nothing = (operator: string) =>
    `withdraw_rewards amount=0${DENOM} validator=${operator} delegator=${text(alice)}`;
  expect(linesOf(await net.run(alice, delegate(alice, first, 9n)))).toEqual([
    action('/cosmos.staking.v1beta1.MsgDelegate', alice),
    ...moved(text(alice), BONDED, 9n),
    `delegate validator=${first} delegator=${text(alice)} amount=9${DENOM} new_shares=9.000000000000000000`,
  ]);
  const redelegated = linesOf(
    await net.run(
      alice,
      pack(staking.MsgBeginRedelegateSchema, {
        delegatorAddress: text(alice),
        validatorSrcAddress: first,
        validatorDstAddress: third,
        amount: coin(4n),
      }),
    ),
  );
  expect(redelegated).toEqual([
    action('/cosmos.staking.v1beta1.MsgBeginRedelegate', alice),
    nothing(first),
    `redelegate source_validator=${first} destination_validator=${third} amount=4${DENOM} completion_time=2026-01-01T00:00:23Z`,
  ]);
  const leave = pack(staking.MsgUndelegateSchema, {
    delegatorAddress: text(alice),
    validatorAddress: first,
    amount: coin(5n),
  });
  expect(linesOf(await net.run(alice, leave))).toEqual([
    action('/cosmos.staking.v1beta1.MsgUndelegate', alice),
    nothing(first),
    ...sent(BONDED, NOT_BONDED, 5n),
    `unbond validator=${first} delegator=${text(alice)} amount=5${DENOM} completion_time=2026-01-01T00:00:24Z`,
  ]);
  const cancel = pack(staking.MsgCancelUnbondingDelegationSchema, {
    delegatorAddress: text(alice),
    validatorAddress: first,
    amount: coin(2n),
    creationHeight: net.height(),
  });
  const height = net.height();
  expect(linesOf(await net.run(alice, cancel))).toEqual([
    action('/cosmos.staking.v1beta1.MsgCancelUnbondingDelegation', alice),
    ...sent(NOT_BONDED, BONDED, 2n),
    `cancel_unbonding_delegation amount=2${DENOM} validator=${first} delegator=${text(alice)} creation_height=${height}`,
  ]);
  const { events } = await net.block({ time: addMillis(net.time(), 60_000n) });
  const ends = events.map(line).filter((one) => !one.startsWith('rewards') && !one.startsWith('commission'));
  expect(ends.slice(-4)).toEqual([
    ...moved(NOT_BONDED, text(alice), 3n).map((one) => `${one} mode=EndBlock`),
    `complete_unbonding amount=3${DENOM} validator=${first} delegator=${text(alice)} mode=EndBlock`,
    `complete_redelegation amount=4${DENOM} delegator=${text(alice)} source_validator=${first} destination_validator=${third} mode=EndBlock`,
  ]);
});

test('staking: a validator that is created and changed', async () => {
  const net = await start();
  await net.block();
  const operator = operatorText(alice);
  const made = await net.run(
    alice,
    pack(staking.MsgCreateValidatorSchema, {
      description: { moniker: 'new' },
      commission: { rate: '100000000000000000', maxRate: '500000000000000000', maxChangeRate: '200000000000000000' },
      minSelfDelegation: '1',
      validatorAddress: operator,
      pubkey: { typeUrl: '/cosmos.crypto.ed25519.PubKey', value: Uint8Array.of(0x0a, 32, ...consensusKey(9).bytes) },
      value: coin(2n),
    }),
  );
  expect(linesOf(made)).toEqual([
    action('/cosmos.staking.v1beta1.MsgCreateValidator', alice),
    ...moved(text(alice), NOT_BONDED, 2n),
    `create_validator validator=${operator} amount=2${DENOM}`,
  ]);
  await net.block({ time: addMillis(net.time(), 86_400_001n) });
  const changed = await net.run(
    alice,
    pack(staking.MsgEditValidatorSchema, {
      description: { moniker: 'newer' },
      validatorAddress: operator,
      commissionRate: '150000000000000000',
      minSelfDelegation: '2',
    }),
  );
  // The whole commission, as Go prints it: the space at its end is v0.50's.
  const commission =
    'commission_rates:<rate:"150000000000000000" max_rate:"500000000000000000" max_change_rate:"200000000000000000" > ' +
    'update_time:<seconds:1767312003 nanos:1000000 > ';
  expect(linesOf(changed)).toEqual([
    action('/cosmos.staking.v1beta1.MsgEditValidator', alice),
    `edit_validator commission_rate=${commission} min_self_delegation=2`,
  ]);
});

test('distribution: rewards, commission, the pools, where they go; nothing is a coin of 0 in the answer too', async () => {
  const net = await start();
  await net.block();
  await net.run(alice, delegate(alice, first, 10_000_000n));
  const own = { delegatorAddress: text(alice), validatorAddress: first };
  const withdraw = pack(distribution.MsgWithdrawDelegatorRewardSchema, own);
  const none = await net.run(alice, withdraw);
  expect(linesOf(none).at(-1)).toMatch(/^withdraw_rewards amount=[0-9]+uauton validator=\S+ delegator=\S+$/);
  await net.block();
  const paid = linesOf(await net.run(alice, withdraw));
  const amount = BigInt(/amount=([0-9]+)/.exec(paid.at(-1) ?? '')?.[1] ?? 0n);
  expect(paid).toEqual([
    action('/cosmos.distribution.v1beta1.MsgWithdrawDelegatorReward', alice),
    ...sent(REWARDS, text(alice), amount),
    `withdraw_rewards amount=${amount}${DENOM} validator=${first} delegator=${text(alice)}`,
  ]);
  const commission = linesOf(
    await net.run(testKey(1), pack(distribution.MsgWithdrawValidatorCommissionSchema, { validatorAddress: first })),
  );
  expect(commission[0]).toBe(action('/cosmos.distribution.v1beta1.MsgWithdrawValidatorCommission', testKey(1)));
  expect(commission.at(-1)).toMatch(/^withdraw_commission amount=[0-9]+uauton$/);
  const elsewhere = { delegatorAddress: text(alice), withdrawAddress: text(bob) };
  expect(linesOf(await net.run(alice, pack(distribution.MsgSetWithdrawAddressSchema, elsewhere)))).toEqual([
    action('/cosmos.distribution.v1beta1.MsgSetWithdrawAddress', alice),
    `set_withdraw_address withdraw_address=${text(bob)}`,
  ]);
  const fund = pack(distribution.MsgFundCommunityPoolSchema, { depositor: text(alice), amount: [coin(8n)] });
  expect(linesOf(await net.run(alice, fund))).toEqual([
    action('/cosmos.distribution.v1beta1.MsgFundCommunityPool', alice),
    ...sent(text(alice), REWARDS, 8n),
  ]);
  const deposit = pack(distribution.MsgDepositValidatorRewardsPoolSchema, {
    depositor: text(alice),
    validatorAddress: first,
    amount: [coin(10n)],
  });
  expect(linesOf(await net.run(alice, deposit))).toEqual([
    action('/cosmos.distribution.v1beta1.MsgDepositValidatorRewardsPool', alice),
    ...sent(text(alice), REWARDS, 10n),
    `commission amount=1.000000000000000000${DENOM} validator=${first}`,
    `rewards amount=10.000000000000000000${DENOM} validator=${first}`,
  ]);
  const unpaid = await start();
  await unpaid.block();
  await unpaid.run(alice, delegate(alice, first, 1n));
  const { data } = await unpaid.run(alice, withdraw);
  expect(new TextDecoder().decode(data)).toContain(`${DENOM}\u0012\u00010`);
});

test('authz: typed events with values in JSON, and the index of each inner message', async () => {
  const net = await start();
  await net.block();
  const granted = pack(authz.MsgGrantSchema, {
    granter: text(alice),
    grantee: text(bob),
    grant: { authorization: pack(GenericAuthorizationSchema, { msg: '/cosmos.bank.v1beta1.MsgSend' }) },
  });
  const about = `grantee="${text(bob)}" granter="${text(alice)}" msg_type_url="/cosmos.bank.v1beta1.MsgSend"`;
  expect(linesOf(await net.run(alice, granted))).toEqual([
    action('/cosmos.authz.v1beta1.MsgGrant', alice),
    `cosmos.authz.v1beta1.EventGrant ${about}`,
  ]);
  const inner = net.chain.send(alice, text(bob), 3n);
  const exec = pack(authz.MsgExecSchema, { grantee: text(bob), msgs: [{ ...inner }] });
  expect(linesOf(await net.run(bob, exec))).toEqual([
    action('/cosmos.authz.v1beta1.MsgExec', bob),
    ...sent(text(alice), text(bob), 3n).map((one) => `${one} authz_msg_index=0`),
  ]);
  const parties = { granter: text(alice), grantee: text(bob), msgTypeUrl: '/cosmos.bank.v1beta1.MsgSend' };
  expect(linesOf(await net.run(alice, pack(authz.MsgRevokeSchema, parties)))).toEqual([
    action('/cosmos.authz.v1beta1.MsgRevoke', alice),
    `cosmos.authz.v1beta1.EventRevoke ${about}`,
  ]);
});

test('feegrant: given, used, used up, taken back, cleared away', async () => {
  const net = await start();
  await net.block();
  const parties = { granter: text(alice), grantee: text(bob) };
  const about = `granter=${text(alice)} grantee=${text(bob)}`;
  const give = (spendLimit: bigint) =>
    pack(feegrant.MsgGrantAllowanceSchema, {
      ...parties,
      allowance: pack(BasicAllowanceSchema, { spendLimit: [coin(spendLimit)] }),
    });
  expect(linesOf(await net.run(alice, give(1_500n)))).toEqual([
    action('/cosmos.feegrant.v1beta1.MsgGrantAllowance', alice),
    `set_feegrant ${about}`,
  ]);
  const pay = async (amount: bigint) => {
    const messages = [net.chain.send(bob, text(alice), 1n)];
    const fee = [{ denom: DENOM, amount }];
    const { txResults } = await net.block({ txs: [net.chain.sign(bob, { messages, fee, feeGranter: text(alice) })] });
    return defined(txResults[0], 'a result').events.map(line);
  };
  expect((await pay(1_000n)).slice(0, 2)).toEqual([`use_feegrant ${about}`, `update_feegrant ${about}`]);
  expect((await pay(500n)).slice(0, 2)).toEqual([`revoke_feegrant ${about}`, `use_feegrant ${about}`]);
  await net.run(alice, give(1n));
  expect(linesOf(await net.run(alice, pack(feegrant.MsgRevokeAllowanceSchema, parties)))).toEqual([
    action('/cosmos.feegrant.v1beta1.MsgRevokeAllowance', alice),
    `revoke_feegrant ${about}`,
  ]);
  expect(linesOf(await net.run(bob, pack(feegrant.MsgPruneAllowancesSchema, { pruner: text(bob) })))).toEqual([
    action('/cosmos.feegrant.v1beta1.MsgPruneAllowances', bob),
    `prune_feegrant pruner=${text(bob)}`,
  ]);
});

test('slashing: who is down is told in one event, who signed twice in two', async () => {
  const net = await start();
  const absent = new Set([consensusHex(2)]);
  for (let i = 0; i < 5; i++) await net.block(i === 0 ? {} : { absent });
  const { events } = await net.block({ absent });
  const own = events.map(line).filter((one) => one.startsWith('slash') || one.startsWith('liveness'));
  expect(own).toEqual([
    `liveness address=${consensus(2)} missed_blocks=4 height=6 mode=BeginBlock`,
    `slash address=${consensus(2)} power=10 reason=missing_signature jailed=${consensus(2)} burned_coins=100000 mode=BeginBlock`,
  ]);
  const crime: Misbehavior = {
    type: 'duplicate-vote',
    validator: { address: consensusAddress(consensusKey(3)), power: 10n },
    height: toHeight(4n),
    time: net.time(),
    totalVotingPower: 40n,
  };
  const punished = await net.block({ misbehavior: [crime] });
  expect(punished.events.map(line).filter((one) => one.startsWith('slash'))).toEqual([
    `slash address=${consensus(3)} power=10 reason=double_sign burned_coins=500000 mode=BeginBlock`,
    `slash jailed=${consensus(3)} mode=BeginBlock`,
  ]);
});

test('refusals have the codespace and the code of v0.50', async () => {
  const net = await start();
  await net.block();
  expect((await net.run(alice, delegate(alice, first, 1_000n))).code).toBe(0);
  const nobody = operatorText(bob);
  const parties = (validatorAddress: string) => ({ delegatorAddress: text(alice), validatorAddress });
  const undelegate = (from: string, amount: bigint, denom = DENOM) =>
    pack(staking.MsgUndelegateSchema, { ...parties(from), amount: { denom, amount: String(amount) } });
  const redelegate = (validatorSrcAddress: string, validatorDstAddress: string, amount = 1n) =>
    pack(staking.MsgBeginRedelegateSchema, {
      delegatorAddress: text(alice),
      validatorSrcAddress,
      validatorDstAddress,
      amount: coin(amount),
    });
  const cancel = (from: string, creationHeight: bigint) =>
    pack(staking.MsgCancelUnbondingDelegationSchema, { ...parties(from), amount: coin(1n), creationHeight });
  const withdraw = (from: string) => pack(distribution.MsgWithdrawDelegatorRewardSchema, parties(from));
  const many = (plan: object) => pack(bank.MsgMultiSendSchema, plan);
  const one = { address: text(alice), coins: [coin(1n)] };
  const cases: [string, { typeUrl: string; value: Uint8Array }, string, number][] = [
    ['delegate to nobody', delegate(alice, nobody, 1n), 'staking', 3],
    ['delegate nothing', delegate(alice, first, 0n), 'sdk', 18],
    ['delegate too much', delegate(alice, first, 10n ** 15n), 'sdk', 5],
    ['undelegate from nobody', undelegate(nobody, 1n), 'staking', 3],
    ['undelegate without a delegation', undelegate(third, 1n), 'staking', 19],
    ['undelegate too much', undelegate(first, 1_001n), 'sdk', 18],
    ['undelegate another token', undelegate(first, 1n, 'other'), 'sdk', 18],
    ['redelegate to the same', redelegate(first, first), 'staking', 29],
    ['redelegate to nobody', redelegate(first, nobody), 'staking', 31],
    ['cancel without an unbonding', cancel(first, 1n), 'sdk', 38],
    ['withdraw from nobody', withdraw(nobody), 'staking', 3],
    ['withdraw without a delegation', withdraw(third), 'staking', 19],
    ['unjail nobody', pack(MsgUnjailSchema, { validatorAddr: operatorText(alice) }), 'staking', 3],
    [
      'commission of nobody',
      pack(distribution.MsgWithdrawValidatorCommissionSchema, { validatorAddress: operatorText(alice) }),
      'distribution',
      7,
    ],
    [
      'rewards for nobody',
      pack(distribution.MsgDepositValidatorRewardsPoolSchema, {
        depositor: text(alice),
        validatorAddress: nobody,
        amount: [coin(1n)],
      }),
      'staking',
      3,
    ],
    [
      'withdraw to a module',
      pack(distribution.MsgSetWithdrawAddressSchema, { delegatorAddress: text(alice), withdrawAddress: REWARDS }),
      'sdk',
      4,
    ],
    ['send to a module', net.chain.send(alice, REWARDS, 1n), 'sdk', 4],
    ['send too much', net.chain.send(alice, text(bob), 10n ** 15n), 'sdk', 5],
    ['send from two', many({ inputs: [one, one], outputs: [one, one] }), 'bank', 9],
    ['send to none', many({ inputs: [one] }), 'bank', 3],
    ['send more than is given', many({ inputs: [one], outputs: [one, one] }), 'bank', 4],
    [
      'revoke what was not granted',
      pack(authz.MsgRevokeSchema, { granter: text(alice), grantee: text(bob), msgTypeUrl: '/x' }),
      'authz',
      2,
    ],
    [
      'revoke fees that were not granted',
      pack(feegrant.MsgRevokeAllowanceSchema, { granter: text(alice), grantee: text(bob) }),
      'sdk',
      38,
    ],
    ['no evidence', pack(MsgSubmitEvidenceSchema, { submitter: text(alice) }), 'evidence', 3],
    [
      'evidence that comes from consensus alone',
      pack(MsgSubmitEvidenceSchema, { submitter: text(alice), evidence: pack(EquivocationSchema, { height: 1n }) }),
      'evidence',
      2,
    ],
  ];
  for (const [what, message, codespace, code] of cases)
    expect(await net.run(alice, message), what).toMatchObject({ codespace, code });
  expect((await net.run(alice, redelegate(first, third, 10n))).code).toBe(0);
  expect(await net.run(alice, redelegate(third, operatorText(testKey(2)))), 'redelegate on').toMatchObject({
    codespace: 'staking',
    code: 32,
  });
  const own = pack(MsgUnjailSchema, { validatorAddr: first });
  expect(await net.run(testKey(1), own), 'unjail who is free').toMatchObject({ codespace: 'slashing', code: 5 });
});
