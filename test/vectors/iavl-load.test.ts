import { expect, test } from 'vitest';
import { fromHex, toHex } from '#core/bytes.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { multistoreHash } from '#runtime/state/commit-info.ts';
import { MultiStore } from '#runtime/state/multistore.ts';
import { insertions, overwrites } from '../support/state-load.ts';

/** Printed by `go run . 20000 10` in test/vectors/iavl-reference (github.com/cosmos/iavl v1.2.2). */
const GO = {
  keys: 20_000,
  versions: 10,
  afterInserts: '0a5616384eb66241b56885d21294778bb7a833f6940f1fef3ebbce6fb4636ac6',
  atEnd: '7a476b39afaef83ef577a501909810f0080cd6b4134512f9057cb18578d60ea3',
} as const;

test('the benchmark’s load of 20,000 keys leads to the roots of Go’s IAVL', async () => {
  const state = MultiStore.open(new MemoryKv(), ['bench']);
  const store = state.workingBranch().store('bench');
  const appHashOf = (root: string): string => toHex(multistoreHash(new Map([['bench', fromHex(root)]])));
  for (const writes of insertions(GO.keys)) {
    for (const [key, value] of writes) store.set(key, value);
    await state.commit();
  }
  expect(toHex(state.lastCommit?.appHash ?? new Uint8Array())).toBe(appHashOf(GO.afterInserts));
  for (const writes of overwrites(GO.keys, GO.versions)) {
    for (const [key, value] of writes) store.set(key, value);
    await state.commit();
  }
  expect(toHex(state.lastCommit?.appHash ?? new Uint8Array())).toBe(appHashOf(GO.atEnd));
});
