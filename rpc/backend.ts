/**
 * The one port behind every interface to the outside: blocks and states, the index, the mempool, the application's
 * queries, what the node says of itself, and what it has just committed. A façade translates its protocol's requests
 * into calls of this port and the answers back; it knows nothing else. Adapter: `node/backend`.
 */
import type {
  CheckTxResponse,
  Event,
  ExecTxResult,
  FinalizeBlockResponse,
  InfoResponse,
  QueryRequest,
  QueryResponse,
} from '#core/abci.ts';
import type { PublicKey } from '#core/crypto/pubkey.ts';
import type { MerkleProof } from '#core/merkle.ts';
import type { Result } from '#core/result.ts';
import type { Block } from '#core/types/block.ts';
import type { BlockId } from '#core/types/block-id.ts';
import type { Address, Height } from '#core/types/brand.ts';
import type { Commit } from '#core/types/commit.ts';
import type { ConsensusParams } from '#core/types/consensus-params.ts';
import type { Evidence } from '#core/types/evidence.ts';
import type { Header } from '#core/types/header.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import type { ValidatorSet } from '#core/types/validator-set.ts';
import type { Vote } from '#core/types/vote.ts';
import type { Query } from './query.ts';

/** Why a request could not be answered. `message` says what was wrong and what was expected, for the user to read. */
export interface BackendError {
  /**
   * - `invalid`: the request itself is wrong (a height beyond the chain, a page out of range, refused bytes);
   * - `not-found`: it is well formed, and there is nothing there;
   * - `pruned`: it was there, and is no longer kept;
   * - `unavailable`: this node does not offer it now (index off, still starting, mempool full).
   */
  readonly kind: 'invalid' | 'not-found' | 'pruned' | 'unavailable';
  readonly message: string;
}

export type Answer<T> = Result<T, BackendError>;

export interface NodeStatus {
  readonly node: NodeInfo;
  /** Absent before the first block. */
  readonly latest: BlockSummary | undefined;
  /** The oldest block that is still kept. */
  readonly earliest: BlockSummary | undefined;
  readonly catchingUp: boolean;
  /** This node's consensus key, and its power in the current set (0 when it is no validator); absent without a key. */
  readonly validator: { readonly publicKey: PublicKey; readonly power: bigint } | undefined;
}

export interface NodeInfo {
  /** Identity of the node in the peer-to-peer network. */
  readonly id: string;
  readonly moniker: string;
  readonly chainId: string;
  /** Peer-to-peer and RPC listen addresses, as `tcp://host:port`. */
  readonly listenAddress: string;
  readonly rpcAddress: string;
  /** Version of the application's protocol, as in block headers. */
  readonly appVersion: bigint;
  readonly txIndex: boolean;
}

export interface BlockSummary {
  readonly height: Height;
  readonly hash: Uint8Array;
  readonly appHash: Uint8Array;
  readonly time: Timestamp;
}

export interface Peer {
  readonly id: string;
  readonly moniker: string;
  readonly listenAddress: string;
  readonly remoteIp: string;
  readonly outbound: boolean;
}

export interface NetInfo {
  readonly listening: boolean;
  readonly listeners: readonly string[];
  readonly peers: readonly Peer[];
}

export interface BlockRecord {
  readonly blockId: BlockId;
  readonly block: Block;
}

export interface BlockMeta {
  readonly blockId: BlockId;
  /** Bytes of the encoded block. */
  readonly blockBytes: number;
  readonly header: Header;
  readonly txCount: number;
}

export interface SignedHeader {
  readonly header: Header;
  readonly commit: Commit;
  /** Whether the commit is the one that the next block carries; false for the newest block's own. */
  readonly canonical: boolean;
}

/** A committed transaction. `hash` is the SHA-256 of `tx`. */
export interface TxRecord {
  readonly hash: Uint8Array;
  readonly height: Height;
  readonly index: number;
  readonly tx: Uint8Array;
  readonly result: ExecTxResult;
}

/** A proof that SHA-256(`tx`) is a leaf under `root`, the block's data hash. */
export interface TxProof {
  readonly root: Uint8Array;
  readonly proof: MerkleProof;
}

export interface SearchRequest {
  readonly query: Query;
  readonly order: 'asc' | 'desc';
  /** From 1. */
  readonly page: number;
  readonly perPage: number;
}

/** One page, in the order asked for: by height, then by place in the block. `total` counts all matches of the query. */
export interface SearchPage<T> {
  readonly total: number;
  readonly items: readonly T[];
}

export interface MempoolView {
  readonly count: number;
  readonly bytes: number;
  /** The first `limit` in the order in which they would be proposed. */
  readonly txs: readonly Uint8Array[];
}

/** Progress of one round of voting, by the validators' places in the set. */
export interface RoundVotes {
  readonly round: number;
  /** For each validator: the hash voted for, empty for nil, `undefined` for no vote yet. */
  readonly prevotes: readonly (Uint8Array | undefined)[];
  readonly precommits: readonly (Uint8Array | undefined)[];
}

