import { siteOf } from '#core/site.ts';
import { NODE_LIMITS } from '../limits.ts';

/**
 * Inbound connections that have not said who they are yet. Few are held in all, so that one address that opens many and
 * says nothing would keep everybody else out; of each address fewer still are held.
 */
export class PendingInbound {
  /** By the whole remote address, port included: {@link siteOf} its host. */
  readonly #hosts = new Map<string, string>();

  /** False: too many of this host's site wait already. */
  admit(address: string, from: string): boolean {
    const host = siteOf(from);
    let waiting = 0;
    for (const other of this.#hosts.values()) if (other === host) waiting++;
    if (waiting >= NODE_LIMITS.maxPendingInboundPerHost) return false;
    this.#hosts.set(address, host);
    return true;
  }

  /** It has said who it is, or is gone. */
  settle(address: string): void {
    this.#hosts.delete(address);
  }
}
