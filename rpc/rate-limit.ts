/**
 * How many requests a second each client may make: a bucket for each, which holds the requests of one second and fills
 * evenly. A batch needs one request's room to be let in and then costs all that are in it, so that it can always be sent,
 * and whoever sends many waits the longer afterwards.
 */
import { isIP } from 'node:net';
import { siteOf } from '#core/site.ts';
import { RPC_LIMITS } from './limits.ts';

export interface RateLimiter {
  /** Takes one request's room of the client. Answers how many ms it must wait instead; 0: it is let in. */
  take(client: string): number;
  /** What a request that was let in costs besides: the other requests of its batch. */
  charge(client: string, requests: number): void;
  /** Clients that are kept in mind. */
  readonly size: number;
}

export interface RateLimiterOptions {
  /** 0: no limit. */
  readonly requestsPerSecond: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

interface Bucket {
  /** Requests that may be made at once; below 0 after a batch. */
  room: number;
  at: number;
}

/** Whoever waited as long as told is let in, however the filling was rounded. */
const ROUNDING = 1e-6;

export function createRateLimiter({ requestsPerSecond, now }: RateLimiterOptions): RateLimiter {
  /** The client not seen for the longest time first. */
  const buckets = new Map<string, Bucket>();

  function bucketOf(client: string): Bucket {
    const known = buckets.get(client);
    const at = now();
    const room =
      known === undefined
        ? requestsPerSecond
        : Math.min(requestsPerSecond, known.room + ((at - known.at) * requestsPerSecond) / 1_000);
    const bucket = { room, at };
    buckets.delete(client);
    buckets.set(client, bucket);
    const [oldest] = buckets.keys();
    if (buckets.size > RPC_LIMITS.maxRateLimitedClients && oldest !== undefined) buckets.delete(oldest);
    return bucket;
  }

  return {
    take(client) {
      if (requestsPerSecond === 0) return 0;
      const bucket = bucketOf(client);
      if (bucket.room < 1 - ROUNDING) return Math.max(1, Math.ceil(((1 - bucket.room) * 1_000) / requestsPerSecond));
      bucket.room -= 1;
      return 0;
    },
    charge(client, requests) {
      if (requestsPerSecond > 0 && requests > 0) bucketOf(client).room -= requests;
    },
    get size() {
      return buckets.size;
    },
  };
}

/** What a client is told that must wait. */
export function rateRefusal(requestsPerSecond: number, waitMs: number): string {
  return `more than ${requestsPerSecond} requests a second from one client: try again in ${waitMs} ms`;
}

/** A request's origin, as far as the transport shows it. */
export interface Caller {
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
}

/**
 * Whose requests are counted together: the address at the other end; behind a proxy that the operator trusts, the last
 * address of `X-Forwarded-For` that no such proxy has. What stands before it anybody could have written.
 */
export function clientOf({ socket, headers }: Caller, trustedProxies: readonly string[]): string {
  const peer = siteOf(socket.remoteAddress ?? '');
  const trusted = new Set(trustedProxies.map(siteOf));
  if (!trusted.has(peer)) return peer;
  const forwarded = headers['x-forwarded-for'];
  const addresses = String(forwarded ?? '')
    .split(',')
    .map((address) => address.trim())
    .filter((address) => isIP(address) !== 0)
    .map(siteOf);
  return addresses.findLast((address) => !trusted.has(address)) ?? peer;
}
