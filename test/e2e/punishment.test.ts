import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { maxBig } from '#core/int.ts';
import { EquivocationSchema } from '#proto/gen/cosmos/evidence/v1beta1/evidence_pb.ts';
import {
  QueryAllEvidenceRequestSchema,
  QueryAllEvidenceResponseSchema,
} from '#proto/gen/cosmos/evidence/v1beta1/query_pb.ts';
import { MsgUnjailSchema } from '#proto/gen/cosmos/slashing/v1beta1/tx_pb.ts';
import { BondStatus } from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import { decodeStrict, pack } from '#proto/message.ts';
import { expectSameBlocks } from './support/agreement.ts';
import { crimeAt } from './support/crime.ts';
import { senderOf } from './support/jobs.ts';
import { blockFacts, chainOf, createTestNetwork, type TestNode, until } from './support/network.ts';
import {
  consensusHexOf,
  createValidator,
  delegate,
  delegation,
  operatorOf,
  pools,
  powersAt,
  redelegate,
  STAKE,
  senderWith,
  signingInfo,
  stakedGenesis,
  stakedValidator,
  unbonding,
  undelegate,
  validatorKeyOf,
  waitForSignature,
} from './support/stake.ts';
import { namedKey } from './support/workload.ts';

const DOUBLE_SIGNER = 'test/e2e/support/double-signing-node.ts';
/** While this file is in its home, it signs once. */
const HONEST = 'honest';
const [ALICE, BOB, MALLORY] = [namedKey('punished alice'), namedKey('punished bob'), namedKey('punished mallory')];
/** Blocks. Half of them may be missed: a node on a busy machine is late for one now and then. */
const WINDOW = 12n;
/** Of a test in which nobody is to be jailed for it. */
const LONG_WINDOW = 1_000n;
const JAIL_SECONDS = 6n;
/** Far longer than a test takes, on whatever machine. */
const UNBONDING = '3600s';
const slashing = (window: bigint) => ({
  signed_blocks_window: String(window),
  min_signed_per_window: '0.5',
  downtime_jail_duration: `${JAIL_SECONDS}s`,
  slash_fraction_double_sign: '0.05',
  slash_fraction_downtime: '0.01',
});
const UNIT = 1_000_000n;
const DEC = 10n ** 18n;

/** x/staking Slash: the fraction of the power that signed, not of the tokens; cut to whole units. */
function slashed(tokens: bigint, percent: bigint): bigint {
  return tokens - ((tokens / UNIT) * UNIT * percent) / 100n;
}

/** x/staking TokensFromShares: shares × tokens / all shares to eighteen places, half to even, then cut. */
function worth(shares: bigint, tokens: bigint, allShares: bigint): bigint {
  const scaled = shares * tokens * DEC;
  const [quotient, rest] = [scaled / allShares, scaled % allShares];
  const up = 2n * rest > allShares || (2n * rest === allShares && quotient % 2n === 1n);
  return (quotient + (up ? 1n : 0n)) / DEC;
}

async function present(node: TestNode, operator: string) {
  const validator = await stakedValidator(node, operator);
  if (validator === undefined) throw new Error(`there is no validator ${operator}`);
  return { ...validator, tokens: BigInt(validator.tokens), shares: BigInt(validator.delegatorShares) };
}

async function seconds(node: TestNode): Promise<bigint> {
  const { sync_info } = await chainOf(node).status();
  return BigInt(Math.floor(Date.parse(sync_info.latest_block_time) / 1_000));
}

