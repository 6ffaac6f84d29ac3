/** Bounds of the authenticated store. */
export const STATE_LIMITS = {
  /** Bytes of decoded tree nodes that stay in memory, over all stores together. */
  nodeCacheBytes: 256 * 1024 * 1024,
  /** New nodes of one store in one version: the cache's node number holds 2^22. */
  nodesPerVersion: 0x3fffff,
  /** Versions: with the node number they fill a safe integer. One a second lasts 68 years. */
  maxVersion: 0x7fffffff,
  /** A store's name: one length byte in database keys. */
  storeNameBytes: 64,
  keyBytes: 65_535,
} as const;
