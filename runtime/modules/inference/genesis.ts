/**
 * `app_state.inference`: `params`, each absent field its default, and after an export `next_id`, `jobs`, `inputs`,
 * `outputs` (by job) and `providers`.
 */
import { toBase64 } from '#core/bytes.ts';
import { MAX_INT64 } from '#core/int.ts';
import type { Result } from '#core/result.ts';
import { type Job, JobSchema, ParamsSchema, ProviderSchema } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { create } from '#proto/message.ts';
import { moduleAddress, parseAddress } from '../../address.ts';
import type { GenesisContext, QueryContext } from '../../context.ts';
import {
  asArrayOrEmpty,
  asInteger,
  asObject,
  isAbsent,
  JsonError,
  type JsonField,
  readJson,
  root,
} from '../../json.ts';
import type { Json } from '../../module.ts';
import { asBase64, asRecord, recordJson } from '../../records-json.ts';
import type { CollectionMap } from '../../state/collections.ts';
import type { KvReader, KvWriter } from '../../state/kv-view.ts';
import { BANK_STORE, balanceOf } from '../bank/state.ts';
import { CREDIT_DENOM } from '../credits/state.ts';
import { MODELS_STORE, models } from '../models/state.ts';
import { INFERENCE_LIMITS } from './limits.ts';
import {
  BOND_ACCOUNT,
  DEFAULT_PARAMS,
  ESCROW_ACCOUNT,
  freeBond,
  getParams,
  INFERENCE_STORE,
  inputs,
  isLive,
  jobs,
  liveJobs,
  nextId,
  outputs,
  params,
  providers,
} from './state.ts';

const MAX_BLOCKS = 1_000_000n;
/** Validators ask for all live jobs in one query, and its gas is bounded. */
const MAX_LIVE_JOBS = 4_000n;

export function initInference(context: GenesisContext, json: Json | undefined): Result<void, string> {
  return readJson(() => {
    const store = context.state.store(INFERENCE_STORE);
    const known = ['params', 'next_id', 'jobs', 'inputs', 'outputs', 'providers'] as const;
    const top = asObject(root(json ?? {}, 'app_state.inference'), known);
    params.set(store, readParams(top.params));
    for (const field of asArrayOrEmpty(top.jobs)) {
      const job = asRecord(field, JobSchema);
      if (jobs.has(store, job.id)) throw new JsonError(`${field.path}: job ${job.id} is listed twice`);
      if (isLive(job.status)) checkLive(context, field.path, job);
      jobs.set(store, job.id, job);
      if (nextId.peek(store) <= job.id) nextId.set(store, job.id + 1n);
    }
    readBytes(store, top.inputs, inputs);
    readBytes(store, top.outputs, outputs);
    for (const field of asArrayOrEmpty(top.providers)) {
      const provider = asRecord(field, ProviderSchema);
      const address = parseAddress(context.chain, provider.address, field.path);
      if (!address.ok) throw new JsonError(address.error.message);
      providers.set(store, address.value, provider);
    }
    if (!isAbsent(top.next_id)) nextId.set(store, asInteger(top.next_id, 1n, MAX_INT64));
    const breach = inferenceInvariants({ ...context, height: context.initialHeight })[0];
    if (breach !== undefined) throw new JsonError(`app_state.inference: ${breach}`);
  });
}

/** What the end of a live job relies on. */
function checkLive({ chain, state }: GenesisContext, path: string, job: Job): void {
  for (const [title, text] of [
    ['requester', job.requester],
    ['provider', job.provider],
  ] as const) {
    const address = parseAddress(chain, text, title);
    if (!address.ok) throw new JsonError(`${path}: ${address.error.message}`);
  }
  if (job.fee === 0n) throw new JsonError(`${path}: fee: expected at least 1, got 0`);
  if (!models.has(state.store(MODELS_STORE), job.modelId))
    throw new JsonError(`${path}: model ${job.modelId} is not listed`);
}

function readBytes(store: KvWriter, field: JsonField, into: CollectionMap<bigint, Uint8Array>): void {
  for (const entry of asArrayOrEmpty(field)) {
    const fields = asObject(entry, ['job', 'bytes']);
    const job = asInteger(fields.job, 1n, MAX_INT64);
    if (!jobs.has(store, job)) throw new JsonError(`${fields.job.path}: job ${job} is not listed`);
    into.set(store, job, asBase64(fields.bytes));
  }
}

