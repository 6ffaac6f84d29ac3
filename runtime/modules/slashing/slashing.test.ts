import { expect, test } from 'vitest';
import type { Misbehavior } from '#core/abci.ts';
import { accountAddress } from '#core/crypto/keys.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { toHeight } from '#core/types/brand.ts';
import { addMillis } from '#core/types/timestamp.ts';
import { MsgExecSchema } from '#proto/gen/cosmos/authz/v1beta1/tx_pb.ts';
import * as eq from '#proto/gen/cosmos/evidence/v1beta1/query_pb.ts';
import * as sq from '#proto/gen/cosmos/slashing/v1beta1/query_pb.ts';
import { MsgUnjailSchema, MsgUpdateParamsSchema } from '#proto/gen/cosmos/slashing/v1beta1/tx_pb.ts';
import * as q from '#proto/gen/cosmos/staking/v1beta1/query_pb.ts';
import { BondStatus } from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import * as tx from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { pack, typeUrlOf } from '#proto/message.ts';
import { formatAddress, moduleAddress } from '../../address.ts';
import { GOV_ACCOUNT } from '../../authority.ts';
import { startTestChain, testKey } from '../../test-chain.ts';
import { formatConsensus } from '../staking/addresses.ts';
import {
  consensusHex,
  consensusKey,
  DENOM,
  operatorText,
  STAKE,
  type StakingChain,
  startStakingChain,
} from '../staking/test-network.ts';
import { DEFAULT_PARAMS } from './state.ts';

const [alice, bob] = [testKey(5), testKey(6)];
const SLASHING = {
  params: {
    signed_blocks_window: '4',
    min_signed_per_window: '0.5',
    downtime_jail_duration: '10s',
    slash_fraction_double_sign: '0.05',
    slash_fraction_downtime: '0.01',
  },
};

function validator(net: StakingChain, n: number) {
  const path = '/cosmos.staking.v1beta1.Query/Validator';
  const request = { validatorAddr: operatorText(testKey(n)) };
  return net.query(path, q.QueryValidatorRequestSchema, q.QueryValidatorResponseSchema, request).validator;
}

function signingInfo(net: StakingChain, n: number) {
  const consAddress = formatConsensus({ bech32Prefix: 'auton' }, consensusAddress(consensusKey(n)));
  const path = '/cosmos.slashing.v1beta1.Query/SigningInfo';
  return net.query(path, sq.QuerySigningInfoRequestSchema, sq.QuerySigningInfoResponseSchema, { consAddress })
    .valSigningInfo;
}

function unjail(n: number) {
  return pack(MsgUnjailSchema, { validatorAddr: operatorText(testKey(n)) });
}

function doubleSign(net: StakingChain, n: number, height: bigint, power = 10n): Misbehavior {
  const total = 40n;
  const address = consensusAddress(consensusKey(n));
  const at = toHeight(height);
  return {
    type: 'duplicate-vote',
    validator: { address, power },
    height: at,
    time: net.time(),
    totalVotingPower: total,
  };
}

const amount = (value: bigint) => ({ denom: DENOM, amount: String(value) });

test('a validator that is down is slashed and jailed, and releases itself after its time', async () => {
  const net = await startStakingChain({ moduleState: { slashing: SLASHING } });
  const absent = new Set([consensusHex(2)]);
  await net.block();
  for (let i = 0; i < 4; i++) await net.block({ absent });
  expect(validator(net, 2)?.jailed).toBe(false);
  expect(signingInfo(net, 2)).toMatchObject({ missedBlocksCounter: 4n });
  const { events, validatorUpdates } = await net.block({ absent });
  expect(events.filter(({ type }) => type === 'slash')).toHaveLength(1);
  expect(validatorUpdates).toEqual([{ publicKey: consensusKey(2), power: 0n }]);
  expect(validator(net, 2)).toMatchObject({
    jailed: true,
    status: BondStatus.UNBONDING,
    tokens: String((STAKE * 99n) / 100n),
  });
  expect(net.chain.app.brokenInvariants()).toEqual([]);
  expect(await net.run(testKey(2), unjail(2))).toMatchObject({ codespace: 'slashing', code: 4 });
  // Nothing of what it is asked until consensus lets it go is counted.
  expect(signingInfo(net, 2)).toMatchObject({ missedBlocksCounter: 0n, indexOffset: 0n });
  await net.block({ time: addMillis(net.time(), 10_000n) });
  expect((await net.run(testKey(2), unjail(2))).code).toBe(0);
  await net.block();
  expect(validator(net, 2)).toMatchObject({ jailed: false, status: BondStatus.BONDED });
  expect(await net.run(testKey(2), unjail(2))).toMatchObject({ codespace: 'slashing', code: 5 });
  expect(net.chain.app.brokenInvariants()).toEqual([]);
});

