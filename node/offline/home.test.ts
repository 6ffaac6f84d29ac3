import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { homePaths } from '../config/home.ts';
import { OfflineError } from './home.ts';
import { dropIndex, indexStatus } from './indexing.ts';
import { pruneHome } from './prune.ts';
import { rollbackHome } from './rollback.ts';
import { deleteSnapshot, exportSnapshot, listSnapshots } from './snapshots.ts';

const root = mkdtempSync(join(tmpdir(), 'autonomy-offline-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test.each<readonly [string, (home: string) => Promise<unknown>]>([
  ['index drop', dropIndex],
  ['index status', indexStatus],
  ['prune', (home) => pruneHome({ home }, () => undefined)],
  ['rollback', (home) => rollbackHome(home, { hard: true })],
  ['snapshots delete', (home) => deleteSnapshot(home, 5n, 1)],
  ['snapshots export', (home) => exportSnapshot(home, undefined)],
  ['snapshots list', listSnapshots],
])('%s of a folder that is no home says so, and makes none of it', async (_, run) => {
  const home = join(root, 'mistyped');
  const refused: unknown = await run(home).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(OfflineError);
  expect(String(refused)).toContain(homePaths(home).config);
  expect(existsSync(home)).toBe(false);
});