test('who is down is jailed and comes back; who signs twice is slashed with all behind it, and never comes back', async () => {
  const net = await createTestNetwork({
    validators: 4,
    config: { 'consensus.timeout_commit': '500ms' },
    genesis: stakedGenesis({ wallets: [ALICE, BOB, MALLORY], unbondingTime: UNBONDING, slashing: slashing(WINDOW) }),
  });
  const [observer, down, twofold] = [net.node(0), net.node(2), net.node(3)];
  const honest = join(twofold.home, HONEST);
  writeFileSync(honest, '');
  for (const node of net.nodes) node.start(node === twofold ? DOUBLE_SIGNER : undefined);
  await Promise.all(net.nodes.map((node) => node.waitForHeight(2n)));
  const operators = net.network.operators.map(({ address }) => operatorOf(address));
  const [, , downOperator = '', twofoldOperator = ''] = operators;
  const [alice, bob, mallory] = await Promise.all([ALICE, BOB, MALLORY].map((key) => senderWith(observer, key)));
  if (alice === undefined || bob === undefined || mallory === undefined) throw new Error('three wallets');
  const downAddress = await consensusHexOf(down);

  // Amounts that no fraction divides evenly; of what bob gave, a part is on its way back before anything happens.
  await Promise.all([
    alice.send([
      delegate(alice.address, downOperator, 3_333_333n),
      delegate(alice.address, twofoldOperator, 1_000_001n),
    ]),
    bob.send([delegate(bob.address, twofoldOperator, 2_000_003n)]),
  ]);
  await bob.send([undelegate(bob.address, twofoldOperator, 500_001n)]);
  const twofoldTokens = STAKE + 1_000_001n + 2_000_003n - 500_001n;
  const downTokens = STAKE + 3_333_333n;
  const downSender = await senderOf(net, 'operator2');
  const release = pack(MsgUnjailSchema, { validatorAddr: downOperator });
  expect((await present(observer, twofoldOperator)).tokens).toBe(twofoldTokens);

  // Down for more than half of the window.
  await down.kill();
  await until('who is down is jailed', async () => (await present(observer, downOperator)).jailed);
  // Asked at once: the time is short.
  await expect(downSender.send([release])).rejects.toThrow(/still jailed/);
  const jailed = await present(observer, downOperator);
  expect(jailed).toMatchObject({
    tokens: slashed(downTokens, 1n),
    shares: downTokens * DEC,
    status: BondStatus.UNBONDING,
  });
  expect((await delegation(observer, alice.address, downOperator))?.balance).toBe(
    worth(3_333_333n * DEC, slashed(downTokens, 1n), downTokens * DEC),
  );
  const info = await signingInfo(observer, await validatorKeyOf(down));
  expect(info).toMatchObject({ tombstoned: false, missedBlocksCounter: 0n });

  // Back after its time: it signs again, and is not counted for what was before.
  down.start();
  await down.waitForHeight(await observer.height());
  const freeAt = info.jailedUntil?.seconds ?? 0n;
  await until('its time is over', async () => (await seconds(observer)) > freeAt);
  const released = BigInt((await downSender.send([release])).height) + 2n;
  await observer.waitForHeight(released + WINDOW + 3n);
  expect(await powersAt(observer, released)).toMatchObject({ [downAddress]: 13 });
  expect(await powersAt(observer, released - 1n)).not.toHaveProperty(downAddress);
  await waitForSignature(observer, down, released);
  expect(await present(observer, downOperator)).toMatchObject({ jailed: false, tokens: slashed(downTokens, 1n) });

  // Signs twice: slashed by the power that signed, to the last unit; what left before it signed is not touched.
  rmSync(honest);
  const twofoldKey = await validatorKeyOf(twofold);
  await until('who signs twice is tombstoned', async () => (await signingInfo(observer, twofoldKey)).tombstoned);
  const punished = await present(observer, twofoldOperator);
  const left = slashed(twofoldTokens, 5n);
  expect(punished).toMatchObject({ jailed: true, tokens: left, shares: twofoldTokens * DEC });
  for (const [who, shares] of [
    [alice.address, 1_000_001n],
    [bob.address, 2_000_003n - 500_001n],
    [net.network.operators[3]?.address ?? '', STAKE],
  ] as const)
    expect((await delegation(observer, who, twofoldOperator))?.balance).toBe(
      worth(shares * DEC, left, twofoldTokens * DEC),
    );
  expect(await unbonding(observer, bob.address, twofoldOperator)).toEqual([{ initial: 500_001n, balance: 500_001n }]);
  const { evidence } = await chainOf(observer).query(
    '/cosmos.evidence.v1beta1.Query/AllEvidence',
    QueryAllEvidenceRequestSchema,
    {},
    QueryAllEvidenceResponseSchema,
  );
  const [crime] = evidence.map(({ value }) => decodeStrict(EquivocationSchema, value));
  expect(evidence).toHaveLength(1);
  expect(crime?.ok === true ? crime.value.power : undefined).toBe(twofoldTokens / UNIT);

  // It does not come back, not under another name either; who stood behind it may leave with what is left.
  const twofoldSender = await senderOf(net, 'operator3');
  await expect(twofoldSender.send([pack(MsgUnjailSchema, { validatorAddr: twofoldOperator })])).rejects.toThrow(
    /still jailed/,
  );
  await expect(mallory.send([createValidator(MALLORY, twofoldKey, STAKE)])).rejects.toThrow(/already exist/);
  // x/staking Undelegate: the amount becomes shares, cut to eighteen places, and those become tokens again, cut as well.
  const asked = worth(1_000_001n * DEC, left, twofoldTokens * DEC);
  const aliceLeft = worth((twofoldTokens * DEC * asked) / left, left, twofoldTokens * DEC);
  await alice.send([undelegate(alice.address, twofoldOperator, asked)]);
  expect(await unbonding(observer, alice.address, twofoldOperator)).toEqual([
    { initial: aliceLeft, balance: aliceLeft },
  ]);
  expect(await pools(observer)).toEqual({
    bonded: 2n * STAKE + slashed(downTokens, 1n),
    notBonded: left + 500_001n,
  });

  const agreed = (await Promise.all(net.nodes.map((node) => node.height()))).reduce(maxBig) + 1n;
  await Promise.all(net.nodes.map((node) => node.waitForHeight(agreed)));
  await expectSameBlocks(net.nodes, 1n, agreed, { evidence: true });
  expect(Object.values(await powersAt(observer, agreed)).toSorted()).toEqual([10, 10, 13]);
  expect((await down.log()).filter(({ msg }) => msg === 'the node cannot go on')).toEqual([]);
});