test('a double-signer is slashed to the last unit with all who stood behind it, and never comes back', async () => {
  const net = await startStakingChain({ moduleState: { slashing: SLASHING } });
  await net.block();
  await net.run(
    alice,
    pack(tx.MsgDelegateSchema, {
      delegatorAddress: net.chain.address(alice),
      validatorAddress: operatorText(testKey(1)),
      amount: amount(6_000_000n),
    }),
  );
  await net.block();
  const infraction = net.height();
  // After the infraction alice takes a part away, and moves another.
  await net.run(
    alice,
    pack(tx.MsgUndelegateSchema, {
      delegatorAddress: net.chain.address(alice),
      validatorAddress: operatorText(testKey(1)),
      amount: amount(2_000_000n),
    }),
  );
  await net.run(
    alice,
    pack(tx.MsgBeginRedelegateSchema, {
      delegatorAddress: net.chain.address(alice),
      validatorSrcAddress: operatorText(testKey(1)),
      validatorDstAddress: operatorText(testKey(3)),
      amount: amount(1_000_000n),
    }),
  );
  const { events, validatorUpdates } = await net.block({ misbehavior: [doubleSign(net, 1, infraction, 16n)] });
  // That it is punished, and that it is jailed.
  expect(events.filter(({ type }) => type === 'slash')).toHaveLength(2);
  expect(validatorUpdates).toContainEqual({ publicKey: consensusKey(1), power: 0n });
  // 5 % of 16 units of power: 800000, of which 100000 of what unbonds and 50000 of what moved.
  expect(validator(net, 1)).toMatchObject({ jailed: true, tokens: String(13_000_000n - 650_000n) });
  expect(validator(net, 3)).toMatchObject({ tokens: String(STAKE + 1_000_000n - 50_000n) });
  const unbonding = net.query(
    '/cosmos.staking.v1beta1.Query/UnbondingDelegation',
    q.QueryUnbondingDelegationRequestSchema,
    q.QueryUnbondingDelegationResponseSchema,
    { delegatorAddr: net.chain.address(alice), validatorAddr: operatorText(testKey(1)) },
  );
  expect(unbonding.unbond?.entries[0]).toMatchObject({ initialBalance: '2000000', balance: '1900000' });
  expect(net.chain.app.brokenInvariants()).toEqual([]);
  expect(signingInfo(net, 1)).toMatchObject({ tombstoned: true });
  const all = net.query(
    '/cosmos.evidence.v1beta1.Query/AllEvidence',
    eq.QueryAllEvidenceRequestSchema,
    eq.QueryAllEvidenceResponseSchema,
    {},
  );
  expect(all.evidence).toHaveLength(1);
  await net.block({ misbehavior: [doubleSign(net, 1, infraction + 1n, 16n)] });
  expect(validator(net, 1)).toMatchObject({ tokens: String(13_000_000n - 650_000n) });
  await net.block({ time: addMillis(net.time(), 3_600_000n) });
  expect(await net.run(testKey(1), unjail(1))).toMatchObject({ codespace: 'slashing', code: 4 });
  expect(net.chain.app.brokenInvariants()).toEqual([]);
});

