import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { MultiStore } from '../multistore.ts';
import { SnapshotRestore } from './abci.ts';
import { exportSnapshot } from './export.ts';
import { manifestOf } from './format.ts';

async function served() {
  const store = MultiStore.open(new MemoryKv(), ['bank']);
  for (let i = 0; i < 20; i++)
    store
      .workingBranch()
      .store('bank')
      .set(Uint8Array.of(i), utf8(`value ${i}`));
  const { appHash } = await store.commit();
  const source = store.snapshotSource(1n);
  if (!source.ok) throw new Error(source.error);
  const chunks: Uint8Array[] = [];
  const taken = await exportSnapshot(source.value, async (_, chunk) => void chunks.push(chunk), { chunkBytes: 64 });
  if (!taken.ok) throw new Error(taken.error);
  return { snapshot: taken.value, chunks, appHash };
}

test('state sync’s way: a foreign format, a forged snapshot, a lying peer, and then the state', async () => {
  const { snapshot, chunks, appHash } = await served();
  const kv = new MemoryKv();
  const restore = new SnapshotRestore(kv, ['bank']);
  expect((await restore.offer({ snapshot: { ...snapshot, format: 3 }, appHash })).result).toBe('rejectFormat');
  expect(await restore.offer({ snapshot: { ...snapshot, chunks: 1 }, appHash })).toMatchObject({ result: 'reject' });

  const lie = Uint8Array.of(9);
  const forged = manifestOf(1n, [sha256(lie)]);
  expect((await restore.offer({ snapshot: forged, appHash })).result).toBe('accept');
  expect(await restore.apply({ index: 0, chunk: lie, sender: 'liar' })).toEqual({
    result: 'rejectSnapshot',
    refetchChunks: [],
    rejectSenders: [],
    reason: 'an item of kind 9: expected 0, 1 or 2',
    done: false,
  });
  expect(kv.size).toBe(0);

  expect((await restore.offer({ snapshot, appHash })).result).toBe('accept');
  expect(await restore.apply({ index: 0, chunk: lie, sender: 'liar' })).toMatchObject({
    result: 'retry',
    refetchChunks: [0],
    rejectSenders: ['liar'],
  });
  const early = await restore.apply({ index: 1, chunk: chunks[1] ?? lie, sender: 'eager' });
  expect(early).toMatchObject({ result: 'retry', refetchChunks: [0], rejectSenders: [] });
  for (const [index, chunk] of chunks.entries()) {
    const applied = await restore.apply({ index, chunk, sender: 'honest' });
    expect(applied).toMatchObject({ result: 'accept', done: index === chunks.length - 1 });
  }
  expect(MultiStore.open(kv, ['bank']).lastCommit?.appHash).toEqual(appHash);
  expect((await restore.offer({ snapshot, appHash })).reason).toContain('the state database is not empty');
});
