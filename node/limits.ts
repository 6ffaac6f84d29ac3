/** Named limits of the node: what outside input, queues and caches may grow to. */
export const NODE_LIMITS = {
  /** Entries that one round trip to the range reader brings. */
  rangeChunkEntries: 1_000,
  /** The range reader answers in microseconds; when it does not answer in this time it has died. */
  rangeReadTimeoutMs: 30_000,
  /** Key objects of node:crypto that are kept: validators of two sets of the largest size that we expect, and more. */
  verifierKeyCacheEntries: 4_096,
  /** Bytes of configuration and key files. */
  maxConfigFileBytes: 1_048_576,
} as const;
