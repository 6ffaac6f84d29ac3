import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type * as Files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { freshOf, replaceFolder, settleFolder } from './replaced-folder.ts';

/** Steps that are still done; the one after them dies. */
let steps = Number.POSITIVE_INFINITY;
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof Files>();
  const step = (): void => {
    if (steps-- <= 0) throw new Error('killed');
  };
  const rename: typeof real.rename = async (from, to) => {
    step();
    await real.rename(from, to);
  };
  const rm: typeof real.rm = async (path, options) => {
    step();
    await real.rm(path, options);
  };
  return { ...real, rename, rm };
});

const root = mkdtempSync(join(tmpdir(), 'autonomy-replaced-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function folder(name: string): string {
  const path = join(root, name, 'database');
  for (const [at, content] of [
    [path, 'old'],
    [freshOf(path), 'new'],
  ] as const) {
    mkdirSync(at, { recursive: true });
    writeFileSync(join(at, 'file'), content);
  }
  return path;
}

test('killed at any step, the old one or the new one is there, and nothing else', async () => {
  const found: string[] = [];
  for (let done = 0; done < 5; done++) {
    const path = folder(`after ${done}`);
    steps = done;
    await replaceFolder(path).catch(() => undefined);
    steps = Number.POSITIVE_INFINITY;
    await settleFolder(path);
    expect(readdirSync(join(path, '..'))).toEqual(['database']);
    found.push(readFileSync(join(path, 'file'), 'utf8'));
  }
  expect(found).toEqual(['old', 'old', 'old', 'new', 'new']);
});

test('one that is not there yet is left so', async () => {
  const path = join(root, 'none', 'database');
  await settleFolder(path);
  mkdirSync(join(path, '..'), { recursive: true });
  await settleFolder(path);
  expect(readdirSync(join(path, '..'))).toEqual([]);
});
