import { expect, test } from 'vitest';
import { maxBig } from '#core/int.ts';
import { expectNoDoubleSigns, expectSameBlocks } from './support/agreement.ts';
import { senderOf } from './support/jobs.ts';
import { blockFacts, chainOf, configure, createTestNetwork, type TestNode, until } from './support/network.ts';
import {
  consensusHexOf,
  createValidator,
  delegate,
  operatorOf,
  pools,
  powersAt,
  redelegate,
  STAKE,
  senderWith,
  signersOf,
  stakedGenesis,
  stakedValidator,
  unbonding,
  undelegate,
  validatorKeyOf,
  waitForSignature,
} from './support/stake.ts';
import { namedKey } from './support/workload.ts';

const [ALICE, NEWCOMER] = [namedKey('staking alice'), namedKey('staking newcomer')];
const UNBONDING = '5s';

/** Consensus asks the new set two blocks after the one that chose it. */
const DELAY = 2n;

async function balanceOf(node: TestNode, address: string, height?: bigint): Promise<bigint> {
  return (await chainOf(node, height).balances(address))[0]?.amount ?? 0n;
}

test('validators join and leave by stake, powers shift, and nodes join late by block sync and by state sync', async () => {
  const net = await createTestNetwork({
    validators: 4,
    fullNodes: 2,
    config: { 'statesync.snapshot_interval': 10 },
    genesis: stakedGenesis({ wallets: [ALICE, NEWCOMER], unbondingTime: UNBONDING }),
  });
  const first = net.nodes.slice(0, 4);
  const [observer, joining, synced] = [net.node(0), net.node(4), net.node(5)];
  for (const node of first) node.start();
  await Promise.all(first.map((node) => node.waitForHeight(3n)));
  const [v0, v1, v2, v3, v4] = (await Promise.all(net.nodes.slice(0, 5).map(consensusHexOf))) as [
    string,
    string,
    string,
    string,
    string,
  ];
  expect(await powersAt(observer, 1n)).toEqual({ [v0]: 10, [v1]: 10, [v2]: 10, [v3]: 10 });
  const operators = net.network.operators.map(({ address }) => operatorOf(address)) as [string, string, string, string];
  const alice = await senderWith(observer, ALICE);
  const powersFrom = async (height: string, powers: Readonly<Record<string, number>>) => {
    const at = BigInt(height) + DELAY;
    await observer.waitForHeight(at);
    expect(await powersAt(observer, at)).toEqual(powers);
    return at;
  };

  // A delegation gives power, two blocks later and not before; what is below a unit of power gives none.
  const delegated = await alice.send([delegate(alice.address, operators[1], 7_999_999n)]);
  const shifted = await powersFrom(delegated.height, { [v0]: 10, [v1]: 17, [v2]: 10, [v3]: 10 });
  expect(await powersAt(observer, shifted - 1n)).toEqual({ [v0]: 10, [v1]: 10, [v2]: 10, [v3]: 10 });

  // A node comes late, takes the blocks of others, becomes a validator, signs and proposes.
  joining.start();
  await joining.waitForHeight(shifted);
  const newcomer = await senderWith(joining, NEWCOMER);
  const own = operatorOf(newcomer.address);
  const created = await newcomer.send([createValidator(NEWCOMER, await validatorKeyOf(joining), 2n * STAKE)]);
  const joined = await powersFrom(created.height, { [v0]: 10, [v1]: 17, [v2]: 10, [v3]: 10, [v4]: 20 });
  await waitForSignature(observer, joining, joined);
  await until('the newcomer proposes a block', async () => {
    const at = String(await observer.height());
    const { header } = await observer.rpc.call<{ header: { proposer_address: string } }>('header', { height: at });
    return header.proposer_address === v4;
  });

  // Stake moves from one to the other at once.
  const moved = await alice.send([redelegate(alice.address, operators[1], own, 5_000_000n)]);
  await powersFrom(moved.height, { [v0]: 10, [v1]: 12, [v2]: 10, [v3]: 10, [v4]: 25 });

  // One takes all its stake back, signs no more, follows on, and has every coin after the time of unbonding.
  const leaving = await senderOf(net, 'operator3');
  const left = await leaving.send([undelegate(leaving.address, operators[3], STAKE)]);
  const gone = await powersFrom(left.height, { [v0]: 10, [v1]: 12, [v2]: 10, [v4]: 25 });
  // As it was in that block: the time of unbonding is short, and the machine may be slow.
  const begun = BigInt(left.height);
  expect(await unbonding(observer, leaving.address, operators[3], begun)).toEqual([{ initial: STAKE, balance: STAKE }]);
  const before = await balanceOf(observer, leaving.address, begun);
  await until('the unbonding is complete', async () => (await balanceOf(observer, leaving.address)) > before);
  expect(await balanceOf(observer, leaving.address)).toBe(before + STAKE);
  await until('the validator is removed', async () => (await stakedValidator(observer, operators[3])) === undefined);
  expect(await pools(observer)).toEqual({ bonded: 47_999_999n + STAKE, notBonded: 0n });
  await net.node(3).waitForHeight(gone + 1n);

  // Another comes late by state sync, from a root when others validated, and a validator dies and comes back.
  await configure(synced, 'statesync', {
    enable: true,
    rpc_servers: `${observer.rpcUrl},${net.node(1).rpcUrl}`,
    trust_height: 2,
    trust_hash: (await blockFacts(observer, 2n)).hash,
    discovery_time: '1s',
    snapshot_interval: 0,
  });
  synced.start();
  await joining.kill();
  joining.start();
  await synced.waitForHeight(gone);
  const newest = await observer.height();
  await joining.waitForHeight(newest);
  await waitForSignature(observer, joining, newest);
  expect((await synced.log()).some(({ msg }) => msg === 'state sync is done')).toBe(true);

  const agreed = (await Promise.all(net.nodes.map((node) => node.height()))).reduce(maxBig);
  await Promise.all(net.nodes.map((node) => node.waitForHeight(agreed)));
  await expectSameBlocks(net.nodes.slice(0, 5), 1n, agreed);
  const { sync_info } = await synced.rpc.call<{ sync_info: { earliest_block_height: string } }>('status');
  const base = BigInt(sync_info.earliest_block_height);
  expect(base).toBeGreaterThan(1n);
  await expectSameBlocks([observer, synced], base, agreed);
  await expectNoDoubleSigns(net.nodes);
  for (let height = gone; height < agreed; height++)
    expect((await signersOf(observer, height)).has(v3), `a signature of who has left for ${height}`).toBe(false);
});
