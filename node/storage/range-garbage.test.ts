import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** Of two thousand reads of 250 rows. What iterators hold that are never collected takes 33 to 38 MiB. */
const MOST_MIB = 20;

test('ranges that were read are not held: a process that reads thousands stays the size that it is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'autonomy-ranges-'));
  const program = join(import.meta.dirname, 'range-garbage.test-util.ts');
  try {
    // A small young generation: its growing must not look like a leak.
    const args = ['--max-semi-space-size=1', program, join(folder, 'db')];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(Number(stdout)).toBeLessThan(MOST_MIB);
  } finally {
    await rm(folder, { recursive: true });
  }
}, 60_000);
