import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { BatchVerifier, SignatureCheck } from '#core/ports/crypto.ts';
import type { Logger } from '#core/ports/logger.ts';
import { NODE_LIMITS } from '../limits.ts';
import {
  KEY_BYTES,
  packChecks,
  type Scheme,
  SIGNATURE_BYTES,
  type VerifyRequest,
  type VerifyResponse,
} from './verify-protocol.ts';

/** What the pool needs of a thread; `Worker` of node:worker_threads is one. */
export interface VerifyThread {
  postMessage(request: VerifyRequest, transfer: readonly ArrayBuffer[]): void;
  on(event: 'message', listener: (response: VerifyResponse) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
  /** A thread keeps the process alive while it has work, and no longer. */
  ref(): void;
  unref(): void;
  terminate(): Promise<unknown>;
}

export interface BatchVerifierOptions {
  /** How many threads at most; each starts when there is work for it. */
  readonly threads: number;
  readonly maxQueuedChecks?: number;
  readonly maxQueuedBytes?: number;
  /** A thread that is silent for so long while it has work is replaced. */
  readonly timeoutMs?: number;
}

export interface ClosingBatchVerifier extends BatchVerifier {
  /** Answers what waits with false, and ends the threads. */
  close(): Promise<void>;
}

/** One core is left to the main thread. */
export function verifierThreads(): number {
  return Math.max(1, Math.min(NODE_LIMITS.maxVerifierThreads, availableParallelism() - 1));
}

const spawnWorker = (): VerifyThread => {
  const worker = new Worker(new URL('./verify-worker.ts', import.meta.url), {
    resourceLimits: NODE_LIMITS.threadHeapMiB,
  });
  worker.unref();
  return worker as unknown as VerifyThread;
};

/**
 * {@link BatchVerifier} on worker threads. Checks go out in chunks, so that several threads share a large call; those of
 * consensus (ed25519) go before those of transactions. Whatever goes wrong – a thread dies, is silent, answers nonsense,
 * too much waits, the pool is closed – leaves the checks concerned at false, which obliges the caller to verify them.
 */
export function createBatchVerifier(
  options: BatchVerifierOptions,
  dependencies: { readonly logger: Logger; readonly now: () => number; readonly spawn?: () => VerifyThread },
): ClosingBatchVerifier {
  const pool = new Pool(options, { spawn: spawnWorker, ...dependencies });
  return {
    ed25519: (checks) => pool.verify('ed25519', checks),
    secp256k1: (checks) => pool.verify('secp256k1', checks),
    close: () => pool.close(),
  };
}

/** A call that waits for its verdicts. */
interface Call {
  readonly verdicts: boolean[];
  chunksLeft: number;
  readonly resolve: (verdicts: readonly boolean[]) => void;
}

interface Chunk {
  readonly scheme: Scheme;
  readonly call: Call;
  /** Places of the checks within the call. */
  readonly places: number[];
  readonly checks: SignatureCheck[];
  bytes: number;
}

/** Chunks that a thread has, so that it need not wait for the main thread between two. */
const CHUNKS_AHEAD = 2;

class Pool {
  readonly #options: Required<BatchVerifierOptions>;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #spawn: () => VerifyThread;
  readonly #members = new Set<Member>();
  readonly #queues: Readonly<Record<Scheme, Chunk[]>> = { ed25519: [], secp256k1: [] };
  readonly #calls: Readonly<Record<Scheme, Call[]>> = { ed25519: [], secp256k1: [] };
  #queuedChecks = 0;
  #queuedBytes = 0;
  /** When threads were lost lately. */
  #losses: number[] = [];
  #closed = false;

  constructor(
    options: BatchVerifierOptions,
    dependencies: { readonly logger: Logger; readonly now: () => number; readonly spawn: () => VerifyThread },
  ) {
    this.#options = {
      maxQueuedChecks: NODE_LIMITS.maxQueuedChecks,
      maxQueuedBytes: NODE_LIMITS.maxQueuedCheckBytes,
      timeoutMs: NODE_LIMITS.verifierTimeoutMs,
      ...options,
    };
    this.#logger = dependencies.logger;
    this.#now = dependencies.now;
    this.#spawn = dependencies.spawn;
  }