test('a crime of before is paid for by all stake that stood behind it then: also what is on its way back, and what has moved', async () => {
  const net = await createTestNetwork({
    validators: 4,
    genesis: stakedGenesis({ wallets: [ALICE, BOB], unbondingTime: UNBONDING, slashing: slashing(LONG_WINDOW) }),
  });
  for (const node of net.nodes) node.start();
  await Promise.all(net.nodes.map((node) => node.waitForHeight(2n)));
  const [observer, criminal] = [net.node(0), net.node(3)];
  const operators = net.network.operators.map(({ address }) => operatorOf(address));
  const [safe = '', , , guilty = ''] = operators;
  const [alice, bob] = [await senderWith(observer, ALICE), await senderWith(observer, BOB)];

  // Bob's way back begins before the crime, alice's after it.
  const [, given] = await Promise.all([
    bob.send([delegate(bob.address, guilty, 2_000_003n), undelegate(bob.address, guilty, 1_000_001n)]),
    alice.send([delegate(alice.address, guilty, 5_000_017n)]),
  ]);
  const crime = (await observer.height()) + 3n;
  await observer.waitForHeight(crime);
  expect(BigInt(given.height)).toBeLessThan(crime - 1n);
  const tokensThen = STAKE + 1_000_002n + 5_000_017n;
  const power = tokensThen / UNIT;
  expect(await powersAt(observer, crime)).toMatchObject({ [await consensusHexOf(criminal)]: Number(power) });
  await alice.send([
    undelegate(alice.address, guilty, 1_000_033n),
    redelegate(alice.address, guilty, safe, 1_500_051n),
  ]);
  await observer.rpc.call('broadcast_evidence', { evidence: await crimeAt(observer, criminal, crime) });
  const key = await validatorKeyOf(criminal);
  await until('the crime is known to the chain', async () => (await signingInfo(observer, key)).tombstoned);

  // x/staking Slash: a twentieth of the power then; the part of it that left since is taken where it went.
  const due = (power * UNIT) / 20n;
  const ofUnbonding = 1_000_033n / 20n;
  const ofMoved = 1_500_051n / 20n;
  expect(await unbonding(observer, alice.address, guilty)).toEqual([
    { initial: 1_000_033n, balance: 1_000_033n - ofUnbonding },
  ]);
  expect(await unbonding(observer, bob.address, guilty)).toEqual([{ initial: 1_000_001n, balance: 1_000_001n }]);
  const here = await present(observer, guilty);
  expect(here.tokens).toBe(tokensThen - 1_000_033n - 1_500_051n - (due - ofUnbonding - ofMoved));
  // At the destination shares are taken, a twentieth of those that moved, with the tokens that they are.
  const moved = (1_500_051n * DEC) / 20n;
  const there = await present(observer, safe);
  expect(there).toMatchObject({
    tokens: STAKE + 1_500_051n - ofMoved,
    shares: (STAKE + 1_500_051n) * DEC - moved,
    jailed: false,
  });
  expect((await delegation(observer, alice.address, safe))?.balance).toBe(
    worth(1_500_051n * DEC - moved, there.tokens, there.shares),
  );
  for (const [who, amount] of [
    [alice.address, 5_000_017n - 1_000_033n - 1_500_051n],
    [bob.address, 1_000_002n],
  ] as const)
    expect((await delegation(observer, who, guilty))?.balance).toBe(worth(amount * DEC, here.tokens, here.shares));

  // The same crime again, and another of the same key: nobody pays twice.
  await observer.rpc.call('broadcast_evidence', { evidence: await crimeAt(observer, criminal, crime + 1n) });
  let found = 0;
  let height = crime;
  await until('both crimes are in blocks', async () => {
    for (const newest = await observer.height(); height <= newest; height++)
      found += (await blockFacts(observer, height)).evidence;
    return found === 2;
  });
  await Promise.all(net.nodes.map((node) => node.waitForHeight(height + 1n)));
  expect((await present(observer, guilty)).tokens).toBe(here.tokens);
  expect((await present(observer, safe)).tokens).toBe(there.tokens);
  await expectSameBlocks(net.nodes, 1n, height + 1n, { evidence: true });
});
