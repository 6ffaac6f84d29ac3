import { expect, test } from 'vitest';
import { accountAddress } from '#core/crypto/keys.ts';
import { MsgBuyCreditsSchema } from '#proto/gen/autonomy/credits/v1/tx_pb.ts';
import { MsgMultiSendSchema, MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { MsgCreateVestingAccountSchema } from '#proto/gen/cosmos/vesting/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { moduleAddress } from '../../address.ts';
import { startTestChain, TEST_TIME, testKey } from '../../test-chain.ts';
import { FEE_COLLECTOR } from '../auth/module.ts';
import { BANK_STORE, balanceOf } from '../bank/state.ts';
import { CREDIT_DENOM } from './state.ts';

test('no message and no fee moves credits from one account to another', async () => {
  const chain = await startTestChain();
  await chain.block();
  const [alice, bob] = [testKey(1), testKey(2)];
  const buy = pack(MsgBuyCreditsSchema, { buyer: chain.address(alice), amount: 1_000_000n });
  expect(await chain.deliver(chain.sign(alice, { messages: [buy] }))).toMatchObject({ code: 0, log: '' });
  const held = (address: Uint8Array) => {
    const state = chain.app.stateAt(0n)?.state;
    return state === undefined ? -1n : balanceOf(state.store(BANK_STORE), address, CREDIT_DENOM);
  };
  const bought = held(accountAddress(alice.publicKey));
  expect(bought).toBe(99_750n);

  const parties = { fromAddress: chain.address(alice), toAddress: chain.address(bob) };
  const amount = [{ denom: CREDIT_DENOM, amount: '7' }];
  const send = pack(MsgSendSchema, { ...parties, amount });
  const multiSend = pack(MsgMultiSendSchema, {
    inputs: [{ address: parties.fromAddress, coins: amount }],
    outputs: [{ address: parties.toAddress, coins: amount }],
  });
  const vesting = pack(MsgCreateVestingAccountSchema, {
    ...parties,
    toAddress: chain.address(testKey(60)),
    amount,
    endTime: TEST_TIME.seconds + 1_000n,
  });
  for (const message of [send, multiSend, vesting]) {
    const result = await chain.deliver(chain.sign(alice, { messages: [message] }));
    expect(result).toMatchObject({ code: 5, codespace: 'bank' });
  }

  const harmless = chain.send(alice, chain.address(bob), 1n);
  const fee = [
    { denom: 'uauton', amount: 1_000n },
    { denom: CREDIT_DENOM, amount: 7n },
  ];
  const paid = chain.sign(alice, { messages: [harmless], fee });
  expect(await chain.app.checkTx({ tx: paid, type: 'new' })).toMatchObject({ code: 5, codespace: 'bank' });
  expect(await chain.deliver(paid)).toMatchObject({ code: 5, codespace: 'bank' });
  expect(held(accountAddress(alice.publicKey))).toBe(bought);
  expect(held(moduleAddress(FEE_COLLECTOR))).toBe(0n);
  expect(chain.app.brokenInvariants()).toEqual([]);
});
