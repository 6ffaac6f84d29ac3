/** Named limits of the protocol between a node and its signer. */
export const PRIVVAL_LIMITS = {
  /**
   * Bytes of one message: a vote with the largest extension, and room for the rest. CometBFT itself reads no more than
   * 10,240 (privval/signer_endpoint.go), so a daemon built on it refuses votes with larger extensions.
   */
  maxMessageBytes: 69_632,
  /** Bytes of a handshake message: a key and a signature take about a hundred. */
  maxHandshakeBytes: 1_024,
  /** Bytes of the description of an error. */
  maxDescriptionBytes: 1_024,
  /** A dialled-in connection has to finish its handshake and name its key within this time. */
  handshakeTimeoutMs: 5_000,
  /** Connections whose handshake is under way; more are closed at once. */
  maxPendingConnections: 8,
  /** Silence after which the node pings; CometBFT's two thirds of its read timeout. */
  pingIntervalMs: 3_333,
  /** How long a starting node waits for its signer. */
  startTimeoutMs: 60_000,
  /** Requests that one node may have waiting at a signer. */
  maxQueuedRequests: 16,
  /** Waits of a signer between attempts to reach its node. */
  redialMinMs: 100,
  redialMaxMs: 3_000,
  /** A signer that hears nothing for this long, not even a ping, dials anew. */
  signerSilenceMs: 15_000,
} as const;
