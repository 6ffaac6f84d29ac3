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
  /** Events of consensus, and committed blocks, that wait to be handed out; beyond that all subscriptions are cancelled. */
  maxQueuedEvents: 10_000,
  maxQueuedBlocks: 64,
  /** Events of one block that are handed out before other work gets its turn. */
  eventsPerTurn: 32,
  /** Requests of one WebSocket that wait for those before them; a client that sends more at once is disconnected. */
  maxQueuedRequests: 4_096,
  /** Characters of a WebSocket message, refused for its client's rate, in which its id is still looked for. */
  maxRefusedChars: 65_536,
  /** Clients, and networks of them, whose rate of requests is kept in mind; beyond that new ones share what one may do. */
  maxRateLimitedClients: 10_000,
  /** As much as so many clients may do all /64s of a /48 together. */
  clientsOfNetwork: 16,
  /** Of those, how many are looked at for one that need not be kept any more. */
  rateBucketsLookedAt: 16,
  /** Bytes that wait to be read by all WebSocket clients together; beyond that the one with the most is disconnected. */
  maxBufferedBytesOfAll: 268_435_456,
} as const;

/** What an operator may set for each server. */
export interface ServerLimits {
  readonly maxBodyBytes: number;
  /** Requests in one batch; they are answered one after the other, but for broadcasts, which are begun together. */
  readonly maxBatch: number;
  readonly maxConnections: number;
  /** Requests a second of one client (of one address, whatever its connections), each of a batch counted; 0: any number. */
  readonly maxRequestsPerSecond: number;
  /** How long one request may take before it is answered with an error. */
  readonly responseTimeoutMs: number;
  /** WebSocket clients that have subscriptions, and subscriptions of each. */
  readonly maxSubscriptionClients: number;
  readonly maxSubscriptionsPerClient: number;
  /** Messages and bytes that wait for a WebSocket client to read them; one that lets more wait is disconnected as slow. */
  readonly maxBufferedMessages: number;
  readonly maxBufferedBytes: number;
  /** How long a WebSocket client may read nothing of what waits for it. */
  readonly writeTimeoutMs: number;
  /** How often a WebSocket client is pinged; one that was silent from one ping to the next is disconnected. */
  readonly pingPeriodMs: number;
}

/**
 * As CometBFT's config [rpc] and its WebSocket handler (rpc/jsonrpc/server/ws_handler.go), but for: a body of 1 MB and a
 * batch of 10, raised for wallets; limits on bytes that wait and on requests a second, which it does not have.
 */
export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  maxBodyBytes: 4_194_304,
  maxBatch: 100,
  maxConnections: 900,
  maxRequestsPerSecond: 5_000,
  responseTimeoutMs: 30_000,
  maxSubscriptionClients: 100,
  maxSubscriptionsPerClient: 5,
  maxBufferedMessages: 200,
  maxBufferedBytes: 16_777_216,
  writeTimeoutMs: 10_000,
  pingPeriodMs: 27_000,
};
