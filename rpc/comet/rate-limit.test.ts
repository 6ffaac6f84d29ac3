/** Requests a second of one client, over real sockets; the clock alone is the test's, so that no busy machine refills a bucket. */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { silentLogger } from '#core/ports/logger.ts';
import { DEFAULT_SERVER_LIMITS, RPC_LIMITS } from '../limits.ts';
import { clientOf, createRateLimiter } from '../rate-limit.ts';
import { fakeChain } from './fake-chain.test-util.ts';
import { startCometServer } from './server.ts';

const RATE = 4;
const closers: (() => unknown)[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  vi.useRealTimers();
});

async function serve(maxRequestsPerSecond = RATE, trustedProxies: string[] = []) {
  const server = await startCometServer(
    {
      host: '127.0.0.1',
      port: 0,
      corsOrigins: [],
      trustedProxies,
      limits: { ...DEFAULT_SERVER_LIMITS, maxRequestsPerSecond },
    },
    { backend: fakeChain().backend, logger: silentLogger },
  );
  closers.push(() => server.close());
  return server.url;
}

const health = (id: number) => ({ jsonrpc: '2.0', id, method: 'health' });
const batch = (size: number) => Array.from({ length: size }, (_, i) => health(i));
const SENTENCE = 'more than 4 requests a second from one client: try again in 250 ms';

interface Answered {
  readonly status: number | undefined;
  readonly retryAfter: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answered
  readonly body: any;
}

/** @param localAddress which of the loopback addresses the client has. */
async function ask(url: string, body: unknown, localAddress = '127.0.0.1', headers = {}): Promise<Answered> {
  const request = httpRequest(url, { method: body === undefined ? 'GET' : 'POST', localAddress, headers });
  request.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = await once(request, 'response');
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, retryAfter: response.headers['retry-after'], body: JSON.parse(text) };
}