/** Where the consensus engine stands. */
export interface ConsensusStateView {
  readonly height: Height;
  readonly round: number;
  /** CometBFT's RoundStepType: 1 new height, 2 new round, 3 propose, 4 prevote, 5 prevote wait, 6 precommit, 7 precommit wait, 8 commit. */
  readonly step: number;
  readonly startTime: Timestamp;
  readonly proposalBlockHash: Uint8Array;
  readonly lockedBlockHash: Uint8Array;
  readonly validBlockHash: Uint8Array;
  readonly validators: ValidatorSet;
  readonly votes: readonly RoundVotes[];
}

/** A block that has just been committed, with what its execution answered. */
export interface CommittedBlock extends BlockRecord {
  readonly results: FinalizeBlockResponse;
}

/** Moments of consensus, by CometBFT's names (types/events.go), that have nothing to say but where the engine stands. */
export type RoundMoment =
  | 'NewRoundStep'
  | 'Polka'
  | 'Lock'
  | 'Relock'
  | 'Unlock'
  | 'ValidBlock'
  | 'TimeoutPropose'
  | 'TimeoutWait';

/** Something that has just happened in consensus. `step` as in {@link ConsensusStateView.step}. */
export type ConsensusEvent =
  | {
      readonly kind: 'round-state';
      readonly name: RoundMoment;
      readonly height: Height;
      readonly round: number;
      readonly step: number;
    }
  | {
      readonly kind: 'new-round';
      readonly height: Height;
      readonly round: number;
      readonly proposer: { readonly address: Address; readonly index: number } | undefined;
    }
  | {
      readonly kind: 'complete-proposal';
      readonly height: Height;
      readonly round: number;
      readonly step: number;
      readonly blockId: BlockId;
    }
  | { readonly kind: 'vote'; readonly vote: Vote };

export interface Backend {
  status(): NodeStatus;
  netInfo(): NetInfo;
  /** The genesis document as JSON text, in UTF-8. */
  genesis(): Uint8Array;
  consensusState(): Answer<ConsensusStateView>;

  /** Oldest and newest block; both 0 before the first. `headers`: oldest known header, when older than the oldest block. */
  heights(): { readonly base: Height; readonly latest: Height; readonly headers?: Height };
  block(height: Height): Answer<BlockRecord>;
  blockByHash(hash: Uint8Array): Answer<BlockRecord>;
  blockMeta(height: Height): Answer<BlockMeta>;
  signedHeader(height: Height): Answer<SignedHeader>;
  results(height: Height): Answer<FinalizeBlockResponse>;
  /** The set that decides `height`: up to one above the newest block. */
  validators(height: Height): Answer<ValidatorSet>;
  consensusParams(height: Height): Answer<ConsensusParams>;

  tx(hash: Uint8Array): Promise<Answer<TxRecord>>;
  searchTxs(request: SearchRequest): Promise<Answer<SearchPage<TxRecord>>>;
  searchBlocks(request: SearchRequest): Promise<Answer<SearchPage<BlockRecord>>>;

  /** Runs the application's check without admitting. */
  checkTx(tx: Uint8Array): Promise<Answer<CheckTxResponse>>;
  /** Checks, and admits to the mempool and the network when the answer's code is 0. An error: not even checked. */
  broadcastTx(tx: Uint8Array): Promise<Answer<CheckTxResponse>>;
  mempool(limit: number): MempoolView;
  /** Hands proven misbehaviour to the evidence pool; its answer is the evidence's hash. */
  broadcastEvidence(evidence: Evidence): Promise<Answer<Uint8Array>>;

  appInfo(): InfoResponse;
  /** The application's query; `cosmos.tx.v1beta1.Service/GetTx` is answered here, from the index. */
  query(request: QueryRequest): Promise<Answer<QueryResponse>>;

  /** Calls `listener` after each commit, in order, once the block is queryable. The answer ends the subscription. */
  onCommitted(listener: (committed: CommittedBlock) => void): () => void;
  /** Calls `listener` with what happens in consensus, as it happens: it must be quick. The answer ends the subscription. */
  onConsensus(listener: (event: ConsensusEvent) => void): () => void;
  /** Whether a block's first transaction is the proposer's own note to the chain: nobody's transaction, and never announced. */
  isInjection(tx: Uint8Array): boolean;
}

/** Each event's attributes under their composite keys `type.attribute`, as queries see them. Attributes without a key are left out. */
export function eventValues(events: readonly Event[], indexedOnly: boolean): Map<string, string[]>[] {
  return events.map((event) => {
    const out = new Map<string, string[]>();
    if (event.type === '') return out;
    for (const { key, value, index } of event.attributes) {
      if (key === '' || (indexedOnly && !index)) continue;
      const composite = `${event.type}.${key}`;
      const values = out.get(composite);
      if (values === undefined) out.set(composite, [value]);
      else values.push(value);
    }
    return out;
  });
}
