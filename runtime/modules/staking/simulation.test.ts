/**
 * Random histories of stake: valid and invalid operations, silence, double signing, time that jumps. After every block all
 * invariants hold, consensus takes the updates, and a second application, restarted on the way, has the same hash.
 */
import { expect, test } from 'vitest';
import type { FinalizeBlockRequest, Misbehavior } from '#core/abci.ts';
import { toHex } from '#core/bytes.ts';
import { type AccountKeyPair, accountAddress } from '#core/crypto/keys.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { toHeight } from '#core/types/brand.ts';
import { addMillis } from '#core/types/timestamp.ts';
import * as pq from '#proto/gen/autonomy/poi/v1/query_pb.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/ed25519/keys_pb.ts';
import * as dtx from '#proto/gen/cosmos/distribution/v1beta1/tx_pb.ts';
import { MsgUnjailSchema } from '#proto/gen/cosmos/slashing/v1beta1/tx_pb.ts';
import * as tx from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { testKey } from '../../test-chain.ts';
import type { TxPlan } from '../../tx/build.ts';
import { formatOperator } from './addresses.ts';
import { STAKING_STORE, unbondings, under, validatorsOf } from './state.ts';
import {
  consensusKey,
  DENOM,
  operatorText,
  type StakingChain,
  type StakingOptions,
  startStakingChain,
} from './test-network.ts';

type Message = TxPlan['messages'][number];

interface Operation {
  readonly type: string;
  readonly bytes: Uint8Array;
}

const ACCOUNTS = 12;
const VALIDATORS = 5;
/** Signatures are not what this is about. */
const trusting: Verifier = { ed25519: () => true, secp256k1: () => true };

const OPTIONS: StakingOptions = {
  verifier: trusting,
  count: VALIDATORS,
  accounts: ACCOUNTS,
  powerReduction: 1_000n,
  stakes: [50_000n, 40_000n, 40_000n, 33_333n, 7_777n],
  params: { max_validators: 5, unbonding_time: '12s', max_entries: 3, historical_entries: 3, min_commission_rate: '0' },
  moduleState: {
    slashing: {
      params: {
        signed_blocks_window: '6',
        min_signed_per_window: '0.5',
        downtime_jail_duration: '4s',
        slash_fraction_double_sign: '0.333333333333333333',
        slash_fraction_downtime: '0.0777',
      },
    },
    mint: {
      params: {
        mint_denom: DENOM,
        inflation_rate_change: '0.13',
        inflation_max: '0.2',
        inflation_min: '0.07',
        goal_bonded: '0.67',
        blocks_per_year: '1000000',
      },
    },
  },
};

