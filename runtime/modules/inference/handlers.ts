import { toHex } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { type InferenceError, inferenceError } from '#core/errors.ts';
import { divCeil, MAX_INT64, maxBig } from '#core/int.ts';
import { HASH_BYTES, isOutcomeKind, outputRoot, SALT_BYTES, sealHash } from '#core/poi/formats.ts';
import { err, type Failure, ok, type Result } from '#core/result.ts';
import {
  type Job,
  JobSchema,
  JobStatus,
  type Params,
  ResultSchema,
} from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import type * as tx from '#proto/gen/autonomy/inference/v1/tx_pb.ts';
import { create } from '#proto/message.ts';
import { formatAddress, moduleAddress, parseAddress } from '../../address.ts';
import type { ChainParams, MessageContext } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import type { KvReader } from '../../state/kv-view.ts';
import { ledgerOf, sendCoins } from '../bank/ledger.ts';
import { CREDIT_DENOM } from '../credits/state.ts';
import { MODELS_STORE, models } from '../models/state.ts';
import { statusName } from './reasons.ts';
import {
  BOND_ACCOUNT,
  ESCROW_ACCOUNT,
  freeBond,
  getParams,
  getProvider,
  INFERENCE_STORE,
  inputs,
  jobs,
  liveJobs,
  nextId,
  outputs,
  providers,
  setProvider,
} from './state.ts';
import { GIGAGAS } from './windows.ts';

type Empty = Result<Record<string, never>>;

const ADDRESS_BYTES = 20;

function refused(kind: InferenceError, message: string): { readonly ok: false; readonly error: Failure } {
  return err(inferenceError(kind, message));
}

/** The account of a message's signer: an ordinary one, whose 20 bytes stand in seals. */
export function readAccount(chain: ChainParams, text: string, title: string): Result<Uint8Array> {
  const address = parseAddress(chain, text, title);
  if (!address.ok || address.value.length === ADDRESS_BYTES) return address;
  return failSdk('invalidAddress', `${title}: ${address.value.length} bytes, expected ${ADDRESS_BYTES}`);
}

export function bondProvider(context: MessageContext, message: tx.MsgBondProvider): Empty {
  const address = readAccount(context.chain, message.provider, 'provider');
  if (!address.ok) return address;
  const store = context.state.store(INFERENCE_STORE);
  const provider = getProvider(store, address.value, formatAddress(context.chain, address.value));
  if (provider.bonded + message.amount > MAX_INT64)
    return failSdk('invalidRequest', 'amount: the bond exceeds 2^63 − 1');
  const coins = [{ denom: context.chain.baseDenom, amount: message.amount }];
  const sent = sendCoins(ledgerOf(context), address.value, moduleAddress(BOND_ACCOUNT), coins);
  if (!sent.ok) return sent;
  setProvider(store, address.value, { ...provider, bonded: provider.bonded + message.amount });
  context.events.emit('provider_bonded', [
    ['provider', provider.address],
    ['amount', `${message.amount}${context.chain.baseDenom}`],
  ]);
  return ok({});
}

export function unbondProvider(context: MessageContext, message: tx.MsgUnbondProvider): Empty {
  const address = readAccount(context.chain, message.provider, 'provider');
  if (!address.ok) return address;
  const store = context.state.store(INFERENCE_STORE);
  const provider = getProvider(store, address.value, formatAddress(context.chain, address.value));
  const free = freeBond(provider);
  if (message.amount > free)
    return refused(
      'bondTooSmall',
      `amount: ${message.amount} exceeds the free bond of ${free} (${provider.reserved} is reserved)`,
    );
  const coins = [{ denom: context.chain.baseDenom, amount: message.amount }];
  const sent = sendCoins(ledgerOf(context), moduleAddress(BOND_ACCOUNT), address.value, coins);
  if (!sent.ok) return sent;
  setProvider(store, address.value, { ...provider, bonded: provider.bonded - message.amount });
  context.events.emit('provider_unbonded', [
    ['provider', provider.address],
    ['amount', `${message.amount}${context.chain.baseDenom}`],
  ]);
  return ok({});
}

