/**
 * The application on CometBFT's ABCI 2.0 socket. Each connection is answered in the order of its requests. Calls that
 * drive blocks are made one at a time, whichever connections they come from; checks and queries see committed state and
 * may run between them.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { concatAll } from '#core/bytes.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { AbciAddress } from './address.ts';
import { type AbciApplication, dispatch } from './dispatch.ts';
import { createFrameReader, FrameError, type FrameReader } from './frames.ts';
import { ABCI_LIMITS } from './limits.ts';
import { type AbciRequest, decodeRequest } from './requests.ts';
import { type AbciResponse, encodeResponse } from './responses.ts';
import { removeStaleSocket } from './stale-socket.ts';

/** One request and its answer. */
export interface AbciExchange {
  /** Number of the connection, from 1 in the order in which they came. */
  readonly connection: number;
  readonly kind: AbciRequest['kind'];
  /** Encoded tendermint.abci.Request and Response, without lengths. */
  readonly request: Uint8Array;
  readonly response: Uint8Array;
}

export interface AbciServerDeps {
  readonly app: AbciApplication;
  readonly logger: Logger;
  /** A commit is done: the new state can be queried. Must not throw or wait. */
  readonly onCommitted?: () => void;
  /** The lowest height whose block is needed by somebody; Commit never answers that blocks from there on may go. */
  readonly neededFrom?: () => bigint | undefined;
  /** Told of each answer before it is sent. */
  readonly onExchange?: (exchange: AbciExchange) => void;
  /** The application failed at a call that drives blocks: its state is not to be trusted. */
  readonly fatal: (error: unknown) => void;
}

export interface AbciServer {
  /** With the port that was given when 0 was asked for. */
  readonly address: AbciAddress;
  /** Stops listening, finishes the call in work, closes the connections. */
  close(): Promise<void>;
}

/** @throws Error when the address is in use. */
export async function startAbciServer(
  options: { readonly listen: AbciAddress },
  deps: AbciServerDeps,
): Promise<AbciServer> {
  const { listen } = options;
  if (listen.kind === 'unix') await removeStaleSocket(listen.path);
  const host = new Host(deps);
  const server = createServer((socket) => host.accept(socket));
  server.maxConnections = ABCI_LIMITS.maxConnections;
  server.on('drop', () => deps.logger.warn('too many ABCI connections', { limit: ABCI_LIMITS.maxConnections }));
  await listening(server, listen);
  return {
    address: boundTo(server, listen),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await host.close();
      await closed;
    },
  };
}

function listening(server: Server, address: AbciAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const done = () => {
      server.off('error', reject);
      resolve();
    };
    if (address.kind === 'unix') server.listen({ path: address.path }, done);
    else server.listen({ host: address.host, port: address.port }, done);
  });
}

function boundTo(server: Server, asked: AbciAddress): AbciAddress {
  const bound = server.address();
  return asked.kind === 'tcp' && bound !== null && typeof bound === 'object' ? { ...asked, port: bound.port } : asked;
}

/** Everything that the connections share. */
class Host {
  readonly #deps: AbciServerDeps;
  readonly #connections = new Map<Socket, Promise<void>>();
  /** The last call that drives blocks. */
  #consensus: Promise<unknown> = Promise.resolve();
  #count = 0;
  #closed = false;

  constructor(deps: AbciServerDeps) {
    this.#deps = deps;
  }

