import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const warned = new Set<string>();

/** Where the outside vectors lie: `$AUTONOMY_VECTORS`, else `../shared/vectors` beside the project. */
export const vectorsRoot = (): string =>
  resolve(process.env.AUTONOMY_VECTORS ?? join(projectRoot, '..', 'shared', 'vectors'));

/**
 * Absolute path of a vector file or folder (`vectorsPath('ics23', 'testdata')`), or undefined when it is absent;
 * then one clear line says what is being skipped and how to provide it.
 */
export const vectorsPath = (...segments: string[]): string | undefined => {
  const path = join(vectorsRoot(), ...segments);
  if (existsSync(path)) return path;
  if (!warned.has(path)) {
    warned.add(path);
    console.warn(
      `outside vectors ${segments.join('/')} are absent: their tests are skipped (set AUTONOMY_VECTORS to their folder)`,
    );
  }
  return undefined;
};
