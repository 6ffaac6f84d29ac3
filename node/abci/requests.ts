/**
 * Requests of CometBFT v0.38 as the application port's values. Strict: exactly one member, no unknown fields, no field
 * without a meaning here; what is refused is refused with a sentence that names the field.
 */
import type * as abci from '#core/abci.ts';
import { assertNever } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import { DecodeError, decode, readFields } from '#core/codec/proto-reader.ts';
import type { PublicKey } from '#core/crypto/pubkey.ts';
import { LIMITS } from '#core/limits.ts';
import { err, type Result } from '#core/result.ts';
import { type Height, NO_ROUND, type Round, toHeight, toRound } from '#core/types/brand.ts';
import { FLAG_ABSENT, FLAG_COMMIT, FLAG_NIL } from '#core/types/commit.ts';
import {
  type ConsensusParams,
  DEFAULT_CONSENSUS_PARAMS,
  validateConsensusParams,
} from '#core/types/consensus-params.ts';
import { encodeTimestamp, readTimestamp, type Timestamp } from '#core/types/timestamp.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';
import * as wire from '#proto/gen/tendermint/abci/types_pb.ts';
import type { PublicKey as WirePublicKey } from '#proto/gen/tendermint/crypto/keys_pb.ts';
import type { ConsensusParams as WireParams } from '#proto/gen/tendermint/types/params_pb.ts';
import { BlockIDFlag } from '#proto/gen/tendermint/types/validator_pb.ts';
import { decodeStrict } from '#proto/message.ts';
import { ABCI_LIMITS } from './limits.ts';

export type AbciRequest =
  | { readonly kind: 'echo'; readonly message: string }
  | { readonly kind: 'flush' }
  | { readonly kind: 'info' }
  | { readonly kind: 'init-chain'; readonly request: abci.InitChainRequest }
  | { readonly kind: 'query'; readonly request: abci.QueryRequest }
  | { readonly kind: 'check-tx'; readonly request: abci.CheckTxRequest }
  | { readonly kind: 'commit' }
  | { readonly kind: 'list-snapshots' }
  | { readonly kind: 'offer-snapshot'; readonly request: abci.OfferSnapshotRequest }
  | { readonly kind: 'load-snapshot-chunk'; readonly request: abci.LoadSnapshotChunkRequest }
  | { readonly kind: 'apply-snapshot-chunk'; readonly request: abci.ApplySnapshotChunkRequest }
  | { readonly kind: 'prepare-proposal'; readonly request: abci.PrepareProposalRequest }
  | { readonly kind: 'process-proposal'; readonly request: abci.ProcessProposalRequest }
  | { readonly kind: 'extend-vote'; readonly request: abci.ExtendVoteRequest }
  | { readonly kind: 'verify-vote-extension'; readonly request: abci.VerifyVoteExtensionRequest }
  | { readonly kind: 'finalize-block'; readonly request: abci.FinalizeBlockRequest };

const MEMBERS = wire.RequestSchema.fields.map((field) => field.number);

export function decodeRequest(bytes: Uint8Array): Result<AbciRequest, string> {
  const members = decode(() => readFields('Request', bytes, { known: MEMBERS }));
  if (!members.ok) return members;
  if (members.value.length !== 1) return err(`Request: expected exactly one member, got ${members.value.length}`);
  const decoded = decodeStrict(wire.RequestSchema, bytes, { title: 'Request', maxDepth: ABCI_LIMITS.maxDepth });
  if (!decoded.ok) return decoded;
  return decode(() => toRequest(decoded.value));
}

