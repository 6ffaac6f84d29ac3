/** The composition of a provider process. */
import type { ChainClient } from '../client/chain-client.ts';
import type { Sender } from '../client/sender.ts';
import type { LogLevel } from '../config/config.ts';
import type { ExecuteModel } from '../duties/execute-job.ts';
import { loadDutySecret } from '../duties/secret.ts';
import { createLogger } from '../logger.ts';
import { createVmPool } from '../vm/pool.ts';
import { startProvider } from './provider.ts';

export interface ProviderProcessOptions {
  /** Secret of the salts; made when it is not there. */
  readonly secretFile: string;
  readonly workers: number;
  readonly pollMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

export interface ProviderParts {
  readonly chain: ChainClient;
  readonly sender: Sender;
  /** Resolves when the process is asked to end, with the reason. */
  readonly stopped: Promise<string>;
  readonly executeModel?: (own: ExecuteModel) => ExecuteModel;
}

/** Resolves when everything has ended. */
export async function runProvider(options: ProviderProcessOptions, parts: ProviderParts): Promise<void> {
  const logger = createLogger({ level: options.logLevel, format: options.logFormat });
  const secret = await loadDutySecret(options.secretFile);
  const pool = createVmPool({ workers: options.workers }, { logger: logger.child('vm') });
  const provider = startProvider(
    { secret, pollMs: options.pollMs, maxJobs: 2 * options.workers },
    {
      chain: parts.chain,
      sender: parts.sender,
      execute: parts.executeModel?.(pool.execute) ?? pool.execute,
      logger: logger.child('provider'),
    },
  );
  logger.info('provider started', { address: parts.sender.address, chain: parts.sender.chainId });
  const reason = await parts.stopped;
  logger.info('stopping', { reason });
  const idle = provider.close();
  await pool.close();
  await idle;
  logger.info('stopped');
}
