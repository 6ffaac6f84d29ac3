import { expect, test } from 'vitest';
import { maxBig } from '#core/int.ts';
import { Rng } from '../sim/rng.ts';
import { blockFacts, createTestNetwork, type LogLine, type TestNode, until } from './support/network.ts';

/** Of the victims and moments; print it with a failure and put it here to see the same again. */
const SEED = Number(process.env.AUTONOMY_CRASH_SEED ?? 20_261_127);
const KILLS = 20;
/** So many of them between a synced WAL append and the commit of its height. */
const BETWEEN_APPEND_AND_COMMIT = 5;
const MOST_KILLS = 40;
const VALIDATORS = 4;

/**
 * Whether the process died after it had appended to the WAL and synced it, and before the block of that height was
 * committed: with a vote or a proposal of its own on disk that a restart must not contradict.
 */
function diedInHeight(lines: readonly LogLine[]): boolean {
  const last = lines.findLast((line) => line.msg === 'wal sync' || line.msg === 'committed block');
  return last?.msg === 'wal sync';
}

async function expectAgreement(nodes: readonly TestNode[], to: bigint): Promise<void> {
  for (let height = 1n; height <= to; height++) {
    const facts = await Promise.all(nodes.map((node) => blockFacts(node, height)));
    for (const other of facts) expect(other, `block ${height}`).toEqual(facts[0]);
    expect(facts[0]?.evidence, `evidence of a double sign in block ${height}`).toBe(0);
  }
}

test('a validator killed at any moment comes back, and nothing differs', async () => {
  const rng = new Rng(SEED);
  const net = await createTestNetwork({ validators: VALIDATORS, config: { log_level: 'debug' } });
  for (const node of net.nodes) node.start();
  await Promise.all(net.nodes.map((node) => node.waitForHeight(2n)));

  let inHeight = 0;
  let kills = 0;
  for (; kills < KILLS || inHeight < BETWEEN_APPEND_AND_COMMIT; kills++) {
    expect(kills, `seed ${SEED}: too few kills between append and commit (${inHeight})`).toBeLessThan(MOST_KILLS);
    const victim = net.node(rng.below(VALIDATORS));
    const others = net.nodes.filter((node) => node !== victim);
    // A seeded moment within a block or two.
    await new Promise((resolve) => setTimeout(resolve, rng.below(400)));
    await victim.kill();
    if (diedInHeight(await victim.log())) inHeight += 1;

    const before = await Promise.all(others.map((node) => node.height()));
    const highest = before.reduce(maxBig);
    await Promise.all(others.map((node) => node.waitForHeight(highest + 1n)));

    victim.start();
    const target = await (others[0] as TestNode).height();
    await victim.waitForHeight(target);
  }

  // The last victim takes part again: with another one down the chain needs it.
  const down = net.node(0);
  await down.kill();
  const rest = net.nodes.slice(1);
  const from = await net.node(1).height();
  await until('three of four make blocks', async () => (await net.node(1).height()) >= from + 3n);
  down.start();
  await down.waitForHeight(from + 3n);

  const agreed = await net.node(0).height();
  await Promise.all(rest.map((node) => node.waitForHeight(agreed)));
  await expectAgreement(net.nodes, agreed);
  for (const node of net.nodes) {
    const lines = await node.log();
    expect(lines.filter((line) => line.msg === 'a validator signed two votes')).toEqual([]);
    expect(lines.filter((line) => line.msg === 'the node cannot go on')).toEqual([]);
  }
  const exits = await Promise.all(net.nodes.map((node) => node.stop()));
  expect(exits.map((exit) => exit.code)).toEqual([0, 0, 0, 0]);
  console.log(`seed ${SEED}: ${kills} kills, ${inHeight} between append and commit, ${agreed} blocks agree`);
});