  accept(socket: Socket): void {
    if (this.#closed) {
      socket.destroy();
      return;
    }
    const connection = ++this.#count;
    const logger = this.#deps.logger;
    socket.setNoDelay(true);
    logger.info('ABCI connection opened', { connection });
    const served = this.#serve(socket, connection)
      .catch((error: unknown) => logger.warn('ABCI connection failed', { connection, error }))
      .finally(() => {
        socket.destroy();
        this.#connections.delete(socket);
        logger.info('ABCI connection closed', { connection });
      });
    this.#connections.set(socket, served);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#consensus;
    for (const socket of this.#connections.keys()) socket.destroy();
    await Promise.all(this.#connections.values());
  }

  async #serve(socket: Socket, connection: number): Promise<void> {
    const reader = createFrameReader();
    const out = new Outbox(socket);
    // Reading waits while an answer is made or cannot be sent: a fast client fills its own buffers, not ours.
    for await (const chunk of socket as AsyncIterable<Uint8Array>) {
      const goesOn = await this.#take(reader, chunk, connection, out);
      await out.flush();
      if (!goesOn || this.#closed) return;
    }
  }

  /** Answers every message that is complete with `chunk`. False: nothing more is to be read from this connection. */
  async #take(reader: FrameReader, chunk: Uint8Array, connection: number, out: Outbox): Promise<boolean> {
    try {
      for (const message of reader.push(chunk)) {
        const { flush, refused } = await this.#answer(connection, message, out);
        if (refused) return false;
        if (flush) await out.flush();
        if (this.#closed) return false;
      }
      return true;
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#deps.logger.warn('ABCI stream cannot be read', { connection, reason: error.message });
      await out.add(encodeResponse(exception(error.message)));
      return false;
    }
  }

  async #answer(connection: number, bytes: Uint8Array, out: Outbox): Promise<{ flush: boolean; refused: boolean }> {
    const request = decodeRequest(bytes);
    if (!request.ok) {
      this.#deps.logger.warn('ABCI request refused', { connection, reason: request.error });
      await out.add(encodeResponse(exception(request.error)));
      return { flush: true, refused: true };
    }
    const { kind } = request.value;
    let answer: AbciResponse;
    try {
      answer = await this.#call(request.value);
    } catch (error) {
      this.#deps.logger.error('the application failed', { connection, call: kind, error });
      answer = exception(error instanceof Error ? error.message : 'internal error');
    }
    const encoded = encodeResponse(answer);
    this.#deps.onExchange?.({ connection, kind, request: bytes, response: withoutLength(encoded) });
    await out.add(encoded);
    return { flush: kind === 'flush', refused: false };
  }

  #call(request: AbciRequest): Promise<AbciResponse> {
    const { app, logger } = this.#deps;
    if (!DRIVES_BLOCKS.has(request.kind)) return dispatch(app, logger, request);
    const call = this.#consensus.then(async () => {
      try {
        const answer = await dispatch(app, logger, request);
        if (answer.kind !== 'commit') return answer;
        this.#deps.onCommitted?.();
        return this.#retaining(answer);
      } catch (error) {
        // A refused genesis leaves the application as it was; half a block does not.
        if (request.kind !== 'init-chain') this.#deps.fatal(error);
        throw error;
      }
    });
    this.#consensus = call.catch(() => {});
    return call;
  }

  /** Whoever joins by a snapshot goes on with the blocks after it. */
  #retaining(answer: Extract<AbciResponse, { kind: 'commit' }>): AbciResponse {
    const { retainHeight } = answer.response;
    const needed = this.#deps.neededFrom?.();
    return needed === undefined || needed >= retainHeight
      ? answer
      : { kind: 'commit', response: { retainHeight: needed } };
  }
}

/** The consensus connection's calls, and those that restore a state. */
const DRIVES_BLOCKS: ReadonlySet<AbciRequest['kind']> = new Set([
  'init-chain',
  'prepare-proposal',
  'process-proposal',
  'extend-vote',
  'verify-vote-extension',
  'finalize-block',
  'commit',
  'offer-snapshot',
  'apply-snapshot-chunk',
] as const);

/** A sentence for the peer: what went wrong, never where in this program. */
function exception(sentence: string): AbciResponse {
  const [line = ''] = sentence.split('\n', 1);
  return { kind: 'exception', error: line.slice(0, ABCI_LIMITS.maxExceptionChars) };
}

function withoutLength(delimited: Uint8Array): Uint8Array {
  let at = 0;
  while ((delimited[at] ?? 0) > 127) at++;
  return delimited.subarray(at + 1);
}

/** Answers on their way: gathered until a flush, or until there are many. */
class Outbox {
  readonly #socket: Socket;
  #waiting: Uint8Array[] = [];
  #bytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= ABCI_LIMITS.maxBufferedBytes) await this.flush();
  }

  /** Resolves when the system has taken the bytes, or the connection is gone. */
  async flush(): Promise<void> {
    if (this.#bytes === 0) return;
    const bytes = concatAll(this.#waiting);
    this.#waiting = [];
    this.#bytes = 0;
    await new Promise<void>((resolve) => {
      this.#socket.write(bytes, () => resolve());
    });
  }
}
