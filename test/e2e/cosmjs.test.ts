/** Unmodified CosmJS on a live chain whose stake is real: what wallets and exchanges send. */
import {
  createMultisigThresholdPubkey,
  encodeEd25519Pubkey,
  encodeSecp256k1Pubkey,
  pubkeyToAddress,
} from '@cosmjs/amino';
import { toBech32 } from '@cosmjs/encoding';
import { encodePubkey } from '@cosmjs/proto-signing';
import {
  assertIsDeliverTxSuccess,
  coins,
  makeMultisignedTxBytes,
  SigningStargateClient,
  StargateClient,
} from '@cosmjs/stargate';
import { Comet38Client, connectComet, HttpBatchClient } from '@cosmjs/tendermint-rpc';
import { GenericAuthorization } from 'cosmjs-types/cosmos/authz/v1beta1/authz';
import { MsgExec, MsgGrant } from 'cosmjs-types/cosmos/authz/v1beta1/tx';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { BasicAllowance } from 'cosmjs-types/cosmos/feegrant/v1beta1/feegrant';
import { MsgGrantAllowance } from 'cosmjs-types/cosmos/feegrant/v1beta1/tx';
import { MsgBeginRedelegate, MsgCreateValidator } from 'cosmjs-types/cosmos/staking/v1beta1/tx';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defined } from '#core/assert.ts';
import {
  ABSENT,
  CHAIN_ID,
  type CosmjsChain,
  DENOM,
  everyQuery,
  FEE,
  FUNDS,
  operatorOf,
  type Person,
  STAKING_FEE,
  send,
  startCosmjsChain,
} from './support/cosmjs-chain.ts';
import { until } from './support/network.ts';

let chain: CosmjsChain;
let comet: Comet38Client;

beforeAll(async () => {
  chain = await startCosmjsChain(6);
  ({ comet } = chain);
});

afterAll(() => chain?.stop());

test('connect: over HTTP, in batches and over WebSocket, as a client of CometBFT 0.38', async () => {
  expect(comet).toBeInstanceOf(Comet38Client);
  const connect = [
    async () => (await connectComet(chain.rpcUrl)) as Comet38Client,
    // CosmJS loses what is asked of a WebSocket that connected while nobody was asking: each is asked at once.
    async () => (await connectComet(chain.websocketUrl)) as Comet38Client,
    () => Comet38Client.create(new HttpBatchClient(chain.rpcUrl)),
  ];
  for (const one of connect) {
    const client = await one();
    expect(client).toBeInstanceOf(Comet38Client);
    const { nodeInfo, syncInfo, validatorInfo } = await client.status();
    expect(nodeInfo).toMatchObject({ network: CHAIN_ID, moniker: 'validator0' });
    expect(nodeInfo.version).toMatch(/^0\.38\./);
    expect(nodeInfo.listenAddr).not.toBe('');
    expect(syncInfo.catchingUp).toBe(false);
    expect(syncInfo.latestBlockHash).toHaveLength(32);
    expect(syncInfo.latestAppHash).toHaveLength(32);
    expect(syncInfo.latestBlockHeight).toBeGreaterThan(1);
    expect(validatorInfo?.votingPower).toBe(10n);
    expect(await client.health()).toBeNull();
    client.disconnect();
  }
  const client = await StargateClient.connect(chain.websocketUrl);
  expect(await client.getChainId()).toBe(CHAIN_ID);
  expect(await client.getHeight()).toBeGreaterThan(1);
  client.disconnect();
});

test('accounts: present, absent, and their key once they have signed', async () => {
  const { client, address, amino } = chain.person(0);
  const before = defined(await client.getAccount(address), 'an account');
  expect(before).toMatchObject({ address, pubkey: null, sequence: 0 });
  assertIsDeliverTxSuccess(await client.sendTokens(address, address, coins(1, DENOM), FEE));
  const after = defined(await client.getAccount(address), 'an account');
  const [signer] = await amino.getAccounts();
  expect(after).toEqual({ ...before, sequence: 1, pubkey: encodeSecp256k1Pubkey(defined(signer, 'a signer').pubkey) });
  expect(await client.getAccount(ABSENT)).toBeNull();
  await expect(client.getSequence(ABSENT)).rejects.toThrow('does not exist on chain');
  await expect(everyQuery(comet).auth.account(ABSENT)).rejects.toThrow('rpc error: code = NotFound');
});

