import { sha256 } from '#core/crypto/hash.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { Result } from '#core/result.ts';
import { createVmPool } from './pool.ts';

/** What a component's `describe` returns, from a child process of its own: anybody may have written it. */
export async function describeComponent(component: Uint8Array, logger: Logger): Promise<Result<string>> {
  const pool = createVmPool({ workers: 1 }, { logger });
  try {
    return await pool.describe({ componentHash: sha256(component), component: () => Promise.resolve(component) });
  } finally {
    await pool.close();
  }
}
