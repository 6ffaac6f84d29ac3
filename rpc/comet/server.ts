/** The CometBFT JSON-RPC over HTTP: POST of one request or a batch, and URI-style GET; WebSocket at `/websocket`. */
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Logger } from '#core/ports/logger.ts';
import { RPC_LIMITS, type ServerLimits } from '../limits.ts';
import { clientOf, createRateLimiter, type RateLimiter, rateRefusal } from '../rate-limit.ts';
import { createJsonRpc, type JsonRpc, methodsOf, type RpcDependencies, type RpcError, rpcErrors } from './json-rpc.ts';
import type { Methods } from './route.ts';
import { createSubscriptions } from './subscriptions.ts';
import { serveWebSockets, WEBSOCKET_PATH } from './websocket.ts';

export interface CometServerOptions {
  /** Loopback unless the operator says otherwise. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Origins whose pages may read answers; `*` for all. */
  readonly corsOrigins: readonly string[];
  /** Addresses whose `X-Forwarded-For` is believed. Default: none. */
  readonly trustedProxies?: readonly string[];
  readonly limits: ServerLimits;
}

export interface CometServer {
  /** `http://host:port`, with the port that was really bound. */
  readonly url: string;
  close(): Promise<void>;
}

/** @throws Error when the address cannot be bound; the message names it. */
export async function startCometServer(
  options: CometServerOptions,
  dependencies: RpcDependencies,
): Promise<CometServer> {
  const { limits, host, port } = options;
  const logger = dependencies.logger.child('rpc');
  const rpc = createJsonRpc(limits, { ...dependencies, logger });
  const app = fastify({
    bodyLimit: limits.maxBodyBytes,
    requestTimeout: limits.responseTimeoutMs,
    // A client that reads its answer at no speed would hold it in memory for ever.
    connectionTimeout: 2 * limits.responseTimeoutMs,
    forceCloseConnections: true,
    // Uptime checks ask so.
    exposeHeadRoutes: true,
    routerOptions: { maxParamLength: 128 },
    http: { maxHeaderSize: RPC_LIMITS.maxUriBytes },
  });
  // Clients send JSON under any content type, or none.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  const { trustedProxies = [] } = options;
  const rate = createRateLimiter({ requestsPerSecond: limits.maxRequestsPerSecond, now: () => performance.now() });
  addCors(app, options.corsOrigins);
  addRateLimit(app, rate, limits, trustedProxies);
  addRoutes(app, rpc, methodsOf(dependencies), (request, requests) =>
    rate.charge(clientOf(request, trustedProxies), requests),
  );
  addErrors(app, limits, logger);
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`the RPC server cannot listen on ${host}:${port}: ${reason}`, { cause: error });
  }
  app.server.maxConnections = limits.maxConnections;
  const subscriptions =
    'backend' in dependencies ? createSubscriptions(limits, { backend: dependencies.backend, logger }) : undefined;
  const closeWebSockets = serveWebSockets(
    app.server,
    { corsOrigins: options.corsOrigins, trustedProxies, limits },
    { methods: methodsOf(dependencies), subscriptions, logger, rate },
  );
  const address = app.server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    async close() {
      subscriptions?.close();
      closeWebSockets();
      await app.close();
    },
  };
}

function addRoutes(
  app: FastifyInstance,
  rpc: JsonRpc,
  methods: Methods,
  charge: (request: FastifyRequest, requests: number) => void,
): void {
  app.post('/', async (request, reply) => {
    const body = typeof request.body === 'string' ? request.body : '';
    const { text, malformed } = await rpc.post(body, (requests) => charge(request, requests - 1));
    reply.code(text === undefined ? 204 : malformed ? 400 : 200);
    return text === undefined ? null : sendJson(reply, text);
  });
  app.get('/', async (_request, reply) => sendJson(reply, JSON.stringify({ methods: methodList(methods) })));
  app.get(WEBSOCKET_PATH, async (_request, reply) =>
    sendJson(reply.code(400), errorBody(rpcErrors.request('expected a WebSocket handshake'))),
  );
  app.get<{ Params: { method: string } }>('/:method', async (request, reply) => {
    const { text, error } = await rpc.get(request.params.method, uriQuery(request));
    return sendJson(reply.code(error === undefined ? 200 : httpStatus(error)), text);
  });
}

/** A GET has no other place for failure than the status: CometBFT's choices, with 400 for the request's own faults. */
function httpStatus(error: RpcError): number {
  if (error.code === -32601) return 404;
  return error.code === -32602 ? 400 : 500;
}

function methodList(methods: Methods): { name: string; params: string[] }[] {
  return [...methods].map(([name, { params }]) => ({ name, params: Object.keys(params) }));
}

function uriQuery(request: FastifyRequest): URLSearchParams {
  const start = request.url.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : request.url.slice(start + 1));
}

function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(text);
}

function errorBody(error: RpcError): string {
  return JSON.stringify({ jsonrpc: '2.0', id: null, error });
}

function addErrors(app: FastifyInstance, limits: ServerLimits, logger: Logger): void {
  app.setNotFoundHandler((request, reply) => {
    const what = `${request.method} ${request.url.slice(0, 128)}`;
    sendJson(reply.code(404), errorBody(rpcErrors.method(`${what}: expected POST / or GET /<method>`)));
  });
  app.setErrorHandler((error: Error & { readonly statusCode?: number; readonly code?: string }, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
      const data = `the body exceeds the limit of ${limits.maxBodyBytes} bytes`;
      return sendJson(reply.code(413), errorBody(rpcErrors.request(data)));
    }
    if (status < 500) return sendJson(reply.code(status), errorBody(rpcErrors.request(error.message)));
    logger.error('A request failed unexpectedly.', { error });
    return sendJson(reply.code(500), errorBody(rpcErrors.internal("the request failed; the node's log says more")));
  });
}

/** Before the body is read: who must wait costs no more than its headers. */
function addRateLimit(
  app: FastifyInstance,
  rate: RateLimiter,
  { maxRequestsPerSecond }: ServerLimits,
  trustedProxies: readonly string[],
): void {
  app.addHook('onRequest', async (request, reply) => {
    const waitMs = rate.take(clientOf(request, trustedProxies));
    if (waitMs === 0) return;
    reply.code(429).header('retry-after', Math.ceil(waitMs / 1_000));
    await sendJson(reply, errorBody(rpcErrors.server(rateRefusal(maxRequestsPerSecond, waitMs))));
  });
}

function addCors(app: FastifyInstance, origins: readonly string[]): void {
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    const allowed = origin !== undefined && (origins.includes('*') || origins.includes(origin));
    if (allowed) {
      reply.header('access-control-allow-origin', origins.includes('*') ? '*' : origin);
      reply.header('vary', 'Origin');
    }
    if (request.method !== 'OPTIONS') return;
    if (allowed) {
      reply.header('access-control-allow-methods', 'GET, POST, OPTIONS');
      reply.header('access-control-allow-headers', 'Content-Type, Accept, X-Requested-With');
      reply.header('access-control-max-age', '600');
    }
    await reply.code(204).send();
  });
}
