/** Peers that ask for more than it takes them to ask. */
import { expect, test } from 'vitest';
import { encodePeerMessage } from '#consensus/messages.ts';
import { roundStatus } from '#consensus/state.ts';
import { toHeight } from '#core/types/brand.ts';
import { NODE_LIMITS } from '#node/limits.ts';
import { openMiniNet } from '../support/mini-net.ts';

test('Limit: answersPerTick, a peer that asks for the same again and again', async () => {
  const net = await openMiniNet();
  const top = await net.goesOn(5n);
  for (const { executor } of net.nodes.values()) executor.addPeer('attacker');
  const ask = encodePeerMessage({ kind: 'block-request', height: toHeight(1n) });
  const status = { ...roundStatus(net.node('n0').executor.state, toHeight(1n)), height: toHeight(2n) };
  const tell = encodePeerMessage({ kind: 'status', status });
  const from = net.toAttacker.length;
  for (let i = 0; i < 2_000; i++) net.node('n0').executor.receive('attacker', ask);
  expect(net.toAttacker.length - from).toBe(NODE_LIMITS.answersPerTick);
  await net.goesOn(1n);
  const again = net.toAttacker.length;
  for (let i = 0; i < 2_000; i++) net.node('n0').executor.receive('attacker', tell);
  const given = net.toAttacker.slice(again).reduce((sum, { bytes }) => sum + bytes.length, 0);
  // A status brings the votes and the block: a handful of messages each, for so many only.
  expect(net.toAttacker.length - again).toBeLessThanOrEqual(10 * NODE_LIMITS.answersPerTick);
  expect(given).toBeLessThan(2 * NODE_LIMITS.answeredBytesPerTick);
  expect(net.node('n0').blocks.height).toBeGreaterThanOrEqual(top);
  await net.goesOn();
});
