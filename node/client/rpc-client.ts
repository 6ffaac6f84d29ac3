import { concatAll } from '#core/bytes.ts';
import { NODE_LIMITS } from '../limits.ts';

/** A request that the node refused, or that did not reach it. The message is for the user. */
export class RpcClientError extends Error {
  override readonly name = 'RpcClientError';
  readonly code: number | undefined;

  constructor(message: string, code?: number, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** JSON-RPC of one node over HTTP POST. */
export interface RpcClient {
  readonly url: string;
  /** @throws RpcClientError */
  call<T>(method: string, params?: Readonly<Record<string, unknown>>): Promise<T>;
}

interface Envelope {
  readonly result?: unknown;
  readonly error?: { readonly code?: number; readonly message?: string; readonly data?: unknown };
}

/** @param url `http://host:port`; `tcp://` means the same. */
export function createRpcClient(
  url: string,
  options: { readonly timeoutMs?: number; readonly maxResponseBytes?: number } = {},
): RpcClient {
  const endpoint = url.replace(/^tcp:\/\//, 'http://');
  const timeoutMs = options.timeoutMs ?? 30_000;
  const maxBytes = options.maxResponseBytes ?? NODE_LIMITS.rpcResponseBytes;
  return {
    url: endpoint,
    async call<T>(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<T> {
      let envelope: Envelope;
      try {
        const response = await fetch(endpoint, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
          signal: AbortSignal.timeout(timeoutMs),
        });
        envelope = JSON.parse(await boundedText(response, maxBytes)) as Envelope;
      } catch (error) {
        throw new RpcClientError(`no answer from ${endpoint}: is the node running? (${reasonOf(error)})`, undefined, {
          cause: error,
        });
      }
      if (envelope.error !== undefined) {
        const { code, message = 'error', data } = envelope.error;
        throw new RpcClientError(data === undefined || data === '' ? message : `${message}: ${String(data)}`, code);
      }
      return envelope.result as T;
    },
  };
}

/** The body as text, read no further than it may be long. */
async function boundedText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) throw new Error(`the answer exceeds the limit of ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return new TextDecoder().decode(concatAll(chunks));
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}
