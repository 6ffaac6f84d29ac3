/** Named limits of the interfaces to the outside. The configuration may set those that {@link ServerLimits} names. */
export const RPC_LIMITS = {
  /** Characters of a query text. CometBFT rpc/core: maxQueryLength. */
  maxQueryChars: 512,
  /** Conditions joined by AND. */
  maxQueryConditions: 32,
  /** Digits of a number in a query, or in an attribute that is compared with one. */
  maxNumberDigits: 80,
  /** CometBFT rpc/core/env.go: defaultPerPage, maxPerPage. */
  defaultPerPage: 30,
  maxPerPage: 100,
  maxPage: 1_000_000_000,
  /** Blocks in one answer of `blockchain`: CometBFT's limit. */
  maxBlockMetas: 20,
  /** Bytes of the genesis document that `genesis` still answers whole, and of one chunk. CometBFT's: 16 MiB. */
  genesisChunkBytes: 16_777_216,
  /** Bytes of `abci_query`'s data and characters of its path. */
  maxQueryDataBytes: 1_048_576,
  maxQueryPathChars: 256,
  /** Bytes of a URI, GET parameters included. */
  maxUriBytes: 65_536,
  /** Characters of the answers to one batch; when they are exceeded, the rest of the batch is refused. */
  maxBatchAnswerChars: 33_554_432,
  /** Nested arrays and objects of a request. */
  maxJsonDepth: 32,
  /** How long `broadcast_tx_commit` waits for the block: CometBFT's timeout_broadcast_tx_commit. */
  broadcastCommitTimeoutMs: 10_000,
  /** Requests that wait for their block in `broadcast_tx_commit` at the same time. */
  maxCommitWaiters: 100,
} as const;

/** What an operator may set for each server. */
export interface ServerLimits {
  readonly maxBodyBytes: number;
  /** Requests in one batch; they are answered one after the other. */
  readonly maxBatch: number;
  readonly maxConnections: number;
  /** How long one request may take before it is answered with an error. */
  readonly responseTimeoutMs: number;
}

/** As CometBFT's config [rpc]: max_body_bytes 1 MB, max_open_connections 900; a batch of 10 is raised for wallets. */
export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  maxBodyBytes: 4_194_304,
  maxBatch: 100,
  maxConnections: 900,
  responseTimeoutMs: 30_000,
};