test('balances: of one denomination, of all, of nobody; supply and metadata', async () => {
  const { client, address } = chain.person(1);
  expect(await client.getBalance(address, DENOM)).toEqual({ denom: DENOM, amount: String(FUNDS) });
  expect(await client.getBalance(address, 'nothing')).toEqual({ denom: 'nothing', amount: '0' });
  expect(await client.getAllBalances(address)).toEqual(coins(Number(FUNDS), DENOM));
  expect(await client.getAllBalances(ABSENT)).toEqual([]);
  const { bank } = everyQuery(comet);
  const supply = await bank.supplyOf(DENOM);
  expect(BigInt(supply.amount)).toBeGreaterThan(FUNDS);
  expect((await bank.totalSupply()).supply.map(({ denom }) => denom)).toContain(DENOM);
  expect(await bank.denomMetadata(DENOM)).toMatchObject({ base: DENOM, symbol: 'AUTON' });
  expect((await bank.denomsMetadata()).map(({ base }) => base)).toContain(DENOM);
});

test('send: delivered, with events of plain strings and typed responses', async () => {
  const { client, address } = chain.person(1);
  const sent = await client.sendTokens(address, ABSENT, coins(12_345, DENOM), 'auto', 'a memo');
  assertIsDeliverTxSuccess(sent);
  expect(sent).toMatchObject({ code: 0, rawLog: '', transactionHash: expect.stringMatching(/^[0-9A-F]{64}$/) });
  expect(sent.gasUsed).toBeLessThanOrEqual(sent.gasWanted);
  expect(sent.msgResponses).toEqual([{ typeUrl: '/cosmos.bank.v1beta1.MsgSendResponse', value: new Uint8Array(0) }]);
  expect(sent.events).toContainEqual({
    type: 'transfer',
    attributes: [
      { key: 'recipient', value: ABSENT },
      { key: 'sender', value: address },
      { key: 'amount', value: `12345${DENOM}` },
      { key: 'msg_index', value: '0' },
    ],
  });
  for (const { attributes } of sent.events) for (const { key } of attributes) expect(key).not.toBe('');
  expect(await client.getBalance(ABSENT, DENOM)).toEqual({ denom: DENOM, amount: '12345' });
});

test('multisend: one pays two', async () => {
  const { client, address } = chain.person(1);
  const [a, b] = [1, 2].map((n) => toBech32('auton', new Uint8Array(20).fill(n)));
  const message = {
    typeUrl: '/cosmos.bank.v1beta1.MsgMultiSend',
    value: {
      inputs: [{ address, coins: coins(3, DENOM) }],
      outputs: [
        { address: a, coins: coins(1, DENOM) },
        { address: b, coins: coins(2, DENOM) },
      ],
    },
  };
  assertIsDeliverTxSuccess(await client.signAndBroadcast(address, [message], 'auto'));
  expect(await client.getBalance(defined(b, 'an address'), DENOM)).toEqual({ denom: DENOM, amount: '2' });
});

