/** What users and providers do with models and jobs, over the public RPC. */
import { toHex } from '#core/bytes.ts';
import { decodeAddress } from '#core/codec/bech32.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { divCeil, maxBig } from '#core/int.ts';
import { isOutcomeKind, sealHash, verdictHash } from '#core/poi/formats.ts';
import { QueryPoolRequestSchema, QueryPoolResponseSchema } from '#proto/gen/autonomy/credits/v1/query_pb.ts';
import { type Job, JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import * as iq from '#proto/gen/autonomy/inference/v1/query_pb.ts';
import type { Model } from '#proto/gen/autonomy/models/v1/models_pb.ts';
import * as mq from '#proto/gen/autonomy/models/v1/query_pb.ts';
import type { Validator, Verdict } from '#proto/gen/autonomy/poi/v1/poi_pb.ts';
import * as pq from '#proto/gen/autonomy/poi/v1/query_pb.ts';
import { TxMsgDataSchema } from '#proto/gen/cosmos/base/abci/v1beta1/abci_pb.ts';
import { type DescMessage, decodeStrict, type MessageShape } from '#proto/message.ts';
import { reasonName, statusName } from '#runtime/modules/inference/reasons.ts';
import type { ChainClient, TxOutcome } from './chain-client.ts';
import { RpcClientError } from './rpc-client.ts';

export async function queryModel(chain: ChainClient, id: bigint): Promise<Model> {
  const path = '/autonomy.models.v1.Query/Model';
  const { model } = await chain.query(path, mq.QueryModelRequestSchema, { id }, mq.QueryModelResponseSchema);
  return present(model, `model ${id}`);
}

export async function queryModels(chain: ChainClient): Promise<readonly Model[]> {
  const path = '/autonomy.models.v1.Query/Models';
  return (await chain.query(path, mq.QueryModelsRequestSchema, {}, mq.QueryModelsResponseSchema)).models;
}

/** Checked against its hash. */
export async function queryComponent(chain: ChainClient, hash: Uint8Array): Promise<Uint8Array> {
  const path = '/autonomy.models.v1.Query/Component';
  const { component } = await chain.query(
    path,
    mq.QueryComponentRequestSchema,
    { hash },
    mq.QueryComponentResponseSchema,
  );
  if (toHex(sha256(component)) !== toHex(hash))
    throw new RpcClientError(`the node answered other bytes than those of component ${toHex(hash)}`);
  return component;
}

/** uauton and ucredit: the accounts of burn and mint, and the supply. */
export async function queryPool(chain: ChainClient) {
  const path = '/autonomy.credits.v1.Query/Pool';
  const answer = await chain.query(path, QueryPoolRequestSchema, {}, QueryPoolResponseSchema);
  return { ...present(answer.pool, 'the pool'), supply: answer.supply };
}

export async function queryJob(
  chain: ChainClient,
  id: bigint,
): Promise<{ readonly job: Job; readonly refundSentence: string }> {
  const path = '/autonomy.inference.v1.Query/Job';
  const { job, refundSentence } = await chain.query(path, iq.QueryJobRequestSchema, { id }, iq.QueryJobResponseSchema);
  return { job: present(job, `job ${id}`), refundSentence };
}

/** Checked against the hash that the job records. */
export async function queryOutput(chain: ChainClient, job: Job): Promise<Uint8Array> {
  const path = '/autonomy.inference.v1.Query/Output';
  const { output } = await chain.query(
    path,
    iq.QueryOutputRequestSchema,
    { jobId: job.id },
    iq.QueryOutputResponseSchema,
  );
  if (toHex(sha256(output)) !== toHex(job.result?.outputHash ?? new Uint8Array()))
    throw new RpcClientError(`the node answered another output than that of job ${job.id}`);
  return output;
}

/** What a call of the model with this gas limit costs now: its price, or the least that verification costs. ucredit. */
export async function feeOf(chain: ChainClient, model: Model, gasLimit: bigint): Promise<bigint> {
  const path = '/autonomy.inference.v1.Query/Params';
  const { params } = await chain.query(path, iq.QueryParamsRequestSchema, {}, iq.QueryParamsResponseSchema);
  return maxBig(model.price, divCeil(gasLimit * (params?.minFeePerGigagas ?? 0n), 1_000_000_000n));
}

function isFinal(job: Job): boolean {
  return job.status === JobStatus.SETTLED || job.status === JobStatus.REFUNDED;
}

const POLL_MS = 250;

/** @throws RpcClientError when the job is not final in time. `onStatus` is told each new status. */
export async function waitForJob(
  chain: ChainClient,
  id: bigint,
  timeoutMs: number,
  onStatus: (job: Job) => void = () => undefined,
): Promise<Job> {
  let last: JobStatus | undefined;
  for (const deadline = Date.now() + timeoutMs; ; ) {
    const { job } = await queryJob(chain, id);
    if (job.status !== last) onStatus(job);
    last = job.status;
    if (isFinal(job)) return job;
    if (Date.now() > deadline)
      throw new RpcClientError(`job ${id} is still ${statusName(job.status)} after ${timeoutMs / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The response to the only message of a transaction. */
export function responseOf<D extends DescMessage>(outcome: TxOutcome, schema: D): MessageShape<D> {
  const data = decodeStrict(TxMsgDataSchema, new Uint8Array(Buffer.from(outcome.data, 'base64')));
  const first = data.ok ? data.value.msgResponses[0] : undefined;
  const decoded = first && decodeStrict(schema, first.value);
  if (decoded === undefined || !decoded.ok)
    throw new RpcClientError(`the result of transaction ${outcome.hash} is not understood`);
  return decoded.value;
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new RpcClientError(`the node's answer lacks ${what}`);
  return value;
}

const KINDS = ['ok', 'guest error', 'trap', 'out of gas'];

/** What a verified inference is, in JSON: everything that a third party needs to check it. */
export async function readReceipt(chain: ChainClient, id: bigint) {
  const { job, refundSentence } = await queryJob(chain, id);
  const model = await queryModel(chain, job.modelId);
  const chainId = (await chain.status()).node_info.network;
  const [committee, verdicts] = await Promise.all([
    chain.query(
      '/autonomy.poi.v1.Query/Validators',
      pq.QueryValidatorsRequestSchema,
      {},
      pq.QueryValidatorsResponseSchema,
    ),
    chain.query(
      '/autonomy.poi.v1.Query/Verdicts',
      pq.QueryVerdictsRequestSchema,
      { jobId: id },
      pq.QueryVerdictsResponseSchema,
    ),
  ]);
  return {
    chain_id: chainId,
    job: job.id,
    status: statusName(job.status),
    ...(refundSentence === '' ? {} : { refund: { code: reasonName(job.refundReason), sentence: refundSentence } }),
    requester: job.requester,
    provider: job.provider,
    model: {
      id: model.id,
      name: model.name,
      component_hash: toHex(job.componentHash),
      module_hash: toHex(model.moduleHash),
    },
    input_hash: toHex(job.inputHash),
    seed: job.seed,
    gas_limit: job.gasLimit,
    result: resultOf(chainId, job),
    validators: committee.validators.map((validator) => openingOf(chainId, job, validator, verdicts.verdicts)),
    heights: {
      requested: job.requestedHeight,
      sealed: job.sealedHeight,
      revealing: job.revealingHeight,
      final: job.finalHeight,
    },
    fee: `${job.fee}ucredit`,
    settlement: settlementOf(job),
  };
}

export type Receipt = Awaited<ReturnType<typeof readReceipt>>;

function resultOf(chainId: string, job: Job) {
  const { result } = job;
  if (result === undefined || !isOutcomeKind(result.kind)) return undefined;
  const { kind, outputRoot, traceRoot, gasUsed, salt } = result;
  const address = decodeAddress(job.provider);
  const sealed = address.ok
    ? toHex(
        sealHash(
          { chainId, job: job.id, address: address.value.bytes },
          { kind, outputRoot, traceRoot, gasUsed, salt },
        ),
      )
    : '';
  return {
    outcome: KINDS[kind] ?? '',
    code: result.code,
    output_hash: toHex(result.outputHash),
    output_bytes: result.outputBytes,
    output_root: toHex(outputRoot),
    trace_root: toHex(traceRoot),
    gas_used: gasUsed,
    salt: toHex(salt),
    height: result.height,
    seal: toHex(job.seal),
    /** The hash computed here from what was opened is the one that was sealed. */
    seal_matches: sealed === toHex(job.seal),
  };
}

function openingOf(chainId: string, job: Job, validator: Validator, verdicts: readonly Verdict[]) {
  const address = toHex(validator.address);
  const verdict = verdicts.find((candidate) => toHex(candidate.validator) === address);
  const opening = verdict?.opening;
  const base = { address: address.toUpperCase(), power: validator.power, operator: validator.operator };
  if (verdict === undefined) return { ...base, committed: false as const };
  const commitment = toHex(verdict.commitment);
  const committed = { ...base, committed: true as const, commitment, committed_height: verdict.committedHeight };
  if (opening === undefined || !isOutcomeKind(opening.kind)) return { ...committed, opened: false as const };
  const { kind, outputRoot, traceRoot, gasUsed, salt } = opening;
  const hash = verdictHash(
    { chainId, job: job.id, address: validator.address },
    { kind, outputRoot, traceRoot, gasUsed, salt },
  );
  return {
    ...committed,
    opened: true as const,
    output_root: toHex(outputRoot),
    trace_root: toHex(traceRoot),
    gas_used: gasUsed,
    salt: toHex(salt),
    opened_height: opening.height,
    commitment_matches: toHex(hash) === commitment,
    agrees_with_provider:
      job.result !== undefined &&
      toHex(outputRoot) === toHex(job.result.outputRoot) &&
      toHex(traceRoot) === toHex(job.result.traceRoot),
  };
}

function settlementOf({ settlement }: Job) {
  if (settlement === undefined) return undefined;
  return {
    credits_burned: `${settlement.credits}ucredit`,
    backing: `${settlement.backing}uauton`,
    payments: settlement.payments.map(({ role, address, amount }) => ({ role, address, amount: `${amount}uauton` })),
    destroyed: `${settlement.destroyed}uauton`,
  };
}

/** The receipt for people. */
export function receiptLines(receipt: Receipt): string[] {
  const { result, settlement, heights } = receipt;
  return [
    `job            ${receipt.job} on ${receipt.chain_id}: ${receipt.status}`,
    ...('refund' in receipt ? [`refunded       because ${receipt.refund.sentence}`] : []),
    `model          ${receipt.model.name} (${receipt.model.id})`,
    `model hash     ${receipt.model.component_hash}`,
    `input hash     ${receipt.input_hash}`,
    `seed           ${receipt.seed}`,
    ...(result === undefined
      ? ['result         not opened']
      : [
          `outcome        ${result.outcome}${result.code === 0 ? '' : ` ${result.code}`}, ${result.output_bytes} bytes`,
          `output hash    ${result.output_hash}`,
          `trace root     ${result.trace_root}`,
          `gas            ${result.gas_used} of ${receipt.gas_limit}`,
          `seal           ${result.seal} ${result.seal_matches ? 'opens to this result' : 'DOES NOT OPEN to this result'}`,
        ]),
    `provider       ${receipt.provider}`,
    ...receipt.validators.map((validator) => `validator      ${validator.address} ${openingText(validator)}`),
    `heights        requested ${heights.requested}, sealed ${heights.sealed}, committed ${heights.revealing}, final ${heights.final}`,
    `fee            ${receipt.fee}`,
    ...(settlement === undefined
      ? []
      : [
          ...settlement.payments.map(({ role, address, amount }) => `paid           ${amount} to ${role} ${address}`),
          `destroyed      ${settlement.destroyed} of a backing of ${settlement.backing}`,
        ]),
  ];
}

function openingText(validator: Receipt['validators'][number]): string {
  if (!validator.committed) return 'did not commit';
  if (!validator.opened) return `committed in ${validator.committed_height}, did not open`;
  const bound = validator.commitment_matches ? '' : ', NOT what it committed to';
  const verdict = validator.agrees_with_provider ? 'the same result' : 'ANOTHER RESULT';
  return `committed in ${validator.committed_height}, opened ${verdict} in ${validator.opened_height}${bound}`;
}
