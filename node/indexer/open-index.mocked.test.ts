import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type * as Files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { concat, u32be, u64be } from '#core/bytes.ts';
import type { Kv } from '#core/ports/kv.ts';
import { type Logger, silentLogger } from '#core/ports/logger.ts';
import { folderBytes } from '../storage/compact.ts';
import { openLevelKv } from '../storage/level-kv.ts';
import { createRangeReader } from '../storage/range-reader.ts';
import { indexedHeightOf } from './indexer.ts';
import { INDEX_PREFIXES, indexedHeightKey } from './keys.ts';
import { openIndex } from './open-index.ts';

/** Steps that are still done; the one after them dies, when it removes after the first file. */
let steps = Number.POSITIVE_INFINITY;
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof Files>();
  const rename: typeof real.rename = async (from, to) => {
    if (steps-- <= 0) throw new Error('killed');
    await real.rename(from, to);
  };
  const rm: typeof real.rm = async (path, options) => {
    if (steps-- <= 0) {
      const [first] = await real.readdir(String(path)).catch((): string[] => []);
      if (first !== undefined) await real.rm(join(String(path), first));
      throw new Error('killed');
    }
    await real.rm(path, options);
  };
  return { ...real, rename, rm };
});

const root = mkdtempSync(join(tmpdir(), 'autonomy-open-index-'));
const rangeReader = createRangeReader();
afterAll(async () => {
  await rangeReader.close();
  rmSync(root, { recursive: true, force: true });
});

/** Bytes of a database with nothing in it, and some more. */
const EMPTY_BYTES = 2_000;
const OLD_ENTRIES = 200;

const openAt = (path: string) => () => openLevelKv({ path, cacheBytes: 1 << 20 }, { rangeReader });

/** An index at height 7, and in the same database what `prefixes` of other builds have. */
async function indexAt(name: string, prefixes: readonly number[]): Promise<string> {
  const path = join(root, name, 'index');
  mkdirSync(path, { recursive: true });
  const kv = await openAt(path)();
  const others = prefixes.flatMap((prefix) =>
    Array.from(
      { length: OLD_ENTRIES },
      (_, i) => ({ type: 'put', key: concat(Uint8Array.of(prefix), u32be(i)), value: new Uint8Array(64) }) as const,
    ),
  );
  await kv.write([{ type: 'put', key: indexedHeightKey, value: u64be(7n) }, ...others]);
  await kv.close();
  return path;
}

async function kept(kv: Kv): Promise<{ readonly entries: number; readonly height: bigint }> {
  const counted = { entries: [...kv.entries({})].length, height: indexedHeightOf(kv) };
  await kv.close();
  return counted;
}

test('an index of this build is opened as it is', async () => {
  const path = await indexAt('own', []);
  expect(await kept(await openIndex(path, openAt(path), silentLogger))).toEqual({ entries: 1, height: 7n });
});

test('one that is not there yet is made', async () => {
  const path = join(root, 'none', 'index');
  expect(await kept(await openIndex(path, openAt(path), silentLogger))).toEqual({ entries: 0, height: 0n });
});

const [lowest, highest] = [Math.min(...Object.values(INDEX_PREFIXES)), Math.max(...Object.values(INDEX_PREFIXES))];

test.each([[lowest - 1], [0, 3], [highest + 1]])(
  'entries of other builds go (%s, %s), and their room is free',
  async (...prefixes) => {
    const path = await indexAt(`old ${prefixes}`, prefixes);
    const before = await folderBytes(path);
    expect(before).toBeGreaterThan(OLD_ENTRIES * 64);
    const told: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (message) => void told.push(message) };
    expect(await kept(await openIndex(path, openAt(path), logger))).toEqual({ entries: 0, height: 0n });
    expect(told).toEqual(['The index is of another build: it is made anew.']);
    expect(await folderBytes(path)).toBeLessThan(EMPTY_BYTES);
    expect(await kept(await openIndex(path, openAt(path), logger))).toEqual({ entries: 0, height: 0n });
    expect(told).toHaveLength(1);
  },
);

test('killed at any step, the next start removes the rest', async () => {
  let died = 0;
  for (let done = 0; ; done++) {
    const path = await indexAt(`after ${done}`, [0, 3]);
    steps = done;
    const opened = await openIndex(path, openAt(path), silentLogger).catch(() => undefined);
    steps = Number.POSITIVE_INFINITY;
    if (opened === undefined) died++;
    await opened?.close();
    expect(await kept(await openIndex(path, openAt(path), silentLogger))).toEqual({ entries: 0, height: 0n });
    expect(readdirSync(join(path, '..'))).toEqual(['index']);
    expect(await folderBytes(path)).toBeLessThan(EMPTY_BYTES);
    if (opened !== undefined) break;
  }
  expect(died).toBe(4);
});