function toRequest({ value }: wire.Request): AbciRequest {
  switch (value.case) {
    case 'echo':
      if (value.value.message.length > ABCI_LIMITS.maxEchoBytes)
        throw new DecodeError(`echo.message: exceeds the limit of ${ABCI_LIMITS.maxEchoBytes} bytes`);
      return { kind: 'echo', message: value.value.message };
    case 'flush':
      return { kind: 'flush' };
    case 'info':
      return { kind: 'info' };
    case 'initChain':
      return { kind: 'init-chain', request: initChain(value.value) };
    case 'query':
      return { kind: 'query', request: query(value.value) };
    case 'checkTx':
      return { kind: 'check-tx', request: checkTx(value.value) };
    case 'commit':
      return { kind: 'commit' };
    case 'listSnapshots':
      return { kind: 'list-snapshots' };
    case 'offerSnapshot':
      return { kind: 'offer-snapshot', request: offerSnapshot(value.value) };
    case 'loadSnapshotChunk':
      return { kind: 'load-snapshot-chunk', request: loadSnapshotChunk(value.value) };
    case 'applySnapshotChunk':
      return { kind: 'apply-snapshot-chunk', request: applySnapshotChunk(value.value) };
    case 'prepareProposal':
      return { kind: 'prepare-proposal', request: prepareProposal(value.value) };
    case 'processProposal':
      return { kind: 'process-proposal', request: processProposal(value.value) };
    case 'extendVote':
      return { kind: 'extend-vote', request: extendVote(value.value) };
    case 'verifyVoteExtension':
      return { kind: 'verify-vote-extension', request: verifyVoteExtension(value.value) };
    case 'finalizeBlock':
      return { kind: 'finalize-block', request: finalizeBlock(value.value) };
    case undefined:
      throw new DecodeError('Request: expected exactly one member, got 0');
    default:
      return assertNever(value, 'request');
  }
}

function initChain(message: wire.RequestInitChain): abci.InitChainRequest {
  const title = 'init_chain';
  return {
    time: time(`${title}.time`, message.time),
    chainId: text(`${title}.chain_id`, message.chainId, LIMITS.maxChainIdBytes),
    consensusParams: consensusParams(`${title}.consensus_params`, message.consensusParams),
    validators: list(`${title}.validators`, message.validators, LIMITS.maxValidators).map((update, i) =>
      validatorUpdate(`${title}.validators[${i}]`, update),
    ),
    appStateBytes: message.appStateBytes,
    initialHeight: height(`${title}.initial_height`, message.initialHeight),
  };
}

function query(message: wire.RequestQuery): abci.QueryRequest {
  // A height is any client's word: the application says what it thinks of a negative one.
  const { data, path, prove } = message;
  return { data, path, prove, height: message.height };
}

function checkTx(message: wire.RequestCheckTx): abci.CheckTxRequest {
  switch (message.type) {
    case wire.CheckTxType.NEW:
      return { tx: message.tx, type: 'new' };
    case wire.CheckTxType.RECHECK:
      return { tx: message.tx, type: 'recheck' };
    default:
      throw new DecodeError(`check_tx.type: expected 0 or 1, got ${String(message.type)}`);
  }
}

/** A snapshot is a peer's word, which CometBFT hands on unseen: what is wrong with it is the application's to answer. */
function offerSnapshot({ snapshot, appHash }: wire.RequestOfferSnapshot): abci.OfferSnapshotRequest {
  const { height: at = 0n, format = 0, chunks = 0, hash = EMPTY, metadata = EMPTY } = snapshot ?? {};
  return {
    snapshot: { height: at, format, chunks, hash, metadata },
    appHash: sized('offer_snapshot.app_hash', appHash, LIMITS.maxHashBytes),
  };
}

function loadSnapshotChunk(message: wire.RequestLoadSnapshotChunk): abci.LoadSnapshotChunkRequest {
  return { height: message.height, format: message.format, chunk: message.chunk };
}

function applySnapshotChunk({ index, chunk, sender }: wire.RequestApplySnapshotChunk): abci.ApplySnapshotChunkRequest {
  return { index, chunk, sender };
}

type WireBlock = wire.RequestFinalizeBlock | wire.RequestPrepareProposal;

function blockContext(title: string, message: Omit<WireBlock, '$typeName' | '$unknown'>) {
  return {
    height: height(`${title}.height`, message.height),
    time: time(`${title}.time`, message.time),
    nextValidatorsHash: sized(`${title}.next_validators_hash`, message.nextValidatorsHash, LIMITS.maxHashBytes),
    proposerAddress: sized(`${title}.proposer_address`, message.proposerAddress, ADDRESS_BYTES),
    misbehavior: list(`${title}.misbehavior`, message.misbehavior, LIMITS.maxEvidencePerBlock).map((item, i) =>
      misbehavior(`${title}.misbehavior[${i}]`, item),
    ),
    txs: list(`${title}.txs`, message.txs, LIMITS.maxTxsPerBlock),
  };
}

