import type { Clock } from '#core/ports/clock.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import type { Timers } from './driver/ports.ts';

export const systemClock: Clock = { now: () => fromMillis(BigInt(Date.now())) };

/**
 * What has come by the network when the time is over is read first: else a thread that was busy would find votes late that
 * are here, and ask peers for parts that wait to be read.
 */
export const systemTimers: Timers = {
  set(delayMs, run) {
    let behind: NodeJS.Immediate | undefined;
    const timer = setTimeout(() => {
      behind = setImmediate(run);
    }, delayMs);
    return {
      cancel() {
        clearTimeout(timer);
        clearImmediate(behind);
      },
    };
  },
};
