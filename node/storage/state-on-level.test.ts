import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { iavlSpec, ics23, tendermintSpec, verifyMembership, verifyNonMembership } from '@confio/ics23';
import { afterAll, expect, test } from 'vitest';
import { u32be, utf8 } from '#core/bytes.ts';
import { decodeCommitmentProof } from '#core/ics23/codec.ts';
import { existenceRoot } from '#core/ics23/verify.ts';
import type { Kv } from '#core/ports/kv.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { MultiStore } from '#runtime/state/multistore.ts';
import { exportSnapshot } from '#runtime/state/snapshot/export.ts';
import { SnapshotImport } from '#runtime/state/snapshot/import.ts';
import { openLevelKv } from './level-kv.ts';
import { createRangeReader } from './range-reader.ts';

const folder = mkdtempSync(join(tmpdir(), 'autonomy-state-'));
const rangeReader = createRangeReader();
afterAll(async () => {
  await rangeReader.close();
  rmSync(folder, { recursive: true });
});

const NAMES = ['auth', 'bank'];

function block(store: MultiStore, height: number): void {
  const bank = store.workingBranch().store('bank');
  for (let i = 0; i < 50; i++) {
    const key = u32be((height * 31 + i * i * 7) % 400);
    if (i % 7 === 3) bank.delete(key);
    else bank.set(key, utf8(`value ${height}/${i}`));
  }
  store
    .workingBranch()
    .store('auth')
    .set(utf8(`account${height}`), u32be(height));
}

test('the state on LevelDB, closed and reopened before every block, equals the state in memory', async () => {
  const memory = MultiStore.open(new MemoryKv(), NAMES);
  const hashes: Uint8Array[] = [];
  for (let height = 1; height <= 12; height++) {
    const kv = await openLevelKv({ path: join(folder, 'state'), cacheBytes: 1 << 20 }, { rangeReader });
    const store = MultiStore.open(kv, NAMES, { nodeCacheBytes: 20_000 });
    expect(store.lastCommit).toEqual(memory.lastCommit);
    block(store, height);
    block(memory, height);
    hashes.push((await memory.commit()).appHash);
    expect((await store.commit()).appHash).toEqual(hashes.at(-1));
    await kv.close();
  }
  const kv = await openLevelKv({ path: join(folder, 'state'), cacheBytes: 1 << 20 }, { rangeReader });
  const store = MultiStore.open(kv, NAMES);
  let [present, absent] = [0, 0];
  for (let n = 0; n < 60; n++) {
    const height = (n % 12) + 1;
    const key = u32be((n * 37) % 420);
    const proven = store.proveAt(BigInt(height), 'bank', key);
    if (!proven.ok) throw new Error(proven.error);
    const { value, commitmentProofs } = proven.value;
    const [inStore, inApp] = commitmentProofs.map((bytes) => ics23.CommitmentProof.decode(bytes));
    if (inStore === undefined || inApp === undefined) throw new Error('a level of the proof is missing');
    const root = Uint8Array.from(inApp.exist?.value ?? []);
    expect(verifyMembership(inApp, tendermintSpec, hashes[height - 1] as Uint8Array, utf8('bank'), root)).toBe(true);
    expect(value).toEqual(store.viewAt(BigInt(height))?.store('bank').get(key));
    if (value === undefined) {
      absent++;
      expect(verifyNonMembership(inStore, iavlSpec, root, key)).toBe(true);
    } else {
      present++;
      expect(verifyMembership(inStore, iavlSpec, root, key, value)).toBe(true);
    }
  }
  expect(present).toBeGreaterThan(5);
  expect(absent).toBeGreaterThan(5);
  await kv.close();
});

test('on LevelDB, pruned to two versions and carried over by a snapshot: same state, bounded records', async () => {
  const openAt = (name: string) => openLevelKv({ path: join(folder, name), cacheBytes: 1 << 20 }, { rangeReader });
  const records = (kv: Kv) => [...kv.entries({})].length;
  let kv = await openAt('pruned');
  const memory = MultiStore.open(new MemoryKv(), NAMES);
  const sizes: number[] = [];
  for (let round = 0; round < 4; round++) {
    const store = MultiStore.open(kv, NAMES, { nodeCacheBytes: 20_000, pruning: { kind: 'everything' } });
    for (let height = 10 * round + 1; height <= 10 * (round + 1); height++) {
      block(store, height);
      block(memory, height);
      await store.pruneStep(20);
      expect((await store.commit()).appHash).toEqual((await memory.commit()).appHash);
    }
    while (!(await store.pruneStep(100)).done);
    sizes.push(records(kv));
    await kv.close();
    kv = await openAt('pruned');
  }
  // The accounts grow by one a block; everything else is as large after forty blocks as after twenty.
  expect((sizes[3] ?? 0) - (sizes[1] ?? 0)).toBeLessThan(120);
  const store = MultiStore.open(kv, NAMES, { pruning: { kind: 'everything' } });
  const source = store.snapshotSource(39n);
  if (!source.ok) throw new Error(source.error);
  const chunks: Uint8Array[] = [];
  const taken = await exportSnapshot(source.value, async (_, chunk) => void chunks.push(chunk), { chunkBytes: 5000 });
  if (!taken.ok) throw new Error(taken.error);
  const imported = await openAt('imported');
  const appHash = multistoreHashAt(memory, 39n);
  const begun = await SnapshotImport.begin(imported, NAMES, taken.value, appHash);
  if (!begun.ok) throw new Error(begun.error);
  for (const [index, chunk] of chunks.entries())
    expect(await begun.value.applyChunk(index, chunk)).toEqual({
      ok: true,
      value: { done: index + 1 === chunks.length },
    });
  const copy = MultiStore.open(imported, NAMES);
  expect(copy.lastCommit).toEqual({ version: 39n, appHash });
  block(copy, 40);
  expect(await copy.commit()).toEqual(memory.lastCommit);
  await kv.close();
  await imported.close();
});

/** The app hash as a proof of that version shows it. */
function multistoreHashAt(store: MultiStore, version: bigint): Uint8Array {
  const proven = store.proveAt(version, 'bank', u32be(1));
  if (!proven.ok) throw new Error(proven.error);
  const inApp = decodeCommitmentProof(proven.value.commitmentProofs[1]);
  if (!inApp.ok || inApp.value.kind !== 'exist') throw new Error('the store proof does not decode');
  const root = existenceRoot(inApp.value.exist);
  if (!root.ok) throw new Error(root.error);
  return root.value;
}
