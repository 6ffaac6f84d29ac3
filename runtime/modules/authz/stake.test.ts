import { expect, test } from 'vitest';
import { AuthorizationType, StakeAuthorizationSchema } from '#proto/gen/cosmos/staking/v1beta1/authz_pb.ts';
import { MsgBeginRedelegateSchema, MsgDelegateSchema } from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { create, type DescMessage, decodeStrict, type MessageInitShape, pack } from '#proto/message.ts';
import { formatAddress } from '../../address.ts';
import type { MessageContext, OpenMessage } from '../../context.ts';
import { EventLog } from '../../events.ts';
import { moduleTable } from '../../module-table.ts';
import { StateBranch } from '../../state/branch.ts';
import { gasMeter } from '../../state/gas.ts';
import { startTestChain, TEST_TIME } from '../../test-chain.ts';
import { messageRouter } from '../../tx/router.ts';
import { stakeAuthorization } from './stake.ts';

const CHAIN = { chainId: 'test-1', bech32Prefix: 'auton', baseDenom: 'uauton' };
const validator = (n: number) => formatAddress({ bech32Prefix: 'autonvaloper' }, new Uint8Array(20).fill(n));

async function startContext(): Promise<MessageContext> {
  const chain = await startTestChain();
  await chain.block();
  const committed = chain.app.stateAt(0n);
  if (committed === undefined) throw new Error('no state');
  return {
    state: new StateBranch(committed.state),
    gas: gasMeter(1_000n),
    events: new EventLog(),
    block: { height: 2n, time: TEST_TIME, proposerAddress: new Uint8Array(20) },
    chain: CHAIN,
    router: messageRouter(moduleTable()),
  };
}

function opened<D extends DescMessage>(schema: D, init: MessageInitShape<D>): OpenMessage {
  const never = () => ({ ok: false as const, error: { codespace: '', code: 1, message: 'not run here' } });
  const message = create(schema, init);
  return { typeUrl: `/${schema.typeName}`, message, signers: never, validate: never, handle: never };
}

const delegate = (n: number, amount: string) =>
  opened(MsgDelegateSchema, { validatorAddress: validator(n), amount: { denom: 'uauton', amount } });

const stake = (fields: MessageInitShape<typeof StakeAuthorizationSchema>) =>
  pack(StakeAuthorizationSchema, { authorizationType: AuthorizationType.DELEGATE, ...fields });

test('up to its amount, with the validators that it names', async () => {
  const context = await startContext();
  const validators = { case: 'allowList' as const, value: { address: [validator(1)] } };
  const any = stake({ maxTokens: { denom: 'uauton', amount: '10' }, validators });
  expect(stakeAuthorization.read(any.value, CHAIN)).toEqual({ ok: true, value: '/cosmos.staking.v1beta1.MsgDelegate' });
  const left = stakeAuthorization.accept(context, any, delegate(1, '4'));
  if (!left.ok || left.value === undefined) throw new Error('expected something left');
  expect(decodeStrict(StakeAuthorizationSchema, left.value.value)).toMatchObject({
    ok: true,
    value: { maxTokens: { amount: '6' }, validators: { case: 'allowList' } },
  });
  expect(stakeAuthorization.accept(context, left.value, delegate(1, '7'))).toMatchObject({ error: { code: 5 } });
  expect(stakeAuthorization.accept(context, left.value, delegate(2, '1'))).toMatchObject({ error: { code: 4 } });
  expect(stakeAuthorization.accept(context, left.value, delegate(1, '6'))).toEqual({ ok: true, value: undefined });
  expect(context.gas.consumed).toBe(40n);
});

test('with all validators but some, without a limit; a redelegation counts where it goes', async () => {
  const context = await startContext();
  const validators = { case: 'denyList' as const, value: { address: [validator(1)] } };
  const any = stake({ validators, authorizationType: AuthorizationType.REDELEGATE });
  const move = (from: number, to: number) =>
    opened(MsgBeginRedelegateSchema, { validatorSrcAddress: validator(from), validatorDstAddress: validator(to) });
  expect(stakeAuthorization.accept(context, any, move(1, 2))).toEqual({ ok: true, value: any });
  expect(stakeAuthorization.accept(context, any, move(2, 1))).toMatchObject({ error: { code: 4 } });
});

test('what is none is refused', () => {
  const read = (fields: MessageInitShape<typeof StakeAuthorizationSchema>) =>
    stakeAuthorization.read(stake(fields).value, CHAIN);
  expect(read({ authorizationType: AuthorizationType.UNSPECIFIED })).toMatchObject({ error: { code: 4 } });
  expect(read({ authorizationType: 99 as AuthorizationType })).toMatchObject({ error: { code: 4 } });
  expect(read({ maxTokens: { denom: 'uauton', amount: '-1' } })).toMatchObject({ error: { code: 12 } });
  const account = formatAddress(CHAIN, new Uint8Array(20));
  expect(read({ validators: { case: 'allowList', value: { address: [account] } } })).toMatchObject({ ok: false });
});
