import { Command, InvalidArgumentError, Option } from 'commander';
import { AssertionError } from '#core/assert.ts';
import { fromHex } from '#core/bytes.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { PruningPolicy } from '#runtime/state/pruning.ts';
import { type AbciNode, type AbciNodeOptions, startAbciNode } from '../../abci/abci-node.ts';
import { type AbciAddress, parseAbciAddress } from '../../abci/address.ts';
import type { KeepingOptions } from '../../abci/keeping.ts';
import type { LogLevel } from '../../config/config.ts';
import { createLogger } from '../../logger.ts';
import { CliError, homeOption, withOptions } from '../context.ts';
import { programVersion } from './version.ts';

interface Flags {
  readonly home: string;
  readonly address: AbciAddress;
  readonly minimumGasPrices: string;
  readonly validator?: Uint8Array;
  readonly record?: string;
  readonly pruning: PruningPolicy['kind'];
  readonly pruningKeepRecent: bigint;
  readonly pruningInterval: bigint;
  readonly minRetainBlocks: bigint;
  readonly snapshotInterval: bigint;
  readonly snapshotKeepRecent: bigint;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

const CACHE_BYTES = 67_108_864;

function readAddress(text: string): AbciAddress {
  const address = parseAbciAddress(text);
  if (!address.ok) throw new InvalidArgumentError(address.error);
  return address.value;
}

function readValidator(text: string): Uint8Array {
  if (!/^[0-9a-fA-F]{40}$/.test(text)) throw new InvalidArgumentError('expected 40 hexadecimal digits');
  return fromHex(text.toLowerCase());
}

function readCount(text: string): bigint {
  if (!/^[0-9]{1,15}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return BigInt(text);
}

function keepingOf(flags: Flags): KeepingOptions {
  const { pruning: kind, pruningKeepRecent: keepRecent, pruningInterval: interval } = flags;
  return {
    pruning: kind === 'custom' ? { kind, keepRecent, interval } : { kind },
    minRetainBlocks: flags.minRetainBlocks,
    snapshotInterval: flags.snapshotInterval,
    snapshotKeepRecent: Number(flags.snapshotKeepRecent),
  };
}

async function start(options: AbciNodeOptions, logger: Logger): Promise<AbciNode> {
  try {
    return await startAbciNode(options, logger);
  } catch (error) {
    // What a part says of a wrong home or a busy address is for the operator; a bug keeps its stack.
    const isBug = [AssertionError, TypeError, ReferenceError].some((kind) => error instanceof kind);
    if (isBug || !(error instanceof Error)) throw error;
    throw new CliError(error.message, { cause: error });
  }
}

export function abciCommand(): Command {
  const command = new Command('abci')
    .description("serve the application to CometBFT over ABCI 2.0, in the place of this program's own consensus")
    .option('--address <address>', "CometBFT's proxy_app: unix://path or tcp://host:port", readAddress, {
      kind: 'tcp',
      host: '127.0.0.1',
      port: 26_658,
    })
    .option('--minimum-gas-prices <prices>', 'what this node asks for, such as 0.025uauton', '')
    .option(
      '--validator <address>',
      "the validator's address in hex, when its key is with a remote signer",
      readValidator,
    )
    .option('--record <file>', 'append every exchange to a file, one JSON object a line')
    .option('--pruning-keep-recent <n>', 'with custom pruning: how many states are kept', readCount, 100n)
    .option('--pruning-interval <n>', 'with custom pruning: states go at multiples of this height', readCount, 10n)
    .option('--min-retain-blocks <n>', 'how many blocks CometBFT is asked to keep; 0: all', readCount, 0n)
    .option('--snapshot-interval <n>', 'blocks between the snapshots that peers are offered; 0: none', readCount, 0n)
    .option('--snapshot-keep-recent <n>', 'how many snapshots are kept', readCount, 2n);
  const pruning = new Option('--pruning <policy>', 'which old states go')
    .choices(['default', 'everything', 'nothing', 'custom'])
    .default('nothing');
  const level = new Option('--log-level <level>', 'least level that is logged')
    .choices(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info');
  const format = new Option('--log-format <format>', 'lines for people, or one JSON object a line')
    .choices(['text', 'json'])
    .default('text');
  return withOptions(command, [homeOption(), pruning, level, format]).action(async (flags: Flags) => {
    const logger = createLogger({ level: flags.logLevel, format: flags.logFormat });
    const { promise: stopped, resolve: stop } = Promise.withResolvers<string>();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(signal));
    const node = await start(
      {
        home: flags.home,
        listen: flags.address,
        minGasPrices: flags.minimumGasPrices,
        cacheBytes: CACHE_BYTES,
        version: programVersion(),
        keeping: keepingOf(flags),
        ...(flags.validator === undefined ? {} : { validator: flags.validator }),
        ...(flags.record === undefined ? {} : { record: flags.record }),
      },
      logger,
    );
    const reason = await Promise.race([stopped, node.failed.then((error) => ({ error }))]);
    if (typeof reason === 'string') logger.info('stopping', { signal: reason });
    await node.close();
    if (typeof reason !== 'string') throw new CliError(`the application has stopped: ${String(reason.error)}`);
    logger.info('stopped');
  });
}
