/**
 * The JSON-RPC over WebSocket at `/websocket`: every method of the HTTP side, and subscriptions. Requests of one client
 * are answered one after the other, and its socket is not read while it has not taken its answers: what it sends costs it
 * its own time alone. Events do not wait for anybody: a client that lets too many of them lie is disconnected.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Logger } from '#core/ports/logger.ts';
import { err } from '#core/result.ts';
import { RPC_LIMITS, type ServerLimits } from '../limits.ts';
import { clientOf, type RateLimiter, rateRefusal } from '../rate-limit.ts';
import { createJsonRpc, requestId, responseJson, rpcErrors } from './json-rpc.ts';
import { type ClientOutput, createOutputs, type Outputs } from './output.ts';
import { text } from './params.ts';
import { type Id, type Methods, method } from './route.ts';
import type { Subscriber, Subscriptions } from './subscriptions.ts';

export const WEBSOCKET_PATH = '/websocket';

export interface WebSocketOptions {
  /** Origins of pages that may connect; `*` for all. Clients that are no pages name none. */
  readonly corsOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly limits: ServerLimits;
}

export interface WebSocketDependencies {
  readonly methods: Methods;
  /** `undefined`: there is nothing to subscribe to. */
  readonly subscriptions: Subscriptions | undefined;
  readonly logger: Logger;
  readonly rate: RateLimiter;
}

/** RFC 6455 section 7.4.1. */
const POLICY_VIOLATION = 1008;
const GOING_AWAY = 1001;

/** Answers upgrades of an HTTP server. The answer disconnects all clients. */
export function serveWebSockets(
  server: Server,
  options: WebSocketOptions,
  dependencies: WebSocketDependencies,
): () => void {
  const { limits } = options;
  const outputs = createOutputs(limits);
  const wss = new WebSocketServer({
    noServer: true,
    maxPayload: limits.maxBodyBytes,
    // Unpacking what a stranger has packed costs memory, and saves little on JSON of hashes.
    perMessageDeflate: false,
    clientTracking: true,
  });
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    const caller = clientOf(request, options.trustedProxies);
    const waitMs = dependencies.rate.take(caller);
    const refusal = waitMs > 0 ? tooMany(waitMs) : refuse(request, options.corsOrigins);
    if (refusal !== undefined) refuseUpgrade(socket, refusal);
    else
      wss.handleUpgrade(request, socket, head, (client) => serveClient(client, caller, limits, dependencies, outputs));
  };
  server.on('upgrade', onUpgrade);
  return () => {
    server.off('upgrade', onUpgrade);
    for (const client of wss.clients) {
      client.close(GOING_AWAY, 'the node is stopping');
      client.terminate();
    }
    wss.close();
  };
}

function refuse({ url = '', headers }: IncomingMessage, origins: readonly string[]): string | undefined {
  if (url.split('?', 1)[0] !== WEBSOCKET_PATH) return '404 Not Found';
  const { origin, host } = headers;
  // A page of another site could use the node from inside its owner's browser: the answers' CORS headers do not bind here.
  if (origin === undefined || origins.includes('*') || origins.includes(origin)) return undefined;
  return URL.parse(origin)?.host === host ? undefined : '403 Forbidden';
}

const tooMany = (waitMs: number): string => `429 Too Many Requests\r\nRetry-After: ${Math.ceil(waitMs / 1_000)}`;

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function serveClient(
  client: WebSocket,
  caller: string,
  limits: ServerLimits,
  { methods, subscriptions, logger, rate }: WebSocketDependencies,
  outputs: Outputs,
): void {
  const output = outputs.open(client, onSlow);
  const subscriber = subscriptions?.client({
    event: (event) => output.send(event),
    cancelled: (id, reason) => output.send(cancellation(id, reason)),
  });
  const own = subscriber === undefined ? methods : new Map([...methods, ...subscriptionMethods(subscriber)]);
  const rpc = createJsonRpc(limits, { methods: own, logger });
  const requests: string[] = [];
  let working = false;
  let heard = true;

  function onSlow(): void {
    logger.info('A WebSocket client does not read what it asked for and is disconnected.');
    for (const id of subscriber?.close() ?? []) output.last(cancellation(id, 'slow client'));
    output.end(POLICY_VIOLATION, 'slow client');
  }

  function take(data: RawData): void {
    heard = true;
    if (requests.length >= RPC_LIMITS.maxQueuedRequests) {
      client.close(POLICY_VIOLATION, `more than ${RPC_LIMITS.maxQueuedRequests} requests at once`);
      return;
    }
    requests.push(String(data));
    if (!working) void work(rpc, requests, output);
  }

  async function work(answering: typeof rpc, queue: string[], to: ClientOutput): Promise<void> {
    working = true;
    client.pause();
    try {
      for (let request = queue.shift(); request !== undefined; request = queue.shift()) {
        const answer = await answerTo(answering, request);
        if (answer !== undefined) to.send(answer);
        subscriber?.acknowledged();
        if (!(await to.taken())) return;
      }
    } finally {
      working = false;
      client.resume();
    }
  }

  async function answerTo(answering: typeof rpc, request: string): Promise<string | undefined> {
    const waitMs = rate.take(caller);
    if (waitMs > 0)
      return responseJson(requestId(request), err(rpcErrors.server(rateRefusal(limits.maxRequestsPerSecond, waitMs))));
    return (await answering.post(request, (requests) => rate.charge(caller, requests - 1))).text;
  }

  // A client whose requests are being worked on is not listened to, and so not asked for a sign of life.
  const heartbeat = setInterval(() => {
    if (!heard && !working) return client.terminate();
    heard = working;
    client.ping();
  }, limits.pingPeriodMs);
  client.on('message', take);
  client.on('pong', () => {
    heard = true;
  });
  client.on('ping', () => {
    heard = true;
  });
  // What is wrong with a client's frames, ws tells the client itself.
  client.on('error', (error) => logger.debug('A WebSocket client is disconnected.', { reason: error.message }));
  client.on('close', () => {
    clearInterval(heartbeat);
    requests.length = 0;
    subscriber?.close();
    output.close();
  });
}

function cancellation(id: Id, reason: string): string {
  return responseJson(id, err(rpcErrors.server(`subscription was canceled (reason: ${reason})`)));
}

function subscriptionMethods(subscriber: Subscriber): Methods {
  return new Map([
    ['subscribe', method({ query: text }, ({ query }, { id }) => subscriber.subscribe(id, query))],
    ['unsubscribe', method({ query: text }, ({ query }) => subscriber.unsubscribe(query))],
    ['unsubscribe_all', method({}, () => subscriber.unsubscribeAll())],
  ]);
}
