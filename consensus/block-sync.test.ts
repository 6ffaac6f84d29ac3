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
