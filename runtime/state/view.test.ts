import { expect, test } from 'vitest';
import { concat } from '#core/bytes.ts';
import { STATE_LIMITS } from '../limits.ts';
import type { NodeStore } from './iavl/node-store.ts';
import type { Tree } from './iavl/tree.ts';
import { StoreAtVersion, type ViewGround } from './view.ts';

/** Keys of `length` bytes that are in no store. */
function keyOf(n: number, length: number): Uint8Array {
  return concat(Uint8Array.of(n >>> 16, n >>> 8, n), new Uint8Array(length - 3));
}

/** A view that remembers, of a store that is empty. */
function emptyView() {
  let reads = 0;
  const tree = { findLeaf: () => undefined } as unknown as Tree;
  const ground: ViewGround = {
    requireKept() {},
    writersTree() {
      reads++;
      return tree;
    },
  };
  const nodes = { name: 'bank' } as unknown as NodeStore;
  const store = new StoreAtVersion(ground, nodes, 1n, undefined, true);
  const isRemembered = (key: Uint8Array): boolean => {
    const before = reads;
    expect(store.get(key)).toBeUndefined();
    return reads === before;
  };
  return { isRemembered };
}

test('Limit: readBytes, long keys that are asked for are not all kept', () => {
  const { isRemembered } = emptyView();
  const length = STATE_LIMITS.readEntryBytes;
  const most = STATE_LIMITS.readBytes / length;
  expect(isRemembered(keyOf(0, length))).toBe(false);
  expect(isRemembered(keyOf(0, length))).toBe(true);
  for (let n = 1; n < most - 1; n++) isRemembered(keyOf(n, length));
  expect(isRemembered(keyOf(0, length))).toBe(true);
  isRemembered(keyOf(1_000_000, length));
  isRemembered(keyOf(1_000_001, length));
  expect(isRemembered(keyOf(0, length))).toBe(false);
  expect(isRemembered(keyOf(1_000_001, length))).toBe(true);
});

test('Limit: readEntryBytes and readEntries', () => {
  const { isRemembered } = emptyView();
  const long = keyOf(1, STATE_LIMITS.readEntryBytes + 1);
  expect([isRemembered(long), isRemembered(long)]).toEqual([false, false]);
  for (let n = 0; n < STATE_LIMITS.readEntries; n++) isRemembered(keyOf(n, 3));
  expect(isRemembered(keyOf(0, 3))).toBe(true);
  isRemembered(keyOf(1_000_000, 4));
  expect(isRemembered(keyOf(0, 3))).toBe(false);
});