function prepareProposal(message: wire.RequestPrepareProposal): abci.PrepareProposalRequest {
  const title = 'prepare_proposal';
  const { localLastCommit: commit, maxTxBytes } = message;
  if (maxTxBytes < 0n || maxTxBytes > BigInt(LIMITS.maxBlockBytes))
    throw new DecodeError(`${title}.max_tx_bytes: expected 0 … ${LIMITS.maxBlockBytes}, got ${maxTxBytes}`);
  const votes = list(`${title}.local_last_commit.votes`, commit?.votes ?? [], LIMITS.maxValidators);
  return {
    ...blockContext(title, message),
    maxTxBytes: Number(maxTxBytes),
    localLastCommit: {
      round: round(`${title}.local_last_commit.round`, commit?.round ?? 0),
      votes: votes.map((vote, i) => {
        const name = `${title}.local_last_commit.votes[${i}]`;
        const { voteExtension: extension, extensionSignature } = vote;
        return { ...voteInfo(name, vote), extension, extensionSignature };
      }),
    },
  };
}

function processProposal(message: wire.RequestProcessProposal): abci.ProcessProposalRequest {
  const title = 'process_proposal';
  return {
    ...blockContext(title, message),
    proposedLastCommit: commitInfo(`${title}.proposed_last_commit`, message.proposedLastCommit),
    hash: sized(`${title}.hash`, message.hash, LIMITS.maxHashBytes),
  };
}

function extendVote(message: wire.RequestExtendVote): abci.ExtendVoteRequest {
  const title = 'extend_vote';
  return {
    ...blockContext(title, message),
    proposedLastCommit: commitInfo(`${title}.proposed_last_commit`, message.proposedLastCommit),
    hash: sized(`${title}.hash`, message.hash, LIMITS.maxHashBytes),
    // ABCI does not say it.
    round: NO_ROUND,
  };
}

function verifyVoteExtension(message: wire.RequestVerifyVoteExtension): abci.VerifyVoteExtensionRequest {
  const title = 'verify_vote_extension';
  return {
    hash: sized(`${title}.hash`, message.hash, LIMITS.maxHashBytes),
    validatorAddress: sized(`${title}.validator_address`, message.validatorAddress, ADDRESS_BYTES),
    height: height(`${title}.height`, message.height),
    extension: message.voteExtension,
  };
}

function finalizeBlock(message: wire.RequestFinalizeBlock): abci.FinalizeBlockRequest {
  const title = 'finalize_block';
  return {
    ...blockContext(title, message),
    decidedLastCommit: commitInfo(`${title}.decided_last_commit`, message.decidedLastCommit),
    hash: sized(`${title}.hash`, message.hash, LIMITS.maxHashBytes),
  };
}

const ADDRESS_BYTES = 20;

function commitInfo(title: string, message: wire.CommitInfo | undefined): abci.CommitInfo {
  const votes = list(`${title}.votes`, message?.votes ?? [], LIMITS.maxValidators);
  return {
    round: round(`${title}.round`, message?.round ?? 0),
    votes: votes.map((vote, i) => voteInfo(`${title}.votes[${i}]`, vote)),
  };
}

function voteInfo(title: string, vote: wire.VoteInfo | wire.ExtendedVoteInfo): abci.VoteInfo {
  return { validator: validator(`${title}.validator`, vote.validator), flag: flag(title, vote.blockIdFlag) };
}

function flag(title: string, value: BlockIDFlag): abci.VoteInfo['flag'] {
  switch (value) {
    case BlockIDFlag.BLOCK_ID_FLAG_ABSENT:
      return FLAG_ABSENT;
    case BlockIDFlag.BLOCK_ID_FLAG_COMMIT:
      return FLAG_COMMIT;
    case BlockIDFlag.BLOCK_ID_FLAG_NIL:
      return FLAG_NIL;
    default:
      throw new DecodeError(`${title}.block_id_flag: expected 1, 2 or 3, got ${value}`);
  }
}

function validator(title: string, message: wire.Validator | undefined): abci.VoteInfo['validator'] {
  if (message === undefined) throw new DecodeError(`${title}: missing`);
  const { address, power } = message;
  if (power < 0n || power > LIMITS.maxTotalVotingPower)
    throw new DecodeError(`${title}.power: expected 0 … ${LIMITS.maxTotalVotingPower}, got ${power}`);
  if (address.length !== ADDRESS_BYTES)
    throw new DecodeError(`${title}.address: expected ${ADDRESS_BYTES} bytes, got ${address.length}`);
  return { address, power };
}

