/** Named limits of the light client: what sources may make it fetch, keep or wait for. */
export const LIGHT_LIMITS = {
  /** Blocks between two cross-checks of sequential verification: as many are kept in memory. */
  sequentialChunk: 256n,
  /** Headers that one request may walk back below what is trusted. */
  maxBackwards: 10_000n,
  /** Intermediate blocks of one skipping verification: each bisection halves the way, and sets rarely change whole. */
  maxSkips: 10_000,
  /** A witness that lags is asked again this often. */
  witnessPollMs: 250,
  /** How often evidence is sent again when a node cannot judge it yet, and how long apart. */
  reportAttempts: 5,
  reportPauseMs: 1_000,
  maxWitnesses: 32,
} as const;
