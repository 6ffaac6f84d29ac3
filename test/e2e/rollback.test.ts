/** `autond rollback` on real homes: what was decided stays decided, and what was signed stays signed. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeLastSign } from '#consensus/last-sign.ts';
import { homePaths } from '#node/config/home.ts';
import { lastSignFile } from '#node/privval/last-sign-file.ts';
import { Rng } from '../sim/rng.ts';
import { expectNoDoubleSigns, expectSameBlocks } from './support/agreement.ts';
import { autondJson, refusalOf, runAutond } from './support/autond.ts';
import { blockFacts, configure, createTestNetwork, type TestNode } from './support/network.ts';
import { waitForSignature } from './support/stake.ts';

interface RolledBack {
  readonly height: string;
  readonly hash: string;
  readonly removed_block: string | null;
  readonly pending_block: string | null;
}

const rollback = (node: TestNode, ...flags: string[]) =>
  autondJson<RolledBack>('rollback', '--home', node.home, ...flags);

async function lastSigned(node: TestNode): Promise<{ bytes: Buffer; place: readonly [bigint, number, number] }> {
  const path = homePaths(node.home).validatorState;
  const file = lastSignFile(path);
  const stored = await file.load();
  await file.close();
  const last = stored && decodeLastSign(stored);
  if (!last?.ok) throw new Error('a last-sign state');
  const { height, round, step } = last.value;
  return { bytes: readFileSync(path), place: [height, round, step] };
}

test('the last block is executed again, with or without being removed, and leads to the same hash', async () => {
  const net = await createTestNetwork({ validators: 1 });
  const node = net.node(0);
  node.start();
  await node.waitForHeight(4n);
  expect(await refusalOf('rollback', '--home', node.home)).toContain('already in use by a running node');
  await node.stop();
  const signed = await lastSigned(node);

  const soft = await rollback(node);
  const last = BigInt(soft.height) + 1n;
  expect(soft).toMatchObject({ removed_block: null, pending_block: String(last) });
  // The block waits: there is nothing more to take back.
  expect(await rollback(node)).toEqual(soft);
  expect(await lastSigned(node)).toEqual(signed);
  // It stands still between two heights, so that it is stopped there: bound in one that has begun, it would lose no block.
  await configure(node, 'consensus', { timeout_commit: '5s' });
  node.start();
  await node.waitForHeight(last + 1n);
  const facts = await blockFacts(node, last);
  expect(facts.appHash).toBe(soft.hash);
  await node.stop();

  const hard = await rollback(node, '--hard');
  const removed = BigInt(hard.height) + 1n;
  expect(hard).toMatchObject({ removed_block: String(removed), pending_block: null });
  await configure(node, 'consensus', { timeout_commit: '200ms' });
  node.start();
  await node.waitForHeight(removed + 2n);
  expect((await blockFacts(node, removed)).appHash).toBe(hard.hash);
  expect(await blockFacts(node, last)).toEqual(facts);
  await node.stop();
  expect((await lastSigned(node)).place[0]).toBeGreaterThan(signed.place[0]);
  expect(await refusalOf('rollback', '--home', `${node.home}-nowhere`)).toContain('cannot be read');
  await expectNoDoubleSigns(net.nodes);
});

const SEED = Number(process.env.AUTONOMY_ROLLBACK_SEED ?? 20_261_127);

test('killed at any moment of it, a validator comes back among the others, at whose blocks nothing differs', async () => {
  const rng = new Rng(SEED);
  const net = await createTestNetwork({ validators: 4 });
  for (const node of net.nodes) node.start();
  await Promise.all(net.nodes.map((node) => node.waitForHeight(3n)));
  const victim = net.node(3);
  // The first blocks are made without the one that starts last, which takes them from the others.
  await waitForSignature(net.node(0), victim, 1n);
  let whole = 0;
  for (const flags of [['--hard'], [], ['--hard']]) {
    await victim.stop();
    const began = Date.now();
    const before = await lastSigned(victim);
    const done = await runAutond(['rollback', '--home', victim.home, ...flags]);
    const tookMs = Date.now() - began;
    if (done.code === 0) whole++;
    // Bound in the height that had begun: it may forget nothing, and says so.
    else expect(done.err).toContain('must not forget it');
    // Once more, and killed somewhere: of the time most goes by before it begins.
    await runAutond(['rollback', '--home', victim.home, ...flags], {
      killAfterMs: Math.floor((tookMs * (50 + rng.below(50))) / 100),
    });
    expect((await lastSigned(victim)).bytes).toEqual(before.bytes);
    const target = await net.node(0).height();
    victim.start();
    await victim.waitForHeight(target + 2n);
  }
  expect(whole, `seed ${SEED}`).toBeGreaterThan(0);
  const agreed = await victim.height();
  await Promise.all(net.nodes.map((node) => node.waitForHeight(agreed)));
  await expectSameBlocks(net.nodes, 1n, agreed);
  await expectNoDoubleSigns(net.nodes);
});
