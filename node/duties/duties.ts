/**
 * A validator's duties: after each commit it looks which jobs wait for its word, executes them in the background, and has
 * ready what the next vote extension says. Asking for the extension never waits for work.
 */
import { equal, toHex } from '#core/bytes.ts';
import {
  type Commitment,
  EXTENSION_LIMITS,
  encodeExtension,
  type Opened,
  type VerdictOpening,
  verdictHash,
} from '#core/poi/formats.ts';
import type { Duties } from '#core/ports/duties.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { Result } from '#core/result.ts';
import { JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { QueryInputRequestSchema, QueryInputResponseSchema } from '#proto/gen/autonomy/inference/v1/query_pb.ts';
import { QueryComponentRequestSchema, QueryComponentResponseSchema } from '#proto/gen/autonomy/models/v1/query_pb.ts';
import { type Duty, QueryDutiesRequestSchema, QueryDutiesResponseSchema } from '#proto/gen/autonomy/poi/v1/query_pb.ts';
import { type DescMessage, decodeStrict, encode, type MessageInitShape, type MessageShape } from '#proto/message.ts';
import { type ChainCallLimits, describeResult, type ExecuteModel, executeJob, type JobSource } from './execute-job.ts';
import { deriveSalt } from './secret.ts';
import type { Verdict, VerdictFiles } from './verdict-files.ts';

export interface DutiesOptions {
  readonly chainId: string;
  /** Consensus address, 20 bytes. */
  readonly validator: Uint8Array;
  /** 32 bytes, `config/duty_key.json`. */
  readonly secret: Uint8Array;
}

export interface DutiesDeps {
  /** Answers a query against the latest committed state: encoded request in, encoded response out. */
  readonly query: (path: string, request: Uint8Array) => Result<Uint8Array, string>;
  readonly execute: ExecuteModel;
  readonly files: VerdictFiles;
  readonly logger: Logger;
}

export interface NodeDuties extends Duties {
  /** A block is committed and queryable: look for work. */
  committed(): void;
  /** Resolves when no execution and no file is under way. */
  idle(): Promise<void>;
  /** Begins nothing any more; resolves when all is {@link idle}. What runs models may be closed meanwhile. */
  close(): Promise<void>;
}

/** Times that a job is tried again after a fault of this host, one a block. */
const MAX_ATTEMPTS = 3;

interface Work {
  verdict: Verdict | undefined;
  /** Height of the last vote that said something about it; −1: none. */
  said: bigint;
  running: boolean;
  attempts: number;
}

function compareBig(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

class ValidatorDuties implements NodeDuties {
  readonly #options: DutiesOptions;
  readonly #deps: DutiesDeps;
  readonly #work = new Map<bigint, Work>();
  readonly #pending = new Set<Promise<void>>();
  #open: readonly Duty[] = [];
  #closed = false;
  /** Jobs that were told of: each warning once. */
  readonly #warned = new Set<bigint>();

  constructor(options: DutiesOptions, deps: DutiesDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  committed(): void {
    if (this.#closed) return;
    const answer = this.#ask(
      '/autonomy.poi.v1.Query/Duties',
      QueryDutiesRequestSchema,
      { validator: this.#options.validator },
      QueryDutiesResponseSchema,
    );
    if (answer === undefined) return;
    this.#open = answer.duties;
    this.#forget(new Set(answer.duties.flatMap(({ job }) => (job === undefined ? [] : [job.id]))));
    for (const duty of answer.duties) this.#begin(duty, answer);
  }

  extension(height: bigint): Uint8Array {
    const commitments: Commitment[] = [];
    const openings: VerdictOpening[] = [];
    for (const { job, commitment, opened } of this.#open) {
      const verdict = job && this.#work.get(job.id)?.verdict;
      if (job === undefined || verdict === undefined) continue;
      const opening: Opened = { ...verdict, salt: this.#salt(job.id) };
      const hash = verdictHash(this.#author(job.id), opening);
      if (job.status === JobStatus.COMMITTING && commitment.length === 0) commitments.push({ job: job.id, hash });
      if (job.status !== JobStatus.REVEALING || opened || commitment.length === 0) continue;
      if (equal(hash, commitment)) openings.push({ job: job.id, ...opening });
      else this.#warnOnce(job.id, 'the recorded commitment is not of this verdict: it cannot be opened', { hash });
    }
    return encodeExtension({
      commitments: this.#choose(height, commitments, EXTENSION_LIMITS.commitments),
      openings: this.#choose(height, openings, EXTENSION_LIMITS.openings),
    });
  }

  /**
   * At most `limit`, the oldest of those that were said least lately: what the vote before said is on its way into a block,
   * and windows are too short to say everything twice.
   */
  #choose<T extends { readonly job: bigint }>(height: bigint, items: readonly T[], limit: number): readonly T[] {
    const saidBefore = ({ job }: T): bigint => {
      const said = this.#work.get(job)?.said ?? -1n;
      return said < height ? said : -1n;
    };
    const chosen = items
      .toSorted((a, b) => compareBig(saidBefore(a), saidBefore(b)) || compareBig(a.job, b.job))
      .slice(0, limit);
    for (const { job } of chosen) {
      const work = this.#work.get(job);
      if (work !== undefined) work.said = height;
    }
    return chosen.sort((a, b) => compareBig(a.job, b.job));
  }

  async idle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled([...this.#pending]);
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.idle();
  }

  #author(job: bigint) {
    return { chainId: this.#options.chainId, job, address: this.#options.validator };
  }

  #salt(job: bigint): Uint8Array {
    return deriveSalt(this.#options.secret, { ...this.#author(job), role: 'validator' });
  }

  /** Drops what is final. */
  #forget(open: ReadonlySet<bigint>): void {
    let dropped = false;
    for (const id of this.#work.keys()) {
      if (open.has(id) || this.#work.get(id)?.running === true) continue;
      this.#work.delete(id);
      this.#warned.delete(id);
      dropped = true;
    }
    if (dropped) this.#track(this.#deps.files.keep(new Set([...open, ...this.#work.keys()])));
  }

  #begin(duty: Duty, limits: ChainCallLimits): void {
    const { job } = duty;
    if (job === undefined) return;
    // Too late to commit: an execution would be for nothing.
    if (job.status === JobStatus.REVEALING && (duty.opened || duty.commitment.length === 0)) return;
    const work = this.#work.get(job.id) ?? { verdict: undefined, said: -1n, running: false, attempts: 0 };
    this.#work.set(job.id, work);
    if (work.verdict !== undefined || work.running || work.attempts === MAX_ATTEMPTS) return;
    work.running = true;
    work.attempts++;
    this.#track(
      this.#obtain(job, limits)
        .then((verdict) => {
          work.verdict = verdict;
        })
        .finally(() => {
          work.running = false;
        }),
    );
  }

  async #obtain(job: NonNullable<Duty['job']>, limits: ChainCallLimits): Promise<Verdict | undefined> {
    const saved = await this.#deps.files.load(job.id);
    if (saved !== undefined) return saved;
    const result = await executeJob(job, limits, this.#source(), this.#deps.execute);
    if (!result.ok) {
      // Closing ends whatever is under way: the next start takes it up again.
      if (this.#closed) return undefined;
      this.#deps.logger.error('a job ended in a fault of this host: no verdict', {
        job: job.id,
        reason: result.error.reason,
        detail: result.error.detail,
      });
      return undefined;
    }
    await this.#deps.files.save(job.id, result.value);
    this.#deps.logger.info('executed a job', { job: job.id, ...describeResult(result.value) });
    return result.value;
  }

  #source(): JobSource {
    return {
      input: async (jobId) =>
        this.#ask('/autonomy.inference.v1.Query/Input', QueryInputRequestSchema, { jobId }, QueryInputResponseSchema)
          ?.input,
      component: async (hash) =>
        this.#ask(
          '/autonomy.models.v1.Query/Component',
          QueryComponentRequestSchema,
          { hash },
          QueryComponentResponseSchema,
        )?.component,
    };
  }

  #ask<Q extends DescMessage, A extends DescMessage>(
    path: string,
    request: Q,
    init: MessageInitShape<Q>,
    response: A,
  ): MessageShape<A> | undefined {
    const answer = this.#deps.query(path, encode(request, init));
    const decoded = answer.ok ? decodeStrict(response, answer.value) : answer;
    if (decoded.ok) return decoded.value;
    this.#deps.logger.error('a query for duties failed', { path, error: decoded.error });
    return undefined;
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work
      .catch((error: unknown) => this.#deps.logger.error('duties failed', { error }))
      .finally(() => this.#pending.delete(tracked));
    this.#pending.add(tracked);
  }

  #warnOnce(job: bigint, message: string, { hash }: { readonly hash: Uint8Array }): void {
    if (this.#warned.has(job)) return;
    this.#warned.add(job);
    this.#deps.logger.error(message, { job, hash: toHex(hash) });
  }
}

export function createDuties(options: DutiesOptions, deps: DutiesDeps): NodeDuties {
  return new ValidatorDuties(options, deps);
}
