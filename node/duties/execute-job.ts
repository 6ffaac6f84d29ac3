/** Executing a job as it stands on the chain: the same for its provider and for every validator. */
import { createHash } from 'node:crypto';
import { equal, toHex } from '#core/bytes.ts';
import { type Opened, outputRoot } from '#core/poi/formats.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Job } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import {
  type ExecutionOutcome,
  type HostFault,
  hostFault,
  outcomeCode,
  outcomeKindByte,
  outcomeOutput,
} from '#vm/outcome.ts';
import type { VmPool } from '../vm/pool.ts';

/** Runs models: the pool of child processes, or what a test puts in its place. */
export type ExecuteModel = VmPool['execute'];

/** Where a job's input and component come from; undefined: they cannot be had. */
export interface JobSource {
  input(job: bigint): Promise<Uint8Array | undefined>;
  component(hash: Uint8Array): Promise<Uint8Array | undefined>;
}

/** Bounds of a call that the chain sets for everybody. */
export interface ChainCallLimits {
  readonly maxOutputBytes: number;
  readonly maxMemoryPages: number;
}

/** A result without its salt, with the output that its root covers. */
export interface JobResult extends Omit<Opened, 'salt'> {
  readonly code: number;
  readonly output: Uint8Array;
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

/** The result, or why this host has none: then nobody may take anything for it. */
export async function executeJob(
  job: Job,
  limits: ChainCallLimits,
  source: JobSource,
  execute: ExecuteModel,
): Promise<Result<JobResult, HostFault>> {
  const input = await source.input(job.id);
  // Whoever serves the data might be wrong about it: the chain has its hashes.
  if (input === undefined || !equal(sha256(input), job.inputHash))
    return err(hostFault('component-unavailable', `the input of job ${job.id} is not the one with its hash`));
  const outcome: ExecutionOutcome = await execute({
    componentHash: job.componentHash,
    // Tens of megabytes: it is the pool's child that checks their hash, not this thread.
    component: () => source.component(job.componentHash),
    input,
    seed: job.seed,
    gasLimit: job.gasLimit,
    limits: { inputBytes: input.length, outputBytes: limits.maxOutputBytes, memoryPages: limits.maxMemoryPages },
  });
  if (outcome.kind === 'host-fault') return err(outcome);
  const kind = outcomeKindByte(outcome);
  const code = outcomeCode(outcome);
  const output = new Uint8Array(outcomeOutput(outcome));
  return ok({
    kind,
    code,
    output,
    outputRoot: outputRoot(kind, code, output),
    traceRoot: new Uint8Array(outcome.traceRoot),
    gasUsed: outcome.gasUsed,
  });
}

/** For the operator's log. */
export function describeResult(result: Pick<JobResult, 'kind' | 'code' | 'outputRoot' | 'gasUsed'>) {
  const { kind, code, gasUsed } = result;
  return { kind, code, gasUsed, outputRoot: toHex(result.outputRoot) };
}
