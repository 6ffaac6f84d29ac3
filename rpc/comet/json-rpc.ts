/**
 * JSON-RPC 2.0 (https://www.jsonrpc.org/specification) over the table of routes, without a transport: text in, text out.
 * Error codes and messages are CometBFT's; `data` is the sentence that says what was wrong.
 */
import type { Logger } from '#core/ports/logger.ts';
import { err, type Result } from '#core/result.ts';
import type { Answer, Backend } from '../backend.ts';
import { RPC_LIMITS, type ServerLimits } from '../limits.ts';
import { blockRoutes } from './block-routes.ts';
import { describeJson, type JsonObject, readJson } from './json/reader.ts';
import { nodeRoutes } from './node-routes.ts';
import { readJsonParams, readUriParams } from './params.ts';
import type { Id, Method, Methods, Route } from './route.ts';
import { txRoutes } from './tx-routes.ts';

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data: string;
}

export const rpcErrors = {
  parse: (data: string): RpcError => ({ code: -32700, message: 'Parse error. Invalid JSON', data }),
  request: (data: string): RpcError => ({ code: -32600, message: 'Invalid Request', data }),
  method: (data: string): RpcError => ({ code: -32601, message: 'Method not found', data }),
  params: (data: string): RpcError => ({ code: -32602, message: 'Invalid params', data }),
  internal: (data: string): RpcError => ({ code: -32603, message: 'Internal error', data }),
  server: (data: string): RpcError => ({ code: -32000, message: 'Server error', data }),
};

/** Every method by its name. */
export const routes: ReadonlyMap<string, Route> = new Map(
  Object.entries({ ...nodeRoutes, ...blockRoutes, ...txRoutes }).sort(([a], [b]) => (a < b ? -1 : 1)),
);

/** What answers: the routes over a backend, or methods of another kind of server. */
export type RpcDependencies = { readonly logger: Logger } & (
  | { readonly backend: Backend }
  | { readonly methods: Methods }
);

export function methodsOf(dependencies: RpcDependencies): Methods {
  if ('methods' in dependencies) return dependencies.methods;
  const { backend } = dependencies;
  return new Map(
    [...routes].map(([name, { params, answer }]) => [name, { params, answer: (args) => answer(backend, args) }]),
  );
}

type Outcome = Result<unknown, RpcError>;

/** A request that is being answered. */
interface Begun {
  readonly id: Id | null;
  readonly outcome: Outcome | Promise<Outcome>;
}

export interface JsonRpc {
  /**
   * Answers a body: `undefined` when it holds notifications alone; `malformed` when it is no JSON-RPC at all.
   * @param onBatch told of how many requests there are in a batch, before any of them is answered.
   */
  post(
    body: string,
    onBatch?: (requests: number) => void,
  ): Promise<{ readonly text: string | undefined; readonly malformed: boolean }>;
  /** Answers a GET request for one method. */
  get(method: string, query: URLSearchParams): Promise<{ readonly text: string; readonly error: RpcError | undefined }>;
}

/** The id of an answer to what has none (GET), as CometBFT writes it. */
const NO_ID = -1;

export function responseJson(id: Id | null, outcome: Outcome): string {
  return JSON.stringify(
    outcome.ok ? { jsonrpc: '2.0', id, result: outcome.value } : { jsonrpc: '2.0', id, error: outcome.error },
  );
}

