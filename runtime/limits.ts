/** Named limits of transactions, queries and genesis. */
export const RUNTIME_LIMITS = {
  /** Messages in one transaction. */
  maxMessages: 100,
  /** Largest gas limit of a transaction: types/tx.go MaxGasWanted = 2^63 − 1. */
  maxGasWanted: 0x7fffffffffffffffn,
  /** Characters of an address in text. */
  maxAddressCharacters: 512,
  /** Formatted addresses kept for reuse. */
  maxRecentAddresses: 8_192,
  /** Decimal digits of an amount: 2^256 − 1 has 78. */
  maxAmountDigits: 78,
  /** Amounts stay below this: math.Int's 256 bits. */
  maxAmount: (1n << 256n) - 1n,
  /** Different denominations in one coin list. */
  maxCoins: 64,
  maxDenomCharacters: 128,
  /** Outputs of one MsgMultiSend. */
  maxMultiSendOutputs: 1_000,
  /** Entries of one query page; a request for more gets this many. */
  maxPageEntries: 1_000,
  defaultPageEntries: 100,
  /** Bytes of a query request. */
  maxQueryBytes: 2_097_152,
  /** Bytes of `app_state`. */
  maxAppStateBytes: 268_435_456,
} as const;

/** Bounds of the authenticated store. */
export const STATE_LIMITS = {
  /** Bytes of decoded tree nodes that stay in memory, over all stores together. */
  nodeCacheBytes: 128 * 1024 * 1024,
  /** New nodes of one store in one version: the cache's node number holds 2^22. */
  nodesPerVersion: 0x3fffff,
  /** Versions: with the node number they fill a safe integer. One a second lasts 68 years. */
  maxVersion: 0x7fffffff,
  /** A store's name: one length byte in database keys. */
  storeNameBytes: 64,
  keyBytes: 65_535,
} as const;