test('simulate: gas of a send and of a delegation, without a signature or a mode', async () => {
  const { client, address, amino } = chain.person(2);
  const gas = await client.simulate(address, [send(address, ABSENT, 1)], '');
  expect(gas).toBeGreaterThan(50_000);
  expect(gas).toBeLessThan(100_000);
  const delegate = {
    typeUrl: '/cosmos.staking.v1beta1.MsgDelegate',
    value: { delegatorAddress: address, validatorAddress: chain.validator, amount: { denom: DENOM, amount: '11' } },
  };
  const ofDelegation = await client.simulate(address, [delegate], 'delegate');
  expect(ofDelegation).toBeGreaterThan(101_000);
  expect(ofDelegation).toBeLessThan(200_000);
  const [signer] = await amino.getAccounts();
  const { tx } = everyQuery(comet);
  const simulated = await tx.simulate(
    [client.registry.encodeAsAny(send(address, ABSENT, 1))],
    'memo',
    encodeSecp256k1Pubkey(defined(signer, 'a signer').pubkey),
    0,
  );
  expect(simulated.gasInfo?.gasWanted).toBe(2n ** 64n - 1n);
  expect(simulated.result?.msgResponses.map(({ typeUrl }) => typeUrl)).toEqual([
    '/cosmos.bank.v1beta1.MsgSendResponse',
  ]);
  // What cannot work says so before it costs anything.
  await expect(client.simulate(address, [send(address, ABSENT, 2_000_000_000)], '')).rejects.toThrow(
    'insufficient funds',
  );
});

test('delegate: stake moves, and is found by every query', async () => {
  const { client, address } = chain.person(2);
  const { staking } = everyQuery(comet);
  expect(await client.getDelegation(address, chain.validator)).toBeNull();
  await expect(staking.delegation(address, chain.validator)).rejects.toThrow('key not found');
  const done = await client.delegateTokens(address, chain.validator, { denom: DENOM, amount: '2000000' }, STAKING_FEE);
  assertIsDeliverTxSuccess(done);
  expect(done.events.map(({ type }) => type)).toContain('delegate');
  expect(await client.getDelegation(address, chain.validator)).toEqual({ denom: DENOM, amount: '2000000' });
  expect(await client.getBalanceStaked(address)).toEqual({ denom: DENOM, amount: '2000000' });
  const { delegationResponses } = await staking.delegatorDelegations(address);
  // A Dec is 10^18 atomics in protobuf.
  expect(delegationResponses.map(({ delegation }) => delegation?.shares)).toEqual([`2000000${'0'.repeat(18)}`]);
  expect((await staking.delegatorValidators(address)).validators).toHaveLength(1);
  expect((await staking.validatorDelegations(chain.validator)).delegationResponses.length).toBeGreaterThanOrEqual(2);
  await until('the power follows', async () => {
    const { validators } = await comet.validatorsAll();
    return validators[0]?.votingPower === 12n;
  });
});

test('undelegate: stake waits for the unbonding time', async () => {
  const { client, address } = chain.person(2);
  const done = await client.undelegateTokens(address, chain.validator, { denom: DENOM, amount: '500000' }, STAKING_FEE);
  assertIsDeliverTxSuccess(done);
  const { staking } = everyQuery(comet);
  const { unbond } = await staking.unbondingDelegation(address, chain.validator);
  expect(unbond?.entries).toMatchObject([{ initialBalance: '500000', balance: '500000' }]);
  expect((await staking.delegatorUnbondingDelegations(address)).unbondingResponses).toHaveLength(1);
  expect((await staking.validatorUnbondingDelegations(chain.validator)).unbondingResponses).toHaveLength(1);
  expect(await client.getBalanceStaked(address)).toEqual({ denom: DENOM, amount: '1500000' });
});

test('redelegate: to a validator that was created with one unit, which has no power', async () => {
  const creator = chain.person(3);
  const created = operatorOf(creator.address);
  const create = {
    typeUrl: MsgCreateValidator.typeUrl,
    value: MsgCreateValidator.fromPartial({
      description: { moniker: 'small' },
      commission: { rate: '0', maxRate: '0', maxChangeRate: '0' },
      minSelfDelegation: '1',
      validatorAddress: created,
      pubkey: encodePubkey(encodeEd25519Pubkey(new Uint8Array(32).fill(7))),
      value: { denom: DENOM, amount: '1' },
    }),
  };
  assertIsDeliverTxSuccess(await creator.client.signAndBroadcast(creator.address, [create], STAKING_FEE));
  const { client, address } = chain.person(2);
  const redelegate = {
    typeUrl: MsgBeginRedelegate.typeUrl,
    value: MsgBeginRedelegate.fromPartial({
      delegatorAddress: address,
      validatorSrcAddress: chain.validator,
      validatorDstAddress: created,
      amount: { denom: DENOM, amount: '100000' },
    }),
  };
  assertIsDeliverTxSuccess(await client.signAndBroadcast(address, [redelegate], STAKING_FEE));
  const { staking } = everyQuery(comet);
  const { redelegationResponses } = await staking.redelegations(address, chain.validator, created);
  expect(redelegationResponses).toHaveLength(1);
  expect(await client.getDelegation(address, created)).toEqual({ denom: DENOM, amount: '100000' });
  expect((await staking.validator(created)).validator).toMatchObject({ tokens: '100001' });
  const { validators } = await comet.validatorsAll();
  expect(validators.map(({ votingPower }) => votingPower > 0n)).toEqual([true]);
});

