/**
 * A pool of child processes that run models. A process can be killed within milliseconds whatever it does; a thread
 * inside a bulk operation cannot. A child that is lost costs a retry, then a host fault: never a result.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { assert } from '#core/assert.ts';
import { toHex } from '#core/bytes.ts';
import { vmError } from '#core/errors.ts';
import type { Logger } from '#core/ports/logger.ts';
import { err, type Result } from '#core/result.ts';
import type { CallLimits } from '#vm/limits.ts';
import { CALL_LIMITS, MAX_GAS_LIMIT } from '#vm/limits.ts';
import { type ExecutionOutcome, type HostFault, hostFault } from '#vm/outcome.ts';
import { VM_LIMITS } from './limits.ts';
import type { FromChild, Task, ToChild } from './messages.ts';

export interface VmPoolOptions {
  /** Child processes, each running one call at a time. */
  readonly workers: number;
  readonly callTimeoutMs?: number;
  readonly callTimeoutMsPerGigagas?: number;
  /** Flags of the child's engine, for tests: `['--no-liftoff']`. */
  readonly engineFlags?: readonly string[];
}

export interface VmPoolDeps {
  readonly logger: Logger;
}

/** Which model: its hash, and where its bytes can be had when a child does not hold it compiled. */
export interface ModelSource {
  /** SHA-256 of the component. */
  readonly componentHash: Uint8Array;
  readonly component: () => Promise<Uint8Array | undefined>;
}

interface RunRequest extends ModelSource {
  /** u64. */
  readonly seed: bigint;
  readonly gasLimit: bigint;
  readonly limits: CallLimits;
}

export interface ExecuteRequest extends RunRequest {
  readonly input: Uint8Array;
}

/** Of a model of world `trainable-model`; weights and data together are bounded as an input is. */
export interface TrainStepRequest extends RunRequest {
  readonly weights: Uint8Array;
  readonly data: Uint8Array;
}

export interface VmPool {
  /** Never rejects for a reason outside this program; the caller has bounded input and gas limit. */
  readonly execute: (request: ExecuteRequest) => Promise<ExecutionOutcome>;
  /** Likewise; the output is the new weights. */
  readonly trainStep: (request: TrainStepRequest) => Promise<ExecutionOutcome>;
  readonly describe: (source: ModelSource) => Promise<Result<string>>;
  /** Process ids of the children that run now. */
  readonly pids: () => readonly number[];
  readonly close: () => Promise<void>;
}

interface Job {
  readonly source: ModelSource;
  readonly model: string;
  readonly memoryPages: number;
  readonly task: Task;
  readonly timeoutMs: number;
  readonly resolve: (answer: FromChild | HostFault) => void;
  attempts: number;
}

interface Worker {
  child: ChildProcess | undefined;
  /** Whether the child is up. */
  ready: boolean;
  job: Job | undefined;
  /** Why the current child is being killed, when it is we who kill it. */
  doom: HostFault | undefined;
  timer: NodeJS.Timeout | undefined;
}

interface Pool {
  readonly options: VmPoolOptions;
  readonly logger: Logger;
  readonly workers: Worker[];
  readonly queue: Job[];
  nextId: number;
  closed: boolean;
}

const CHILD = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js', import.meta.url));

function spawn(pool: Pool, worker: Worker): ChildProcess {
  const child = fork(CHILD, [], {
    serialization: 'advanced',
    // Nothing of the node's environment: the glue and the engine read debugging switches from it.
    env: {},
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [
      `--max-old-space-size=${VM_LIMITS.heapMiB}`,
      `--stack-size=${VM_LIMITS.stackKiB}`,
      ...(pool.options.engineFlags ?? []),
    ],
  });
  child.on('message', (message) => {
    if (worker.child === child) received(pool, worker, message as FromChild);
  });
  child.on('exit', (code, signal) => {
    if (worker.child === child) lost(pool, worker, `exit code ${code ?? 'none'}, signal ${signal ?? 'none'}`);
  });
  child.on('error', (error) => {
    if (worker.child === child) lost(pool, worker, String(error));
  });
  return child;
}

function send(worker: Worker, message: ToChild): void {
  // A failed send means that the child is gone: its exit is reported too, and handled there.
  worker.child?.send(message, () => undefined);
}