function misbehavior(title: string, message: wire.Misbehavior): abci.Misbehavior {
  return {
    type: misbehaviorType(`${title}.type`, message.type),
    validator: validator(`${title}.validator`, message.validator),
    height: height(`${title}.height`, message.height),
    time: time(`${title}.time`, message.time),
    totalVotingPower: message.totalVotingPower,
  };
}

function misbehaviorType(title: string, type: wire.MisbehaviorType): abci.Misbehavior['type'] {
  switch (type) {
    case wire.MisbehaviorType.DUPLICATE_VOTE:
      return 'duplicate-vote';
    case wire.MisbehaviorType.LIGHT_CLIENT_ATTACK:
      return 'light-client-attack';
    default:
      throw new DecodeError(`${title}: expected 1 or 2, got ${type}`);
  }
}

function validatorUpdate(title: string, update: wire.ValidatorUpdate): ValidatorUpdate {
  if (update.power < 0n) throw new DecodeError(`${title}.power: expected ≥ 0, got ${update.power}`);
  return { publicKey: publicKey(`${title}.pub_key`, update.pubKey), power: update.power };
}

const KEY_BYTES = { ed25519: 32, secp256k1: 33 } as const;

function publicKey(title: string, key: WirePublicKey | undefined): PublicKey {
  const sum = key?.sum;
  if (sum?.case === undefined) throw new DecodeError(`${title}: expected an ed25519 or secp256k1 key`);
  if (sum.value.length !== KEY_BYTES[sum.case])
    throw new DecodeError(`${title}.${sum.case}: expected ${KEY_BYTES[sum.case]} bytes, got ${sum.value.length}`);
  return { type: sum.case, bytes: sum.value };
}

function consensusParams(title: string, params: WireParams | undefined): ConsensusParams {
  const { block, evidence, validator: keys, version, abci: extensions } = params ?? {};
  if (block === undefined || evidence === undefined || keys === undefined)
    throw new DecodeError(`${title}: expected block, evidence and validator`);
  const age = evidence.maxAgeDuration;
  const read: ConsensusParams = {
    block: { maxBytes: block.maxBytes, maxGas: block.maxGas },
    evidence: {
      maxAgeNumBlocks: evidence.maxAgeNumBlocks,
      maxAgeNanos: (age?.seconds ?? 0n) * 1_000_000_000n + BigInt(age?.nanos ?? 0),
      maxBytes: evidence.maxBytes,
    },
    validator: { pubKeyTypes: keys.pubKeyTypes },
    version: { app: version?.app ?? DEFAULT_CONSENSUS_PARAMS.version.app },
    abci: { voteExtensionsEnableHeight: extensions?.voteExtensionsEnableHeight ?? 0n },
  };
  const valid = validateConsensusParams(read);
  if (!valid.ok) throw new DecodeError(`${title}.${valid.error}`);
  return valid.value;
}

function time(title: string, value: { readonly seconds: bigint; readonly nanos: number } | undefined): Timestamp {
  if (value === undefined) throw new DecodeError(`${title}: missing`);
  // Through the one place that knows the years which a time may have.
  return readTimestamp(title, encodeTimestamp(value));
}

function height(title: string, value: bigint): Height {
  if (value < 0n) throw new DecodeError(`${title}: expected ≥ 0, got ${value}`);
  return toHeight(value);
}

function round(title: string, value: number): Round {
  if (value < 0) throw new DecodeError(`${title}: expected ≥ 0, got ${value}`);
  return toRound(value);
}

function list<T>(title: string, items: readonly T[], limit: number): readonly T[] {
  if (items.length > limit) throw new DecodeError(`${title}: ${items.length} items exceed the limit of ${limit}`);
  return items;
}

function sized(title: string, bytes: Uint8Array, limit: number): Uint8Array {
  if (bytes.length > limit) throw new DecodeError(`${title}: ${bytes.length} bytes exceed the limit of ${limit}`);
  return bytes;
}

function text(title: string, value: string, limit: number): string {
  if (value.length > limit) throw new DecodeError(`${title}: ${value.length} characters exceed the limit of ${limit}`);
  return value;
}
