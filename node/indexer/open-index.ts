import type { Kv } from '#core/ports/kv.ts';
import type { Logger } from '#core/ports/logger.ts';
import { dropFolder, finishDrop } from '../storage/dropped-folder.ts';
import { INDEX_PREFIXES } from './keys.ts';

const ownPrefixes: ReadonlySet<number | undefined> = new Set(Object.values(INDEX_PREFIXES));

/** Prefixes of a build follow one another: the others' are below them or above. */
function hasForeignEntries(kv: Kv): boolean {
  const ends = [...kv.entries({ limit: 1 }), ...kv.entries({ limit: 1, reverse: true })];
  return ends.some(([key]) => !ownPrefixes.has(key[0]));
}

/**
 * Opens the index's database by `open`. One in which another build has written is removed first, with all that is in it: it
 * is made anew from the blocks that are kept, whereas its entries would take their room for ever. Killed at any moment, the
 * next call goes on.
 */
export async function openIndex(path: string, open: () => Promise<Kv>, logger: Logger): Promise<Kv> {
  await finishDrop(path);
  const found = await open();
  try {
    if (!hasForeignEntries(found)) return found;
  } catch (error) {
    await found.close();
    throw error;
  }
  await found.close();
  logger.warn('The index is of another build: it is made anew.', { path });
  await dropFolder(path);
  return open();
}
