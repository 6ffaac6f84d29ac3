/** Named limits of the node: what outside input, queues and caches may grow to. */
export const NODE_LIMITS = {
  /** Entries that one round trip to the range reader brings. */
  rangeChunkEntries: 1_000,
  /** The range reader answers in microseconds; when it does not answer in this time it has died. */
  rangeReadTimeoutMs: 30_000,
  /** Bytes of unsynced writes that wait in memory for a synced one. */
  maxStagedBytes: 8_388_608,
  /** Blocks that are brought to disk together while syncing: as many are asked of peers again after a crash. */
  maxHeldBlocks: 16,
  /**
   * MiB of JavaScript heap of a thread that reads or verifies. What it needs is a few; without a limit V8 lets a hundred of
   * garbage gather in each before it looks.
   */
  threadHeapMiB: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 },
  /** Bytes that iterators of LevelDB may hold after they were closed: the thread that had them collects its garbage then. */
  maxIteratorGarbageBytes: 8_388_608,
  /** For so long nobody has asked that thread for anything when it does. */
  rangeIdleMs: 20,
  /** Key objects of node:crypto that are kept: validators of two sets of the largest size that we expect, and more. */
  verifierKeyCacheEntries: 4_096,
  /** Good ed25519 signatures that are remembered: votes and extensions of a few heights of many validators. */
  rememberedSignatures: 16_384,
  /** Threads that verify signatures beside the main thread. */
  maxVerifierThreads: 2,
  /** Signatures, and bytes of what they sign, that wait for those threads; the main thread verifies what comes beyond. */
  maxQueuedChecks: 32_768,
  maxQueuedCheckBytes: 67_108_864,
  /** What a thread is handed at once: some milliseconds of work, so that votes need not wait long behind transactions. */
  verifierChunkChecks: 64,
  verifierChunkBytes: 1_048_576,
  /** A thread silent for so long is replaced; after so many losses within such a time the main thread works alone. */
  verifierTimeoutMs: 10_000,
  maxVerifierLosses: 5,
  verifierRestMs: 60_000,
  /** Signatures that make handing them to another thread worth the message, at least. */
  minChecksAhead: 8,
  /** Signatures of a light block that are verified before anything else is known of it. */
  maxLightChecksAhead: 512,
  /** Characters of a transaction in a JSON file: a component of a megabyte as base64, and more. */
  maxTxJsonCharacters: 4_194_304,
  /** Validators' transactions of a genesis. */
  maxGentxs: 1_000,
  /** Bytes of configuration and key files. */
  maxConfigFileBytes: 1_048_576,
  /** How long the operating system's keyring may take: it may ask the user for a password first. */
  vaultTimeoutMs: 120_000,
  /** Characters of a private key in ASCII armor: some hundred are needed. */
  maxArmorCharacters: 16_384,

  /** Bytes of one gossiped transaction message. */
  maxGossipTxBytes: 1_048_576,
  /** Bytes waiting to be sent to one peer; what comes beyond is dropped, unless nothing waits. */
  maxPeerQueueBytes: 16_777_216,
  /** While more than this waits for a peer, he is sent no transactions: what consensus says must not wait behind them. */
  maxPeerTxQueueBytes: 1_048_576,
  /** What has been announced so lately makes further hashes wait: they leave together. */
  txAnnounceMs: 10,
  /** How often overdue transactions are asked of others, and slow readers are served on. */
  txExchangeTickMs: 50,
  /** Peers that one peer may say it has. */
  maxNeighbours: 1_000,
  /** Peers to whom a message of somebody else is handed on. */
  floodFanout: 8,
  /** Messages of which it is remembered that they were accepted, at least; at most twice as many. */
  rememberedMessages: 8_192,
  /** Bytes that are written to a stream at once. */
  streamWriteBytes: 65_536,
  /** What one peer may send: messages a second and bytes a second, with bursts of twice as much. */
  peerMessagesPerSecond: 5_000,
  peerBytesPerSecond: 67_108_864,
  /** Transactions a second from one peer, and their bytes a second; more are ignored. */
  peerTxsPerSecond: 5_000,
  peerTxBytesPerSecond: 8_388_608,
  /** Invalid messages within a minute after which a peer is banned. */
  peerFaultsPerMinute: 20,
  banMs: 60_000,
  /** Peers, connected and gone, whose rates and faults are remembered; banned ones that are. */
  maxPeerRecords: 4_096,
  maxBans: 1_024,
  /** Each further ban of a peer lasts twice as long, up to this. */
  maxBanMs: 3_600_000,
  /** Peers whose address is known; of those never connected, how many one peer tells and how many one network (/16) has. */
  maxBookAddresses: 1_000,
  maxBookAddressesPerSource: 64,
  maxBookAddressesPerNetwork: 64,
  maxBookBytes: 1_048_576,
  /** Failures in a row after which a peer is forgotten: once connected, never connected. */
  bookFailuresOfTried: 20,
  bookFailuresOfNew: 5,
  /** Waits before a known peer is dialled again. */
  bookRetryMinMs: 10_000,
  bookRetryMaxMs: 3_600_000,
  /** Addresses in one answer; how often one peer is asked; how often one peer may ask. */
  maxExchangedAddresses: 64,
  exchangeIntervalMs: 30_000,
  exchangeMinIntervalMs: 10_000,
  /** How often peers are looked for: at most, while there are too few, and while there are none; dials at once. */
  findPeersMinMs: 250,
  findPeersMs: 5_000,
  findPeersAloneMs: 1_000,
  maxDialsAtOnce: 8,
  /** Waits between attempts to reach a persistent peer. */
  redialMinMs: 250,
  redialMaxMs: 10_000,
  /** Pending and new connections that one host may open a second: many nodes may share an address. */
  inboundConnectionsPerSecond: 50,
  maxPendingInbound: 200,
  maxPendingInboundPerHost: 16,
  /** A log file that has grown beyond this is closed at the next end of a height. */
  walRotateBytes: 8_388_608,
  /** How often peers are told where this node stands, and how many of them each time. */
  statusIntervalMs: 100,
  statusFanout: 4,
  /** Waiting transactions that a newly connected peer is told of. */
  maxTxHandover: 5_000,
  /** Transactions whose check is running or waiting, and their bytes: of large ones fewer wait. */
  maxPendingChecks: 10_000,
  maxPendingCheckBytes: 67_108_864,
  /** Checks that are run before other work gets its turn. */
  checksPerTurn: 16,
  /** The same after a block, where no signature is verified and consensus waits. */
  rechecksPerTurn: 64,
  /** Pieces of evidence that wait for a block, and pairs of votes whose height is not committed yet. */
  maxPendingEvidence: 10_000,
  maxEvidenceReports: 10_000,
  /** Pieces of evidence that a peer is sent at once, and after how many heights again, should they still wait. */
  evidencePerStatus: 8,
  evidenceResendHeights: 10,
  /**
   * Statuses (of different intervals) in which a peer has lacked a part of a block that is being decided before it is sent
   * that part, which may be on its way; and after how many more it is sent one again, that may be lost.
   */
  partGraceWords: 2,
  partResendWords: 5,
  /** Statuses and block requests of one peer that are answered in one interval of the status, and bytes of the answers. */
  answersPerTick: 200,
  answeredBytesPerTick: 16_777_216,
  /** Bytes of a block that is served whole: all that one peer may ask for at once fits into its queue. */
  maxServedBlockBytes: 1_572_864,
  /** Blocks that are forgotten at once, before other work gets its turn. */
  prunedBlocksPerStep: 20,
  /** Snapshots that one peer may offer, that are remembered of all peers together, and bytes of such an offer. */
  maxSnapshotsPerPeer: 10,
  maxKnownSnapshots: 100,
  maxSnapshotsMessageBytes: 4_194_304,
  /** Zeros behind the end of an archive with a snapshot: tar fills up to 10 KiB. */
  maxTarPaddingBytes: 65_536,
  /** Requests about snapshots of one peer that are answered at the same time. */
  snapshotRequestsPerPeer: 4,
  /** Chunks that are asked for at the same time, of all peers and of one, and how long one may take. */
  chunkRequests: 8,
  chunkRequestsPerPeer: 2,
  chunkTimeoutMs: 30_000,
  /** Chunks that failed to come, or came wrong, until the snapshot is given up. */
  maxChunkFailures: 100,
  /** How long a peer may take to send one block, and how long headers above a snapshot are waited for. */
  syncBlockTimeoutMs: 10_000,
  syncHeaderWaitMs: 30_000,
  /** Headers before a snapshot that are asked for at the same time, and written at once. */
  backfillHeaders: 16,
  /** How often snapshots are looked for before state sync gives up. */
  syncDiscoveryRounds: 20,
  /** How often the waits of state sync look again. */
  syncPollMs: 200,
  /** Child processes that run models for a validator's duties. */
  vmWorkers: 1,
  /** What a duty's execution may take for each 10^9 gas: twice what a window gives. Later nobody waits for it, but all others do. */
  dutyMsPerGigagas: 6_000,

  /** Bytes of one answer that a client of the RPC reads: a large block as base64, and more. */
  rpcResponseBytes: 268_435_456,
  /** Bytes of one answer that the light client reads from a source, which may be anybody. */
  lightResponseBytes: 67_108_864,
  lightRequestTimeoutMs: 10_000,
  /** How often the light proxy follows the chain. */
  lightUpdateMs: 1_000,
  /** How long a request of the light proxy waits for the next header, which proves what the last block did. */
  lightAwaitMs: 10_000,
  lightAwaitPollMs: 100,
  /** Verified light blocks that are kept. */
  lightKeptBlocks: 1_000,
  /** A picture file that the command line reads for a model. */
  maxPictureBytes: 33_554_432,
  /** Pixels of one that it writes, enlarged: 400 MB while it is encoded. */
  maxPicturePixels: 67_108_864,
  /** Passes of a JPEG over its picture: encoders make about ten. */
  maxJpegScans: 256,
  /** Inputs of a folder that `autond model compile --calibrate` reads. */
  maxCalibrationInputs: 4_096,
} as const;