async function openSocket(url: string, localAddress = '127.0.0.1') {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/websocket`, { localAddress });
  closers.push(() => socket.terminate());
  await once(socket, 'open');
  return async (message: unknown) => {
    socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    const [data] = await once(socket, 'message');
    return JSON.parse(String(data));
  };
}

test('Limit: maxRequestsPerSecond, over HTTP: 429 with the limit and when to come again, and nobody else is disturbed', async () => {
  const url = await serve();
  for (let i = 0; i < RATE; i++)
    expect(await ask(i % 2 === 0 ? url : `${url}/health`, i % 2 === 0 ? health(i) : undefined)).toMatchObject({
      status: 200,
    });
  const refused = {
    status: 429,
    retryAfter: '1',
    body: { jsonrpc: '2.0', id: null, error: { code: -32000, message: 'Server error', data: SENTENCE } },
  };
  expect(await ask(url, health(5))).toEqual(refused);
  expect(await ask(`${url}/health`, undefined)).toEqual(refused);
  // What is no request at all costs as much as one.
  expect(await ask(`${url}/no/such/path`, undefined)).toEqual(refused);
  expect(await ask(url, health(6), '127.0.0.2')).toMatchObject({ status: 200, body: { id: 6 } });
  vi.advanceTimersByTime(249);
  expect(await ask(url, health(7))).toMatchObject({ status: 429 });
  vi.advanceTimersByTime(1);
  expect(await ask(url, health(8))).toMatchObject({ status: 200, body: { id: 8 } });
  expect(await ask(url, health(9))).toMatchObject({ status: 429 });
});

test('Limit: maxRequestsPerSecond, each request of a batch counts: the batch is answered, its sender waits the longer', async () => {
  const url = await serve();
  const whole = await ask(url, batch(RATE + 8));
  expect(whole.status).toBe(200);
  expect(whole.body).toHaveLength(RATE + 8);
  const { status, retryAfter, body } = await ask(url, health(1));
  expect([status, retryAfter]).toEqual([429, '3']);
  expect(body.error.data).toContain('try again in 2250 ms');
  vi.advanceTimersByTime(2_250);
  expect(await ask(url, health(1))).toMatchObject({ status: 200 });
});

test('Limit: maxRequestsPerSecond, over WebSocket: an error under the id of the request, and the connection stays', async () => {
  const url = await serve();
  // The handshake is a request too.
  const send = await openSocket(url);
  const other = await openSocket(url, '127.0.0.2');
  for (let id = 1; id < RATE; id++) expect(await send(health(id))).toEqual({ jsonrpc: '2.0', id, result: {} });
  const error = { code: -32000, message: 'Server error', data: SENTENCE };
  expect(await send(health(77))).toEqual({ jsonrpc: '2.0', id: 77, error });
  expect(await send('not json')).toEqual({ jsonrpc: '2.0', id: null, error });
  expect(await send(batch(2))).toEqual({ jsonrpc: '2.0', id: null, error });
  // The same client over another way in.
  expect(await ask(url, health(1))).toMatchObject({ status: 429 });
  const late = new WebSocket(`${url.replace('http', 'ws')}/websocket`);
  const [, answer] = await once(late, 'unexpected-response');
  expect([answer.statusCode, answer.headers['retry-after']]).toEqual([429, '1']);
  late.on('error', () => {});
  late.terminate();
  expect(await other(health(1))).toEqual({ jsonrpc: '2.0', id: 1, result: {} });
  vi.advanceTimersByTime(250);
  expect(await send(health(78))).toEqual({ jsonrpc: '2.0', id: 78, result: {} });
  vi.advanceTimersByTime(1_000);
  expect(await send(batch(RATE + 4))).toHaveLength(RATE + 4);
  expect(await send(health(79))).toMatchObject({ id: 79, error: { data: expect.stringContaining('1250 ms') } });
});

test('Limit: maxRefusedChars, a long message that is refused is not read for its id', async () => {
  const send = await openSocket(await serve(1));
  const long = (length: number) => JSON.stringify({ ...health(5), params: { x: 'y'.repeat(length) } });
  expect((await send(long(1_000))).id).toBe(5);
  expect((await send(long(RPC_LIMITS.maxRefusedChars))).id).toBeNull();
});

test('without a limit any number is answered', async () => {
  const url = await serve(0);
  expect((await ask(url, batch(100))).body).toHaveLength(100);
  expect((await ask(url, batch(100))).body).toHaveLength(100);
});

test('behind a proxy that is trusted, clients are told apart by what it says, and by nothing that they say', async () => {
  const url = await serve(1, ['127.0.0.1']);
  const via = (forwarded: string, from?: string) => ask(url, health(1), from, { 'x-forwarded-for': forwarded });
  expect(await via('192.0.2.1')).toMatchObject({ status: 200 });
  expect(await via('198.51.100.7, 192.0.2.1')).toMatchObject({ status: 429 });
  expect(await via('192.0.2.2')).toMatchObject({ status: 200 });
  // Nobody else's word counts.
  expect(await via('192.0.2.3', '127.0.0.2')).toMatchObject({ status: 200 });
  expect(await via('192.0.2.4', '127.0.0.2')).toMatchObject({ status: 429 });
});

test('whose requests are counted together', () => {
  const caller = (remoteAddress: string | undefined, forwarded?: string) =>
    clientOf({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }, ['10.0.0.1', '::1']);
  expect(caller('::ffff:192.0.2.1')).toBe('192.0.2.1');
  expect(caller('2001:db8::5')).toBe(caller('2001:db8:0:0:ffff::1'));
  expect(caller('10.0.0.1', '192.0.2.9, 10.0.0.1')).toBe('192.0.2.9');
  expect(caller('::1', '2001:db8::7')).toBe(caller('2001:db8::8'));
  // With a port, or in brackets, as some proxies write them.
  expect(caller('10.0.0.1', '192.0.2.9:4711')).toBe('192.0.2.9');
  expect(caller('10.0.0.1', '[2001:db8::7]:443')).toBe(caller('::1', '2001:db8::8'));
  expect(caller('10.0.0.1', '[2001:db8::7], 10.0.0.1:80')).toBe(caller('::1', '2001:db8::8'));
  // What stands before something else than an address is not believed.
  for (const odd of ['unknown', '192.0.2.9:x', '[192.0.2.9', 'a:b', '1.2.3.4.5:6', ' '])
    expect(caller('10.0.0.1', `192.0.2.1, ${odd}`)).toBe('10.0.0.1');
  for (const nonsense of ['', 'unknown', 'x'.repeat(50_000), '10.0.0.1'])
    expect(caller('10.0.0.1', nonsense)).toBe('10.0.0.1');
  expect(caller(undefined)).toBe('');
});

test('Limit: maxRateLimitedClients, ever new addresses free nobody from waiting, and those beyond share one room', () => {
  let now = 0;
  const limiter = createRateLimiter({ requestsPerSecond: 1, now: () => now });
  expect(limiter.take('first')).toBe(0);
  for (let i = 1; i < RPC_LIMITS.maxRateLimitedClients; i++) expect(limiter.take(`${i}`)).toBe(0);
  // All places are taken by who must wait: the newcomers have one room for all of them.
  expect(['a', 'b', 'c'].map((one) => limiter.take(one))).toEqual([0, 1_000, 1_000]);
  for (let i = 0; i < RPC_LIMITS.maxRateLimitedClients; i++) limiter.take(`new ${i}`);
  expect([limiter.take('first'), limiter.take('1')]).toEqual([1_000, 1_000]);
  expect(limiter.size).toBe(RPC_LIMITS.maxRateLimitedClients);
  // A batch is remembered for as long as its sender must wait, whoever comes meanwhile.
  now = 1_000;
  expect(limiter.take('first')).toBe(0);
  limiter.charge('first', 99);
  now = 50_000;
  for (let i = 0; i < 2 * RPC_LIMITS.maxRateLimitedClients; i++) limiter.take(`later ${i}`);
  expect(limiter.take('first')).toBe(51_000);
  expect(limiter.size).toBe(RPC_LIMITS.maxRateLimitedClients);
});

test('Limit: clientsOfNetwork, who has a /48 has no more than some clients, and disturbs nobody outside of it', () => {
  const limiter = createRateLimiter({ requestsPerSecond: 2, now: () => 0 });
  let admitted = 0;
  for (let i = 0; i < 65_536; i++) if (limiter.take(`2001:db8:5:${i.toString(16)}`) === 0) admitted++;
  expect(admitted).toBe(2 * RPC_LIMITS.clientsOfNetwork);
  expect(limiter.take('2001:db8:6:1')).toBe(0);
  expect(limiter.take('192.0.2.1')).toBe(0);
  // Within the network a client has no more than any other.
  const other = createRateLimiter({ requestsPerSecond: 2, now: () => 0 });
  expect([0, 0, 0].map(() => other.take('2001:db8:5:1'))).toEqual([0, 0, 500]);
  expect(other.take('2001:db8:5:2')).toBe(0);
});

test('in no stretch of time is a client let in more often than a second of room and the time admit, and after the wait it is', () => {
  const steps = fc.array(fc.record({ pause: fc.nat(700), batch: fc.nat(5) }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), steps, (rate, plan) => {
      let now = 0;
      const limiter = createRateLimiter({ requestsPerSecond: rate, now: () => now });
      let cost = 0;
      let last = 0;
      for (const { pause, batch: more } of plan) {
        now += pause;
        const wait = limiter.take('client');
        if (wait === 0) {
          limiter.charge('client', more);
          last = 1 + more;
          cost += last;
        }
        expect(cost - last).toBeLessThanOrEqual(rate + (now * rate) / 1_000 + 1e-6);
        if (wait === 0) continue;
        now += wait;
        expect(limiter.take('client')).toBe(0);
        last = 1;
        cost += 1;
      }
    }),
  );
});