/** xorshift32: the same everywhere. */
function random(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function amountOf(pick: (below: number) => number): bigint {
  const size = pick(10);
  if (size === 0) return 0n;
  if (size === 1) return 1n;
  if (size === 2) return BigInt(pick(1_000_000_000)) * 1_000n;
  return BigInt(1 + pick(20_000));
}

interface Scene {
  readonly net: StakingChain;
  readonly pick: (below: number) => number;
  readonly who: AccountKeyPair;
}

/** An operator that the account has delegated to; now and then, or when there is none, any. */
function held({ net, pick, who }: Scene): string {
  const state = net.chain.app.stateAt(0n)?.state;
  const all = state === undefined ? [] : validatorsOf(state.store(STAKING_STORE), accountAddress(who.publicKey));
  const one = all[pick(all.length + 1)];
  return one === undefined
    ? operatorText(testKey(1 + pick(VALIDATORS + 2)))
    : formatOperator({ bech32Prefix: 'auton' }, one);
}

/** An unbonding of the account, when there is one. */
function unbonding({ net, pick, who }: Scene): { readonly operator: string; readonly height: bigint } {
  const state = net.chain.app.stateAt(0n)?.state;
  const range = { under: under(accountAddress(who.publicKey)) };
  const all = state === undefined ? [] : [...unbondings.entries(state.store(STAKING_STORE), range)];
  const one = all[pick(all.length + 1)];
  if (one === undefined) return { operator: operatorText(who), height: net.height() };
  const [[, operator], entries] = one;
  return {
    operator: formatOperator({ bech32Prefix: 'auton' }, operator),
    height: entries[pick(entries.length)]?.creationHeight ?? 0n,
  };
}

const coin = (value: bigint) => ({ denom: DENOM, amount: String(value) });

function undelegation(scene: Scene): Message {
  return pack(tx.MsgUndelegateSchema, {
    delegatorAddress: scene.net.chain.address(scene.who),
    validatorAddress: held(scene),
    amount: coin(amountOf(scene.pick)),
  });
}

function redelegation(scene: Scene): Message {
  return pack(tx.MsgBeginRedelegateSchema, {
    delegatorAddress: scene.net.chain.address(scene.who),
    validatorSrcAddress: held(scene),
    validatorDstAddress: operatorText(testKey(1 + scene.pick(VALIDATORS + 1))),
    amount: coin(amountOf(scene.pick)),
  });
}

function cancellation(scene: Scene): Message {
  const { operator, height } = unbonding(scene);
  return pack(tx.MsgCancelUnbondingDelegationSchema, {
    delegatorAddress: scene.net.chain.address(scene.who),
    validatorAddress: operator,
    amount: coin(BigInt(1 + scene.pick(300))),
    creationHeight: height,
  });
}

function release({ who }: Scene): Message {
  return pack(MsgUnjailSchema, { validatorAddr: operatorText(who) });
}

const OPERATIONS: readonly ((scene: Scene) => Message)[] = [
  ({ net, pick, who }) =>
    pack(tx.MsgDelegateSchema, {
      delegatorAddress: net.chain.address(who),
      validatorAddress: operatorText(testKey(1 + pick(ACCOUNTS))),
      amount: coin(amountOf(pick)),
    }),
  ({ net, pick, who }) =>
    pack(tx.MsgDelegateSchema, {
      delegatorAddress: net.chain.address(who),
      validatorAddress: operatorText(testKey(1 + pick(VALIDATORS))),
      amount: coin(amountOf(pick)),
    }),
  undelegation,
  undelegation,
  redelegation,
  redelegation,
  cancellation,
  cancellation,
  cancellation,
  ({ pick, who }) =>
    pack(tx.MsgCreateValidatorSchema, {
      description: { moniker: 'm' },
      commission: {
        rate: String(pick(3) * 100_000_000_000_000_000),
        maxRate: '200000000000000000',
        maxChangeRate: '100000000000000000',
      },
      minSelfDelegation: String(1 + pick(2_000)),
      validatorAddress: operatorText(who),
      pubkey: { ...pack(PubKeySchema, { key: consensusKey(1 + pick(30)).bytes }) },
      value: coin(amountOf(pick)),
    }),
  ({ pick, who }) =>
    pack(tx.MsgEditValidatorSchema, {
      description: { moniker: '[do-not-modify]', details: 'd'.repeat(pick(400)) },
      validatorAddress: operatorText(who),
      commissionRate: pick(2) === 0 ? '' : String(pick(3) * 100_000_000_000_000_000),
      minSelfDelegation: pick(2) === 0 ? '' : String(pick(3_000)),
    }),
  release,
  ({ net, pick, who }) =>
    pack(dtx.MsgWithdrawDelegatorRewardSchema, {
      delegatorAddress: net.chain.address(who),
      validatorAddress: operatorText(testKey(1 + pick(VALIDATORS))),
    }),
  ({ who }) => pack(dtx.MsgWithdrawValidatorCommissionSchema, { validatorAddress: operatorText(who) }),
  ({ net, pick, who }) =>
    pack(dtx.MsgSetWithdrawAddressSchema, {
      delegatorAddress: net.chain.address(who),
      withdrawAddress: net.chain.address(testKey(1 + pick(ACCOUNTS))),
    }),
  ({ net, pick, who }) =>
    pack(dtx.MsgFundCommunityPoolSchema, { depositor: net.chain.address(who), amount: [coin(amountOf(pick))] }),
  ({ net, pick, who }) =>
    pack(dtx.MsgDepositValidatorRewardsPoolSchema, {
      depositor: net.chain.address(who),
      validatorAddress: operatorText(testKey(1 + pick(VALIDATORS))),
      amount: [coin(pick(4) === 0 ? 6_000_000_000n : amountOf(pick))],
    }),
];

/** Of most accounts one. */
function transactions(net: StakingChain, pick: (below: number) => number): readonly Operation[] {
  const operations: Operation[] = [];
  for (let n = 1; n <= ACCOUNTS; n++) {
    // Operators come back from jail sooner than chance would let them.
    const isReturning = n <= VALIDATORS && pick(5) === 0;
    const operation = isReturning ? release : OPERATIONS[pick(OPERATIONS.length)];
    if (pick(3) === 0 || operation === undefined) continue;
    const who = testKey(n);
    const message = operation({ net, pick, who });
    const fee = [{ denom: DENOM, amount: BigInt(1 + pick(977)) }];
    operations.push({
      type: message.typeUrl.split('.').at(-1) ?? '',
      bytes: net.chain.sign(who, { messages: [message], gasLimit: 2_000_000n, fee }),
    });
  }
  return operations;
}

function misbehaviorOf(net: StakingChain, pick: (below: number) => number): readonly Misbehavior[] {
  if (pick(40) !== 0 || net.height() < 2n) return [];
  const { validators, totalPower } = net.signers();
  const one = validators[pick(validators.length)];
  if (one === undefined) return [];
  const height = toHeight(net.height() - BigInt(pick(Math.min(5, Number(net.height())))));
  const { address, power } = one;
  return [
    { type: 'duplicate-vote', validator: { address, power }, height, time: net.time(), totalVotingPower: totalPower },
  ];
}

async function simulate(seed: number, blocks: number): Promise<Record<string, number>> {
  const pick = random(seed);
  const net = await startStakingChain(OPTIONS);
  const requests: FinalizeBlockRequest[] = [];
  const hashes: string[] = [];
  const { finalizeBlock } = net.chain.app;
  net.chain.app.finalizeBlock = (request) => {
    requests.push(request);
    return finalizeBlock.call(net.chain.app, request);
  };
  const counts: Record<string, number> = { ok: 0, refused: 0, slashes: 0, updates: 0, completed: 0 };
  const count = (name: string, by: number) => {
    counts[name] = (counts[name] ?? 0) + by;
  };
  const silent = new Set<string>();
  for (let i = 0; i < blocks; i++) {
    for (let n = 1; n <= 30; n++) {
      const id = toHex(consensusAddress(consensusKey(n)));
      if (pick(100) === 0) silent.add(id);
      else if (pick(5) === 0) silent.delete(id);
    }
    const operations = transactions(net, pick);
    const response = await net.block({
      txs: operations.map(({ bytes }) => bytes),
      absent: silent,
      misbehavior: misbehaviorOf(net, pick),
      time: addMillis(net.time(), pick(20) === 0 ? 13_000n : 1_000n),
    });
    for (const [j, { code }] of response.txResults.entries()) {
      count(code === 0 ? 'ok' : 'refused', 1);
      if (code === 0) count(operations[j]?.type ?? '', 1);
    }
    for (const { type } of response.events) if (type === 'slash') count('slashes', 1);
    for (const { type } of response.events) if (type.startsWith('complete_')) count('completed', 1);
    count('updates', response.validatorUpdates.length);
    hashes.push(toHex(response.appHash));
    const about = `seed ${seed}, block ${i + 1}`;
    expect(net.chain.app.brokenInvariants(), about).toEqual([]);
    const path = '/autonomy.poi.v1.Query/Validators';
    const { validators } = net.query(path, pq.QueryValidatorsRequestSchema, pq.QueryValidatorsResponseSchema, {});
    const powers = (set: readonly { readonly address: Uint8Array; readonly power: bigint }[]) =>
      new Map(set.map(({ address, power }) => [toHex(address), power]));
    expect(powers(validators), about).toEqual(powers(net.signers().validators));
  }
  await replay(net, requests, hashes);
  return counts;
}

/** The same blocks on another application that is closed and opened again every few of them. */
async function replay(net: StakingChain, requests: readonly FinalizeBlockRequest[], hashes: readonly string[]) {
  let other = (await startStakingChain(OPTIONS)).chain;
  for (const [i, request] of requests.entries()) {
    expect(toHex(other.app.finalizeBlock(request).appHash)).toBe(hashes[i]);
    await other.app.commit();
    if (i % 17 === 16) other = await other.reopen();
  }
  expect(other.app.exportGenesis()).toEqual(net.chain.app.exportGenesis());
}

test.each([1, 20_261_127])('random history of seed %i', { timeout: 120_000 }, async (seed) => {
  const counts = await simulate(seed, 120);
  console.log(`staking simulation, seed ${seed}:`, JSON.stringify(counts));
  expect(counts.ok).toBeGreaterThan(100);
  expect(counts.refused).toBeGreaterThan(100);
  expect(counts.slashes).toBeGreaterThan(0);
  expect(counts.updates).toBeGreaterThan(0);
  expect(counts.completed).toBeGreaterThan(0);
  for (const type of [
    'MsgDelegate',
    'MsgUndelegate',
    'MsgBeginRedelegate',
    'MsgCancelUnbondingDelegation',
    'MsgUnjail',
  ])
    expect(counts[type] ?? 0, type).toBeGreaterThan(0);
});
