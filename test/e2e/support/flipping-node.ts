/** A node whose validator's executor flips one bit: `node flipping-node.ts <home>`. */
import { readFile } from 'node:fs/promises';
import { parseConfig } from '#node/config/config.ts';
import { homePaths } from '#node/config/home.ts';
import { createLogger } from '#node/logger.ts';
import { startNode } from '#node/node.ts';
import { flipBit } from './flip-bit.ts';

const [home] = process.argv.slice(2);
if (home === undefined) throw new Error('usage: flipping-node.ts <home>');
const config = parseConfig(await readFile(homePaths(home).config, 'utf8'), {});
if (!config.ok) throw new Error(config.error);
const logger = createLogger({ level: config.value.logLevel, format: config.value.logFormat });
const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
process.on('SIGTERM', () => stop());
const node = await startNode({ home, config: config.value, version: 'test' }, { logger, executeModel: flipBit });
await stopped;
await node.close();
