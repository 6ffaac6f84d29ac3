/** Removing a folder so that a crash leaves it whole or gone from its place, never half of it. */
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './durable-file.ts';

const droppedOf = (path: string): string => `${path}.dropped`;

/** Before `path` is opened: frees the room of one that was there, had it been dropped when the process died. */
export const finishDrop = (path: string): Promise<void> => rm(droppedOf(path), { recursive: true, force: true });

/** The folder must be there, and nobody may have it open. */
export async function dropFolder(path: string): Promise<void> {
  await finishDrop(path);
  await rename(path, droppedOf(path));
  // Not before: files that are gone from a folder in its place would be a damaged database.
  await syncFolder(dirname(path));
  await finishDrop(path);
}
