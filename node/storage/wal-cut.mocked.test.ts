import { mkdtempSync, rmSync } from 'node:fs';
import type * as Files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { openWalFiles } from './wal-files.ts';

/** Files that are still cut; the one after them dies. */
let cuts = Number.POSITIVE_INFINITY;
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof Files>();
  const open: typeof real.open = async (path, flags, mode) => {
    if (flags === 'r+' && cuts-- <= 0) throw new Error('killed');
    return real.open(path, flags, mode);
  };
  return { ...real, open };
});

const root = mkdtempSync(join(tmpdir(), 'autonomy-wal-cut-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('killed between the files that are cut, a log is longer than it was to be, and has no hole', async () => {
  const lengths: number[] = [];
  for (const done of [0, 1, 2]) {
    const folder = join(root, String(done));
    const open = () => openWalFiles({ folder, rotateBytes: 4 });
    const wal = await open();
    for (const byte of [1, 2]) {
      await wal.append(new Uint8Array(5).fill(byte));
      await wal.sync();
      await wal.rotate();
    }
    await wal.append(new Uint8Array(5).fill(3));
    await wal.sync();
    const before = await wal.read();
    cuts = done;
    const cut = wal.truncate(2 + before.length - 10);
    if (done < 2) await expect(cut).rejects.toThrow('cannot be written');
    else await cut;
    cuts = Number.POSITIVE_INFINITY;
    await wal.close();
    const again = await open();
    const after = await again.read();
    await again.close();
    expect([...after]).toEqual([...before.subarray(0, after.length)]);
    lengths.push(before.length - after.length);
  }
  expect(lengths).toEqual([0, 5, 8]);
});
