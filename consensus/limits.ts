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
  /** Votes that await the application's verdict on their extension, for one height. */
  maxUncheckedExtensions: 20_000,
  /** Conflicting blocks tallied in one vote set beyond those that first votes name. */
  maxConflictingVotesPerValidator: 2,
  /** Parts sent in answer to one status. */
  maxPartsPerRepair: 32,
  /** Votes sent in answer to one status. */
  maxVotesPerRepair: 256,
  /** Peers told of a change of height, round or step at once; the others learn it from the next tick. */
  maxPeers: 1_000,
  /** Bytes of one WAL record: an application's answer with a full block of transactions. */
  maxWalRecordBytes: 134_217_728,
  /** A peer's claimed height may exceed ours by any number, but block sync asks for at most this many at once. */
  maxBlockRequests: 32,
  /** Ticks (of the status interval) after which a block request is given to somebody else. */
  blockRequestTicks: 10,
  /** Block requests that one peer has open. */
  maxRequestsPerPeer: 8,
  /** Bytes of one block-sync response: a block, its commit and framing. */
  maxBlockResponseBytes: 110_000_000,
} as const;
