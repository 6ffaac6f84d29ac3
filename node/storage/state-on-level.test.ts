import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { iavlSpec, ics23, tendermintSpec, verifyMembership, verifyNonMembership } from '@confio/ics23';
import { afterAll, expect, test } from 'vitest';
import { u32be, utf8 } from '#core/bytes.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { MultiStore } from '#runtime/state/multistore.ts';
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
