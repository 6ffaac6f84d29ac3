import { expect, test } from 'vitest';
import { toHeight } from '#core/types/brand.ts';
import type { ExtendedCommit } from '#core/types/commit.ts';
import { BlockSync } from './block-sync.ts';
import { CONSENSUS_LIMITS } from './limits.ts';
import type { RoundStatus } from './messages.ts';
import { roundStatus } from './state.ts';
import { Kit } from './test-kit.ts';

const plain = roundStatus(new Kit().state, toHeight(0n));
const block = new Uint8Array(1);
const commit = { height: toHeight(5n) } as ExtendedCommit;

function claims(entries: Record<string, readonly [base: bigint, height: bigint]>): [string, RoundStatus][] {
  return Object.entries(entries).map(([peer, [base, height]]) => [
    peer,
    { ...plain, base: toHeight(base), height: toHeight(height) },
  ]);
}

test('nothing is asked of peers at the same height or one ahead: repair serves that', () => {
  expect(new BlockSync().plan(toHeight(5n), claims({ a: [1n, 5n], b: [1n, 6n] }), 0)).toEqual([]);
});

test('requests are spread over the peers that claim the block, each height asked once', () => {
  const sync = new BlockSync();
  const asked = sync.plan(toHeight(5n), claims({ a: [1n, 11n], b: [7n, 11n] }), 0);
  expect(asked.map(({ height }) => height)).toEqual([5n, 6n, 7n, 8n, 9n, 10n]);
  expect(new Set(asked.filter(({ height }) => height < 7n).map(({ peer }) => peer))).toEqual(new Set(['a']));
  expect(asked.filter(({ peer }) => peer === 'b').length).toBeGreaterThan(1);
  expect(sync.plan(toHeight(5n), claims({ a: [1n, 11n], b: [7n, 11n] }), 1)).toEqual([]);
});

test('an absurd height or base makes no more than the permitted requests', () => {
  const sync = new BlockSync();
  const asked = sync.plan(toHeight(5n), claims({ a: [1n, 2n ** 63n - 1n], b: [0n, 2n ** 63n - 1n] }), 0);
  expect(asked).toHaveLength(CONSENSUS_LIMITS.maxRequestsPerPeer);
  expect(asked.every(({ peer }) => peer === 'a')).toBe(true);
});

test('blocks are asked for in groups, and the next one never waits for a group', () => {
  const sync = new BlockSync();
  const peers = claims({ a: [1n, 1_000n], b: [1n, 1_000n], c: [1n, 1_000n], d: [1n, 1_000n] });
  const first = sync.plan(toHeight(1n), peers, 0);
  expect(first).toHaveLength(CONSENSUS_LIMITS.maxBlockRequests);
  for (const { peer, height } of first) if (height !== 2n) sync.receive(peer, height, block, commit);
  let height = 1n;
  const few = BigInt(CONSENSUS_LIMITS.fewBlocksAhead);
  for (; sync.plan(toHeight(height + 1n), peers, 1).length === 0; height++) sync.take(height + 1n);
  const asked = BigInt(CONSENSUS_LIMITS.maxBlockRequests) - few;
  expect(height).toBe(asked + 1n);
  // Block 2 never came: it is asked for again in its time, however many wait above it.
  const stalled = new BlockSync();
  for (const { peer, height: at } of stalled.plan(toHeight(1n), peers, 0))
    if (at !== 2n) stalled.receive(peer, at, block, commit);
  const late = stalled.plan(toHeight(2n), peers, CONSENSUS_LIMITS.blockRequestTicks + 1);
  expect(late.map((each) => each.height)).toContain(2n);
});

test('one peer alone is asked for some at a time', () => {
  const sync = new BlockSync();
  const peers = claims({ a: [1n, 1_000n] });
  const first = sync.plan(toHeight(1n), peers, 0);
  expect(first).toHaveLength(CONSENSUS_LIMITS.maxRequestsPerPeer);
  const counts = first.map(({ peer, height }) => {
    sync.receive(peer, height, block, commit);
    return sync.plan(toHeight(1n), peers, 0).length;
  });
  const group = CONSENSUS_LIMITS.maxRequestsPerPeer - CONSENSUS_LIMITS.fewRequestsPerPeer;
  expect(counts.slice(0, group)).toEqual([0, 0, 0, group]);
});

test('a peer that stalls is replaced after a while', () => {
  const sync = new BlockSync();
  const peers = claims({ a: [1n, 8n] });
  const first = sync.plan(toHeight(5n), peers, 0);
  expect(first.every(({ peer }) => peer === 'a')).toBe(true);
  const both = claims({ a: [1n, 8n], b: [1n, 8n] });
  const later = sync.plan(toHeight(5n), both, CONSENSUS_LIMITS.blockRequestTicks + 1);
  expect(later.map(({ peer }) => peer)).toEqual(['b', 'b', 'b']);
});

test('only the peer that was asked may answer, and only once', () => {
  const sync = new BlockSync();
  sync.plan(toHeight(5n), claims({ a: [1n, 8n] }), 0);
  expect(sync.receive('b', 5n, block, commit)).toBe(false);
  expect(sync.receive('a', 50n, block, commit)).toBe(false);
  expect(sync.receive('a', 5n, block, commit)).toBe(true);
  expect(sync.receive('a', 5n, block, commit)).toBe(false);
  expect(sync.take(5n)).toEqual({ peer: 'a', block, commit });
  expect(sync.take(5n)).toBeUndefined();
});

test('a peer that leaves frees what was asked of it', () => {
  const sync = new BlockSync();
  sync.plan(toHeight(5n), claims({ a: [1n, 8n] }), 0);
  sync.removePeer('a');
  expect(sync.plan(toHeight(5n), claims({ b: [1n, 8n] }), 1)).toHaveLength(3);
});