/** What a request must keep to besides accounts. */
function checkRequest(context: MessageContext, message: tx.MsgRequestInference, store: KvReader): Result<void> {
  const limits = getParams(store);
  if (message.input.length > limits.maxInputBytes)
    return refused('inputTooLarge', `input: ${message.input.length} bytes, expected at most ${limits.maxInputBytes}`);
  const first = context.block.height + BigInt(limits.minDeadlineBlocks);
  const last = context.block.height + BigInt(limits.maxDeadlineBlocks);
  if (message.deadline < first || message.deadline > last)
    return refused('badDeadline', `deadline: expected a height ${first} … ${last}, got ${message.deadline}`);
  const live = liveJobs(store);
  if (live.length >= limits.maxLiveJobs)
    return refused('tooManyJobs', `${limits.maxLiveJobs} jobs are live: try again when some are final`);
  // Every validator executes every job: more than this they could not do in time.
  const gas = live.reduce((sum, { gasLimit }) => sum + gasLimit, message.gasLimit);
  if (gas > limits.maxLiveGas)
    return refused(
      'tooManyJobs',
      `with this one live jobs would have ${gas} gas, expected at most ${limits.maxLiveGas}`,
    );
  return ok(undefined);
}

/** The model's price, or what its gas limit costs the validators if that is more. ucredit. */
function feeOf({ minFeePerGigagas }: Params, price: bigint, gasLimit: bigint): bigint {
  return maxBig(price, divCeil(gasLimit * minFeePerGigagas, GIGAGAS));
}

export function requestInference(context: MessageContext, message: tx.MsgRequestInference): Result<{ jobId: bigint }> {
  const requester = readAccount(context.chain, message.requester, 'requester');
  if (!requester.ok) return requester;
  const providerAddress = readAccount(context.chain, message.provider, 'provider');
  if (!providerAddress.ok) return providerAddress;
  const store = context.state.store(INFERENCE_STORE);
  const checked = checkRequest(context, message, store);
  if (!checked.ok) return checked;
  const model = models.get(context.state.store(MODELS_STORE), message.modelId);
  if (model === undefined) return failSdk('notFound', `model ${message.modelId}`);
  if (message.gasLimit < 1n || message.gasLimit > model.gasLimitMax)
    return refused('badGasLimit', `gas_limit: expected 1 … ${model.gasLimitMax}, got ${message.gasLimit}`);
  const fee = feeOf(getParams(store), model.price, message.gasLimit);
  if (message.maxFee < fee)
    return refused('feeTooLow', `max_fee: the job costs ${fee}${CREDIT_DENOM}, got ${message.maxFee}`);
  const provider = providers.get(store, providerAddress.value);
  if (provider === undefined) return refused('providerNotFound', `${message.provider} has no provider's bond`);
  const stake = getParams(store).jobStake;
  if (freeBond(provider) < stake)
    return refused(
      'bondTooSmall',
      `${message.provider} has ${freeBond(provider)} of free bond, a job reserves ${stake}`,
    );
  const escrow = [{ denom: CREDIT_DENOM, amount: fee }];
  const sent = sendCoins(ledgerOf(context), requester.value, moduleAddress(ESCROW_ACCOUNT), escrow);
  if (!sent.ok) return sent;
  setProvider(store, providerAddress.value, { ...provider, reserved: provider.reserved + stake });
  const job = create(JobSchema, {
    id: nextId.next(store),
    requester: formatAddress(context.chain, requester.value),
    provider: provider.address,
    modelId: model.id,
    componentHash: model.componentHash,
    inputHash: sha256(message.input),
    inputBytes: message.input.length,
    seed: message.seed,
    gasLimit: message.gasLimit,
    fee,
    stake,
    deadline: message.deadline,
    status: JobStatus.ASSIGNED,
    requestedHeight: context.block.height,
  });
  jobs.set(store, job.id, job);
  // ICS-23 proves no empty value: an empty input is not stored.
  if (message.input.length > 0) inputs.set(store, job.id, message.input);
  context.events.emit('inference_requested', [
    ['job_id', String(job.id)],
    ['model_id', String(job.modelId)],
    ['requester', job.requester],
    ['provider', job.provider],
    ['fee', `${job.fee}${CREDIT_DENOM}`],
    ['input_hash', toHex(job.inputHash)],
  ]);
  return ok({ jobId: job.id });
}

