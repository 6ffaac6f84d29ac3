/** A folder in the place of another, so that whatever a crash leaves, one of the two is there whole. */
import { readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { syncFolder } from './durable-file.ts';

const gone = (path: string): Promise<void> => rm(path, { recursive: true, force: true });
const oldOf = (path: string): string => `${path}.before`;

/** Where what shall take the place of `path` is made. */
export const freshOf = (path: string): string => `${path}.restoring`;

/**
 * Puts what is whole at {@link freshOf} in the place of `path`. No file system changes two folders at once: between the two
 * renames there is nothing at `path`, which {@link settleFolder} mends.
 */
export async function replaceFolder(path: string): Promise<void> {
  await gone(oldOf(path));
  await rename(path, oldOf(path));
  await rename(freshOf(path), path);
  await syncFolder(dirname(path));
  await gone(oldOf(path));
}

/** Before `path` is opened: takes the old one back when it was not replaced, and removes what else a crash has left. */
export async function settleFolder(path: string): Promise<void> {
  const there = await readdir(dirname(path)).catch((): string[] => []);
  if (!there.includes(basename(path)) && there.includes(basename(oldOf(path)))) {
    await rename(oldOf(path), path);
    await syncFolder(dirname(path));
  }
  await gone(oldOf(path));
  await gone(freshOf(path));
}