/** Resolves when the message is with the system, or the child is gone. */
function sent(child: ChildProcess, message: ToChild): Promise<void> {
  return new Promise((resolve) => {
    child.send(message, () => resolve());
  });
}

function arm(worker: Worker, ms: number, fault: HostFault): void {
  clearTimeout(worker.timer);
  worker.timer = setTimeout(() => {
    worker.doom = fault;
    worker.child?.kill('SIGKILL');
  }, ms);
}

function sendTask(pool: Pool, worker: Worker, job: Job): void {
  arm(worker, job.timeoutMs, hostFault('timeout', `no answer within ${job.timeoutMs} ms`));
  send(worker, { kind: 'task', id: pool.nextId++, model: job.model, task: job.task });
}

function settle(pool: Pool, worker: Worker, answer: FromChild | HostFault): void {
  const { job } = worker;
  clearTimeout(worker.timer);
  worker.job = undefined;
  worker.doom = undefined;
  job?.resolve(answer);
  pump(pool);
}

/** The child ended. A job that did not doom it is tried once more. */
function lost(pool: Pool, worker: Worker, how: string): void {
  const { job, doom } = worker;
  worker.child = undefined;
  worker.ready = false;
  if (job === undefined) return;
  if (doom === undefined && job.attempts <= VM_LIMITS.retries && !pool.closed) {
    pool.logger.warn('a model child ended during a call, which is tried again', { how, attempts: job.attempts });
    clearTimeout(worker.timer);
    start(pool, worker, job);
    return;
  }
  const fault = doom ?? hostFault('child-lost', how);
  pool.logger.error('a call ended in a host fault', { reason: fault.reason, detail: fault.detail });
  settle(pool, worker, fault);
}

async function load(pool: Pool, worker: Worker, job: Job): Promise<void> {
  const { child } = worker;
  const ms = VM_LIMITS.loadTimeoutMs;
  arm(worker, ms, hostFault('timeout', `model not read and loaded within ${ms} ms`));
  let component: Uint8Array | undefined;
  try {
    component = await job.source.component();
  } catch (error) {
    pool.logger.warn('the bytes of a model cannot be read', { error: String(error) });
  }
  if (worker.child !== child || worker.job !== job) return;
  if (component === undefined) {
    settle(pool, worker, hostFault('component-unavailable', `no bytes for component ${job.model}`));
    return;
  }
  const total = component.length;
  // Nobody else's turn may wait for tens of megabytes.
  for (let at = 0; at < total && child !== undefined; at += VM_LIMITS.partBytes) {
    await sent(child, { kind: 'part', at, total, bytes: component.subarray(at, at + VM_LIMITS.partBytes) });
    if (worker.child !== child || worker.job !== job) return;
  }
  const { model, memoryPages } = job;
  send(worker, { kind: 'load', id: pool.nextId++, model, memoryPages });
}

function received(pool: Pool, worker: Worker, message: FromChild): void {
  const { job } = worker;
  if (message.kind === 'ready') worker.ready = true;
  // A child that was killed may still be heard: its end is what settles the job, and the next one needs another child.
  if (job === undefined || worker.doom !== undefined) return;
  switch (message.kind) {
    case 'ready':
      sendTask(pool, worker, job);
      return;
    case 'missing':
      void load(pool, worker, job);
      return;
    case 'loaded':
      if (message.fault !== undefined) settle(pool, worker, message.fault);
      else sendTask(pool, worker, job);
      return;
    case 'executed':
    case 'described':
      settle(pool, worker, message);
      return;
  }
}

function start(pool: Pool, worker: Worker, job: Job): void {
  job.attempts++;
  worker.job = job;
  worker.child ??= spawn(pool, worker);
  if (worker.ready) {
    sendTask(pool, worker, job);
    return;
  }
  // The time of a call begins when the process is up: see `received`.
  const ms = VM_LIMITS.loadTimeoutMs;
  arm(worker, ms, hostFault('timeout', `child process not up within ${ms} ms`));
}

/** Hands waiting jobs to idle workers, first those that have a child already. */
function pump(pool: Pool): void {
  const idle = pool.workers.filter((worker) => worker.job === undefined);
  idle.sort((a, b) => Number(b.child !== undefined) - Number(a.child !== undefined));
  for (const worker of idle) {
    const job = pool.queue.shift();
    if (job === undefined) return;
    start(pool, worker, job);
  }
}

