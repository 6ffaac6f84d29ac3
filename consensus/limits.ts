/** Named limits of everything in consensus that peers can make grow. */
export const CONSENSUS_LIMITS = {
  /** Bytes of one wire message: a full block part with its proof, or an extended vote, and framing. */
  maxMessageBytes: 262_144,
  /** Bytes of one piece of evidence between peers: an attack's light block with hundreds of validators. */
  maxEvidenceMessageBytes: 1_048_576,
  /** Inputs waiting for the engine; beyond it messages of peers are dropped, the node's own are not. */
  maxQueuedInputs: 8_192,
  /** Parts kept before the proposal that names their part set has arrived, for one height. */
  maxEarlyParts: 64,
  /** Messages kept for the next height while this one is being committed. */
  maxEarlyMessages: 2_048,
  /** Votes and proposals of one validator that are kept for the next height. */
  maxEarlyOfValidator: 8,
  /** Votes that await the application's verdict on their extension, for one height. */
  maxUncheckedExtensions: 20_000,
  /** Votes of one type that one validator may cast for rounds beyond the next, while this node stays in its round. */
  maxFarVotesPerRound: 2,
  /** Precommits of one validator in one round whose extension the application may refuse; more are not looked at. */
  maxRefusedExtensionsPerRound: 4,
  /** Conflicting blocks tallied in one vote set beyond those that first votes name. */
  maxConflictingVotesPerValidator: 2,
  /** Parts sent in answer to one status. */
  maxPartsPerRepair: 32,
  /** Votes of one kind sent in answer to one status; the next answer goes on after them. */
  maxVotesPerRepair: 256,
  /** Peers told of a change of height, round or step at once; the others learn it from the next tick. */
  maxPeers: 1_000,
  /** Bytes of one WAL record: an application's answer with a full block of transactions. */
  maxWalRecordBytes: 134_217_728,
  /** A peer's claimed height may exceed ours by any number, but block sync asks for at most this many at once. */
  maxBlockRequests: 32,
  /** With fewer than these on their way or here, more are asked for. */
  fewBlocksAhead: 16,
  /** Ticks (of the status interval) after which a block request is given to somebody else. */
  blockRequestTicks: 10,
  /** Block requests that one peer has open. */
  maxRequestsPerPeer: 8,
  /** A peer that has more open is not asked for further ones meanwhile. */
  fewRequestsPerPeer: 4,
  /** Bytes of one block-sync response: what is served whole (larger blocks go part by part), its commit and framing. */
  maxBlockResponseBytes: 2_097_152,
  /** Hashes in one message about transactions. */
  maxHashesPerTxMessage: 512,
  /** Transactions that are remembered for each peer, at least: known to him, sent to him. At most twice as many. */
  maxKnownTxs: 10_000,
  /** Announced transactions that are not here yet, in all and by one peer's announcement. */
  maxWantedTxs: 50_000,
  maxWantedTxsPerPeer: 10_000,
  /** Transactions that one peer has been asked for and has not sent. */
  maxTxsInFlight: 512,
  /** Peers that are remembered as having one wanted transaction. */
  maxTxSources: 8,
  /** Transactions that one peer has asked for and waits for. */
  maxTxsToServe: 1_024,
  /** After so many unfulfilled requests in a row a peer's word no longer keeps others waiting. */
  txMissesTolerated: 3,
  /** Silence after which a requested transaction is asked of another peer; and however much else he sends. Milliseconds. */
  txRequestTimeoutMs: 1_000,
  txRequestLongestMs: 10_000,
} as const;
