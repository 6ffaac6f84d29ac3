import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { fromHex } from '#core/bytes.ts';
import type { Fraction } from '#core/types/verify-commit.ts';
import { parseListenAddress } from '../../config/address.ts';
import { parseDuration } from '../../config/duration.ts';
import { NODE_LIMITS } from '../../limits.ts';
import { createLogger } from '../../logger.ts';
import { CliError, homeOption, orFail, withOptions } from '../context.ts';

interface Flags {
  readonly home: string;
  readonly primary: string;
  readonly witness: readonly string[];
  readonly trustedHeight?: bigint;
  readonly trustedHash?: Uint8Array;
  readonly laddr: string;
  readonly trustingPeriod: number;
  readonly trustLevel: Fraction;
  readonly maxClockDrift: number;
  readonly maxBlockLag: number;
  readonly sequential: boolean;
  readonly passUnverified: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly logFormat: 'text' | 'json';
}

const HOUR_MS = 3_600_000;

function readUrl(text: string): string {
  if (!/^(https?|tcp):\/\/\S+$/.test(text)) throw new InvalidArgumentError('expected http://host:port');
  return text;
}

function readDuration(text: string): number {
  const ms = parseDuration(text);
  if (!ms.ok) throw new InvalidArgumentError(ms.error);
  return ms.value;
}

function readLevel(text: string): Fraction {
  const match = /^(\d{1,9})\/(\d{1,9})$/.exec(text);
  if (match === null) throw new InvalidArgumentError('expected a fraction from 1/3 to 1/1');
  return { numerator: BigInt(match[1] as string), denominator: BigInt(match[2] as string) };
}

function readHash(text: string): Uint8Array {
  if (!/^(0x)?[0-9a-fA-F]{64}$/.test(text))
    throw new InvalidArgumentError('expected the 64 hex digits of a block hash');
  return fromHex(text.replace(/^0x/, ''));
}

function readHeight(text: string): bigint {
  if (!/^[1-9]\d{0,17}$/.test(text)) throw new InvalidArgumentError('expected a height from 1');
  return BigInt(text);
}

export function lightCommand(): Command {
  const command = new Command('light')
    .description('a local RPC that verifies what full nodes answer')
    .argument('<chain-id>', 'id of the chain')
    .requiredOption('--primary <url>', 'RPC of the node that is asked first', readUrl)
    .requiredOption(
      '--witness <url>',
      'RPC of a node that is asked for confirmation; may be repeated',
      (text: string, before: readonly string[] | undefined) => [...(before ?? []), readUrl(text)],
    )
    .option('--trusted-height <height>', 'height of a block that you know to be right', readHeight)
    .option('--trusted-hash <hex>', 'hash of that block', readHash)
    .option('--laddr <address>', 'where the RPC listens', 'tcp://127.0.0.1:8888')
    .addOption(
      new Option('--trusting-period <duration>', 'how long a block is trusted; shorter than the unbonding of stake')
        .argParser(readDuration)
        .default(168 * HOUR_MS, '168h'),
    )
    .addOption(
      new Option('--trust-level <fraction>', 'power of trusted validators that must have signed')
        .argParser(readLevel)
        .default({ numerator: 1n, denominator: 3n }, '1/3'),
    )
    .addOption(
      new Option('--max-clock-drift <duration>', 'between clocks').argParser(readDuration).default(10_000, '10s'),
    )
    .addOption(new Option('--max-block-lag <duration>', 'of a witness').argParser(readDuration).default(10_000, '10s'))
    .option('--sequential', 'verify every header instead of skipping', false)
    .option('--pass-unverified', 'pass on, marked, what cannot be verified', false)
    .addOption(
      new Option('--log-level <level>', 'what is logged')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addOption(new Option('--log-format <format>', 'of the log').choices(['text', 'json']).default('text'));
  return withOptions(command, [homeOption()]).action(runLight);
}

async function runLight(chainId: string, flags: Flags): Promise<void> {
  const { trustedHeight: height, trustedHash: hash } = flags;
  if ((height === undefined) !== (hash === undefined))
    throw new CliError('--trusted-height and --trusted-hash belong together');
  const logger = createLogger({ level: flags.logLevel, format: flags.logFormat });
  const { startLightProxy } = await import('../../light/proxy.ts');
  const { promise: stopped, resolve: stop } = Promise.withResolvers<string>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(signal));
  const started = await startLightProxy(
    {
      chainId,
      primary: flags.primary,
      witnesses: flags.witness,
      root: height === undefined || hash === undefined ? undefined : { height, hash },
      listen: orFail(parseListenAddress(flags.laddr), '--laddr'),
      store: join(flags.home, 'light', `${encodeURIComponent(chainId)}.db`),
      trustingPeriodNanos: BigInt(flags.trustingPeriod) * 1_000_000n,
      trustLevel: flags.trustLevel,
      maxClockDriftNanos: BigInt(flags.maxClockDrift) * 1_000_000n,
      witnessLagMs: 2 * flags.maxClockDrift + flags.maxBlockLag,
      mode: flags.sequential ? 'sequential' : 'skipping',
      keep: NODE_LIMITS.lightKeptBlocks,
      passUnverified: flags.passUnverified,
    },
    { logger },
  );
  const proxy = orFail(started);
  logger.info('the light client serves', { url: proxy.url, height: proxy.client.latest()?.header.height });
  logger.info('stopping', { signal: await stopped });
  await proxy.close();
}