  verify(scheme: Scheme, checks: readonly SignatureCheck[]): Promise<readonly boolean[]> {
    return new Promise((resolve) => {
      const verdicts = checks.map(() => false);
      const call: Call = { verdicts, chunksLeft: 0, resolve };
      const chunks = this.#closed ? [] : chunksOf(scheme, call, checks);
      const bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
      const fits =
        this.#queuedChecks + checks.length <= this.#options.maxQueuedChecks &&
        this.#queuedBytes + bytes <= this.#options.maxQueuedBytes;
      this.#calls[scheme].push(call);
      if (fits) {
        for (const chunk of chunks) this.#queues[scheme].push(chunk);
        call.chunksLeft = chunks.length;
        this.#queuedChecks += chunks.reduce((sum, chunk) => sum + chunk.checks.length, 0);
        this.#queuedBytes += bytes;
      }
      this.#answer(scheme);
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const members = [...this.#members];
    this.#members.clear();
    for (const member of members) for (const chunk of member.abandon()) this.#settle(chunk, undefined);
    this.#dropQueues();
    await Promise.all(members.map((member) => member.thread.terminate()));
  }

  #dropQueues(): void {
    for (const queue of [this.#queues.ed25519, this.#queues.secp256k1])
      for (const chunk of queue.splice(0)) this.#settle(chunk, undefined);
  }

  /** Threads die one after the other: the main thread does it alone for a while. */
  #rests(): boolean {
    const since = this.#now() - NODE_LIMITS.verifierRestMs;
    this.#losses = this.#losses.filter((at) => at > since);
    return this.#losses.length >= NODE_LIMITS.maxVerifierLosses;
  }

  #dispatch(): void {
    for (;;) {
      const queue = this.#queues.ed25519.length > 0 ? this.#queues.ed25519 : this.#queues.secp256k1;
      if (queue.length === 0) return;
      const member = this.#idlest();
      const chunk = member === undefined ? undefined : queue.shift();
      if (member === undefined || chunk === undefined) break;
      member.send(chunk);
    }
    // Without a thread nobody would ever come back for what waits.
    if (this.#members.size === 0) this.#dropQueues();
  }

  /** The thread with the least work, a new one when all have some; `undefined`: all have as much as they may. */
  #idlest(): Member | undefined {
    let best: Member | undefined;
    for (const member of this.#members) if (best === undefined || member.load < best.load) best = member;
    if ((best === undefined || best.load > 0) && this.#members.size < this.#options.threads)
      best = this.#start() ?? best;
    return best !== undefined && best.load < CHUNKS_AHEAD ? best : undefined;
  }

  #start(): Member | undefined {
    if (this.#rests()) return undefined;
    let thread: VerifyThread;
    try {
      thread = this.#spawn();
    } catch (error) {
      this.#losses.push(this.#now());
      this.#logger.warn('a verifying thread cannot be started', { error });
      return undefined;
    }
    const member: Member = new Member(thread, this.#options.timeoutMs, {
      done: (chunk, verdicts) => {
        this.#settle(chunk, verdicts);
        this.#dispatch();
      },
      lost: (reason) => this.#lose(member, reason),
    });
    this.#members.add(member);
    return member;
  }

  #lose(member: Member, reason: string): void {
    if (!this.#members.delete(member)) return;
    this.#losses.push(this.#now());
    const chunks = member.abandon();
    this.#logger.warn('a verifying thread is lost; the main thread does its work', {
      reason,
      checks: chunks.reduce((sum, chunk) => sum + chunk.checks.length, 0),
    });
    member.thread.terminate().catch((error: unknown) => this.#logger.warn('a thread does not end', { error }));
    for (const chunk of chunks) this.#settle(chunk, undefined);
    this.#dispatch();
  }

  #settle({ scheme, call, places, checks, bytes }: Chunk, verdicts: Uint8Array | undefined): void {
    this.#queuedChecks -= checks.length;
    this.#queuedBytes -= bytes;
    call.chunksLeft -= 1;
    for (const [i, place] of places.entries()) call.verdicts[place] = verdicts?.[i] === 1;
    this.#answer(scheme);
  }

  /** In the order of the calls. */
  #answer(scheme: Scheme): void {
    const calls = this.#calls[scheme];
    for (let call = calls[0]; call !== undefined && call.chunksLeft === 0; call = calls[0]) {
      calls.shift();
      call.resolve(call.verdicts);
    }
  }
}

