import { AssertionError } from '#core/assert.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { Result } from '#core/result.ts';
import { failSdk } from './errors.ts';
import { OutOfGas } from './state/gas.ts';
import { StorageFault } from './storage-fault.ts';

/**
 * Runs a handler so that no input can stop the chain: what it throws becomes a failure whose text is the same on every
 * machine. A broken assertion passes: it is a bug, and the node stops on it. So does a failing disk: only this node has it,
 * and a verdict made of it would fork.
 */
export function guarded<T>(what: string, logger: Logger, run: () => Result<T>): Result<T> {
  try {
    return run();
  } catch (error) {
    if (error instanceof OutOfGas) {
      const { descriptor, limit, wanted } = error;
      return failSdk('outOfGas', `out of gas in location: ${descriptor}; gasWanted: ${limit}, gasUsed: ${wanted}`);
    }
    if (error instanceof AssertionError || error instanceof StorageFault) throw error;
    logger.error('a handler threw', { what, error });
    return failSdk('logic', `${what} failed`);
  }
}
