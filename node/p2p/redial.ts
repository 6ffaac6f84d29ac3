import type { Logger } from '#core/ports/logger.ts';
import type { PeerAddress } from '../config/address.ts';
import { NODE_LIMITS } from '../limits.ts';

export interface Redialer {
  stop(): Promise<void>;
}

interface Dependencies {
  isConnected(peer: string): boolean;
  dial(peer: PeerAddress): Promise<void>;
  readonly logger: Logger;
}

/**
 * Keeps the persistent peers connected: whoever is not is dialled, after waits that double from `redialMinMs` to
 * `redialMaxMs` with up to a quarter of jitter, without end.
 */
export function keepDialing(peers: readonly PeerAddress[], dependencies: Dependencies): Redialer {
  const { isConnected, dial, logger } = dependencies;
  let stopped = false;
  const wakers = new Set<() => void>();

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      wakers.add(wake);
    });
  }

  async function keep(peer: PeerAddress): Promise<void> {
    let waitMs: number = NODE_LIMITS.redialMinMs;
    while (!stopped) {
      if (isConnected(peer.id)) waitMs = NODE_LIMITS.redialMinMs;
      else {
        try {
          await dial(peer);
        } catch (error) {
          logger.debug('persistent peer is not reached', { peer: peer.id, error: String(error), retryMs: waitMs });
        }
        if (!isConnected(peer.id)) waitMs = Math.min(2 * waitMs, NODE_LIMITS.redialMaxMs);
      }
      await pause(waitMs * (1 + Math.random() / 4));
    }
  }

  const loops = peers.map((peer) => keep(peer));
  return {
    async stop() {
      stopped = true;
      for (const wake of [...wakers]) wake();
      await Promise.allSettled(loops);
    },
  };
}
