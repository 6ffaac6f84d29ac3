import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';

/** Above every key of a database: no key is that long and all of ones. */
const ABOVE_ALL = new Uint8Array(64).fill(0xff);

/**
 * Makes LevelDB give back what its deletions have freed: it does so by itself only where it writes again. May be interrupted.
 * Nobody may have the database open.
 */
export async function compactLevel(path: string): Promise<void> {
  const db = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' });
  await db.open();
  try {
    await db.compactRange(Uint8Array.of(0), ABOVE_ALL);
  } finally {
    await db.close();
  }
}

/** Bytes of all files of a folder; 0 when there is none. */
export async function folderBytes(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries)
    if (entry.isFile())
      bytes += await stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      );
  return bytes;
}
