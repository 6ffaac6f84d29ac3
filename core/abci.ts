/**
 * The application port: ABCI 2.0 (CometBFT v0.38 spec/abci) with its names in camelCase. Consensus knows the application
 * through this file alone, and the runtime is served through it, in process or over a socket.
 *
 * Everything that `finalizeBlock` needs is in its request: it is a pure function of state and request.
 */
import { ProtoWriter } from './codec/proto-writer.ts';
import { merkleRoot } from './merkle.ts';
import type { Height, Round } from './types/brand.ts';
import type { ExtendedCommitSig } from './types/commit.ts';
import type { ConsensusParams, ConsensusParamsUpdate } from './types/consensus-params.ts';
import type { Timestamp } from './types/timestamp.ts';
import type { ValidatorUpdate } from './types/validator-set.ts';

export interface EventAttribute {
  readonly key: string;
  readonly value: string;
  /** Whether the indexer stores it. */
  readonly index: boolean;
}

export interface Event {
  readonly type: string;
  readonly attributes: readonly EventAttribute[];
}

export interface ExecTxResult {
  /** 0: success. */
  readonly code: number;
  readonly data: Uint8Array;
  readonly log: string;
  readonly info: string;
  readonly gasWanted: bigint;
  readonly gasUsed: bigint;
  readonly events: readonly Event[];
  readonly codespace: string;
}

export interface InfoResponse {
  readonly data: string;
  readonly version: string;
  readonly appVersion: bigint;
  readonly lastBlockHeight: Height;
  readonly lastBlockAppHash: Uint8Array;
}

export interface InitChainRequest {
  readonly time: Timestamp;
  readonly chainId: string;
  readonly consensusParams: ConsensusParams;
  readonly validators: readonly ValidatorUpdate[];
  /** The genesis document's `app_state`, as its JSON bytes. */
  readonly appStateBytes: Uint8Array;
  readonly initialHeight: Height;
}

export interface InitChainResponse {
  readonly consensusParams: ConsensusParamsUpdate | undefined;
  /** Empty: the request's validators stand. */
  readonly validators: readonly ValidatorUpdate[];
  readonly appHash: Uint8Array;
}

export interface CheckTxRequest {
  readonly tx: Uint8Array;
  /** `recheck`: the transaction was admitted before, and a block has been committed since. */
  readonly type: 'new' | 'recheck';
  /** The answer's events are not wanted: an application may leave them out. Not part of ABCI. */
  readonly withoutEvents?: boolean;
}

export interface CheckTxResponse {
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly data: Uint8Array;
  readonly gasWanted: bigint;
  readonly gasUsed: bigint;
  readonly events: readonly Event[];
  /** Mempool ordering: fee per gas (scaled); and the sender whose transactions must stay in sequence order. */
  readonly priority: bigint;
  readonly sender: string;
  readonly sequence: bigint;
}

/** The votes of the last commit without extensions, as the application sees them. */
export interface CommitInfo {
  readonly round: Round;
  readonly votes: readonly VoteInfo[];
}

export interface VoteInfo {
  readonly validator: { readonly address: Uint8Array; readonly power: bigint };
  readonly flag: ExtendedCommitSig['flag'];
}

export interface ExtendedCommitInfo {
  readonly round: Round;
  readonly votes: readonly ExtendedVoteInfo[];
}

export interface ExtendedVoteInfo extends VoteInfo {
  readonly extension: Uint8Array;
  readonly extensionSignature: Uint8Array;
}

export interface Misbehavior {
  readonly type: 'duplicate-vote' | 'light-client-attack';
  readonly validator: { readonly address: Uint8Array; readonly power: bigint };
  readonly height: Height;
  readonly time: Timestamp;
  readonly totalVotingPower: bigint;
}

interface BlockContext {
  readonly height: Height;
  readonly time: Timestamp;
  readonly nextValidatorsHash: Uint8Array;
  readonly proposerAddress: Uint8Array;
  readonly misbehavior: readonly Misbehavior[];
}

export interface PrepareProposalRequest extends BlockContext {
  /** Most bytes of all answered transactions together, counted as CometBFT's ComputeProtoSizeForTxs. */
  readonly maxTxBytes: number;
  readonly txs: readonly Uint8Array[];
  /** The extended commit that this proposer holds for the previous height. */
  readonly localLastCommit: ExtendedCommitInfo;
}

export interface ProcessProposalRequest extends BlockContext {
  readonly txs: readonly Uint8Array[];
  readonly proposedLastCommit: CommitInfo;
  readonly hash: Uint8Array;
}

export interface ProcessProposalResponse {
  readonly accept: boolean;
  /** Why not, for the log; empty when accepted. */
  readonly reason: string;
}

export interface ExtendVoteRequest extends BlockContext {
  readonly hash: Uint8Array;
  readonly round: Round;
  readonly txs: readonly Uint8Array[];
  readonly proposedLastCommit: CommitInfo;
}

export interface VerifyVoteExtensionRequest {
  readonly hash: Uint8Array;
  readonly validatorAddress: Uint8Array;
  readonly height: Height;
  readonly extension: Uint8Array;
}

