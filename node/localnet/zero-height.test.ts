/** A chain whose state another chain begins with, at height 1. */
import { expect, test } from 'vitest';
import type { VoteInfo } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { toHex } from '#core/bytes.ts';
import { accountAddress } from '#core/crypto/keys.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { noDuties } from '#core/ports/duties.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { FLAG_COMMIT } from '#core/types/commit.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { addMillis } from '#core/types/timestamp.ts';
import { createValidatorSet } from '#core/types/validator-set.ts';
import { formatGenesis, type GenesisDocument, parseGenesis, toInitChain } from '#genesis/document.ts';
import { exportDocument } from '#genesis/export.ts';
import { JobStatus, RefundReason } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { MsgWithdrawDelegatorRewardSchema } from '#proto/gen/cosmos/distribution/v1beta1/tx_pb.ts';
import * as tx from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { openApplication, type RuntimeApplication } from '#runtime/app.ts';
import type { Json } from '#runtime/module.ts';
import { AUTH_STORE, getAccount } from '#runtime/modules/auth/state.ts';
import { inferenceInvariants } from '#runtime/modules/inference/genesis.ts';
import { INFERENCE_STORE, jobs } from '#runtime/modules/inference/state.ts';
import {
  consensusKey,
  DENOM,
  operatorText,
  type StakingChain,
  startStakingChain,
} from '#runtime/modules/staking/test-network.ts';
import { StateBranch } from '#runtime/state/branch.ts';
import { TEST_CHAIN_ID, testKey } from '#runtime/test-chain.ts';
import { buildTx } from '#runtime/tx/build.ts';
import { resetHeights } from '#runtime/zero-height.ts';
import { JobDriver } from '#test/support/poi-jobs.ts';

const [alice, bob] = [testKey(5), testKey(6)];
const amount = (value: bigint) => ({ denom: DENOM, amount: String(value) });
const SLASHING = {
  params: {
    signed_blocks_window: '4',
    min_signed_per_window: '0.5',
    downtime_jail_duration: '600s',
    slash_fraction_double_sign: '0.05',
    slash_fraction_downtime: '0.01',
  },
};

/** Delegations, stake on its way, a slashing, a jailed validator, rewards that nobody has taken. */
async function livedChain(): Promise<StakingChain> {
  const net = await startStakingChain({ moduleState: { slashing: SLASHING } });
  const of = (n: number) => operatorText(testKey(n));
  const delegate = (key: typeof alice, n: number, value: bigint) =>
    net.run(
      key,
      pack(tx.MsgDelegateSchema, {
        delegatorAddress: net.chain.address(key),
        validatorAddress: of(n),
        amount: amount(value),
      }),
    );
  await net.block();
  await delegate(alice, 1, 6_000_000n);
  await delegate(bob, 2, 3_000_001n);
  const delegatorAddress = net.chain.address(alice);
  await net.run(
    alice,
    pack(tx.MsgUndelegateSchema, { delegatorAddress, validatorAddress: of(1), amount: amount(1_000_000n) }),
  );
  await net.run(
    alice,
    pack(tx.MsgBeginRedelegateSchema, {
      delegatorAddress,
      validatorSrcAddress: of(1),
      validatorDstAddress: of(3),
      amount: amount(2_000_000n),
    }),
  );
  const down = new Set([toHex(consensusAddress(consensusKey(4)))]);
  for (let i = 0; i < 6; i++) await net.block({ absent: down });
  await delegate(bob, 3, 700_003n);
  expect(net.chain.app.brokenInvariants()).toEqual([]);
  return net;
}

const NEW_CHAIN_ID = 'again-1';

function exportAs(net: StakingChain, chainId: string, jailAllowed?: readonly number[]) {
  return exportDocument({
    state: defined(net.chain.app.stateAt(0n), 'a committed state'),
    height: toHeight(net.height()),
    time: net.time(),
    chainId,
    validators: net.validators().validators.map(({ publicKey, power }) => ({ publicKey, power })),
    consensusParams: DEFAULT_CONSENSUS_PARAMS,
    names: new Map(),
    zeroHeight: { jailAllowed: jailAllowed?.map((n) => accountAddress(testKey(n).publicKey)) },
  });
}

