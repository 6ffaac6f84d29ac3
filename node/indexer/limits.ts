/** Named limits of the index. */
export const INDEX_LIMITS = {
  /** Places (a transaction, or an event of one) that one search may look at. */
  maxScannedEntries: 1_000_000,
  /** Places read before other work gets its turn. */
  scanChunkEntries: 1_000,
  /** Searches that run at the same time; more are refused. */
  maxConcurrentSearches: 16,
  /** Bytes of an attribute's value; longer values are not indexed (they stand in the record still). */
  maxIndexedValueBytes: 1_024,
  /** Bytes of an attribute's composite key. */
  maxIndexedKeyBytes: 256,
  /** Transactions whose entries are made before other work gets its turn. */
  txsPerTurn: 100,
  /** Committed blocks that are kept in memory for indexing; when the index lags more, it reads them from the block store. */
  maxFreshBlocks: 64,
  /** Entries that are written together: those of a large block come in several batches, its height in the last. */
  maxEntriesPerBatch: 1_024,
  /** Of them, made before others get their turn. */
  entriesPerPiece: 256,
  /** Transactions of several blocks that are indexed together; a block that has more comes alone. */
  maxTxsTogether: 256,
  /**
   * Of the thread that writes: a segment of a block lives until it is written, and in a young generation of 8 MiB it is
   * copied so often that a transaction costs a fifth more.
   */
  threadHeapMiB: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 32 },
  /** Transactions that make handing blocks to another thread worth the message, at least. */
  minTxsForThread: 8,
  /** How much the thread gives way to others (nice(2)): a third of their share of a busy core. */
  threadNiceness: 5,
} as const;