/** The job, when the signer is its provider and it is in `status`. */
function jobOf(store: KvReader, id: bigint, provider: string, status: JobStatus): Result<Job> {
  const job = jobs.get(store, id);
  if (job === undefined) return refused('jobNotFound', `job ${id} not found`);
  if (job.provider !== provider)
    return refused('notItsProvider', `job ${id}: its provider is ${job.provider}, not ${provider}`);
  if (job.status !== status)
    return refused('wrongStatus', `job ${id} is ${statusName(job.status)}, expected ${statusName(status)}`);
  return ok(job);
}

/** Gas limits of the jobs that validators are executing now, or have yet to. */
function waitingGas(store: KvReader): bigint {
  return liveJobs(store).reduce(
    (sum, { status, gasLimit }) => (status === JobStatus.COMMITTING ? sum + gasLimit : sum),
    0n,
  );
}

export function sealResult(context: MessageContext, message: tx.MsgSealResult): Empty {
  const address = readAccount(context.chain, message.provider, 'provider');
  if (!address.ok) return address;
  const store = context.state.store(INFERENCE_STORE);
  const job = jobOf(store, message.jobId, formatAddress(context.chain, address.value), JobStatus.ASSIGNED);
  if (!job.ok) return job;
  if (context.block.height > job.value.deadline)
    return refused('badDeadline', `job ${message.jobId}: its deadline was height ${job.value.deadline}`);
  jobs.set(store, message.jobId, {
    ...job.value,
    status: JobStatus.COMMITTING,
    sealedHeight: context.block.height,
    windowStartSeconds: context.block.time.seconds,
    windowGas: waitingGas(store) + job.value.gasLimit,
    seal: message.seal,
  });
  context.events.emit('inference_sealed', [
    ['job_id', String(message.jobId)],
    ['seal', toHex(message.seal)],
  ]);
  return ok({});
}

/** What is not well-formed in an opened result, without looking at state. */
export function checkOpened(message: tx.MsgOpenResult): Result<void> {
  if (!isOutcomeKind(message.kind)) return refused('malformedResult', `kind: expected 0 … 3, got ${message.kind}`);
  if (message.traceRoot.length !== HASH_BYTES)
    return refused('malformedResult', `trace_root: ${message.traceRoot.length} bytes, expected ${HASH_BYTES}`);
  if (message.salt.length !== SALT_BYTES)
    return refused('malformedResult', `salt: ${message.salt.length} bytes, expected ${SALT_BYTES}`);
  return ok(undefined);
}

export function openResult(context: MessageContext, message: tx.MsgOpenResult): Empty {
  const { chain } = context;
  const address = readAccount(chain, message.provider, 'provider');
  if (!address.ok) return address;
  const { kind, code, output, traceRoot, gasUsed, salt } = message;
  if (!isOutcomeKind(kind)) return refused('malformedResult', `kind: expected 0 … 3, got ${kind}`);
  const store = context.state.store(INFERENCE_STORE);
  const found = jobOf(store, message.jobId, formatAddress(chain, address.value), JobStatus.REVEALING);
  if (!found.ok) return found;
  const job = found.value;
  if (job.result !== undefined) return refused('wrongStatus', `job ${job.id}: its result is opened already`);
  const limit = getParams(store).maxOutputBytes;
  if (output.length > limit)
    return refused('outputTooLarge', `output: ${output.length} bytes, expected at most ${limit}`);
  const root = outputRoot(kind, code, output);
  const opened = { kind, outputRoot: root, traceRoot, gasUsed, salt };
  const sealed = sealHash({ chainId: chain.chainId, job: job.id, address: address.value }, opened);
  if (toHex(sealed) !== toHex(job.seal))
    return refused(
      'sealMismatch',
      `job ${job.id}: the result hashes to ${toHex(sealed)}, sealed was ${toHex(job.seal)}`,
    );
  const result = create(ResultSchema, {
    kind,
    code,
    outputHash: sha256(output),
    outputBytes: output.length,
    outputRoot: root,
    traceRoot,
    gasUsed,
    salt,
    height: context.block.height,
  });
  jobs.set(store, job.id, { ...job, result });
  if (output.length > 0) outputs.set(store, job.id, output);
  context.events.emit('inference_opened', [
    ['job_id', String(job.id)],
    ['kind', String(kind)],
    ['output_hash', toHex(result.outputHash)],
    ['gas_used', String(gasUsed)],
  ]);
  return ok({});
}