/** One thread and the chunks that it has. */
class Member {
  readonly thread: VerifyThread;
  readonly #timeoutMs: number;
  readonly #events: {
    readonly done: (chunk: Chunk, verdicts: Uint8Array) => void;
    readonly lost: (reason: string) => void;
  };
  readonly #pending = new Map<number, Chunk>();
  #nextId = 0;
  #alarm: NodeJS.Timeout | undefined;

  constructor(
    thread: VerifyThread,
    timeoutMs: number,
    events: {
      readonly done: (chunk: Chunk, verdicts: Uint8Array) => void;
      readonly lost: (reason: string) => void;
    },
  ) {
    this.thread = thread;
    this.#timeoutMs = timeoutMs;
    this.#events = events;
    thread.on('message', (response) => this.#receive(response));
    thread.on('error', (error) => events.lost(`it failed: ${String(error)}`));
    thread.on('exit', (code) => events.lost(`it ended with code ${code}`));
  }

  get load(): number {
    return this.#pending.size;
  }

  send(chunk: Chunk): void {
    const id = this.#nextId++;
    const checks = packChecks(chunk.checks);
    this.#pending.set(id, chunk);
    this.#watch();
    this.thread.postMessage({ id, scheme: chunk.scheme, checks }, [checks.buffer as ArrayBuffer]);
  }

  /** The chunks that it has not answered; it is listened to no more. */
  abandon(): readonly Chunk[] {
    const chunks = [...this.#pending.values()];
    this.#pending.clear();
    this.#watch();
    return chunks;
  }

  #receive({ id, verdicts }: VerifyResponse): void {
    const chunk = this.#pending.get(id);
    if (chunk === undefined || verdicts.length !== chunk.checks.length) {
      this.#events.lost('it answered something else');
      return;
    }
    this.#pending.delete(id);
    this.#watch();
    this.#events.done(chunk, verdicts);
  }

  #watch(): void {
    clearTimeout(this.#alarm);
    this.#alarm = undefined;
    if (this.#pending.size === 0) {
      this.thread.unref();
      return;
    }
    this.thread.ref();
    this.#alarm = setTimeout(() => this.#events.lost(`it is silent for ${this.#timeoutMs} ms`), this.#timeoutMs);
  }
}

/** What has the right lengths, in pieces that one thread does in some milliseconds. The rest stays false. */
function chunksOf(scheme: Scheme, call: Call, checks: readonly SignatureCheck[]): Chunk[] {
  const chunks: Chunk[] = [];
  for (const [place, check] of checks.entries()) {
    if (check.publicKey.length !== KEY_BYTES[scheme] || check.signature.length !== SIGNATURE_BYTES) continue;
    const bytes = check.message.length + KEY_BYTES[scheme] + SIGNATURE_BYTES;
    let open = chunks.at(-1);
    if (
      open === undefined ||
      open.checks.length >= NODE_LIMITS.verifierChunkChecks ||
      open.bytes + bytes > NODE_LIMITS.verifierChunkBytes
    ) {
      open = { scheme, call, places: [], checks: [], bytes: 0 };
      chunks.push(open);
    }
    open.places.push(place);
    open.checks.push(check);
    open.bytes += bytes;
  }
  return chunks;
}