function exported(net: StakingChain, jailAllowed?: readonly number[]): GenesisDocument {
  const document = exportAs(net, NEW_CHAIN_ID, jailAllowed);
  if (!document.ok) throw new Error(document.error);
  const read = parseGenesis(formatGenesis(document.value));
  if (!read.ok) throw new Error(read.error);
  expect(read.value).toEqual(document.value);
  return read.value;
}

async function born(document: GenesisDocument): Promise<RuntimeApplication> {
  const app = await openApplication(
    { initialHeight: document.initialHeight },
    { kv: new MemoryKv(), verifier: pureVerifier, duties: noDuties, logger: silentLogger },
  );
  app.initChain(toInitChain(document));
  return app;
}

// biome-ignore lint/suspicious/noExplicitAny: the document's own shape
const stateOf = (document: GenesisDocument): any => document.appState;

const supplyOf = (appState: { readonly [module: string]: Json }) => (appState.bank as { readonly supply: Json }).supply;

/** All fields whose name ends in `height`, wherever they are, and what stands in them. */
function heightsIn(json: Json, path = ''): [string, Json][] {
  if (typeof json !== 'object' || json === null) return [];
  return Object.entries(json).flatMap(([key, value]): [string, Json][] =>
    key.endsWith('height') ? [[`${path}.${key}`, value]] : heightsIn(value as Json, `${path}.${key}`),
  );
}

test('a chain begins again at height 1: rewards are paid out, no height of the old one is left, no coin comes or goes', async () => {
  const net = await livedChain();
  const before = net.chain.app.exportGenesis();
  const document = exported(net);
  const state = stateOf(document);
  expect(document.initialHeight).toBe(1n);
  expect(supplyOf(document.appState)).toEqual(supplyOf(before));
  const heights = [...heightsIn(state.staking), ...heightsIn(state.slashing), ...heightsIn(state.distribution)];
  expect(heights.length).toBeGreaterThan(10);
  for (const [path, height] of heights) expect([path, height]).toEqual([path, '0']);
  expect(state.staking.unbonding_delegations).toHaveLength(1);
  expect(state.staking.redelegations).toHaveLength(1);

  const { distribution } = state;
  expect(distribution.validator_slash_events).toEqual([]);
  for (const { outstanding_rewards: left } of distribution.outstanding_rewards) expect(left).toEqual([]);
  for (const { accumulated } of distribution.validator_accumulated_commissions)
    expect(accumulated.commission).toEqual([]);
  for (const { starting_info } of distribution.delegator_starting_infos)
    expect(Number(starting_info.previous_period)).toBeLessThan(10);
  const balance = (from: { readonly [module: string]: Json }, address: string): bigint => {
    const { balances } = from.bank as { balances: { address: string; coins: { denom: string; amount: string }[] }[] };
    const coins = balances.find((one) => one.address === address)?.coins ?? [];
    return BigInt(coins.find(({ denom }) => denom === DENOM)?.amount ?? 0);
  };
  for (const key of [alice, bob, testKey(1)])
    expect(balance(document.appState, net.chain.address(key))).toBeGreaterThan(balance(before, net.chain.address(key)));
  // The old chain's own state is as it was.
  expect(net.chain.app.exportGenesis()).toEqual(before);
});

test('the new chain makes blocks, pays rewards again, and its invariants hold', async () => {
  const net = await livedChain();
  const document = exported(net);
  const app = await born(document);
  const set = createValidatorSet(document.validators);
  if (!set.ok) throw new Error(set.error);
  const votes = set.value.validators.map(
    ({ address, power }): VoteInfo => ({
      validator: { address, power },
      flag: FLAG_COMMIT,
    }),
  );
  let time = document.genesisTime;
  const block = async (height: bigint, txs: readonly Uint8Array[] = []) => {
    time = addMillis(time, 1_000n);
    const response = app.finalizeBlock({
      ...net.chain.request(txs),
      height: toHeight(height),
      time,
      proposerAddress: defined(set.value.validators[0], 'a validator').address,
      decidedLastCommit: { round: toRound(0), votes: height === 1n ? [] : votes },
    });
    await app.commit();
    expect(app.brokenInvariants()).toEqual([]);
    return response;
  };
  for (let height = 1n; height <= 6n; height++) await block(height);
  const account = getAccount(
    defined(app.stateAt(0n), 'a state').state.store(AUTH_STORE),
    accountAddress(bob.publicKey),
  );
  const withdraw = pack(MsgWithdrawDelegatorRewardSchema, {
    delegatorAddress: net.chain.address(bob),
    validatorAddress: operatorText(testKey(2)),
  });
  const fee = [{ denom: DENOM, amount: 5_000n }];
  const signed = buildTx({ messages: [withdraw], fee, gasLimit: 1_000_000n }, NEW_CHAIN_ID, [
    { key: bob, ...defined(account, 'an account') },
  ]);
  const { txResults } = await block(7n, [signed]);
  expect(txResults[0]).toMatchObject({ code: 0 });
  const paid = txResults[0]?.events.find(({ type }) => type === 'withdraw_rewards')?.attributes[0]?.value;
  expect(paid).toMatch(/^[1-9]\d*uauton$/);
  // Past the time of unbonding and of the jail, everything that was on its way arrives.
  time = addMillis(time, 700_000n);
  await block(8n);
  expect((app.exportGenesis().staking as { unbonding_delegations: Json }).unbonding_delegations).toEqual([]);
});

