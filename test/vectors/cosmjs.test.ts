/** Transactions made by CosmJS, as outside software makes them, against the application. */
import { fromBase64 as decodeBase64 } from '@cosmjs/encoding';
import { DirectSecp256k1HdWallet, encodePubkey, makeAuthInfoBytes, makeSignDoc, Registry } from '@cosmjs/proto-signing';
import { AminoTypes, createDefaultAminoConverters, defaultRegistryTypes } from '@cosmjs/stargate';
import { MsgMultiSend, MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { TxMsgData } from 'cosmjs-types/cosmos/base/abci/v1beta1/abci';
import * as distribution from 'cosmjs-types/cosmos/distribution/v1beta1/tx';
import * as staking from 'cosmjs-types/cosmos/staking/v1beta1/tx';
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { MsgCreateVestingAccount } from 'cosmjs-types/cosmos/vesting/v1beta1/tx';
import { expect, test } from 'vitest';
import { accountAddress, COSMOS_PATH, keyFromMnemonic } from '#core/crypto/keys.ts';
import { decodeStrict } from '#proto/message.ts';
import { moduleTable } from '#runtime/module-table.ts';
import { BANK_STORE, balanceOf } from '#runtime/modules/bank/state.ts';
import { startTestChain, testKey } from '#runtime/test-chain.ts';
import { aminoJsonOf } from '#runtime/tx/amino-json.ts';

const MNEMONIC =
  'economy stock theory fatal elder harbor betray wasp final emotion task crumble siren bottom lizard educate guess current outdoor pair theory focus wife stone';

test.each(['auton', 'cosmos'])('a bank send signed by CosmJS executes, prefix %s', async (prefix) => {
  const wallet = await DirectSecp256k1HdWallet.fromMnemonic(MNEMONIC, { prefix });
  const [account] = await wallet.getAccounts();
  if (account === undefined) throw new Error('the wallet has an account');
  const own = keyFromMnemonic(MNEMONIC, COSMOS_PATH);
  const chain = await startTestChain({ prefix });
  expect(chain.address(own)).toBe(account.address);
  await chain.block();
  const faucet = testKey(1);
  expect(
    (await chain.deliver(chain.sign(faucet, { messages: [chain.send(faucet, account.address, 50_000n)] }))).code,
  ).toBe(0);
  const { accountNumber, sequence } = await accountOf(chain, account.address);

  const registry = new Registry(defaultRegistryTypes);
  const value = MsgSend.fromPartial({
    fromAddress: account.address,
    toAddress: chain.address(testKey(40)),
    amount: [{ denom: 'uauton', amount: '123' }],
  });
  const bodyBytes = registry.encodeTxBody({
    messages: [{ typeUrl: '/cosmos.bank.v1beta1.MsgSend', value }],
    memo: 'from CosmJS',
  });
  const pubkey = encodePubkey({
    type: 'tendermint/PubKeySecp256k1',
    value: Buffer.from(account.pubkey).toString('base64'),
  });
  const fee = [{ denom: 'uauton', amount: '500' }];
  const authInfoBytes = makeAuthInfoBytes([{ pubkey, sequence }], fee, 200_000, undefined, undefined);
  const { signature } = await wallet.signDirect(
    account.address,
    makeSignDoc(bodyBytes, authInfoBytes, 'test-1', accountNumber),
  );
  const tx = TxRaw.encode({ bodyBytes, authInfoBytes, signatures: [decodeBase64(signature.signature)] }).finish();
  expect(await chain.app.checkTx({ tx, type: 'new' })).toMatchObject({ code: 0, log: '' });
  const result = await chain.deliver(tx);
  expect(result).toMatchObject({ code: 0, log: '' });
  expect(TxMsgData.decode(result.data).msgResponses.map(({ typeUrl }) => typeUrl)).toEqual([
    '/cosmos.bank.v1beta1.MsgSendResponse',
  ]);
  const state = chain.app.stateAt(0n)?.state;
  if (state === undefined) throw new Error('no state');
  expect(balanceOf(state.store(BANK_STORE), accountAddress(testKey(40).publicKey), 'uauton')).toBe(123n);
  expect(balanceOf(state.store(BANK_STORE), accountAddress(own.publicKey), 'uauton')).toBe(49_377n);
});

async function accountOf(chain: Awaited<ReturnType<typeof startTestChain>>, address: string) {
  const { QueryAccountRequest, QueryAccountResponse } = await import('cosmjs-types/cosmos/auth/v1beta1/query');
  const { BaseAccount } = await import('cosmjs-types/cosmos/auth/v1beta1/auth');
  const answer = chain.app.query({
    path: '/cosmos.auth.v1beta1.Query/Account',
    data: QueryAccountRequest.encode({ address }).finish(),
    height: 0n,
    prove: false,
  });
  const { account } = QueryAccountResponse.decode(answer.value);
  const base = BaseAccount.decode(account?.value ?? new Uint8Array(0));
  return { accountNumber: Number(base.accountNumber), sequence: Number(base.sequence) };
}

const [delegatorAddress, validatorAddress] = ['auton1delegator', 'auton1valoper'];
const coin = { denom: 'uauton', amount: '7' };
const text = { moniker: 'm', identity: 'i', website: 'w', securityContact: 's', details: 'd' };
const pubkey = {
  typeUrl: '/cosmos.crypto.ed25519.PubKey',
  value: Uint8Array.of(0x0a, 32, ...new Uint8Array(32).fill(9)),
};
const commission = { rate: '100000000000000000', maxRate: '1000000000000000000', maxChangeRate: '50000000000000000' };

/**
 * Every message for which CosmJS knows the form that hardware wallets sign, and which this chain has; but for
 * MsgWithdrawValidatorCommission, which CosmJS calls otherwise than the Cosmos SDK (`MsgWithdrawValCommission`).
 */
const AMINO_SAMPLES: readonly (readonly [typeUrl: string, value: object])[] = [
  [MsgSend.typeUrl, { fromAddress: 'a', toAddress: 'b', amount: [coin] }],
  [MsgMultiSend.typeUrl, { inputs: [{ address: 'a', coins: [coin] }], outputs: [{ address: 'b', coins: [coin] }] }],
  [staking.MsgDelegate.typeUrl, { delegatorAddress, validatorAddress, amount: coin }],
  [staking.MsgUndelegate.typeUrl, { delegatorAddress, validatorAddress, amount: coin }],
  [
    staking.MsgBeginRedelegate.typeUrl,
    { delegatorAddress, validatorSrcAddress: 's', validatorDstAddress: 'd', amount: coin },
  ],
  [
    staking.MsgCancelUnbondingDelegation.typeUrl,
    { delegatorAddress, validatorAddress, amount: coin, creationHeight: 4n },
  ],
  [
    staking.MsgCreateValidator.typeUrl,
    { description: text, commission, minSelfDelegation: '1', delegatorAddress, validatorAddress, pubkey, value: coin },
  ],
  [
    staking.MsgEditValidator.typeUrl,
    { description: text, commissionRate: '200000000000000000', minSelfDelegation: '3', validatorAddress },
  ],
  [staking.MsgEditValidator.typeUrl, { description: text, validatorAddress }],
  [distribution.MsgFundCommunityPool.typeUrl, { amount: [coin], depositor: 'a' }],
  [distribution.MsgSetWithdrawAddress.typeUrl, { delegatorAddress, withdrawAddress: 'w' }],
  [distribution.MsgWithdrawDelegatorReward.typeUrl, { delegatorAddress, validatorAddress }],
  [MsgCreateVestingAccount.typeUrl, { fromAddress: 'a', toAddress: 'b', amount: [coin], endTime: 99n, delayed: true }],
];

test('amino: every message stands in the sign document as CosmJS puts it there', () => {
  const aminoTypes = new AminoTypes(createDefaultAminoConverters());
  const registry = new Registry(defaultRegistryTypes);
  const table = moduleTable();
  for (const [typeUrl, init] of AMINO_SAMPLES) {
    const bytes = registry.encode({ typeUrl, value: init });
    const { schema } = table.messages.get(typeUrl) ?? {};
    const read = schema && decodeStrict(schema, bytes, { resolveAny: table.resolveAny });
    if (schema === undefined || !read?.ok) throw new Error(`${typeUrl} is not read`);
    const expected = aminoTypes.toAmino({ typeUrl, value: registry.decode({ typeUrl, value: bytes }) });
    expect(JSON.parse(aminoJsonOf(table, schema, read.value)), typeUrl).toEqual(JSON.parse(JSON.stringify(expected)));
  }
});