function readParams(field: JsonField) {
  const names = [
    'max_input_bytes',
    'max_output_bytes',
    'job_stake',
    'max_live_jobs',
    'min_deadline_blocks',
    'max_deadline_blocks',
    'commit_window_blocks',
    'open_window_blocks',
    'max_live_gas',
    'min_fee_per_gigagas',
  ] as const;
  const fields = asObject({ path: field.path, value: field.value ?? {} }, names);
  const read = (name: (typeof names)[number], fallback: number, max: bigint): number =>
    isAbsent(fields[name]) ? fallback : Number(asInteger(fields[name], 1n, max));
  const readBig = (name: (typeof names)[number], fallback: bigint, min: bigint): bigint =>
    isAbsent(fields[name]) ? fallback : asInteger(fields[name], min, MAX_INT64);
  const inline = BigInt(INFERENCE_LIMITS.inlineBytes);
  const d = DEFAULT_PARAMS;
  return create(ParamsSchema, {
    maxInputBytes: read('max_input_bytes', d.maxInputBytes, inline),
    maxOutputBytes: read('max_output_bytes', d.maxOutputBytes, inline),
    jobStake: readBig('job_stake', d.jobStake, 1n),
    maxLiveJobs: read('max_live_jobs', d.maxLiveJobs, MAX_LIVE_JOBS),
    minDeadlineBlocks: read('min_deadline_blocks', d.minDeadlineBlocks, MAX_BLOCKS),
    maxDeadlineBlocks: read('max_deadline_blocks', d.maxDeadlineBlocks, MAX_BLOCKS),
    commitWindowBlocks: read('commit_window_blocks', d.commitWindowBlocks, MAX_BLOCKS),
    openWindowBlocks: read('open_window_blocks', d.openWindowBlocks, MAX_BLOCKS),
    maxLiveGas: readBig('max_live_gas', d.maxLiveGas, 1n),
    minFeePerGigagas: readBig('min_fee_per_gigagas', d.minFeePerGigagas, 0n),
  });
}

export function exportInference(context: QueryContext): Json {
  const store = context.state.store(INFERENCE_STORE);
  const p = getParams(store);
  return {
    params: {
      max_input_bytes: p.maxInputBytes,
      max_output_bytes: p.maxOutputBytes,
      job_stake: String(p.jobStake),
      max_live_jobs: p.maxLiveJobs,
      min_deadline_blocks: p.minDeadlineBlocks,
      max_deadline_blocks: p.maxDeadlineBlocks,
      commit_window_blocks: p.commitWindowBlocks,
      open_window_blocks: p.openWindowBlocks,
      max_live_gas: String(p.maxLiveGas),
      min_fee_per_gigagas: String(p.minFeePerGigagas),
    },
    next_id: String(nextId.peek(store)),
    jobs: [...jobs.entries(store)].map(([, job]) => recordJson(JobSchema, job)),
    inputs: bytesJson(store, inputs),
    outputs: bytesJson(store, outputs),
    providers: [...providers.entries(store)].map(([, provider]) => recordJson(ProviderSchema, provider)),
  };
}

function bytesJson(store: KvReader, from: CollectionMap<bigint, Uint8Array>): Json {
  return [...from.entries(store)].map(([job, bytes]) => ({ job: String(job), bytes: toBase64(bytes) }));
}

/** Escrow and bonds are what the jobs and providers say. */
export function inferenceInvariants(context: QueryContext): readonly string[] {
  const store = context.state.store(INFERENCE_STORE);
  const bank = context.state.store(BANK_STORE);
  const breaches: string[] = [];
  let fees = 0n;
  const reserved = new Map<string, bigint>();
  for (const job of liveJobs(store)) {
    fees += job.fee;
    if (job.id >= nextId.peek(store)) breaches.push(`inference: job ${job.id} is not below the next`);
    reserved.set(job.provider, (reserved.get(job.provider) ?? 0n) + job.stake);
  }
  const escrow = balanceOf(bank, moduleAddress(ESCROW_ACCOUNT), CREDIT_DENOM);
  if (escrow !== fees) breaches.push(`inference: escrow holds ${escrow}, live jobs say ${fees}`);
  let bonded = 0n;
  for (const [, provider] of providers.entries(store)) {
    bonded += provider.bonded;
    if (freeBond(provider) < 0n) breaches.push(`inference: ${provider.address} reserves more than it bonded`);
    if (provider.reserved !== (reserved.get(provider.address) ?? 0n))
      breaches.push(`inference: ${provider.address} reserves ${provider.reserved}, its jobs say otherwise`);
    reserved.delete(provider.address);
  }
  for (const address of reserved.keys()) breaches.push(`inference: ${address} has jobs but no bond`);
  const held = balanceOf(bank, moduleAddress(BOND_ACCOUNT), context.chain.baseDenom);
  if (held !== bonded) breaches.push(`inference: bonds hold ${held}, providers say ${bonded}`);
  return breaches;
}