test('with a list of those who may validate, all others are jailed and the set is theirs', async () => {
  const net = await livedChain();
  const document = exported(net, [2, 3]);
  expect(document.validators.map(({ power }) => power).toSorted((a, b) => Number(a - b))).toEqual([12n, 13n]);
  const { validators } = stateOf(document).staking;
  const jailed = new Map(
    validators.map((one: { operator_address: string; jailed: boolean }) => [one.operator_address, one.jailed]),
  );
  expect([1, 2, 3, 4].map((n) => jailed.get(operatorText(testKey(n))))).toEqual([true, false, false, true]);
  expect(supplyOf(document.appState)).toEqual(supplyOf(net.chain.app.exportGenesis()));
  expect((await born(document)).brokenInvariants()).toEqual([]);

  const refused = (operators: readonly Uint8Array[]) => {
    const before = defined(net.chain.app.stateAt(0n), 'a state');
    const options = { chain: before.chain, height: net.height(), time: net.time(), jailAllowed: operators };
    const reset = resetHeights(new StateBranch(before.state), options);
    return reset.ok ? 'accepted' : reset.error;
  };
  expect(refused([accountAddress(alice.publicKey)])).toMatch(/^autonvaloper1\S+ operates no validator of this chain$/);
  expect(refused([])).toContain('nobody would validate');
  // Who is jailed already is not released.
  expect(refused([accountAddress(testKey(4).publicKey)])).toContain('nobody would validate');
});

test('under the old id nothing begins again: what validators signed there would convict them', async () => {
  const net = await livedChain();
  expect(exportAs(net, TEST_CHAIN_ID)).toEqual({
    ok: false,
    error: `a chain that begins at height 1 again needs another id than ${TEST_CHAIN_ID}`,
  });
});

test('jobs that are under way are refunded, with escrow and bonds in step, and no height stays', () => {
  const on = new JobDriver();
  const settled = on.toRevealing();
  on.open(settled);
  on.reveal(settled, [0, 1, 2, 3]);
  on.toRevealing();
  on.request();
  const credits = on.credits();
  const { state, height, seconds } = on.chain;
  const time = { seconds, nanos: 0 };
  const options = { chain: on.chain.queryContext().chain, height, time, jailAllowed: undefined };
  expect(resetHeights(state, options)).toEqual({ ok: true, value: undefined });
  const all = [...jobs.entries(state.store(INFERENCE_STORE))].map(([, job]) => job);
  expect(all.map(({ status, refundReason }) => [status, refundReason])).toEqual([
    [JobStatus.SETTLED, RefundReason.UNSPECIFIED],
    [JobStatus.REFUNDED, RefundReason.CHAIN_RESTARTED],
    [JobStatus.REFUNDED, RefundReason.CHAIN_RESTARTED],
  ]);
  for (const job of all)
    expect([job.deadline, job.requestedHeight, job.sealedHeight, job.revealingHeight, job.finalHeight]).toEqual([
      0n,
      0n,
      0n,
      0n,
      0n,
    ]);
  const fees = all.filter(({ status }) => status === JobStatus.REFUNDED).map(({ fee }) => fee);
  expect(on.credits()).toBe(credits + (fees[0] ?? 0n) + (fees[1] ?? 0n));
  expect(inferenceInvariants(on.chain.queryContext())).toEqual([]);
});
