/** The application's answers in the bytes that CometBFT v0.38 reads, each behind its length. */
import type * as abci from '#core/abci.ts';
import { assertNever } from '#core/assert.ts';
import { lengthDelimited } from '#core/codec/proto-writer.ts';
import type { PublicKey } from '#core/crypto/pubkey.ts';
import { divFloor } from '#core/int.ts';
import type { ConsensusParamsUpdate } from '#core/types/consensus-params.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';
import * as wire from '#proto/gen/tendermint/abci/types_pb.ts';
import { encode, type MessageInitShape } from '#proto/message.ts';

export type AbciResponse =
  | { readonly kind: 'exception'; readonly error: string }
  | { readonly kind: 'echo'; readonly message: string }
  | { readonly kind: 'flush' }
  | { readonly kind: 'info'; readonly response: abci.InfoResponse }
  | { readonly kind: 'init-chain'; readonly response: abci.InitChainResponse }
  | { readonly kind: 'query'; readonly response: abci.QueryResponse }
  | { readonly kind: 'check-tx'; readonly response: abci.CheckTxResponse }
  | { readonly kind: 'commit'; readonly response: abci.CommitResponse }
  | { readonly kind: 'list-snapshots'; readonly snapshots: readonly abci.Snapshot[] }
  | { readonly kind: 'offer-snapshot'; readonly result: abci.OfferSnapshotResponse['result'] }
  | { readonly kind: 'load-snapshot-chunk'; readonly chunk: Uint8Array }
  | { readonly kind: 'apply-snapshot-chunk'; readonly response: abci.ApplySnapshotChunkResponse }
  | { readonly kind: 'prepare-proposal'; readonly txs: readonly Uint8Array[] }
  | { readonly kind: 'process-proposal'; readonly accept: boolean }
  | { readonly kind: 'extend-vote'; readonly extension: Uint8Array }
  | { readonly kind: 'verify-vote-extension'; readonly accept: boolean }
  | { readonly kind: 'finalize-block'; readonly response: abci.FinalizeBlockResponse };

type WireValue = NonNullable<MessageInitShape<typeof wire.ResponseSchema>['value']>;

/** With its length in front: the bytes for the socket. */
export function encodeResponse(response: AbciResponse): Uint8Array {
  return lengthDelimited(encode(wire.ResponseSchema, { value: toWire(response) }));
}

function toWire(answer: AbciResponse): WireValue {
  switch (answer.kind) {
    case 'exception':
      return { case: 'exception', value: { error: answer.error } };
    case 'echo':
      return { case: 'echo', value: { message: answer.message } };
    case 'flush':
      return { case: 'flush', value: {} };
    case 'info':
      return { case: 'info', value: answer.response };
    case 'init-chain':
      return { case: 'initChain', value: initChain(answer.response) };
    case 'query':
      return { case: 'query', value: query(answer.response) };
    case 'check-tx':
      return { case: 'checkTx', value: checkTx(answer.response) };
    case 'commit':
      return { case: 'commit', value: { retainHeight: answer.response.retainHeight } };
    case 'list-snapshots':
      return { case: 'listSnapshots', value: { snapshots: answer.snapshots.map((snapshot) => ({ ...snapshot })) } };
    case 'offer-snapshot':
      return { case: 'offerSnapshot', value: { result: OFFER_RESULTS[answer.result] } };
    case 'load-snapshot-chunk':
      return { case: 'loadSnapshotChunk', value: { chunk: answer.chunk } };
    case 'apply-snapshot-chunk': {
      const { result, refetchChunks, rejectSenders } = answer.response;
      const lists = { refetchChunks: [...refetchChunks], rejectSenders: [...rejectSenders] };
      return { case: 'applySnapshotChunk', value: { result: APPLY_RESULTS[result], ...lists } };
    }
    case 'prepare-proposal':
      return { case: 'prepareProposal', value: { txs: [...answer.txs] } };
    case 'process-proposal': {
      const { ACCEPT, REJECT } = wire.ResponseProcessProposal_ProposalStatus;
      return { case: 'processProposal', value: { status: answer.accept ? ACCEPT : REJECT } };
    }
    case 'extend-vote':
      return { case: 'extendVote', value: { voteExtension: answer.extension } };
    case 'verify-vote-extension': {
      const { ACCEPT, REJECT } = wire.ResponseVerifyVoteExtension_VerifyStatus;
      return { case: 'verifyVoteExtension', value: { status: answer.accept ? ACCEPT : REJECT } };
    }
    case 'finalize-block':
      return { case: 'finalizeBlock', value: finalizeBlock(answer.response) };
    default:
      return assertNever(answer, 'response');
  }
}