export interface FinalizeBlockRequest extends BlockContext {
  readonly txs: readonly Uint8Array[];
  readonly decidedLastCommit: CommitInfo;
  readonly hash: Uint8Array;
}

export interface FinalizeBlockResponse {
  readonly events: readonly Event[];
  readonly txResults: readonly ExecTxResult[];
  readonly validatorUpdates: readonly ValidatorUpdate[];
  readonly consensusParamUpdates: ConsensusParamsUpdate | undefined;
  /** The hash that `commit` will persist; stands in the next header. */
  readonly appHash: Uint8Array;
}

export interface CommitResponse {
  /** Blocks below this height are no longer needed; 0 keeps all. */
  readonly retainHeight: bigint;
}

export interface QueryRequest {
  readonly path: string;
  readonly data: Uint8Array;
  /** 0: the latest committed state. */
  readonly height: bigint;
  readonly prove: boolean;
}

export interface ProofOp {
  readonly type: string;
  readonly key: Uint8Array;
  readonly data: Uint8Array;
}

export interface QueryResponse {
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly info: string;
  readonly index: bigint;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly proofOps: readonly ProofOp[];
  readonly height: bigint;
}

/**
 * Four groups of calls, as ABCI's four connections: consensus (initChain … commit, one at a time, in the order of the
 * ABCI grammar), mempool (checkTx), info (info, query). Queries and checks see committed state and may run at any time.
 */
export interface Application {
  info(): InfoResponse;
  query(request: QueryRequest): QueryResponse;
  checkTx(request: CheckTxRequest): Promise<CheckTxResponse>;
  initChain(request: InitChainRequest): InitChainResponse;
  prepareProposal(request: PrepareProposalRequest): readonly Uint8Array[];
  processProposal(request: ProcessProposalRequest): ProcessProposalResponse;
  /** The extension's bytes; never waits for work: what is not ready is not in it. */
  extendVote(request: ExtendVoteRequest): Uint8Array;
  verifyVoteExtension(request: VerifyVoteExtensionRequest): boolean;
  finalizeBlock(request: FinalizeBlockRequest): FinalizeBlockResponse;
  /** Persists what `finalizeBlock` computed, atomically and synced. */
  commit(): Promise<CommitResponse>;
}

/** A state at one height that a node offers to others. */
export interface Snapshot {
  readonly height: bigint;
  readonly format: number;
  readonly chunks: number;
  /** Names the snapshot: peers that state the same serve the same. */
  readonly hash: Uint8Array;
  /** The application's own: what it needs to check each chunk. */
  readonly metadata: Uint8Array;
}

export interface OfferSnapshotRequest {
  readonly snapshot: Snapshot;
  /** After the snapshot's height, verified by the light client. */
  readonly appHash: Uint8Array;
}

export interface OfferSnapshotResponse {
  readonly result: 'accept' | 'abort' | 'reject' | 'rejectFormat' | 'rejectSender';
  /** Why it is not accepted. */
  readonly reason: string;
}

export interface LoadSnapshotChunkRequest {
  readonly height: bigint;
  readonly format: number;
  readonly chunk: number;
}

export interface ApplySnapshotChunkRequest {
  readonly index: number;
  readonly chunk: Uint8Array;
  /** The peer that sent it. */
  readonly sender: string;
}

export interface ApplySnapshotChunkResponse {
  readonly result: 'accept' | 'abort' | 'retry' | 'retrySnapshot' | 'rejectSnapshot';
  /** To be fetched again, before anything else is applied. */
  readonly refetchChunks: readonly number[];
  /** Peers whose chunks are not wanted any more. */
  readonly rejectSenders: readonly string[];
  readonly reason: string;
  /** The state is complete. */
  readonly done: boolean;
}

/** ABCI's fourth connection: snapshots, served and restored. */
export interface SnapshotApplication {
  /** What this node can serve, newest first. */
  listSnapshots(): Promise<readonly Snapshot[]>;
  offerSnapshot(request: OfferSnapshotRequest): Promise<OfferSnapshotResponse>;
  /** Empty when the node does not have the chunk. */
  loadSnapshotChunk(request: LoadSnapshotChunkRequest): Promise<Uint8Array>;
  applySnapshotChunk(request: ApplySnapshotChunkRequest): Promise<ApplySnapshotChunkResponse>;
}

/** The part of a transaction's result that consensus covers (types/results.go deterministicExecTxResult). */
function encodeDeterministicResult(result: Pick<ExecTxResult, 'code' | 'data' | 'gasWanted' | 'gasUsed'>): Uint8Array {
  return new ProtoWriter()
    .varint(1, result.code)
    .bytes(2, result.data)
    .varint(5, result.gasWanted)
    .varint(6, result.gasUsed)
    .finish();
}

/** `last_results_hash` of the next header. */
export function lastResultsHash(
  results: readonly Pick<ExecTxResult, 'code' | 'data' | 'gasWanted' | 'gasUsed'>[],
): Uint8Array {
  return merkleRoot(results.map(encodeDeterministicResult));
}
