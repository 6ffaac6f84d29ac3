import type { Logger } from '#core/ports/logger.ts';
import type { Wal } from '../driver/ports.ts';

/** The log with a debug line for every append and sync: what a test of crashes reads to see where one landed. */
export function loggedWal(wal: Wal, logger: Logger): Wal {
  return {
    ...wal,
    async append(frame) {
      await wal.append(frame);
      logger.debug('wal append', { bytes: frame.length });
    },
    async sync() {
      await wal.sync();
      logger.debug('wal sync');
    },
  };
}
