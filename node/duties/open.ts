import type { Logger } from '#core/ports/logger.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { RuntimeApplication } from '#runtime/app.ts';
import type { Closers } from '../closers.ts';
import type { HomePaths } from '../config/home.ts';
import { NODE_LIMITS } from '../limits.ts';
import { createVmPool } from '../vm/pool.ts';
import { createDuties, type DutiesDeps, type DutiesOptions, type NodeDuties } from './duties.ts';
import type { ExecuteModel } from './execute-job.ts';
import { loadDutySecret } from './secret.ts';
import { openVerdictFiles } from './verdict-files.ts';

export interface DutiesParts {
  readonly logger: Logger;
  /** Wraps what runs models: for test compositions. */
  readonly executeModel?: (own: ExecuteModel) => ExecuteModel;
}

/** A validator's duties, with the child processes that run models for it. */
export async function openDuties(
  paths: HomePaths,
  parts: DutiesParts,
  closers: Closers,
  { query, ...identity }: Omit<DutiesOptions, 'secret'> & Pick<DutiesDeps, 'query'>,
): Promise<NodeDuties> {
  const logger = parts.logger.child('duties');
  const pool = createVmPool(
    { workers: NODE_LIMITS.vmWorkers, callTimeoutMsPerGigagas: NODE_LIMITS.dutyMsPerGigagas },
    { logger: parts.logger.child('vm') },
  );
  const duties = createDuties(
    { ...identity, secret: await loadDutySecret(paths.dutyKey) },
    {
      query,
      execute: parts.executeModel?.(pool.execute) ?? pool.execute,
      files: await openVerdictFiles(paths.duties),
      logger,
    },
  );
  closers.push(async () => {
    const idle = duties.close();
    await pool.close();
    await idle;
  });
  return duties;
}

/** A query against the latest committed state, as the duties ask it. */
export function queryCommitted(
  app: RuntimeApplication | undefined,
  path: string,
  data: Uint8Array,
): Result<Uint8Array, string> {
  if (app === undefined) return err('the application is not open yet');
  const { code, log, value } = app.query({ path, data, height: 0n, prove: false });
  return code === 0 ? ok(value) : err(log);
}
