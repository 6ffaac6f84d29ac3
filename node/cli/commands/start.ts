import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { AssertionError } from '#core/assert.ts';
import type { Logger } from '#core/ports/logger.ts';
import { type ConfigValues, type NodeConfig, parseConfig, typedSetting } from '../../config/config.ts';
import { homePaths } from '../../config/home.ts';
import type { SettingValue } from '../../config/schema.ts';
import { createLogger } from '../../logger.ts';
import { type NodeOptions, type RunningNode, startNode } from '../../node.ts';
import { CliError, homeOption, withOptions } from '../context.ts';
import { programVersion } from './version.ts';

interface Flags {
  readonly home: string;
  readonly set: ConfigValues;
  readonly moniker?: string;
  readonly rpcLaddr?: string;
  readonly p2pLaddr?: string;
  readonly persistentPeers?: string;
  readonly logLevel?: string;
  readonly logFormat?: string;
}

/** Flags of their own for what is set most often; --set reaches every setting. */
const NAMED = {
  moniker: 'moniker',
  rpcLaddr: 'rpc.laddr',
  p2pLaddr: 'p2p.laddr',
  persistentPeers: 'p2p.persistent_peers',
  logLevel: 'log_level',
  logFormat: 'log_format',
} as const;

function readSetting(text: string, before: ConfigValues): ConfigValues {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('expected name=value, such as consensus.timeout_commit=500ms');
  const name = text.slice(0, at);
  return { ...before, [name]: typedSetting(name, text.slice(at + 1)) };
}

async function loadConfig(flags: Flags): Promise<NodeConfig> {
  const path = homePaths(flags.home).config;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    throw new CliError(`there is no ${path}: make a home with autond init`);
  }
  const overrides: Record<string, SettingValue> = { ...flags.set };
  for (const [flag, name] of Object.entries(NAMED)) {
    const value = flags[flag as keyof typeof NAMED];
    if (value !== undefined) overrides[name] = value;
  }
  const config = parseConfig(text, overrides);
  if (!config.ok) throw new CliError(`${path}: ${config.error}`);
  return config.value;
}

async function start(options: NodeOptions, logger: Logger): Promise<RunningNode> {
  try {
    return await startNode(options, { logger });
  } catch (error) {
    // What a part says of a wrong home, a busy port or a damaged store is for the operator; a bug keeps its stack.
    const isBug = [AssertionError, TypeError, ReferenceError].some((kind) => error instanceof kind);
    if (isBug || !(error instanceof Error)) throw error;
    throw new CliError(error.message, { cause: error });
  }
}

export function startCommand(): Command {
  const command = new Command('start')
    .description('run the node')
    .option('--moniker <name>', 'name of this node')
    .option('--rpc-laddr <address>', 'where the RPC listens, tcp://host:port; "" turns it off')
    .option('--p2p-laddr <address>', 'where peers connect to, tcp://host:port')
    .option('--persistent-peers <list>', 'id@host:port,…')
    .option('--log-level <level>', 'debug, info, warn, error or silent')
    .option('--log-format <format>', 'text or json')
    .option('--set <name=value>', 'any setting of config.toml; may be repeated', readSetting, {});
  return withOptions(command, [homeOption()]).action(async (flags: Flags) => {
    const config = await loadConfig(flags);
    const logger = createLogger({ level: config.logLevel, format: config.logFormat });
    const { promise: stopped, resolve: stop } = Promise.withResolvers<string>();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(signal));
    const node = await start({ home: flags.home, config, version: programVersion() }, logger);
    const reason = await Promise.race([stopped, node.failed.then((error) => ({ error }))]);
    if (typeof reason === 'string') logger.info('stopping', { signal: reason });
    await node.close();
    if (typeof reason !== 'string') throw new CliError(`the node has stopped: ${String(reason.error)}`);
    logger.info('stopped');
  });
}
