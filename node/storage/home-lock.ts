import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';

/** The home is held by another process. */
export class HomeLockedError extends Error {
  override readonly name = 'HomeLockedError';
}

export interface HomeLock {
  release(): Promise<void>;
}

/**
 * Makes this process the only one on a home folder. The lock is the one that LevelDB takes on a database, here a tiny
 * one of its own: the kernel drops it when the process dies, so a killed node leaves nothing stale behind.
 * @throws HomeLockedError when another process holds it.
 */
export async function lockHome(home: string): Promise<HomeLock> {
  const path = join(home, 'data', 'home.lock');
  const db = new ClassicLevel<string, string>(path);
  try {
    await db.open();
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED')
      throw new HomeLockedError(
        `${home} is already in use by a running node: stop it first, or give this one another --home`,
        { cause: error },
      );
    throw error;
  }
  return { release: () => db.close() };
}
