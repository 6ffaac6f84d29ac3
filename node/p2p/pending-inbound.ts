import { NODE_LIMITS } from '../limits.ts';

/**
 * What one operator has for nothing: an IPv4 address, also where it stands inside an IPv6 one, or the /64 of an IPv6 address.
 */
export function siteOf(host: string): string {
  if (!host.includes(':')) return host;
  const [head = '', tail = ''] = host.toLowerCase().split('::');
  const mapped = /(\d+\.\d+\.\d+\.\d+)$/.exec(host)?.[1];
  if (mapped !== undefined) return mapped;
  const first = head === '' ? [] : head.split(':');
  const last = tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0');
  return [...first, ...zeros, ...last]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}

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
