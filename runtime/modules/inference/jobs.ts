/** The steps of a job that follow from blocks rather than from messages. Each keeps escrow and bonds in step. */
import { assert, defined } from '#core/assert.ts';
import { type Job, JobStatus, RefundReason } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { moduleAddress, parseAddress } from '../../address.ts';
import type { ChainParams } from '../../context.ts';
import { ledgerOf, sendCoins } from '../bank/ledger.ts';
import { type Scope, settleCredits } from '../credits/settlement.ts';
import { CREDIT_DENOM } from '../credits/state.ts';
import { MODELS_STORE, models } from '../models/state.ts';
import { reasonName, refundSentence } from './reasons.ts';
import { ESCROW_ACCOUNT, getProvider, INFERENCE_STORE, isLive, jobs, liveJobs, setProvider } from './state.ts';

/** An address that stands in our own store. */
export function storedAddress(chain: ChainParams, text: string): Uint8Array {
  const address = parseAddress(chain, text, 'stored address');
  assert(address.ok, `the stored address ${text} does not parse`);
  return address.value;
}

function releaseStake(scope: Scope, job: Job): void {
  const store = scope.state.store(INFERENCE_STORE);
  const address = storedAddress(scope.chain, job.provider);
  const provider = getProvider(store, address, job.provider);
  assert(provider.reserved >= job.stake, `job ${job.id} reserves more than its provider has`);
  setProvider(store, address, { ...provider, reserved: provider.reserved - job.stake });
}

/** The committee has committed: from the next block on, all may open. */
export function beginReveal(scope: Scope, job: Job): void {
  assert(job.status === JobStatus.COMMITTING, `job ${job.id} cannot begin to reveal`);
  jobs.set(scope.state.store(INFERENCE_STORE), job.id, {
    ...job,
    status: JobStatus.REVEALING,
    revealingHeight: scope.block.height,
    windowStartSeconds: scope.block.time.seconds,
    windowGas: job.gasLimit,
  });
  scope.events.emit('inference_revealing', [['job_id', String(job.id)]]);
}

export function refundJob(scope: Scope, job: Job, reason: RefundReason): void {
  assert(isLive(job.status), `job ${job.id} is final`);
  const coins = [{ denom: CREDIT_DENOM, amount: job.fee }];
  const escrow = moduleAddress(ESCROW_ACCOUNT);
  const sent = sendCoins(ledgerOf(scope), escrow, storedAddress(scope.chain, job.requester), coins);
  assert(sent.ok, `the escrow of job ${job.id} is missing`);
  releaseStake(scope, job);
  jobs.set(scope.state.store(INFERENCE_STORE), job.id, {
    ...job,
    status: JobStatus.REFUNDED,
    refundReason: reason,
    finalHeight: scope.block.height,
  });
  scope.events.emit('inference_refunded', [
    ['job_id', String(job.id)],
    ['reason', reasonName(reason)],
    ['sentence', refundSentence(reason)],
  ]);
}

/** @param validators accounts of those that opened the same result; undefined for one without an account. */
export function settleJob(scope: Scope, job: Job, validators: readonly (Uint8Array | undefined)[]): void {
  assert(job.status === JobStatus.REVEALING && job.result !== undefined, `job ${job.id} has no result to settle`);
  const model = defined(models.get(scope.state.store(MODELS_STORE), job.modelId), 'model of a job');
  const settlement = settleCredits(scope, ESCROW_ACCOUNT, job.fee, {
    provider: storedAddress(scope.chain, job.provider),
    creator: storedAddress(scope.chain, model.creator),
    validators,
  });
  releaseStake(scope, job);
  jobs.set(scope.state.store(INFERENCE_STORE), job.id, {
    ...job,
    status: JobStatus.SETTLED,
    finalHeight: scope.block.height,
    settlement,
  });
  scope.events.emit('inference_settled', [
    ['job_id', String(job.id)],
    ['credits', `${settlement.credits}${CREDIT_DENOM}`],
    ['backing', `${settlement.backing}${scope.chain.baseDenom}`],
    ['destroyed', `${settlement.destroyed}${scope.chain.baseDenom}`],
  ]);
}

/** Refunds what no provider has sealed in time. */
export function refundUnsealed(scope: Scope): void {
  for (const job of liveJobs(scope.state.store(INFERENCE_STORE)))
    if (job.status === JobStatus.ASSIGNED && scope.block.height >= job.deadline)
      refundJob(scope, job, RefundReason.NOT_SEALED);
}