export function createJsonRpc(
  limits: Pick<ServerLimits, 'maxBatch' | 'responseTimeoutMs'>,
  dependencies: RpcDependencies,
): JsonRpc {
  const { logger } = dependencies;
  const methods = methodsOf(dependencies);

  /** Begins a request; the promise of what comes later never rejects. */
  function begin(
    id: Id,
    method: string,
    deadline: number,
    readParams: (found: Method) => Record<string, unknown>,
  ): Outcome | Promise<Outcome> {
    const found = methods.get(method);
    if (found === undefined) return err(rpcErrors.method(`there is no method ${describeJson(method)}`));
    const args = readJson(() => readParams(found));
    if (!args.ok) return err(rpcErrors.params(args.error));
    if (performance.now() >= deadline) return late(limits.responseTimeoutMs);
    const failed = (error: unknown): Outcome => {
      logger.error('A request failed unexpectedly.', { method, error });
      return err(rpcErrors.internal(`${method} failed unexpectedly; the node's log says more`));
    };
    try {
      const answer = found.answer(args.value, { id });
      return answer instanceof Promise ? answer.then(outcomeOf, failed) : outcomeOf(answer);
    } catch (error) {
      return failed(error);
    }
  }

  /**
   * A request of a body; `undefined`: it is a notification.
   * @param room characters that the answers of a batch may still have.
   */
  function beginOne(request: unknown, deadline: number, room: number): Begun | undefined {
    const read = readRequest(request);
    if (!read.ok) return { id: null, outcome: err(read.error) };
    const { id, method, params } = read.value;
    // JSON-RPC forbids an answer, and nothing here is done for its effect alone.
    if (id === undefined) return undefined;
    if (room <= 0) return { id, outcome: TOO_MUCH };
    return { id, outcome: begin(id, method, deadline, (route) => readJsonParams(route.params, params)) };
  }

  /**
   * The requests of a batch, one after the other; but broadcasts that follow one another are begun together, in their
   * order, so that their signatures can be verified together.
   */
  async function answerAll(requests: readonly unknown[], deadline: number): Promise<string[]> {
    const answers: string[] = [];
    let room: number = RPC_LIMITS.maxBatchAnswerChars;
    for (let at = 0; at < requests.length; ) {
      const first = at;
      do at++;
      while (at < requests.length && isBroadcast(requests[at - 1]) && isBroadcast(requests[at]));
      const begun = requests
        .slice(first, at)
        .map((request) => beginOne(request, deadline, room))
        .filter((each) => each !== undefined);
      const outcomes = await allInTime(begun, deadline, limits.responseTimeoutMs);
      for (const [i, { id }] of begun.entries()) {
        const answer = responseJson(id, outcomes[i] as Outcome);
        answers.push(room > 0 ? answer : responseJson(id, TOO_MUCH));
        room -= answer.length;
      }
      // Most answers are made without waiting for anything: consensus must not wait for all of them.
      await nextTurn();
    }
    return answers;
  }

  return {
    async post(body, onBatch) {
      // A batch has no more time than one request.
      const deadline = performance.now() + limits.responseTimeoutMs;
      const refuse = (error: RpcError) => ({ text: responseJson(null, err(error)), malformed: true });
      const parsed = parseJson(body);
      if (!parsed.ok) return refuse(rpcErrors.parse(parsed.error));
      if (!Array.isArray(parsed.value)) {
        const begun = beginOne(parsed.value, deadline, RPC_LIMITS.maxBatchAnswerChars);
        if (begun === undefined) return { text: undefined, malformed: false };
        const [outcome] = await allInTime([begun], deadline, limits.responseTimeoutMs);
        return { text: responseJson(begun.id, outcome as Outcome), malformed: false };
      }
      if (parsed.value.length === 0) return refuse(rpcErrors.request('the batch is empty'));
      if (parsed.value.length > limits.maxBatch)
        return refuse(
          rpcErrors.request(`a batch of ${parsed.value.length} requests exceeds the limit of ${limits.maxBatch}`),
        );
      onBatch?.(parsed.value.length);
      const answers = await answerAll(parsed.value, deadline);
      return { text: answers.length === 0 ? undefined : `[${answers.join(',')}]`, malformed: false };
    },
    async get(method, query) {
      const deadline = performance.now() + limits.responseTimeoutMs;
      const begun = { outcome: begin(NO_ID, method, deadline, (route) => readUriParams(route.params, query)) };
      const outcome = (await allInTime([begun], deadline, limits.responseTimeoutMs))[0] as Outcome;
      return { text: responseJson(NO_ID, outcome), error: outcome.ok ? undefined : outcome.error };
    },
  };
}

