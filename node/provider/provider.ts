/**
 * A provider: executes the jobs that name it, seals each result, and opens it when the validators have committed. All its
 * state is on the chain: a result that is computed again is the same, and so is its salt.
 */
import { equal, toHex } from '#core/bytes.ts';
import { decodeAddress } from '#core/codec/bech32.ts';
import { type Opened, sealHash } from '#core/poi/formats.ts';
import type { Logger } from '#core/ports/logger.ts';
import { type Job, JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import * as q from '#proto/gen/autonomy/inference/v1/query_pb.ts';
import { MsgOpenResultSchema, MsgSealResultSchema } from '#proto/gen/autonomy/inference/v1/tx_pb.ts';
import * as mq from '#proto/gen/autonomy/models/v1/query_pb.ts';
import { pack } from '#proto/message.ts';
import type { ChainClient } from '../client/chain-client.ts';
import type { Sender } from '../client/sender.ts';
import {
  type ChainCallLimits,
  describeResult,
  type ExecuteModel,
  executeJob,
  type JobResult,
} from '../duties/execute-job.ts';
import { deriveSalt } from '../duties/secret.ts';

export interface ProviderOptions {
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** Between two looks at the chain. */
  readonly pollMs: number;
  /** Jobs under way at a time. */
  readonly maxJobs: number;
}

export interface ProviderDeps {
  readonly chain: ChainClient;
  readonly sender: Sender;
  readonly execute: ExecuteModel;
  readonly logger: Logger;
}

export interface RunningProvider {
  /** Resolves when nothing is under way any more. */
  close(): Promise<void>;
}

interface Work {
  result: JobResult | undefined;
  busy: boolean;
  /** Status in which its step is done: an answer that was on its way meanwhile may still show it. */
  doneIn: JobStatus | undefined;
  /** Not before this time, ms: after a failure the next try waits. */
  notBefore: number;
  failures: number;
}

const MAX_BACKOFF_MS = 30_000;

class Provider implements RunningProvider {
  readonly #options: ProviderOptions;
  readonly #deps: ProviderDeps;
  readonly #address: Uint8Array;
  readonly #work = new Map<bigint, Work>();
  readonly #pending = new Set<Promise<void>>();
  readonly #stop = Promise.withResolvers<void>();
  #closed = false;
  readonly #loop: Promise<void>;

  constructor(options: ProviderOptions, deps: ProviderDeps) {
    this.#options = options;
    this.#deps = deps;
    const decoded = decodeAddress(deps.sender.address);
    if (!decoded.ok) throw new RangeError(decoded.error);
    this.#address = decoded.value.bytes;
    this.#loop = this.#run();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop.resolve();
    await this.#loop;
    while (this.#pending.size > 0) await Promise.allSettled([...this.#pending]);
  }

  async #run(): Promise<void> {
    let down = false;
    while (!this.#closed) {
      try {
        await this.#look();
        if (down) this.#deps.logger.info('the node answers again');
        down = false;
      } catch (error) {
        if (!down) this.#deps.logger.warn('the chain cannot be asked; trying again', { error });
        down = true;
      }
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#options.pollMs);
    await Promise.race([promise, this.#stop.promise]);
    clearTimeout(timer);
  }

  async #look(): Promise<void> {
    const { jobs } = await this.#deps.chain.query(
      '/autonomy.inference.v1.Query/LiveJobs',
      q.QueryLiveJobsRequestSchema,
      { provider: this.#deps.sender.address },
      q.QueryLiveJobsResponseSchema,
    );
    const live = new Set(jobs.map(({ id }) => id));
    for (const [id, { busy }] of this.#work) if (!live.has(id) && !busy) this.#work.delete(id);
    for (const job of jobs) {
      const due = job.status === JobStatus.ASSIGNED || (job.status === JobStatus.REVEALING && job.result === undefined);
      if (due) this.#begin(job);
    }
  }

  #begin(job: Job): void {
    const work = this.#work.get(job.id) ?? {
      result: undefined,
      busy: false,
      doneIn: undefined,
      notBefore: 0,
      failures: 0,
    };
    if (
      work.busy ||
      work.doneIn === job.status ||
      Date.now() < work.notBefore ||
      this.#pending.size >= this.#options.maxJobs
    )
      return;
    this.#work.set(job.id, work);
    work.busy = true;
    const done: Promise<void> = this.#advance(job, work)
      .then(() => {
        work.failures = 0;
        work.doneIn = job.status;
      })
      .catch((error: unknown) => {
        work.failures++;
        work.notBefore = Date.now() + Math.min(this.#options.pollMs * 2 ** work.failures, MAX_BACKOFF_MS);
        this.#deps.logger.error('a job did not go on', { job: job.id, error });
      })
      .finally(() => {
        work.busy = false;
        this.#pending.delete(done);
      });
    this.#pending.add(done);
  }

  /** One step of a job: seal it or open it. */
  async #advance(job: Job, work: Work): Promise<void> {
    const { logger, sender } = this.#deps;
    const result = work.result ?? (await this.#execute(job));
    work.result = result;
    const opened = this.#opened(job, result);
    const seal = sealHash({ chainId: sender.chainId, job: job.id, address: this.#address }, opened);
    if (job.status === JobStatus.ASSIGNED) {
      const message = pack(MsgSealResultSchema, { provider: sender.address, jobId: job.id, seal });
      const { height } = await sender.send([message]);
      logger.info('sealed a result', { job: job.id, height });
      return;
    }
    if (!equal(seal, job.seal))
      throw new Error(`job ${job.id} was sealed as ${toHex(job.seal)}, this provider would seal ${toHex(seal)}`);
    const { kind, code, output, traceRoot, gasUsed } = result;
    const { salt } = opened;
    const open = { provider: sender.address, jobId: job.id, kind, code, output, traceRoot, gasUsed, salt };
    const { height } = await sender.send([pack(MsgOpenResultSchema, open)]);
    logger.info('opened a result', { job: job.id, height });
  }

  #opened(job: Job, { kind, outputRoot, traceRoot, gasUsed }: JobResult): Opened {
    const { chainId } = this.#deps.sender;
    const where = { chainId, job: job.id, role: 'provider', address: this.#address } as const;
    return { kind, outputRoot, traceRoot, gasUsed, salt: deriveSalt(this.#options.secret, where) };
  }

  async #execute(job: Job): Promise<JobResult> {
    const { chain, execute, logger } = this.#deps;
    const result = await executeJob(
      job,
      await this.#limits(),
      {
        input: async (jobId) =>
          (
            await chain.query(
              '/autonomy.inference.v1.Query/Input',
              q.QueryInputRequestSchema,
              { jobId },
              q.QueryInputResponseSchema,
            )
          ).input,
        component: async (hash) =>
          (
            await chain.query(
              '/autonomy.models.v1.Query/Component',
              mq.QueryComponentRequestSchema,
              { hash },
              mq.QueryComponentResponseSchema,
            )
          ).component,
      },
      execute,
    );
    if (!result.ok) throw new Error(`no result on this host: ${result.error.reason}: ${result.error.detail}`);
    logger.info('executed a job', { job: job.id, ...describeResult(result.value) });
    return result.value;
  }

  async #limits(): Promise<ChainCallLimits> {
    const { chain } = this.#deps;
    const inference = await chain.query(
      '/autonomy.inference.v1.Query/Params',
      q.QueryParamsRequestSchema,
      {},
      q.QueryParamsResponseSchema,
    );
    const models = await chain.query(
      '/autonomy.models.v1.Query/Params',
      mq.QueryParamsRequestSchema,
      {},
      mq.QueryParamsResponseSchema,
    );
    return {
      maxOutputBytes: inference.params?.maxOutputBytes ?? 0,
      maxMemoryPages: models.params?.maxMemoryPages ?? 0,
    };
  }
}

export function startProvider(options: ProviderOptions, deps: ProviderDeps): RunningProvider {
  return new Provider(options, deps);
}
