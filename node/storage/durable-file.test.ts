import { mkdtempSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { concat, equal } from '#core/bytes.ts';
import { writeWhole } from './durable-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'autonomy-durable-'));
afterAll(() => rm(folder, { recursive: true }));

test('small and large pieces follow one another, and are put where they belong', async () => {
  const path = join(folder, 'appended');
  const pieces = [10, 200_000, 65_536, 0, 65_537].map((length, i) => new Uint8Array(length).fill(i + 1));
  const appended = await open(path, 'a');
  for (const piece of pieces) await writeWhole(appended, piece, null);
  await appended.close();
  const placed = await open(path, 'r+');
  await writeWhole(placed, Uint8Array.of(9, 9), 4);
  await placed.close();
  const expected = concat(...pieces);
  expected.set([9, 9], 4);
  expect(equal(new Uint8Array(await readFile(path)), expected)).toBe(true);
});

test('a file that takes nothing is an error', async () => {
  const handle = await open(join(folder, 'appended'), 'r');
  await expect(writeWhole(handle, Uint8Array.of(1), null)).rejects.toThrow(/EBADF/);
  await handle.close();
});
