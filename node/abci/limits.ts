/** Named limits of the ABCI server: what a client on the socket may make this process hold. */
export const ABCI_LIMITS = {
  /** Bytes of one request: abci/types MaxMsgSize of CometBFT. */
  maxRequestBytes: 104_857_600,
  /** Bytes of a length prefix: enough for `maxRequestBytes`, and less than a varint may have. */
  maxLengthBytes: 4,
  /** Messages inside messages: Request, PrepareProposal, ExtendedCommitInfo, ExtendedVoteInfo, Validator, and one to spare. */
  maxDepth: 6,
  /** CometBFT opens four. */
  maxConnections: 16,
  /** Answers that wait for the next flush or for more requests; beyond this they are written at once. */
  maxBufferedBytes: 262_144,
  /** Characters of an exception's sentence. */
  maxExceptionChars: 1_024,
  /** Bytes of an echo. */
  maxEchoBytes: 65_536,
} as const;
