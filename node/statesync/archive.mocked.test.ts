import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type * as Files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import type { Snapshot } from '#core/abci.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { ok } from '#core/result.ts';
import { openSnapshotFiles } from './archive.ts';

/** Whether the next removal of a folder dies after its first file. */
let dies = false;
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof Files>();
  const rm: typeof real.rm = async (path, options) => {
    if (!dies) return real.rm(path, options);
    const [first = ''] = readdirSync(String(path));
    await real.rm(join(String(path), first));
    throw new Error('killed');
  };
  return { ...real, rm };
});

const root = mkdtempSync(join(tmpdir(), 'autonomy-archive-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const snapshot = (height: bigint): Snapshot => ({
  height,
  format: 1,
  chunks: 2,
  hash: new Uint8Array(32).fill(Number(height)),
  metadata: new Uint8Array(64),
});

test('killed while it removes a snapshot, what is left of it is not offered and goes', async () => {
  const open = () => openSnapshotFiles(root, { logger: silentLogger });
  const files = await open();
  for (const height of [3n, 5n])
    await files.add(height, async (sink) => {
      for (const index of [0, 1]) await sink(index, Uint8Array.of(index));
      return ok(snapshot(height));
    });
  dies = true;
  await expect(files.remove(({ height }) => height === 3n)).rejects.toThrow('killed');
  dies = false;
  const again = await open();
  expect((await again.list()).map(({ height }) => height)).toEqual([5n]);
  expect(readdirSync(root)).toEqual(['5-1']);
  expect(await again.chunk(5n, 1, 1)).toEqual(Uint8Array.of(1));
  // Removed by hand meanwhile.
  rmSync(join(root, '5-1'), { recursive: true });
  await again.keepNewest(0);
  expect(readdirSync(root)).toEqual([]);
});