/** Whose answer waits for the mempool alone. */
const BROADCASTS = new Set<unknown>(['broadcast_tx_sync', 'broadcast_tx_async']);

function isBroadcast(request: unknown): boolean {
  return typeof request === 'object' && request !== null && 'method' in request && BROADCASTS.has(request.method);
}

const TOO_MUCH: Outcome = err(
  rpcErrors.internal(
    `the answers of this batch exceed ${RPC_LIMITS.maxBatchAnswerChars} characters: ask for less at a time`,
  ),
);

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const late = (timeoutMs: number): Outcome => err(rpcErrors.internal(`no answer within ${timeoutMs} ms`));

function outcomeOf(answer: Answer<unknown>): Outcome {
  return answer.ok ? answer : err(rpcErrors.internal(answer.error.message));
}

/** The outcomes of what was begun together, by one timer for all: what has not come by the deadline is late. */
async function allInTime(
  begun: readonly Pick<Begun, 'outcome'>[],
  deadline: number,
  timeoutMs: number,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  let missing = 0;
  for (const [i, { outcome }] of begun.entries()) {
    if (!(outcome instanceof Promise)) {
      outcomes[i] = outcome;
      continue;
    }
    outcomes[i] = late(timeoutMs);
    missing += 1;
    void outcome.then((come) => {
      outcomes[i] = come;
      missing -= 1;
      if (missing === 0) resolve();
    });
  }
  if (missing === 0) return outcomes;
  const timer = setTimeout(resolve, Math.max(0, deadline - performance.now()));
  await promise;
  clearTimeout(timer);
  return [...outcomes];
}

function readRequest(
  value: unknown,
): Result<{ readonly id: Id | undefined; readonly method: string; readonly params: unknown }, RpcError> {
  const refuse = (data: string) => err(rpcErrors.request(data));
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse(`a request is an object, got ${describeJson(value)}`);
  const { jsonrpc, id, method, params } = value as JsonObject;
  if (jsonrpc !== undefined && jsonrpc !== '2.0')
    return refuse(`jsonrpc: expected "2.0", got ${describeJson(jsonrpc)}`);
  if (id !== undefined && id !== null && typeof id !== 'string' && typeof id !== 'number')
    return refuse(`id: expected a string or a number, got ${describeJson(id)}`);
  if (typeof method !== 'string') return refuse(`method: expected a string, got ${describeJson(method)}`);
  return { ok: true, value: { id: id ?? undefined, method, params } };
}

/** The id of a request that is refused unread, so that its sender knows which it was; `null`: it has none that is one. */
export function requestId(body: string): Id | null {
  const parsed = body.length > RPC_LIMITS.maxRefusedChars ? undefined : parseJson(body);
  const read = parsed?.ok === true ? readRequest(parsed.value) : undefined;
  return read?.ok === true ? (read.value.id ?? null) : null;
}

/** JSON whose nesting is bounded, so that nothing later can exhaust the stack on it. */
function parseJson(body: string): Result<unknown, string> {
  if (body.trim() === '') return err('the body is empty: expected a JSON-RPC request');
  if (jsonDepth(body) > RPC_LIMITS.maxJsonDepth) return err(`nested deeper than ${RPC_LIMITS.maxJsonDepth} levels`);
  try {
    return { ok: true, value: JSON.parse(body) };
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
}

function jsonDepth(body: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let i = 0; i < body.length; i++) {
    const char = body.charCodeAt(i);
    if (quoted) {
      if (char === 0x5c) i++;
      else if (char === 0x22) quoted = false;
    } else if (char === 0x22) quoted = true;
    else if (char === 0x5b || char === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (char === 0x5d || char === 0x7d) depth--;
  }
  return deepest;
}