test('redelegating and then unbonding at the destination does not evade the slash of the source', async () => {
  const net = await startStakingChain({ moduleState: { slashing: SLASHING } });
  await net.block();
  await net.run(
    bob,
    pack(tx.MsgDelegateSchema, {
      delegatorAddress: net.chain.address(bob),
      validatorAddress: operatorText(testKey(1)),
      amount: amount(4_000_000n),
    }),
  );
  await net.block();
  const infraction = net.height();
  await net.run(
    bob,
    pack(tx.MsgBeginRedelegateSchema, {
      delegatorAddress: net.chain.address(bob),
      validatorSrcAddress: operatorText(testKey(1)),
      validatorDstAddress: operatorText(testKey(3)),
      amount: amount(4_000_000n),
    }),
  );
  await net.run(
    bob,
    pack(tx.MsgUndelegateSchema, {
      delegatorAddress: net.chain.address(bob),
      validatorAddress: operatorText(testKey(3)),
      amount: amount(4_000_000n),
    }),
  );
  await net.block({ misbehavior: [doubleSign(net, 1, infraction, 14n)] });
  const unbonding = net.query(
    '/cosmos.staking.v1beta1.Query/UnbondingDelegation',
    q.QueryUnbondingDelegationRequestSchema,
    q.QueryUnbondingDelegationResponseSchema,
    { delegatorAddr: net.chain.address(bob), validatorAddr: operatorText(testKey(3)) },
  );
  expect(unbonding.unbond?.entries[0]).toMatchObject({ initialBalance: '4000000', balance: '3800000' });
  expect(validator(net, 1)).toMatchObject({ tokens: String(STAKE - 500_000n) });
  expect(validator(net, 3)).toMatchObject({ tokens: String(STAKE) });
  expect(net.chain.app.brokenInvariants()).toEqual([]);
});

test('a tombstoned key does not come back under another operator', async () => {
  const net = await startStakingChain({ moduleState: { slashing: SLASHING } });
  await net.block();
  await net.block({ misbehavior: [doubleSign(net, 1, 1n)] });
  const stake = validator(net, 1)?.tokens ?? '';
  const leave = pack(tx.MsgUndelegateSchema, {
    delegatorAddress: net.chain.address(testKey(1)),
    validatorAddress: operatorText(testKey(1)),
    amount: { denom: DENOM, amount: stake },
  });
  expect((await net.run(testKey(1), leave)).code).toBe(0);
  await net.block({ time: addMillis(net.time(), 3_600_000n) });
  const chain = net.chain.app.exportGenesis().staking as { validators: readonly unknown[] };
  expect(chain.validators).toHaveLength(3);
  const again = pack(tx.MsgCreateValidatorSchema, {
    description: { moniker: 'again' },
    commission: { rate: '0', maxRate: '0', maxChangeRate: '0' },
    minSelfDelegation: '1',
    validatorAddress: operatorText(alice),
    pubkey: { typeUrl: '/cosmos.crypto.ed25519.PubKey', value: Uint8Array.of(0x0a, 32, ...consensusKey(1).bytes) },
    value: amount(STAKE),
  });
  expect(await net.run(alice, again)).toMatchObject({ codespace: 'staking', code: 5 });
});

test('a smaller window begins anew for all: no mark outside it counts for ever, and the state can be exported', async () => {
  const governance = formatAddress({ bech32Prefix: 'auton' }, moduleAddress(GOV_ACCOUNT));
  const council = formatAddress({ bech32Prefix: 'auton' }, accountAddress(alice.publicKey));
  const msg = typeUrlOf(MsgUpdateParamsSchema);
  const authorization = { '@type': '/cosmos.authz.v1beta1.GenericAuthorization', msg };
  const grants = [{ granter: governance, grantee: council, authorization, expiration: null }];
  const params = { ...SLASHING.params, signed_blocks_window: '8' };
  const net = await startStakingChain({ moduleState: { slashing: { params }, authz: { authorization: grants } } });
  for (let i = 0; i < 7; i++) await net.block(i < 4 ? {} : { absent: new Set([consensusHex(1)]) });
  expect(signingInfo(net, 1)).toMatchObject({ missedBlocksCounter: 3n, indexOffset: 6n });

  const change = pack(MsgUpdateParamsSchema, {
    authority: governance,
    params: { ...DEFAULT_PARAMS, signedBlocksWindow: 4n },
  });
  const { code, log } = await net.run(alice, pack(MsgExecSchema, { grantee: council, msgs: [{ ...change }] }));
  expect(`${code} ${log}`).toBe('0 ');
  expect(signingInfo(net, 1)).toMatchObject({ missedBlocksCounter: 0n, indexOffset: 0n, jailedUntil: { seconds: 0n } });
  await net.block();
  expect(net.chain.app.brokenInvariants()).toEqual([]);
  const validators = net.validators().validators.map(({ publicKey, power }) => ({ publicKey, power }));
  await startTestChain({ validators, moduleState: net.chain.app.exportGenesis() });
});