test('rewards: fees and inflation are paid out to who delegates', async () => {
  const { client, address } = chain.person(2);
  const { distribution } = everyQuery(comet);
  await until('there are rewards', async () => {
    const { total } = await distribution.delegationTotalRewards(address);
    return BigInt(total[0]?.amount ?? '0') > 10n ** 18n;
  });
  const done = await client.withdrawRewards(address, chain.validator, STAKING_FEE);
  assertIsDeliverTxSuccess(done);
  const withdrawn = done.events.find(({ type }) => type === 'withdraw_rewards');
  expect(withdrawn?.attributes.find(({ key }) => key === 'amount')?.value).toMatch(/^[1-9][0-9]*uauton$/);
});

test('authz: a grantee sends for its granter', async () => {
  const [granter, grantee] = [chain.person(3), chain.person(4)];
  const authorization = {
    typeUrl: GenericAuthorization.typeUrl,
    value: GenericAuthorization.encode(GenericAuthorization.fromPartial({ msg: MsgSend.typeUrl })).finish(),
  };
  const grant = {
    typeUrl: MsgGrant.typeUrl,
    value: MsgGrant.fromPartial({ granter: granter.address, grantee: grantee.address, grant: { authorization } }),
  };
  assertIsDeliverTxSuccess(await granter.client.signAndBroadcast(granter.address, [grant], FEE));
  const { authz } = everyQuery(comet);
  expect((await authz.grants(granter.address, grantee.address, MsgSend.typeUrl)).grants).toHaveLength(1);
  expect((await authz.granterGrants(granter.address)).grants).toHaveLength(1);
  expect((await authz.granteeGrants(grantee.address)).grants).toHaveLength(1);
  const inner = MsgSend.encode(send(granter.address, ABSENT, 9).value).finish();
  const exec = {
    typeUrl: MsgExec.typeUrl,
    value: MsgExec.fromPartial({ grantee: grantee.address, msgs: [{ typeUrl: MsgSend.typeUrl, value: inner }] }),
  };
  const before = BigInt((await grantee.client.getBalance(ABSENT, DENOM)).amount);
  assertIsDeliverTxSuccess(await grantee.client.signAndBroadcast(grantee.address, [exec], FEE));
  expect(BigInt((await grantee.client.getBalance(ABSENT, DENOM)).amount) - before).toBe(9n);
});

test('feegrant: the granter pays for an account without coins', async () => {
  const granter = chain.person(3);
  const poor = await chain.stranger();
  const allowance = {
    typeUrl: BasicAllowance.typeUrl,
    value: BasicAllowance.encode(BasicAllowance.fromPartial({ spendLimit: coins(7_000, DENOM) })).finish(),
  };
  const grant = {
    typeUrl: MsgGrantAllowance.typeUrl,
    value: MsgGrantAllowance.fromPartial({ granter: granter.address, grantee: poor.address, allowance }),
  };
  assertIsDeliverTxSuccess(
    await granter.client.signAndBroadcast(granter.address, [grant, send(granter.address, poor.address, 1)], FEE),
  );
  const { feegrant } = everyQuery(comet);
  expect((await feegrant.allowances(poor.address)).allowances).toHaveLength(1);
  const fee = { ...FEE, granter: granter.address };
  assertIsDeliverTxSuccess(await poor.client.signAndBroadcast(poor.address, [send(poor.address, ABSENT, 1)], fee));
  const left = await feegrant.allowance(granter.address, poor.address);
  const { spendLimit } = BasicAllowance.decode(defined(left.allowance?.allowance, 'an allowance').value);
  expect(spendLimit).toEqual(coins(2_000, DENOM));
  poor.client.disconnect();
});