function submit(
  pool: Pool,
  source: ModelSource,
  memoryPages: number,
  task: Task,
  timeoutMs: number,
): Promise<FromChild | HostFault> {
  if (pool.closed) return Promise.resolve(hostFault('unavailable', 'the pool is closed'));
  if (pool.queue.length >= VM_LIMITS.queuedTasks)
    return Promise.resolve(hostFault('unavailable', `${pool.queue.length} tasks are waiting already`));
  return new Promise((resolve) => {
    const model = `${toHex(source.componentHash)}/${memoryPages}`;
    pool.queue.push({ source, model, memoryPages, task, timeoutMs, resolve, attempts: 0 });
    pump(pool);
  });
}

function timeoutMs(options: VmPoolOptions, gasLimit: bigint): number {
  const perGigagas = options.callTimeoutMsPerGigagas ?? VM_LIMITS.callTimeoutMsPerGigagas;
  const base = options.callTimeoutMs ?? VM_LIMITS.callTimeoutMs;
  // Timers take at most 2^31 - 1 ms.
  return Math.min(base + Math.ceil((Number(gasLimit) / 1e9) * perGigagas), 0x7fffffff);
}

function execute(pool: Pool, request: ExecuteRequest): Promise<ExecutionOutcome> {
  const { input, seed, gasLimit, limits } = request;
  const call = { input, seed, gasLimit, maxOutputBytes: limits.outputBytes };
  return run(pool, request, input.length, { kind: 'execute', call });
}

function trainStep(pool: Pool, request: TrainStepRequest): Promise<ExecutionOutcome> {
  const { weights, data, seed, gasLimit, limits } = request;
  const call = { weights, data, seed, gasLimit, maxOutputBytes: limits.outputBytes };
  return run(pool, request, weights.length + data.length, { kind: 'train', call });
}

async function run(pool: Pool, request: RunRequest, inputBytes: number, task: Task): Promise<ExecutionOutcome> {
  const { seed, gasLimit, limits } = request;
  assert(inputBytes <= limits.inputBytes, `input of ${inputBytes} bytes: expected at most ${limits.inputBytes}`);
  assert(gasLimit >= 0n && gasLimit <= MAX_GAS_LIMIT, `gas limit ${gasLimit}: expected 0 to ${MAX_GAS_LIMIT}`);
  assert(seed >= 0n && seed <= 0xffffffffffffffffn, `seed ${seed}: expected a u64`);
  const answer = await submit(pool, request, limits.memoryPages, task, timeoutMs(pool.options, gasLimit));
  if (answer.kind === 'executed') return answer.outcome;
  if (answer.kind === 'host-fault') return answer;
  return hostFault('engine', `a child answered ${answer.kind} to a call`);
}

async function describe(pool: Pool, source: ModelSource): Promise<Result<string>> {
  const ms = timeoutMs(pool.options, 0n);
  const answer = await submit(pool, source, CALL_LIMITS.memoryPages, { kind: 'describe' }, ms);
  if (answer.kind === 'described') return answer.result;
  return err(vmError('hostFault', answer.kind === 'host-fault' ? `${answer.reason}: ${answer.detail}` : answer.kind));
}

async function close(pool: Pool): Promise<void> {
  pool.closed = true;
  const fault = hostFault('unavailable', 'the pool is closed');
  for (const job of pool.queue.splice(0)) job.resolve(fault);
  const exits = pool.workers.map((worker) => {
    const { child, job } = worker;
    clearTimeout(worker.timer);
    worker.child = undefined;
    worker.job = undefined;
    job?.resolve(fault);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return undefined;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    return exited;
  });
  await Promise.all(exits);
}

export function createVmPool(options: VmPoolOptions, deps: VmPoolDeps): VmPool {
  assert(options.workers > 0, `${options.workers} workers: expected at least one`);
  const pool: Pool = {
    options,
    logger: deps.logger,
    workers: Array.from({ length: options.workers }, () => ({
      child: undefined,
      ready: false,
      job: undefined,
      doom: undefined,
      timer: undefined,
    })),
    queue: [],
    nextId: 1,
    closed: false,
  };
  return {
    execute: (request) => execute(pool, request),
    trainStep: (request) => trainStep(pool, request),
    describe: (source) => describe(pool, source),
    pids: () => pool.workers.flatMap((worker) => worker.child?.pid ?? []),
    close: () => close(pool),
  };
}
