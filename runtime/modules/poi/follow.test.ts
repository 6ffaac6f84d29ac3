import { expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import * as pq from '#proto/gen/autonomy/poi/v1/query_pb.ts';
import { MsgDelegateSchema, MsgUndelegateSchema } from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { testKey } from '../../test-chain.ts';
import { DENOM, operatorText, STAKE, type StakingChain, startStakingChain } from '../staking/test-network.ts';

function committeeOf(net: StakingChain) {
  const path = '/autonomy.poi.v1.Query/Validators';
  const { validators } = net.query(path, pq.QueryValidatorsRequestSchema, pq.QueryValidatorsResponseSchema, {});
  return new Map(validators.map(({ address, power }) => [toHex(address), power]));
}

function signersOf(net: StakingChain) {
  return new Map(net.signers().validators.map(({ address, power }) => [toHex(address), power]));
}

test('after each block the committee is who has signed it, as stake comes and goes', async () => {
  const net = await startStakingChain({ extensionsFrom: 1n });
  await net.block();
  expect(committeeOf(net)).toEqual(signersOf(net));
  const alice = testKey(5);
  const amount = (value: bigint) => ({ denom: DENOM, amount: String(value) });
  const delegatorAddress = net.chain.address(alice);
  const more = { delegatorAddress, validatorAddress: operatorText(testKey(1)), amount: amount(7_000_000n) };
  expect((await net.run(alice, pack(MsgDelegateSchema, more))).code).toBe(0);
  const leaving = {
    delegatorAddress: net.chain.address(testKey(2)),
    validatorAddress: operatorText(testKey(2)),
    amount: amount(STAKE),
  };
  const sizes: number[] = [];
  expect((await net.run(testKey(2), pack(MsgUndelegateSchema, leaving))).code).toBe(0);
  for (let i = 0; i < 4; i++) {
    expect(committeeOf(net)).toEqual(signersOf(net));
    sizes.push(committeeOf(net).size);
    await net.block();
  }
  expect(sizes).toEqual([4, 4, 3, 3]);
  expect(net.chain.app.brokenInvariants()).toEqual([]);
  const exported = net.chain.app.exportGenesis().poi as { former: readonly unknown[]; operators: readonly unknown[] };
  expect([exported.former.length, exported.operators.length]).toEqual([1, 0]);
});

test('the operators of staked validators are paid', async () => {
  const net = await startStakingChain();
  await net.block();
  const path = '/autonomy.poi.v1.Query/Validators';
  const { validators } = net.query(path, pq.QueryValidatorsRequestSchema, pq.QueryValidatorsResponseSchema, {});
  const operators = new Set(validators.map(({ operator }) => operator));
  expect(operators).toEqual(new Set([1, 2, 3, 4].map((n) => net.chain.address(testKey(n)))));
});
