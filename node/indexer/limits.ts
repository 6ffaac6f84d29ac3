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
  /** Places at which a value of a segment is looked for by its hash: among random ones, nearly none needs half as many. */
  maxProbes: 64,
  /** Transactions whose entries are made before other work gets its turn. */
  txsPerTurn: 100,
  /** Committed blocks that are kept in memory for indexing; when the index lags more, it reads them from the block store. */
  maxFreshBlocks: 64,
  /** Entries that are written together: those of a large block come in several batches, its height in the last. */
  maxEntriesPerBatch: 4_096,
  /** Of them, made before others get their turn. */
  entriesPerPiece: 256,
  /** Bytes of a key or a value up to which the view of memory that is used again is kept for the next of that length. */
  maxReusedPieceBytes: 2_048,
  /** Transactions of several blocks that are indexed together; a block that has more comes alone. */
  maxTxsTogether: 256,
  /** Of the thread that writes: what it makes of a block is numbers in few arrays, and entries die as soon as they are handed over. */
  threadHeapMiB: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 },
  /** Transactions that make handing blocks to another thread worth the message, at least. */
  minTxsForThread: 8,
  /** Bytes of results that make it worth as well, however few the transactions: here they would take some milliseconds. */
  minResultBytesForThread: 65_536,
  /** How much the thread gives way to others (nice(2)): a third of their share of a busy core. */
  threadNiceness: 5,
  /** Of PostgreSQL: milliseconds that a connection, and that a statement may take. */
  psqlConnectMs: 10_000,
  psqlStatementMs: 120_000,
  /** Rows of events, and bytes of results, that one statement writes. */
  psqlRowsTogether: 2_000,
  psqlBytesTogether: 4_194_304,
  /** Milliseconds until a database that has failed is tried again: twice as long each time, up to the second. */
  psqlRetryMs: [1_000, 60_000],
  /** That the end of its thread is waited for. */
  psqlCloseMs: 500,
  /** Of the thread that writes there: a block is objects in it, several times its results. */
  psqlHeapMiB: { maxOldGenerationSizeMb: 1_024, maxYoungGenerationSizeMb: 16 },
} as const;
