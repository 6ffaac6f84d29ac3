/** Named limits of transactions, queries and genesis. */
export const RUNTIME_LIMITS = {
  /** Messages in one transaction. */
  maxMessages: 100,
  /** Fields of a transaction's body, of its auth_info, of a query's request, those of messages inside included. */
  maxFields: 20_000,
  /** Signatures of one transaction; one is a multisig's whole. */
  maxSignatures: 1_000,
  /** Messages inside messages (MsgExec), the outermost counted. */
  maxMessageDepth: 4,
  /** Largest gas limit of a transaction: types/tx.go MaxGasWanted = 2^63 − 1. */
  maxGasWanted: 0x7fffffffffffffffn,
  /**
   * Gas of one query, and of one simulation: the most that a client may make this node compute for nothing. A query of
   * the first reads some 150 000 entries, for which consensus waits about half a second.
   */
  maxQueryGas: 20_000_000n,
  maxSimulationGas: 100_000_000n,
  /** Keys inside one multisig key, and how deep such keys may stand in each other. */
  maxMultisigKeys: 64,
  maxMultisigDepth: 4,
  /** Bytes of an encoded public key. */
  maxPubKeyBytes: 8_192,
  /** Signatures that this node has found good and need not check again; the oldest are forgotten first. */
  maxKnownSignatures: 65_536,
  /** Bytes of what they sign. */
  maxKnownSignatureBytes: 67_108_864,
  /** Decoded transactions that are kept from mempool to block, bytes of all together and of one: larger ones are rare. */
  maxKnownTxs: 32_768,
  maxKnownTxsBytes: 16_777_216,
  maxKnownTxBytes: 4_096,
  /** Objects that one of them may consist of, and one more for each 2^so many of its bytes: a transfer has some 30. */
  knownTxParts: 48,
  knownTxPartShift: 4,
  /** Those whose signatures are verified ahead of their check. */
  maxHeldTxs: 4_096,
  /** Signatures that are handed over at once, to be verified before their block is executed. */
  checksHandedOver: 64,
  /** Transactions that are read for that at once, before others get their turn. */
  txsReadAtOnce: 16,
  /** Characters of an address in text. */
  maxAddressCharacters: 512,
  /** Addresses kept for reuse, by text and by bytes each: a power of two. */
  recentAddresses: 65_536,
  /** Decimal digits of an amount: 2^256 − 1 has 78. */
  maxAmountDigits: 78,
  /** Amounts stay below this: math.Int's 256 bits. */
  maxAmount: (1n << 256n) - 1n,
  /** Different denominations in one coin list. */
  maxCoins: 64,
  maxDenomCharacters: 128,
  /** Message types that one fee allowance names. */
  maxAllowedMessages: 100,
  /** Recipients that one send authorization names. */
  maxAllowedAddresses: 100,
  /** Periods of one vesting account. */
  maxVestingPeriods: 1_000,
  /** Outputs of one MsgMultiSend. */
  maxMultiSendOutputs: 1_000,
  /**
   * Least that governance may make a block's limits: smaller ones would have no room for the votes and the message that
   * raises them again.
   */
  minBlockBytes: 262_144n,
  minBlockGas: 1_000_000n,
  /** Entries of one query page; a request for more gets this many. */
  maxPageEntries: 1_000,
  defaultPageEntries: 100,
  /** Entries that are counted for a page's `total` when nobody asked for it. */
  maxCountedEntries: 10_000,
  /** Entries that one page may read, with those that an offset leaves out and a count counts; beyond it is refused. */
  maxVisitedEntries: 100_000,
  /** Bytes of a query request. */
  maxQueryBytes: 2_097_152,
  /** Bytes of `app_state`. */
  maxAppStateBytes: 268_435_456,
} as const;

/** Bounds of the authenticated store. */
export const STATE_LIMITS = {
  /**
   * Bytes of tree nodes and values that stay in memory, over all stores together; taken as the state grows. Enough for
   * the inner nodes of some two million keys.
   */
  nodeCacheBytes: 512 * 1024 * 1024,
  /** New records of one store in one version: the cache's page number holds 2^22, with the version a safe integer. */
  pagesPerVersion: 0x3fffff,
  /** Versions. One a second lasts 68 years. */
  maxVersion: 0x7fffffff,
  /** Resident inner nodes of a view of an old version. */
  viewNodes: 4096,
  /** Database operations of one step of pruning, where the caller does not say. */
  pruneBudget: 1000,
  /** Leaves that an iteration looks up at once, at most. */
  scanBatch: 256,
  /** Bytes of a value of the last version that stays in memory as it was read; larger ones are read again. */
  cachedValueBytes: 1_280,
  /** Height of a balanced tree of 2^32 leaves, and then some. */
  treeHeight: 64,
  /** Bytes of a snapshot's chunk: it has to fit into one message between peers. */
  snapshotChunkBytes: 4 * 1024 * 1024,
  /** Chunks of one snapshot: 256 GiB of state. */
  snapshotChunks: 65_536,
  /** Bytes of one entry in a snapshot. */
  snapshotItemBytes: 64 * 1024 * 1024,
  /** Nodes that an export reads before it lets others have their turn. */
  snapshotSlice: 256,
  /** Entries deleted at once when an import is discarded. */
  wipeBatch: 10_000,
  /** A store's name: one length byte in database keys. */
  storeNameBytes: 64,
  keyBytes: 65_535,
  /** Values of one kind that are kept decoded: validators of a large chain, and then some. */
  rememberedValues: 1_024,
  /** Bytes of such a value. */
  rememberedBytes: 4_096,
} as const;