const { ResponseOfferSnapshot_Result: OFFER, ResponseApplySnapshotChunk_Result: APPLY } = wire;

const OFFER_RESULTS = {
  accept: OFFER.ACCEPT,
  abort: OFFER.ABORT,
  reject: OFFER.REJECT,
  rejectFormat: OFFER.REJECT_FORMAT,
  rejectSender: OFFER.REJECT_SENDER,
} as const;

const APPLY_RESULTS = {
  accept: APPLY.ACCEPT,
  abort: APPLY.ABORT,
  retry: APPLY.RETRY,
  retrySnapshot: APPLY.RETRY_SNAPSHOT,
  rejectSnapshot: APPLY.REJECT_SNAPSHOT,
} as const;

function initChain(response: abci.InitChainResponse): MessageInitShape<typeof wire.ResponseInitChainSchema> {
  return {
    ...(response.consensusParams && { consensusParams: params(response.consensusParams) }),
    validators: response.validators.map(validatorUpdate),
    appHash: response.appHash,
  };
}

function query(response: abci.QueryResponse): MessageInitShape<typeof wire.ResponseQuerySchema> {
  const { code, log, info, index, key, value, height, codespace, proofOps } = response;
  // Absent, not empty, when there is no proof: clients tell the two apart.
  const proof = proofOps.length === 0 ? {} : { proofOps: { ops: proofOps.map((op) => ({ ...op })) } };
  return { code, log, info, index, key, value, height, codespace, ...proof };
}

function checkTx(response: abci.CheckTxResponse): MessageInitShape<typeof wire.ResponseCheckTxSchema> {
  const { code, data, log, gasWanted, gasUsed, codespace } = response;
  return { code, data, log, gasWanted, gasUsed, codespace, events: response.events.map(event) };
}

function finalizeBlock(
  response: abci.FinalizeBlockResponse,
): MessageInitShape<typeof wire.ResponseFinalizeBlockSchema> {
  return {
    events: response.events.map(event),
    txResults: response.txResults.map(txResult),
    validatorUpdates: response.validatorUpdates.map(validatorUpdate),
    ...(response.consensusParamUpdates && { consensusParamUpdates: params(response.consensusParamUpdates) }),
    appHash: response.appHash,
  };
}

function txResult(result: abci.ExecTxResult): MessageInitShape<typeof wire.ExecTxResultSchema> {
  const { code, data, log, info, gasWanted, gasUsed, codespace } = result;
  return { code, data, log, info, gasWanted, gasUsed, codespace, events: result.events.map(event) };
}

function event({ type, attributes }: abci.Event): MessageInitShape<typeof wire.EventSchema> {
  return { type, attributes: attributes.map(({ key, value, index }) => ({ key, value, index })) };
}

function validatorUpdate({ publicKey, power }: ValidatorUpdate): MessageInitShape<typeof wire.ValidatorUpdateSchema> {
  return { pubKey: { sum: sumOf(publicKey) }, power };
}

/** The oneof's cases have the names of the key types. */
function sumOf({ type, bytes }: PublicKey): { case: PublicKey['type']; value: Uint8Array } {
  return { case: type, value: bytes };
}

const NANOS = 1_000_000_000n;

/** The sections that are named, and no others: CometBFT keeps what is absent. */
function params(update: ConsensusParamsUpdate) {
  const { block, evidence, validator, version, abci: extensions } = update;
  const seconds = evidence === undefined ? 0n : divFloor(evidence.maxAgeNanos, NANOS);
  return {
    ...(block && { block }),
    ...(evidence && {
      evidence: {
        maxAgeNumBlocks: evidence.maxAgeNumBlocks,
        maxAgeDuration: { seconds, nanos: Number(evidence.maxAgeNanos - seconds * NANOS) },
        maxBytes: evidence.maxBytes,
      },
    }),
    ...(validator && { validator: { pubKeyTypes: [...validator.pubKeyTypes] } }),
    ...(version && { version }),
    ...(extensions && { abci: extensions }),
  };
}