test('amino: a signer that shows JSON signs sends, delegations and withdrawals', async () => {
  const { amino, address } = chain.person(4);
  const client = await chain.connectAs(amino);
  assertIsDeliverTxSuccess(await client.sendTokens(address, ABSENT, coins(1, DENOM), 'auto', 'with a memo: < > & "'));
  assertIsDeliverTxSuccess(
    await client.delegateTokens(address, chain.validator, { denom: DENOM, amount: '1000' }, STAKING_FEE, 'amino'),
  );
  assertIsDeliverTxSuccess(await client.withdrawRewards(address, chain.validator, STAKING_FEE));
  assertIsDeliverTxSuccess(
    await client.undelegateTokens(address, chain.validator, { denom: DENOM, amount: '1' }, STAKING_FEE),
  );
  client.disconnect();
});

test('multisig: two of three, put together by makeMultisignedTxBytes', async () => {
  const members = [chain.person(0), chain.person(1), chain.person(5)];
  const keys = await Promise.all(
    members.map(async ({ amino }) =>
      encodeSecp256k1Pubkey(defined((await amino.getAccounts())[0], 'an account').pubkey),
    ),
  );
  const key = createMultisigThresholdPubkey(keys, 2);
  const address = pubkeyToAddress(key, 'auton');
  const { client } = chain.person(5);
  assertIsDeliverTxSuccess(await client.sendTokens(chain.person(5).address, address, coins(1_000_000, DENOM), 'auto'));
  const { accountNumber, sequence } = await client.getSequence(address);
  const message = send(address, ABSENT, 77);
  const sign = async ({ amino, address: member }: Person) => {
    const offline = await SigningStargateClient.offline(amino);
    const data = { accountNumber, sequence, chainId: CHAIN_ID };
    const { bodyBytes, signatures } = await offline.sign(member, [message], FEE, 'together', data);
    return { member, bodyBytes, signature: defined(signatures[0], 'a signature') };
  };
  const signed = await Promise.all(members.slice(0, 2).map(sign));
  const { bodyBytes } = defined(signed[0], 'a signer');
  const bytesOf = (some: typeof signed) =>
    makeMultisignedTxBytes(
      key,
      sequence,
      FEE,
      bodyBytes,
      new Map(some.map(({ member, signature }) => [member, signature])),
    );
  await expect(client.broadcastTx(bytesOf(signed.slice(0, 1)))).rejects.toThrow('expected at least 2');
  assertIsDeliverTxSuccess(await client.broadcastTx(bytesOf(signed), 30_000, 50));
  expect(await client.getAccount(address)).toMatchObject({ sequence: 1, pubkey: key });
});

test('vesting: an account is created whose coins cannot be spent yet', async () => {
  const { client, address } = chain.person(4);
  const heir = await chain.stranger();
  const create = {
    typeUrl: '/cosmos.vesting.v1beta1.MsgCreateVestingAccount',
    value: {
      fromAddress: address,
      toAddress: heir.address,
      amount: coins(1_000_000, DENOM),
      endTime: BigInt(Math.floor(Date.now() / 1_000) + 1_000_000),
      delayed: true,
    },
  };
  assertIsDeliverTxSuccess(await client.signAndBroadcast(address, [create], FEE));
  expect(await client.getAccount(heir.address)).toMatchObject({ address: heir.address, sequence: 0 });
  expect(await client.getBalance(heir.address, DENOM)).toEqual({ denom: DENOM, amount: '1000000' });
  await expect(heir.client.sendTokens(heir.address, address, coins(1, DENOM), FEE)).rejects.toThrow(
    'insufficient funds',
  );
  heir.client.disconnect();
});
