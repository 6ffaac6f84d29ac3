import { readFile } from 'node:fs/promises';
import type { Logger } from '#core/ports/logger.ts';
import { parseConfig } from '#node/config/config.ts';
import { homePaths } from '#node/config/home.ts';
import { createLogger } from '#node/logger.ts';
import { type NodeParts, startNode } from '#node/node.ts';

/** Runs a node with parts of its own until SIGTERM, on the home folder that the process was given. */
export async function runComposition(
  partsFor: (home: string, logger: Logger) => Promise<Omit<NodeParts, 'logger'>>,
): Promise<void> {
  const [home] = process.argv.slice(2);
  if (home === undefined) throw new Error('expected the home folder as the argument');
  const config = parseConfig(await readFile(homePaths(home).config, 'utf8'), {});
  if (!config.ok) throw new Error(config.error);
  const logger = createLogger({ level: config.value.logLevel, format: config.value.logFormat });
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  process.on('SIGTERM', () => stop());
  const parts = await partsFor(home, logger);
  const node = await startNode({ home, config: config.value, version: 'test' }, { logger, ...parts });
  await stopped;
  await node.close();
}
