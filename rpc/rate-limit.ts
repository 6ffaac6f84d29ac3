/**
 * How many requests a second each client may make: a bucket for each, which holds the requests of one second and fills
 * evenly. A batch needs one request's room to be let in and then costs all that are in it, so that it can always be sent,
 * and whoever sends many waits the longer afterwards.
 *
 * One operator has thousands of /64s of IPv6 for nothing, in one /48: a /48 has a bucket too, of a few clients' size. A
 * bucket that is full again says no more than none, so it is forgotten when others need the place, and no other one is: who
 * comes with ever new addresses frees nobody from waiting. When all places are taken, new clients share one bucket.
 */
import { isIP } from 'node:net';
import { siteOf } from '#core/site.ts';
import { RPC_LIMITS } from './limits.ts';

export interface RateLimiter {
  /** Takes one request's room of the client. Answers how many ms it must wait instead; 0: it is let in. */
  take(client: string): number;
  /** What a request that was let in costs besides: the other requests of its batch. */
  charge(client: string, requests: number): void;
  /** Buckets that are kept. */
  readonly size: number;
}

export interface RateLimiterOptions {
  /** 0: no limit. */
  readonly requestsPerSecond: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

interface Bucket {
  /** Requests a second, and the most that there is room for. */
  readonly rate: number;
  /** Requests that may be made at once; below 0 after a batch. */
  room: number;
  at: number;
}

/** Whoever waited as long as told is let in, however the filling was rounded. */
const ROUNDING = 1e-6;

/** The /48 of an IPv6 client, which {@link siteOf} shows as its /64. */
function networkOf(client: string): string | undefined {
  return client.includes(':') ? `${client.split(':').slice(0, 3).join(':')}/48` : undefined;
}

function fill(bucket: Bucket, at: number): void {
  bucket.room = Math.min(bucket.rate, bucket.room + ((at - bucket.at) * bucket.rate) / 1_000);
  bucket.at = at;
}

function waitOf({ room, rate }: Bucket): number {
  return room < 1 - ROUNDING ? Math.max(1, Math.ceil(((1 - room) * 1_000) / rate)) : 0;
}

export function createRateLimiter({ requestsPerSecond, now }: RateLimiterOptions): RateLimiter {
  /** The one looked at the longest time ago first. */
  const buckets = new Map<string, Bucket>();
  const shared = newBucket(requestsPerSecond);

  function newBucket(rate: number): Bucket {
    return { rate, room: rate, at: now() };
  }

  /** Forgets a bucket that is full again, if one of those whose turn it is to be looked at is. */
  function makePlace(at: number): boolean {
    for (const [id, bucket] of [...firstOf(buckets, RPC_LIMITS.rateBucketsLookedAt)]) {
      buckets.delete(id);
      fill(bucket, at);
      if (bucket.room >= bucket.rate) return true;
      buckets.set(id, bucket);
    }
    return false;
  }

  function bucketOf(id: string, rate: number): Bucket {
    const at = now();
    const known = buckets.get(id);
    if (known !== undefined) {
      fill(known, at);
      return known;
    }
    if (buckets.size >= RPC_LIMITS.maxRateLimitedClients && !makePlace(at)) {
      fill(shared, at);
      return shared;
    }
    const bucket = newBucket(rate);
    buckets.set(id, bucket);
    return bucket;
  }

  function bucketsOf(client: string): Bucket[] {
    const own = bucketOf(client, requestsPerSecond);
    const network = networkOf(client);
    if (network === undefined) return [own];
    const wider = bucketOf(network, requestsPerSecond * RPC_LIMITS.clientsOfNetwork);
    return wider === own ? [own] : [own, wider];
  }

  return {
    take(client) {
      if (requestsPerSecond === 0) return 0;
      const all = bucketsOf(client);
      const wait = Math.max(0, ...all.map(waitOf));
      if (wait === 0) for (const bucket of all) bucket.room -= 1;
      return wait;
    },
    charge(client, requests) {
      if (requestsPerSecond > 0 && requests > 0) for (const bucket of bucketsOf(client)) bucket.room -= requests;
    },
    get size() {
      return buckets.size;
    },
  };
}

function* firstOf<T>(items: Iterable<T>, count: number): Generator<T, void, undefined> {
  let left = count;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
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

/** `192.0.2.1:443` and `[2001:db8::1]:443` as some proxies write addresses: without the port. */
const WITH_PORT = /^(?:\[([^[\]]+)\](?::\d{1,5})?|(\d+\.\d+\.\d+\.\d+):\d{1,5})$/;

/** Undefined: no address. */
function addressOf(text: string): string | undefined {
  const [, bracketed, dotted] = WITH_PORT.exec(text) ?? [];
  const address = bracketed ?? dotted ?? text;
  return isIP(address) === 0 ? undefined : siteOf(address);
}

/**
 * Whose requests are counted together: the address at the other end; behind a proxy that the operator trusts, the last
 * address of `X-Forwarded-For` that no such proxy has. What stands before it anybody could have written, and so what stands
 * before something that is no address.
 */
export function clientOf({ socket, headers }: Caller, trustedProxies: readonly string[]): string {
  const peer = siteOf(socket.remoteAddress ?? '');
  const trusted = new Set(trustedProxies.map(siteOf));
  if (!trusted.has(peer)) return peer;
  const forwarded = String(headers['x-forwarded-for'] ?? '').split(',');
  for (const text of forwarded.reverse()) {
    const address = addressOf(text.trim());
    if (address === undefined) return peer;
    if (!trusted.has(address)) return address;
  }
  return peer;
}
