/** Jobs and the providers that execute them. Job ids are sequence numbers from 1, never reused. */
import type { Job, Params, Provider } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { JobSchema, JobStatus, ParamsSchema, ProviderSchema } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { create } from '#proto/message.ts';
import { bytesKey, bytesValue, u64Key } from '../../state/codecs.ts';
import { index, indexedMap, item, map, sequence, storeLayout } from '../../state/collections.ts';
import type { KvReader, KvWriter } from '../../state/kv-view.ts';
import { protoValue } from '../../state/proto-value.ts';

export const INFERENCE_STORE = 'inference';
/** Holds the credits of live jobs. */
export const ESCROW_ACCOUNT = 'inference_escrow';
/** Holds the providers' bonds. */
export const BOND_ACCOUNT = 'provider_bonds';

const layout = storeLayout(INFERENCE_STORE, {
  params: 0x01,
  nextId: 0x02,
  jobs: 0x03,
  live: 0x04,
  inputs: 0x05,
  outputs: 0x06,
  providers: 0x07,
});

export const DEFAULT_PARAMS: Params = create(ParamsSchema, {
  maxInputBytes: 64 * 1024,
  maxOutputBytes: 64 * 1024,
  jobStake: 1_000_000n,
  maxLiveJobs: 256,
  minDeadlineBlocks: 2,
  maxDeadlineBlocks: 10_000,
  commitWindowBlocks: 8,
  openWindowBlocks: 8,
  maxLiveGas: 200_000_000_000n,
  minFeePerGigagas: 100n,
});

const LIVE = 1n;

export function isLive(status: JobStatus): boolean {
  return status === JobStatus.ASSIGNED || status === JobStatus.COMMITTING || status === JobStatus.REVEALING;
}

export const params = item(layout.params, protoValue(ParamsSchema));
export const nextId = sequence(layout.nextId, 1n);
export const jobs = indexedMap(layout.jobs, u64Key, protoValue(JobSchema), {
  live: index(layout.live, u64Key, u64Key, (job: Job) => (isLive(job.status) ? LIVE : undefined)),
});
/** Inputs and outputs stand beside their jobs, because a job's record changes several times. */
export const inputs = map(layout.inputs, u64Key, bytesValue);
export const outputs = map(layout.outputs, u64Key, bytesValue);
/** By account. */
export const providers = map(layout.providers, bytesKey, protoValue(ProviderSchema));

export function getParams(store: KvReader): Params {
  return params.get(store) ?? DEFAULT_PARAMS;
}

/** Jobs that are not final, oldest first. */
export function liveJobs(store: KvReader): readonly Job[] {
  const found: Job[] = [];
  for (const id of jobs.indexes.live.keysOf(store, LIVE)) {
    const job = jobs.get(store, id);
    if (job !== undefined) found.push(job);
  }
  return found;
}

/** A provider's bond; without one, nothing bonded. */
export function getProvider(store: KvReader, address: Uint8Array, text: string): Provider {
  return providers.get(store, address) ?? create(ProviderSchema, { address: text });
}

export function setProvider(store: KvWriter, address: Uint8Array, provider: Provider): void {
  if (provider.bonded === 0n && provider.reserved === 0n) providers.delete(store, address);
  else providers.set(store, address, provider);
}

/** What no live job reserves. */
export function freeBond(provider: Provider): bigint {
  return provider.bonded - provider.reserved;
}
