import { expect, test } from 'vitest';
import { maxBig } from '#core/int.ts';
import { Rng } from '../sim/rng.ts';
import { expectNoDoubleSigns, expectSameBlocks } from './support/agreement.ts';
import { createTestNetwork, type LogLine, type TestNode, until } from './support/network.ts';

/** Of the victims and moments; print it with a failure and put it here to see the same again. */
const SEED = Number(process.env.AUTONOMY_CRASH_SEED ?? 20_261_127);
const KILLS = 20;
/** So many of them between a synced WAL append and the commit of its height. */
const BETWEEN_APPEND_AND_COMMIT = 5;
const MOST_KILLS = 40;
/** A height is open between those two for a tenth of the time: chance alone seldom finds it, so every fourth kill is aimed. */
const AIMED_EVERY = 4;
const VALIDATORS = 4;

/**
 * Whether the process has appended to the WAL and synced it, and not yet committed the block of that height: it has a
 * vote or a proposal of its own on disk that a restart must not contradict.
 */
function heightIsOpen(lines: readonly LogLine[]): boolean {
  const last = lines.findLast((line) => line.msg === 'wal sync' || line.msg === 'committed block');
  return last?.msg === 'wal sync';
}

/**
 * Kills with an own message on disk: while two of the others stand still no height can be committed, so that the
 * victim sooner or later waits with what it has signed. What was on its way may still end the height just before.
 */
async function killInHeight(victim: TestNode, stopped: readonly TestNode[]): Promise<void> {
  for (const node of stopped) node.signal('SIGSTOP');
  await until(`${victim.name} has signed something`, async () => heightIsOpen(await victim.log()));
  await victim.kill();
  for (const node of stopped) node.signal('SIGCONT');
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
    if (kills >= KILLS || kills % AIMED_EVERY === 0) await killInHeight(victim, others.slice(1));
    else await victim.kill();
    if (heightIsOpen(await victim.log())) inHeight += 1;

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
  await expectSameBlocks(net.nodes, 1n, agreed);
  await expectNoDoubleSigns(net.nodes);
  const exits = await Promise.all(net.nodes.map((node) => node.stop()));
  expect(exits.map((exit) => exit.code)).toEqual([0, 0, 0, 0]);
  console.log(`seed ${SEED}: ${kills} kills, ${inHeight} between append and commit, ${agreed} blocks agree`);
});
